import Application
import Cryptography
import Kernel
import Synchronization
import Testing

@Suite struct DigestsTests {
  private let digests = OpenSSLDigests()

  // FIPS 180-4 examples, and the empty message.
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
  ])
  func hashesTheStandardsExamples(text: String, expected: String) {
    #expect(digests.sha256(text.utf8.span).hex == expected)
  }

  // RFC 4231, cases 1, 2, 3 and 6: short, text, repeated and longer than a block.
  @Test(arguments: [
    (
      [UInt8](repeating: 0x0B, count: 20), Array("Hi There".utf8),
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    ),
    (
      Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    ),
    (
      [UInt8](repeating: 0xAA, count: 20), [UInt8](repeating: 0xDD, count: 50),
      "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
    ),
    (
      [UInt8](repeating: 0xAA, count: 131),
      Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    ),
  ])
  func authenticatesTheStandardsExamples(key: [UInt8], text: [UInt8], expected: String) {
    #expect(digests.hmacSHA256(key: key.span, text.span).hex == expected)
    let stream = digests.hmacSHA256Stream(key: key.span)
    stream.update(text.span)
    #expect(stream.finish().hex == expected)
  }

  @Test func piecesHashAsTheWhole() {
    let whole = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let expected = digests.sha256(whole.span)
    let stream = digests.sha256Stream()
    for size in [1, 63, 64, 65, 4999] {
      stream.begin()
      var rest = whole[...]
      while !rest.isEmpty {
        stream.update(Array(rest.prefix(size)).span)
        rest = rest.dropFirst(size)
      }
      #expect(stream.finish() == expected)
    }
  }

  @Test func aKeyDoesNotLeakIntoTheNextMessage() {
    let text = Array("message".utf8)
    let long = [UInt8](repeating: 7, count: 64)
    let short: [UInt8] = [7]
    let first = digests.hmacSHA256(key: short.span, text.span)
    _ = digests.hmacSHA256(key: long.span, text.span)
    #expect(digests.hmacSHA256(key: short.span, text.span) == first)
  }

  @Test func comparesWholeContents() {
    let a = [UInt8](repeating: 1, count: 32)
    for index in a.indices {
      var b = a
      b[index] = 2
      let isEqual = digests.isEqual(a.span, b.span)
      #expect(!isEqual)
    }
    let same = digests.isEqual(a.span, a.span)
    let shorter = digests.isEqual(a.span, a.span.extracting(0..<31))
    let empty = digests.isEqual(a.span.extracting(0..<0), a.span.extracting(0..<0))
    #expect(same && !shorter && empty)
  }

  @Test func threadsDoNotDisturbEachOther() {
    let digests = digests
    let wrong = Wrong()
    let threads = (0..<4).map { number in
      OSThread("hasher") {
        let text = [UInt8](repeating: UInt8(number), count: 100 + number)
        let expected = digests.sha256(text.span)
        for _ in 0..<2000 where digests.sha256(text.span) != expected {
          wrong.count.add(1, ordering: .relaxed)
        }
      }
    }
    for thread in threads { thread.join() }
    #expect(wrong.count.load(ordering: .relaxed) == 0)
  }

  private final class Wrong: Sendable { let count = Atomic<Int>(0) }

  @Test func digestsReadAndWriteHex() {
    let digest = digests.sha256("abc".utf8.span)
    #expect(Digest256(hex: digest.hex) == digest && Digest256(digest.bytes) == digest)
    #expect(Digest256(hex: digest.hex.dropLast()) == nil && Digest256(hex: digest.hex.dropLast(2)) == nil)
  }
}
