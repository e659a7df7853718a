import Glibc

/// A reading of the monotonic clock, in nanoseconds. Comparable within one boot only.
package struct Instant: Comparable, Hashable, Sendable {
  package var nanoseconds: Int64

  package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  package static var now: Instant { Instant(nanoseconds: read(CLOCK_MONOTONIC)) }

  package static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
  package static func + (a: Instant, b: Duration) -> Instant {
    Instant(nanoseconds: a.nanoseconds + b.nanoseconds)
  }
  /// Nanoseconds from `b` to `a`.
  package static func - (a: Instant, b: Instant) -> Int64 { a.nanoseconds - b.nanoseconds }
}

/// A moment in civil time: microseconds since 1970-01-01T00:00:00Z.
package struct Timestamp: Comparable, Hashable, Sendable {
  package var microseconds: Int64

  package init(microseconds: Int64) { self.microseconds = microseconds }

  package static var now: Timestamp { Timestamp(microseconds: read(CLOCK_REALTIME) / 1000) }

  package static func < (a: Timestamp, b: Timestamp) -> Bool { a.microseconds < b.microseconds }
  package static func + (a: Timestamp, b: Duration) -> Timestamp {
    Timestamp(microseconds: a.microseconds + b.nanoseconds / 1000)
  }
  package var milliseconds: Int64 { microseconds / 1000 }
}

extension Duration {
  /// Whole nanoseconds; a duration beyond ±292 years is cut there.
  package var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    if overflow { return seconds < 0 ? .min : .max }
    return scaled.addingReportingOverflow(attoseconds / 1_000_000_000).partialValue
  }
}

/// Bytes from the system's cryptographic random source.
package func randomBytes(_ count: Int) -> [UInt8] {
  var source = SystemRandomNumberGenerator()
  var bytes: [UInt8] = []
  bytes.reserveCapacity(count + 8)
  while bytes.count < count {
    var word = source.next()
    for _ in 0..<8 {
      bytes.append(UInt8(truncatingIfNeeded: word))
      word >>= 8
    }
  }
  bytes.removeLast(bytes.count - count)
  return bytes
}

private func read(_ clock: clockid_t) -> Int64 {
  var time = timespec()
  // Safe: the kernel fills the struct; these clocks cannot fail.
  unsafe clock_gettime(clock, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
