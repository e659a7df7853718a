import Domain
import Kernel
import Synchronization
import Testing

@Suite struct GCRATests {
  private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

  @Test func allowsABurstAndRefusesTheNext() throws {
    let limit = try GCRA(RateLimit(requests: 3, per: .seconds(3)))
    var arrival: Int64 = 0
    #expect((0..<3).map { _ in limit.take(&arrival, at: at(0)).remaining } == [2, 1, 0])
    let refused = limit.take(&arrival, at: at(0))
    #expect(
      refused
        == RateDecision(
          isAllowed: false, remaining: 0, waitNanoseconds: 1_000_000_000,
          resetNanoseconds: 3_000_000_000))
  }

  @Test func refusesUntilTheRefillInstantAndAllowsAtIt() throws {
    let limit = try GCRA(RateLimit(requests: 1, per: .seconds(1)))
    var arrival: Int64 = 0
    #expect(limit.take(&arrival, at: Instant(nanoseconds: 5)).isAllowed)
    let early = limit.take(&arrival, at: Instant(nanoseconds: 1_000_000_004))
    #expect(!early.isAllowed && early.waitNanoseconds == 1)
    #expect(limit.take(&arrival, at: Instant(nanoseconds: 1_000_000_005)).isAllowed)
  }

  @Test func givesTheTwoHundredAndFirstRequestOfAMinuteItsWait() throws {
    let limit = try GCRA(RateLimit(requests: 200, per: .seconds(60)))
    var arrival: Int64 = 0
    for request in 0..<200 {
      let decision = limit.take(&arrival, at: at(0))
      #expect(decision.isAllowed && decision.remaining == 199 - request)
    }
    let refused = limit.take(&arrival, at: at(0))
    #expect(!refused.isAllowed && refused.waitNanoseconds == 300_000_000)
    #expect(refused.retryAfterSeconds == 1 && refused.resetSeconds == 1)
    #expect(!limit.take(&arrival, at: at(299)).isAllowed && limit.take(&arrival, at: at(300)).isAllowed)
  }

  @Test func refusedRequestsCostNothing() throws {
    let limit = try GCRA(RateLimit(requests: 1, per: .seconds(1)))
    var arrival: Int64 = 0
    _ = limit.take(&arrival, at: at(0))
    let before = arrival
    for _ in 0..<100 { _ = limit.take(&arrival, at: at(500)) }
    #expect(arrival == before)
  }

  @Test func unevenPeriodsKeepTheWholeBurst() throws {
    let limit = try GCRA(RateLimit(requests: 7, per: .seconds(60)))
    var arrival: Int64 = 0
    #expect(
      (0..<8).map { _ in limit.take(&arrival, at: at(0)).isAllowed } == [
        true, true, true, true, true, true, true, false,
      ])
  }

  @Test func aSmallerLimitNeverWaitsLongerThanItsOwnWindow() throws {
    let large = try GCRA(RateLimit(requests: 100, per: .seconds(1000)))
    let small = try GCRA(RateLimit(requests: 2, per: .seconds(2)))
    var arrival: Int64 = 0
    for _ in 0..<100 { _ = large.take(&arrival, at: at(0)) }
    #expect(small.take(&arrival, at: at(0)).waitNanoseconds == 1_000_000_000)
  }

  @Test(arguments: [
    (1, Duration.seconds(1), true), (0, .seconds(1), false), (1_000_000_000, .seconds(1), true),
    (1_000_000_001, .seconds(1), false), (1, .milliseconds(999), false),
    (1, .seconds(31 * 86_400), true), (1, .seconds(31 * 86_400 + 1), false),
  ])
  func takesLimitsWithinItsBounds(requests: Int, period: Duration, isValid: Bool) {
    let limit = try? GCRA(RateLimit(requests: requests, per: period))
    #expect((limit != nil) == isValid)
  }

  @Test func threadsTogetherGetExactlyTheQuota() throws {
    let limit = try GCRA(RateLimit(requests: 1000, per: .seconds(1000)))
    let counter = Counter()
    let threads = (0..<4).map { _ in
      OSThread("taker") {
        var mine = 0
        for _ in 0..<1000 where limit.take(counter.arrival, at: Instant(nanoseconds: 1)).isAllowed {
          mine += 1
        }
        counter.allowed.add(mine, ordering: .relaxed)
      }
    }
    for thread in threads { thread.join() }
    #expect(counter.allowed.load(ordering: .relaxed) == 1000)
  }

  private final class Counter: Sendable {
    let arrival = Atomic<Int64>(0)
    let allowed = Atomic<Int>(0)
  }

  @Test func writesTheHeadersOfTheDraft() throws {
    let arena = Arena()
    let rate = RateLimit(requests: 200, per: .seconds(60))
    let policy = RateLimitHeaders.appendPolicy(rate, to: arena)
    #expect(String(arena.span(policy)) == #""default";q=200;w=60"#)
    let some = RateDecision(
      isAllowed: true, remaining: 50, waitNanoseconds: 0, resetNanoseconds: 29_000_000_001)
    let state = RateLimitHeaders.appendState(some, to: arena)
    #expect(String(arena.span(state)) == #""default";r=50;t=30"#)
  }

  @Test func retryAfterIsNeverEarlierThanTheHeaderSays() throws {
    for nanoseconds: Int64 in [1, 999_999_999, 1_000_000_000, 1_000_000_001, 59_999_999_999] {
      let refused = RateDecision(
        isAllowed: false, remaining: 0, waitNanoseconds: nanoseconds, resetNanoseconds: 60_000_000_000)
      #expect(refused.retryAfterSeconds >= refused.resetSeconds)
      #expect(Int64(refused.retryAfterSeconds) * 1_000_000_000 >= nanoseconds)
    }
  }
}

