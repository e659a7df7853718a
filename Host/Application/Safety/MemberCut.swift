import Kernel

/// Removes members of a JSON object from its bytes and leaves every other byte as it came: a number keeps its digits, a
/// text its escapes.
enum MemberCut {
  /// `isCut` has an entry for each member, in document order. The bytes are a valid document whose root is an object.
  static func remove(_ isCut: [Bool], from bytes: Arena) {
    var reader = Reader(bytes: bytes)
    var kept: [ByteRange] = []
    reader.pass(UInt8(ascii: "{"))
    for cut in isCut {
      reader.skipBlanks()
      let start = reader.place
      reader.skipValue()
      reader.pass(UInt8(ascii: ":"))
      reader.skipBlanks()
      reader.skipValue()
      if !cut { kept.append(ByteRange(offset: start, count: reader.place - start)) }
      reader.skipBlanks()
      if reader.place < bytes.count, bytes[reader.place] == UInt8(ascii: ",") { reader.place += 1 }
    }
    var target = 0
    func put(_ byte: UInt8) {
      bytes[target] = byte
      target += 1
    }
    put(UInt8(ascii: "{"))
    for (number, member) in kept.enumerated() {
      if number > 0 { put(UInt8(ascii: ",")) }
      // Never ahead of what is read: each member stood behind the brace or comma that is written before it.
      for place in member.start..<member.end { put(bytes[place]) }
    }
    put(UInt8(ascii: "}"))
    bytes.truncate(to: target)
  }

  /// Walks over valid JSON.
  private struct Reader {
    let bytes: Arena
    var place = 0

    mutating func skipBlanks() {
      while place < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[place]) { place += 1 }
    }

    mutating func pass(_ byte: UInt8) {
      skipBlanks()
      if place < bytes.count, bytes[place] == byte { place += 1 }
    }

    mutating func skipValue() {
      guard place < bytes.count else { return }
      switch bytes[place] {
      case UInt8(ascii: "\""): skipString()
      case UInt8(ascii: "{"), UInt8(ascii: "["): skipContainer()
      default:
        while place < bytes.count, !isEnd(bytes[place]) { place += 1 }
      }
    }

    private func isEnd(_ byte: UInt8) -> Bool {
      switch byte {
      case 0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"): true
      default: false
      }
    }

    private mutating func skipString() {
      place += 1
      while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
        place += bytes[place] == UInt8(ascii: "\\") ? 2 : 1
      }
      place += 1
    }

    private mutating func skipContainer() {
      var depth = 0
      while place < bytes.count {
        switch bytes[place] {
        case UInt8(ascii: "\""):
          skipString()
          continue
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
        default: break
        }
        place += 1
        if depth == 0 { return }
      }
    }
  }
}
