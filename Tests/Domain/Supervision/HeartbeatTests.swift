import Domain
import Kernel
import Testing

struct HeartbeatTests {
  private static let start = Instant(nanoseconds: 0)
  private static let limits = Heartbeat.Limits()

  private func at(_ seconds: Double) -> Instant { Self.start + .milliseconds(Int(seconds * 1000)) }

  @Test func whoAnswersIsAskedAgain() {
    var heart = Heartbeat(Self.limits, now: Self.start)
    #expect(heart.deadline == at(1) && heart.tick(at(0.999), isServing: true).isEmpty)
    #expect(heart.tick(at(1), isServing: true) == [.ask])
    #expect(heart.deadline == at(11))
    heart.answered(at(10.9))
    #expect(heart.deadline == at(11.9) && heart.tick(at(11.9), isServing: true) == [.ask])
    #expect(!heart.isGivenUp)
  }

  @Test func whoDoesNotAnswerAbortsAndIsThenKilled() {
    var heart = Heartbeat(Self.limits, now: Self.start)
    _ = heart.tick(at(1), isServing: true)
    #expect(heart.tick(at(10.999), isServing: true).isEmpty)
    #expect(heart.tick(at(11), isServing: true) == [.abort("no sign of life for 10000 ms")])
    #expect(heart.isGivenUp)
    // Too late.
    heart.answered(at(11.5))
    heart.lost(at(11.6))
    #expect(heart.tick(at(12.999), isServing: true).isEmpty)
    #expect(heart.tick(at(13), isServing: false) == [.kill])
    #expect(heart.deadline == nil && heart.tick(at(99), isServing: true).isEmpty)
  }

  @Test func aSupervisorThatSleptAsksFirst() {
    var heart = Heartbeat(Self.limits, now: Self.start)
    #expect(heart.tick(at(500), isServing: true) == [.ask])
    #expect(heart.tick(at(509), isServing: true).isEmpty)
  }

  @Test func whoIsNotTheOneThatServesIsNotAsked() {
    var heart = Heartbeat(Self.limits, now: Self.start)
    #expect(heart.tick(at(1), isServing: false).isEmpty)
    #expect(heart.tick(at(2), isServing: true) == [.ask])
    // It was replaced before it answered.
    #expect(heart.tick(at(12), isServing: false).isEmpty && !heart.isGivenUp)
  }

  @Test func aClosedChannelIsTheEndUnlessTheProcessIsGone() {
    var heart = Heartbeat(Self.limits, now: Self.start)
    heart.lost(at(0.5))
    #expect(heart.tick(at(0.749), isServing: false).isEmpty)
    #expect(heart.tick(at(0.75), isServing: false) == [.abort("its end of the channel is closed")])
    #expect(heart.tick(at(2.75), isServing: false) == [.kill])
  }

  @Test func withoutPatienceNobodyIsAsked() {
    var limits = Self.limits
    limits.patience = .zero
    var heart = Heartbeat(limits, now: Self.start)
    #expect(heart.deadline == nil && heart.tick(at(1000), isServing: true).isEmpty)
    heart.lost(at(1000))
    #expect(heart.tick(at(1001), isServing: true).count == 1)
  }
}

struct RepeatSuspectTests {
  private static func place(_ automation: String, _ generation: Int = 1) -> CrashPlace {
    CrashPlace(automation: automation, generation: generation, sha256: "x", call: "handle")
  }
  private static func time(_ seconds: Int) -> Timestamp {
    Timestamp(microseconds: 1_000_000 * Int64(seconds))
  }

  private static let a = place("a"), b = place("b"), c = place("c")

  @Test func theOnlyOneThatIsAlwaysThereIsBlamed() {
    var rule = RepeatSuspect(ends: 3, window: .seconds(60))
    #expect(rule.note([Self.a, Self.b], at: Self.time(0)) == nil)
    #expect(rule.note([Self.a, Self.c, Self.a], at: Self.time(1)) == nil)
    #expect(rule.note([Self.a, Self.b], at: Self.time(60)) == Self.a)
    // The next one counts with the two before it.
    #expect(rule.note([Self.a, Self.c], at: Self.time(61)) == Self.a)
  }

  @Test func aCrowdThatNeverChangesProvesNothing() {
    var rule = RepeatSuspect(ends: 2, window: .seconds(60))
    for second in 0...9 { #expect(rule.note([Self.a, Self.b], at: Self.time(second)) == nil) }
  }

  @Test func aSingleEndProvesNothing() {
    var rule = RepeatSuspect(ends: 1, window: .seconds(60))
    #expect(rule.note([Self.a], at: Self.time(0)) == nil)
    #expect(rule.note([Self.a, Self.b], at: Self.time(1)) == Self.a)
  }

  @Test func oldEndsAndOtherGenerationsDoNotCount() {
    var rule = RepeatSuspect(ends: 2, window: .seconds(60))
    #expect(rule.note([Self.a, Self.b], at: Self.time(0)) == nil)
    #expect(rule.note([Self.a, Self.c], at: Self.time(61)) == nil)
    #expect(rule.note([Self.place("a", 2), Self.b], at: Self.time(62)) == nil)
    #expect(rule.note([], at: Self.time(63)) == nil)
    #expect(rule.note([Self.place("a", 2), Self.c], at: Self.time(64)) == Self.place("a", 2))
  }
}