@Suite struct LimitCellsTests {
  private let hourly = GCRATests.hourly

  @Test func callersHaveQuotasOfTheirOwn() throws {
    let cells = LimitCells(buckets: 64, seed: (1, 2))
    let now = Instant(nanoseconds: 1)
    let key = KeyID("abcdefghijkl")!
    for route: UInt64 in 0..<3 {
      #expect(cells.take(CallerTag(key: key, route: route), try hourly(2), at: now).isAllowed)
      #expect(cells.take(CallerTag(key: key, route: route), try hourly(2), at: now).isAllowed)
      #expect(!cells.take(CallerTag(key: key, route: route), try hourly(2), at: now).isAllowed)
    }
  }

  @Test func addressesOfOneSubscriberCountAsOne() throws {
    let cells = LimitCells(buckets: 64, seed: (1, 2))
    let now = Instant(nanoseconds: 1)
    #expect(cells.take(CallerTag(peer: (0x2001_0DB8_0000_0001, 1)), try hourly(1), at: now).isAllowed)
    #expect(!cells.take(CallerTag(peer: (0x2001_0DB8_0000_0001, 2)), try hourly(1), at: now).isAllowed)
    #expect(cells.take(CallerTag(peer: (0x2001_0DB8_0000_0002, 1)), try hourly(1), at: now).isAllowed)
  }

  @Test func mappedIPv4AddressesCountEach() throws {
    let cells = LimitCells(buckets: 64, seed: (1, 2))
    let now = Instant(nanoseconds: 1)
    for host: UInt64 in 1...20 {
      let tag = CallerTag(peer: (0, 0xFFFF_0A00_0000 + host))
      #expect(cells.take(tag, try hourly(1), at: now).isAllowed)
      #expect(!cells.take(tag, try hourly(1), at: now).isAllowed)
    }
  }

  @Test func aFullTableRefusesEarlyAndNeverForgetsACaller() throws {
    let cells = LimitCells(buckets: 1, seed: (3, 4))
    let now = Instant(nanoseconds: 1)
    let limit = try hourly(1)
    for host: UInt64 in 1...4 { #expect(cells.take(tag(host), limit, at: now).isAllowed) }
    for host: UInt64 in 5...500 { #expect(!cells.take(tag(host), limit, at: now).isAllowed) }
    for host: UInt64 in 1...4 { #expect(!cells.take(tag(host), limit, at: now).isAllowed) }
  }

  @Test func cellsWhoseQuotaIsBackAreUsedAgain() throws {
    let cells = LimitCells(buckets: 1, seed: (3, 4))
    let limit = try hourly(1)
    for host: UInt64 in 1...4 { _ = cells.take(tag(host), limit, at: Instant(nanoseconds: 1)) }
    let later = Instant(nanoseconds: 3_600_000_000_001)
    for host: UInt64 in 5...8 { #expect(cells.take(tag(host), limit, at: later).isAllowed) }
    #expect(!cells.take(tag(9), limit, at: later).isAllowed)
  }

  @Test func manyThreadsOnOneCallerStayNearTheQuota() throws {
    let cells = LimitCells(buckets: 16, seed: (5, 6))
    let limit = try hourly(500)
    let allowed = Shared()
    let threads = (0..<4).map { _ in
      OSThread("taker") {
        var mine = 0
        for _ in 0..<500 where cells.take(tag(7), limit, at: Instant(nanoseconds: 1)).isAllowed { mine += 1 }
        allowed.count.add(mine, ordering: .relaxed)
      }
    }
    for thread in threads { thread.join() }
    let total = allowed.count.load(ordering: .relaxed)
    #expect((500...504).contains(total))
  }

  private final class Shared: Sendable { let count = Atomic<Int>(0) }
}

private func tag(_ host: UInt64) -> CallerTag { CallerTag(peer: (0, 0xFFFF_0A00_0000 + host)) }

extension GCRATests {
  fileprivate static func hourly(_ requests: Int) throws -> GCRA {
    try GCRA(RateLimit(requests: requests, per: .seconds(3600)))
  }
}
