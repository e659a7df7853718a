import Testing

@testable import Application

/// Which confirmations count, where only that they were used is remembered.
@Suite struct UsedConfirmationsTests {
  private final class Table {
    private var used: UsedConfirmations

    init(capacity: Int) { used = UsedConfirmations(capacity: capacity) }

    func use(_ number: UInt64, expires: Int64, now: Int64) -> Bool {
      used.use(.init(high: 1, low: number), expires: expires, now: now)
    }
  }

  @Test func eachCountsOnce() {
    let used = Table(capacity: 10)
    #expect(used.use(1, expires: 100, now: 0) && used.use(2, expires: 100, now: 0))
    #expect(!used.use(1, expires: 100, now: 0) && !used.use(2, expires: 100, now: 99))
  }

  @Test func thoseThatExpireNextMakeRoomAndHoldNoLonger() {
    let used = Table(capacity: 2)
    #expect(used.use(1, expires: 100, now: 0) && used.use(2, expires: 200, now: 0))
    #expect(used.use(3, expires: 300, now: 0))
    // The first is forgotten, and with it all that expire no later, used or not.
    #expect(!used.use(1, expires: 100, now: 0) && !used.use(9, expires: 100, now: 0))
    #expect(!used.use(2, expires: 200, now: 0) && !used.use(3, expires: 300, now: 0))
    #expect(used.use(4, expires: 301, now: 0))
    #expect(!used.use(8, expires: 200, now: 0) && !used.use(3, expires: 300, now: 0))
  }

  @Test func oneThatWouldHaveToMakeRoomForItselfDoesNotCount() {
    let used = Table(capacity: 1)
    #expect(used.use(1, expires: 100, now: 0))
    #expect(!used.use(2, expires: 100, now: 0))
    #expect(used.use(3, expires: 101, now: 0))
  }

  @Test func thoseThatHaveExpiredMakeRoomFirstAndStayExpired() {
    let used = Table(capacity: 2)
    #expect(used.use(1, expires: 100, now: 0) && used.use(2, expires: 200, now: 0))
    #expect(used.use(3, expires: 150, now: 100))
    // Also should the clock go back.
    #expect(!used.use(1, expires: 100, now: 0) && used.use(4, expires: 201, now: 150))
    #expect(!used.use(2, expires: 200, now: 150) && !used.use(3, expires: 150, now: 150))
  }

  @Test func howeverManyComeNoneCountsTwice() {
    let used = Table(capacity: 64)
    var accepted: Set<UInt64> = []
    for round in 0..<4 {
      for number in 0..<1000 as Range<UInt64> {
        let (expires, now) = (Int64(number % 97) + 100, Int64(round) * 10)
        guard used.use(number, expires: expires, now: now) else { continue }
        #expect(accepted.insert(number).inserted, "\(number) counted twice")
      }
    }
    #expect(!accepted.isEmpty)
  }
}
