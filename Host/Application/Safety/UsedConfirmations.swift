/// The confirmations that were used up and would still hold.
///
/// It has an end. Where there is no room, those that expire next are forgotten, and with them every token that expires no
/// later counts as used: whoever has such a one is asked again, and nobody's counts twice.
struct UsedConfirmations {
  /// A token, as nobody can choose it: what was signed is not in it.
  struct Name: Hashable, Sendable {
    let high: UInt64
    let low: UInt64
  }

  private let capacity: Int
  /// By the second at which they expire.
  private var used: [Int64: Set<Name>] = [:]
  private var count = 0
  /// Tokens that expire at this second or before it count as used.
  private var floor = Int64.min

  init(capacity: Int) {
    precondition(capacity > 0)
    self.capacity = capacity
  }

  /// False: it was used, or counts as if it were.
  mutating func use(_ name: Name, expires second: Int64, now: Int64) -> Bool {
    guard second > floor, used[second]?.contains(name) != true else { return false }
    if count >= capacity { makeRoom(now) }
    guard second > floor else { return false }
    used[second, default: []].insert(name)
    count += 1
    return true
  }

  private mutating func makeRoom(_ now: Int64) {
    var gone = used.keys.filter { $0 <= now }
    if gone.isEmpty, let next = used.keys.min() { gone = [next] }
    for second in gone {
      count -= used.removeValue(forKey: second)?.count ?? 0
      floor = max(floor, second)
    }
  }
}
