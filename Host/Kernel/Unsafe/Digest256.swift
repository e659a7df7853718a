/// 32 bytes that a hash function made. A plain value: no allocation, and equality in constant time.
package struct Digest256: Sendable, Hashable {
  // The bytes in memory order, so that C can write them in place.
  private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

  package static let byteCount = 32

  /// All zero: what a hash chain starts from.
  package init() {}

  /// nil unless there are 32 bytes.
  package init?(_ bytes: Span<UInt8>) {
    guard bytes.count == Digest256.byteCount else { return nil }
    // Safe: the loop writes each of the 32 bytes.
    unsafe self.init(filledBy: { target in
      for index in 0..<Digest256.byteCount { unsafe target[index] = bytes[index] }
    })
  }

  package init?(_ bytes: [UInt8]) { self.init(bytes.span) }

  /// The bytes that `hex` spells; nil for any other text.
  package init?(hex: some StringProtocol) {
    guard let bytes = Hex.decode(hex) else { return nil }
    self.init(bytes)
  }

  /// `fill` writes all 32 bytes.
  @unsafe
  package init(filledBy fill: (UnsafeMutablePointer<UInt8>) -> Void) {
    // Safe: four words are 32 bytes, and bytes have no alignment.
    unsafe withUnsafeMutableBytes(of: &words) { raw in
      unsafe fill(raw.baseAddress!.assumingMemoryBound(to: UInt8.self))
    }
  }

  package var bytes: [UInt8] {
    // Safe: four words are 32 bytes.
    unsafe withUnsafeBytes(of: words) { unsafe Array($0) }
  }

  /// Lends the bytes.
  package func withSpan<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
    unsafe withUnsafeBytes(of: words) { raw in
      // Safe: the span ends with the call, the words outlive it.
      body(unsafe Span(_unsafeStart: raw.baseAddress!.assumingMemoryBound(to: UInt8.self), count: 32))
    }
  }

  /// Lower case.
  package var hex: String { Hex.encode(bytes) }

  /// Takes the same time wherever the two differ: every word is looked at, and nothing branches on one.
  package static func == (a: Digest256, b: Digest256) -> Bool {
    let first = (a.words.0 ^ b.words.0) | (a.words.1 ^ b.words.1)
    let second = (a.words.2 ^ b.words.2) | (a.words.3 ^ b.words.3)
    return first | second == 0
  }

  package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}
