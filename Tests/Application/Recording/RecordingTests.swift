import Kernel
import Testing

@testable import Application

@Suite struct RecordingTests {
  @Test func itsTimeIsOverAfterItsSecondsAndNotBefore() {
    let recording = Recording("a", RecordingOptions(seconds: 60), RecordTraffic.Limits())
    let end = recording.began + .seconds(60)
    #expect(!recording.isOver(at: recording.began) && !recording.isOver(at: end + .nanoseconds(-1)))
    #expect(recording.isOver(at: end) && recording.isOver(at: end + .seconds(60)))
  }
}
