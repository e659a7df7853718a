package import Kernel

/// What was used in the last minute, second by second. A value: the caller brings the time.
package struct UsageWindow: Sendable {
  private static let seconds: Int64 = 60

  private var spent = [UInt64](repeating: 0, count: Int(seconds))
  /// The second that is filled now, of the monotonic clock.
  private var now: Int64 = 0
  private var known: UInt64 = 0

  package init() {}

  /// Of the last minute, in nanoseconds.
  package private(set) var used: UInt64 = 0

  /// `total` nanoseconds were used since the beginning; what is new of them counts for the second of `instant`.
  package mutating func advance(to total: UInt64, at instant: Instant) {
    let second = instant.nanoseconds / 1_000_000_000
    if second > now {
      for passed in max(now + 1, second - UsageWindow.seconds + 1)...second { spent[place(passed)] = 0 }
      now = second
    }
    spent[place(now)] &+= total &- min(known, total)
    known = max(known, total)
    used = spent.reduce(0, &+)
  }

  /// When there is room again, nanoseconds of the monotonic clock; 0 while there is, and for no budget at all.
  package func closedUntil(budget: UInt64) -> Int64 {
    budget > 0 && used >= budget ? opens(below: budget).nanoseconds : 0
  }

  /// When less than `budget` will be left of what is used now.
  package func opens(below budget: UInt64) -> Instant {
    var left = used
    for second in (now - UsageWindow.seconds + 1)...now {
      if left < budget { break }
      left -= spent[place(second)]
      if left < budget { return Instant(nanoseconds: (second + UsageWindow.seconds) * 1_000_000_000) }
    }
    return Instant(nanoseconds: (now + UsageWindow.seconds) * 1_000_000_000)
  }

  private func place(_ second: Int64) -> Int {
    Int(((second % UsageWindow.seconds) + UsageWindow.seconds) % UsageWindow.seconds)
  }
}
