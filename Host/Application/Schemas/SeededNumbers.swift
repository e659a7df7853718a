/// Numbers that a seed decides (SplitMix64): the same seed gives the same test.
package struct SeededNumbers: RandomNumberGenerator {
  private var state: UInt64

  package init(_ seed: UInt64) { state = seed }

  /// One row of numbers for each check, route and round, whatever the others took.
  package init(_ seed: UInt64, _ parts: Int...) {
    state = seed
    for part in parts { state = (next() ^ UInt64(truncatingIfNeeded: part)) &* 0x9E37_79B9_7F4A_7C15 }
  }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  package mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
  package mutating func pick<Item>(_ items: [Item]) -> Item {
    items[Int.random(in: 0..<items.count, using: &self)]
  }

  /// A number between two bounds that is often one of them.
  package mutating func count(_ range: ClosedRange<Int>) -> Int {
    switch Int.random(in: 0..<6, using: &self) {
    case 0: range.lowerBound
    case 1: range.upperBound
    default: Int.random(in: range, using: &self)
    }
  }
}
