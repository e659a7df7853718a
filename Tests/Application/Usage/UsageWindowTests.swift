import Kernel
import Testing

@testable import Application

@Suite struct UsageWindowTests {
  private static func second(_ number: Int64, _ nanoseconds: Int64 = 0) -> Instant {
    Instant(nanoseconds: number * 1_000_000_000 + nanoseconds)
  }

  @Test func countsWhatWasUsedInTheLastMinute() {
    var window = UsageWindow()
    window.advance(to: 100, at: Self.second(1000))
    window.advance(to: 150, at: Self.second(1030))
    #expect(window.used == 150)
    window.advance(to: 150, at: Self.second(1059, 999_999_999))
    #expect(window.used == 150)
    // The first second has left, the other has not.
    window.advance(to: 150, at: Self.second(1060))
    #expect(window.used == 50)
    window.advance(to: 150, at: Self.second(1090))
    #expect(window.used == 0)
  }

  @Test func forgetsAllWhenNobodyLookedForLong() {
    var window = UsageWindow()
    window.advance(to: 100, at: Self.second(10))
    window.advance(to: 101, at: Self.second(1_000_000))
    #expect(window.used == 1)
  }

  @Test func aTotalThatComesTwiceCountsOnce() {
    var window = UsageWindow()
    window.advance(to: 7, at: Self.second(10))
    window.advance(to: 7, at: Self.second(11))
    // A total that another thread read earlier.
    window.advance(to: 5, at: Self.second(12))
    #expect(window.used == 7)
  }

  @Test func opensWhenEnoughHasLeft() {
    var window = UsageWindow()
    window.advance(to: 60, at: Self.second(100))
    window.advance(to: 100, at: Self.second(110))
    // 60 of 100 leave at second 160: then 40 are left.
    #expect(window.opens(below: 41) == Self.second(160))
    #expect(window.opens(below: 40) == Self.second(170))
    #expect(window.opens(below: 100) == Self.second(160))
  }
}
