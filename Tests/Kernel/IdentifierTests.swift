import Kernel
import Testing

@Suite struct HexTests {
  @Test func spellsBytes() {
    #expect(Hex.encode([0x00, 0x0F, 0xA5, 0xFF]) == "000fa5ff")
    #expect(Hex.encode([UInt8]()) == "")
    #expect(Hex.decode("000fA5Ff") == [0x00, 0x0F, 0xA5, 0xFF])
    #expect(Hex.decode("") == [])
  }

  @Test(arguments: ["0", "000", "0g", "g0", " 00", "0x00", "é0"]) func refusesOtherText(text: String) {
    #expect(Hex.decode(text) == nil)
  }

  @Test func readsBackEveryByte() {
    let all = (0...255).map { UInt8($0) }
    #expect(Hex.decode(Hex.encode(all)) == all)
  }
}

@Suite struct Base64URLTests {
  @Test(
    arguments: [
      ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
      ("foobar", "Zm9vYmFy"), ("\u{FF}\u{FE}", "w7_Dvg"),
    ])
  func spellsBytesAsRFC4648Does(text: String, expected: String) {
    #expect(Base64URL.encode(Array(text.utf8)) == expected)
    #expect(Base64URL.decode(expected) == Array(text.utf8))
  }

  @Test(arguments: ["Z", "Zg==", "Zh", "Zm9", "Zm9v+", "Zm9/", "Zm 9", "Zm9vé", "ZmF"])
  func refusesOtherText(text: String) { #expect(Base64URL.decode(text) == nil) }

  @Test func readsBackBytesOfAnyLength() {
    for count in 0..<70 {
      let bytes = randomBytes(count)
      #expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes)
    }
  }
}

@Suite struct UUIDv7Tests {
  @Test func hasVersionAndVariant() {
    for _ in 0..<100 {
      let id = Array(UUIDv7.make().utf8)
      #expect(id.count == 36)
      #expect([8, 13, 18, 23].allSatisfy { id[$0] == UInt8(ascii: "-") })
      #expect(id[14] == UInt8(ascii: "7"))
      #expect("89ab".utf8.contains(id[19]))
    }
  }

  @Test func startsWithTheMilliseconds() {
    let id = UUIDv7.make(at: Timestamp(microseconds: 0x0189_0A5D_AC96 * 1000 + 999))
    #expect(id.hasPrefix("01890a5d-ac96-7"))
  }

  @Test func sortsByTime() {
    let ids = (0..<50).map { UUIDv7.make(at: Timestamp(microseconds: Int64($0) * 1000)) }
    #expect(ids == ids.sorted())
    #expect(Set(ids).count == ids.count)
  }

  @Test func differsWithinAMillisecond() {
    let time = Timestamp(microseconds: 5)
    #expect(Set((0..<1000).map { _ in UUIDv7.make(at: time) }).count == 1000)
  }
}

@Suite struct RandomBytesTests {
  @Test func givesAsManyAsAsked() {
    for count in [0, 1, 7, 8, 9, 32, 100] { #expect(randomBytes(count).count == count) }
    #expect(randomBytes(32) != randomBytes(32))
  }
}
