import Doubles
import Kernel
import Patience
import Testing

@testable import Application

@Suite struct HealthWatchTests {
  @Test func readyTellsWhatTheLastRoundFoundUntilItIsWellAgain() {
    let (health, log) = (Health(), MemoryLog())
    health.isServing = true
    let fault = Monitor<String?>("it is gone")
    let rounds = Monitor(0)
    let watch = HealthWatch(
      [
        (
          "records",
          {
            rounds.signal(all: true) { $0 += 1 }
            return fault.withLock { $0 }
          }
        ), ("control", { nil }),
      ], interval: .milliseconds(1), log: log)
    watch.start(reportingTo: health)
    #expect(!health.ready.isHealthy && health.ready.json["failures"] == ["records": "it is gone"])
    #expect(health.live.isHealthy)
    fault.withLock { $0 = nil }
    // The round that runs now may have looked before; two more have not.
    let seen = rounds.withLock { $0 }
    #expect(rounds.eventually { $0 >= seen + 3 ? true : nil } == true)
    #expect(health.ready.isHealthy)
    watch.end()
    #expect(log.messages(.error) == ["records: it is gone"])
    #expect(log.messages(.info) == ["records is well again"])
  }

  @Test func aRoundThatDoesNotReturnIsAFault() {
    let health = Health()
    let watch = HealthWatch([("records", { nil })], interval: .seconds(60), log: MemoryLog())
    watch.start(reportingTo: health)
    #expect(watch.fault("records", at: .now + .seconds(60)) == nil)
    #expect(watch.fault("records", at: .now + .seconds(60 + 11)) != nil)
    watch.end()
  }
}
