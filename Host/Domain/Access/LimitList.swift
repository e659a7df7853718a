import Kernel
import Synchronization

/// The different limits that keys have, by number, so that a key keeps two bytes for its own.
///
/// The request path reads by number. What a number says never changes, nor is it forgotten; their count is
/// bounded. Number 0 stands for the default, whichever number that has at the moment.
final class LimitList: Sendable {
  static let defaultNumber: UInt16 = 0

  // Three words each: interval, burst, and the period in nanoseconds.
  private let words: AtomicWords
  private let numbers = Monitor<[RateLimit: UInt16]>([:])
  private let current = Atomic<UInt16>(0)
  private let capacity: Int

  init(_ defaultLimit: RateLimit, capacity: Int = 16_384) throws(Problem) {
    precondition((2...65_536).contains(capacity))
    self.capacity = capacity
    words = AtomicWords(count: capacity * 3)
    try setDefault(defaultLimit)
  }

  func setDefault(_ limit: RateLimit) throws(Problem) {
    current.store(try intern(limit), ordering: .releasing)
  }

  /// Throws `limit.invalid` (422) or `limit.too_many` (503).
  func intern(_ limit: RateLimit) throws(Problem) -> UInt16 {
    let gcra = try GCRA(limit)
    return try numbers.withLock { numbers throws(Problem) in
      if let known = numbers[limit] { return known }
      guard numbers.count + 1 < capacity else {
        throw Problem(503, "limit.too_many", "no more than \(capacity - 1) different limits fit")
      }
      let number = UInt16(numbers.count + 1)
      words.store(UInt64(bitPattern: gcra.interval), at: Int(number) * 3)
      words.store(UInt64(bitPattern: gcra.burst), at: Int(number) * 3 + 1)
      words.store(UInt64(bitPattern: limit.period.nanoseconds), at: Int(number) * 3 + 2)
      numbers[limit] = number
      return number
    }
  }

  @inline(__always)
  func gcra(_ number: UInt16) -> GCRA {
    let first = place(number)
    return GCRA(
      interval: Int64(bitPattern: words.load(first)), burst: Int64(bitPattern: words.load(first + 1)))
  }

  func limit(_ number: UInt16) -> RateLimit {
    let first = place(number)
    return RateLimit(
      requests: Int(truncatingIfNeeded: words.load(first + 1)),
      per: .nanoseconds(Int64(bitPattern: words.load(first + 2))))
  }

  @inline(__always)
  private func place(_ number: UInt16) -> Int {
    Int(number == LimitList.defaultNumber ? current.load(ordering: .acquiring) : number) * 3
  }
}
