import Kernel

/// Numbers that threads take and give back without a lock; the lowest first, so that little memory is touched.
final class NumberSet: Sendable {
  private let words: AtomicWords
  private let count: Int

  /// The numbers below `count`, all free, or all taken.
  init(count: Int, isFull: Bool = true) {
    self.count = count
    words = AtomicWords(count: (count + 63) / 64)
    if isFull { for number in 0..<count { give(number) } }
  }

  var isEmpty: Bool { (0..<words.count).allSatisfy { words.load($0) == 0 } }

  func take() -> Int? {
    for word in 0..<words.count {
      var seen = words.load(word)
      while seen != 0 {
        let (won, now) = words.compareExchange(word, expected: seen, desired: seen & (seen - 1))
        if won { return word * 64 + seen.trailingZeroBitCount }
        seen = now
      }
    }
    return nil
  }

  /// Whether 0 is taken and nothing else: an estimate where there are more than 64 numbers.
  var hasOnlyZeroTaken: Bool { words.load(0) == (UInt64.max >> UInt64(max(0, 64 - count))) & ~1 }

  func give(_ number: Int) {
    let (word, bit) = (number / 64, UInt64(1) << UInt64(number % 64))
    var seen = words.load(word)
    while true {
      let (won, now) = words.compareExchange(word, expected: seen, desired: seen | bit)
      if won { return }
      seen = now
    }
  }
}

/// Calls `body` with the place of each bit.
@inline(__always)
func forEachBit(_ bits: UInt64, _ body: (Int) -> Void) {
  var rest = bits
  while rest != 0 {
    body(rest.trailingZeroBitCount)
    rest &= rest - 1
  }
}
