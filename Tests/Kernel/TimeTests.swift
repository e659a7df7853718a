import Kernel
import Testing

@Suite struct TimestampTests {
  @Test(
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (1_999, "1970-01-01T00:00:00.001Z"), (-1, "1969-12-31T23:59:59.999Z"),
      (951_782_400_000_000, "2000-02-29T00:00:00.000Z"), (1_709_251_199_999_999, "2024-02-29T23:59:59.999Z"),
      (4_107_542_399_000_000, "2100-02-28T23:59:59.000Z"),
      (4_107_542_400_000_000, "2100-03-01T00:00:00.000Z"),
      (-62_135_596_800_000_000, "0001-01-01T00:00:00.000Z"),
      (253_402_300_799_999_999, "9999-12-31T23:59:59.999Z"),
    ] as [(Int64, String)])
  func isWrittenAsRFC3339(microseconds: Int64, expected: String) {
    #expect(Timestamp(microseconds: microseconds).text == expected)
  }

  @Test func sortsAsItsTextDoes() {
    let times = (0..<200).map { Timestamp(microseconds: Int64($0) * 40_000_000_000_000) }
    #expect(times.map(\.text) == times.map(\.text).sorted())
  }

  @Test func isTheSystemsTime() {
    let (before, after) = (Timestamp.now, Timestamp.now)
    #expect(before <= after)
    #expect(before.text > "2025")
  }

  @Test func movesByDurations() {
    let time = Timestamp(microseconds: 1_000_000)
    #expect((time + .milliseconds(1)).microseconds == 1_001_000)
    #expect((time + .seconds(-2)).milliseconds == -1000)
  }
}

@Suite struct InstantTests {
  @Test func neverGoesBack() {
    var last = Instant.now
    for _ in 0..<1000 {
      let next = Instant.now
      #expect(next >= last)
      last = next
    }
  }

  @Test func isCountedInNanoseconds() {
    let start = Instant(nanoseconds: 5)
    #expect((start + .microseconds(1)).nanoseconds == 1005)
    #expect((start + .microseconds(1)) - start == 1000)
  }

  @Test func durationsThatDoNotFitAreCut() {
    #expect(Duration.seconds(1).nanoseconds == 1_000_000_000)
    #expect(Duration.milliseconds(-1500).nanoseconds == -1_500_000_000)
    #expect(Duration.seconds(1 << 40).nanoseconds == .max)
    #expect(Duration.seconds(-(1 << 40)).nanoseconds == .min)
  }
}
