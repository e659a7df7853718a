package import Kernel
package import Synchronization

/// A rate limit as arithmetic: the generic cell rate algorithm (ITU-T I.371), with one number of state.
///
/// That number is the *theoretical arrival time*: the instant at which all of the quota is back. A number in
/// the past says the same as none at all, so state may be forgotten as soon as it is reached.
package struct GCRA: Sendable, Equatable {
  /// Nanoseconds after which one request is given back; rounded up.
  package let interval: Int64
  /// How many requests may come at once.
  package let burst: Int64

  /// What ``RateLimit`` may say.
  package static let requestsAllowed = 1...1_000_000_000
  package static let periodAllowed: ClosedRange<Duration> = .seconds(1) ... .seconds(31 * 86_400)

  /// Throws `limit.invalid` (422).
  package init(_ limit: RateLimit) throws(Problem) {
    guard GCRA.requestsAllowed.contains(limit.requests), GCRA.periodAllowed.contains(limit.period) else {
      throw Problem(
        422, "limit.invalid",
        "a limit is 1 to 1000000000 requests per 1 second to 31 days",
        members: ["requests": .integer(Int64(limit.requests))])
    }
    let period = limit.period.nanoseconds
    let requests = Int64(limit.requests)
    self.init(interval: (period + requests - 1) / requests, burst: requests)
  }

  init(interval: Int64, burst: Int64) {
    self.interval = interval
    self.burst = burst
  }

  /// Decides on one request at `now`, and moves `arrival` when it is allowed.
  package func take(_ arrival: inout Int64, at now: Instant) -> RateDecision {
    let window = interval * burst
    // A limit that was made smaller counts from now: nobody waits longer than its whole window.
    let base = min(max(arrival, now.nanoseconds), now.nanoseconds + window)
    let next = base + interval
    let room = window - (next - now.nanoseconds)
    guard room >= 0 else {
      return RateDecision(
        isAllowed: false, remaining: 0, waitNanoseconds: -room,
        resetNanoseconds: base - now.nanoseconds)
    }
    arrival = next
    return RateDecision(
      isAllowed: true, remaining: Int(room / interval),
      waitNanoseconds: room >= interval ? 0 : interval - room,
      resetNanoseconds: next - now.nanoseconds)
  }

  /// How often a cell is tried again when other threads move it meanwhile.
  static let attempts = 64

  /// ``take(_:at:)`` on a number that threads share. A request that loses to other threads 64 times
  /// over is refused: each loss means that another request was let in.
  @inline(__always)
  func take(
    at now: Instant, load: () -> Int64, exchange: (Int64, Int64) -> (exchanged: Bool, original: Int64)
  ) -> RateDecision {
    var seen = load()
    for _ in 0..<GCRA.attempts {
      var arrival = seen
      let decision = take(&arrival, at: now)
      guard decision.isAllowed else { return decision }
      let result = exchange(seen, arrival)
      if result.exchanged { return decision }
      seen = result.original
    }
    return RateDecision(
      isAllowed: false, remaining: 0, waitNanoseconds: interval, resetNanoseconds: interval * burst)
  }

  package func take(_ arrival: borrowing Atomic<Int64>, at now: Instant) -> RateDecision {
    take(
      at: now, load: { arrival.load(ordering: .relaxed) },
      exchange: { arrival.compareExchange(expected: $0, desired: $1, ordering: .relaxed) })
  }
}

/// What a limit says to one request.
package struct RateDecision: Sendable, Equatable {
  package var isAllowed: Bool
  /// How many more would be allowed at once.
  package var remaining: Int
  /// Until one more is allowed; 0 while some remain.
  package var waitNanoseconds: Int64
  /// Until the whole quota is back.
  package var resetNanoseconds: Int64

  package init(isAllowed: Bool, remaining: Int, waitNanoseconds: Int64, resetNanoseconds: Int64) {
    self.isAllowed = isAllowed
    self.remaining = remaining
    self.waitNanoseconds = waitNanoseconds
    self.resetNanoseconds = resetNanoseconds
  }

  /// The `t` of the RateLimit header, in seconds: until the whole quota is back while some of it
  /// remains, until one request is allowed when none does.
  package var resetSeconds: Int {
    Int(((remaining > 0 ? resetNanoseconds : waitNanoseconds) + 999_999_999) / 1_000_000_000)
  }

  /// Retry-After of a refused request: never earlier than ``resetSeconds``, and at least 1.
  package var retryAfterSeconds: Int { max(1, resetSeconds) }
}

/// The header fields that tell a caller about its limit (draft-ietf-httpapi-ratelimit-headers).
package enum RateLimitHeaders {
  /// `"default";q=200;w=60`. `name` has no character that needs escaping.
  @discardableResult
  package static func appendPolicy(
    _ limit: RateLimit, named name: StaticString = "default", to arena: Arena
  ) -> ByteRange {
    let start = arena.count
    appendName(name, to: arena)
    arena.append(";q=")
    arena.append(decimal: limit.requests)
    arena.append(";w=")
    arena.append(decimal: Int((limit.period.nanoseconds + 999_999_999) / 1_000_000_000))
    return ByteRange(offset: start, count: arena.count - start)
  }

  /// `"default";r=50;t=30`.
  @discardableResult
  package static func appendState(
    _ decision: RateDecision, named name: StaticString = "default", to arena: Arena
  ) -> ByteRange {
    let start = arena.count
    appendName(name, to: arena)
    arena.append(";r=")
    arena.append(decimal: decision.remaining)
    arena.append(";t=")
    arena.append(decimal: decision.resetSeconds)
    return ByteRange(offset: start, count: arena.count - start)
  }

  private static func appendName(_ name: StaticString, to arena: Arena) {
    arena.append(UInt8(ascii: "\""))
    arena.append(name)
    arena.append(UInt8(ascii: "\""))
  }
}
