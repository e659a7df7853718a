import Domain
import Kernel
import Testing

struct CrashPolicyTests {
  private static func time(_ seconds: Double) -> Timestamp {
    Timestamp(microseconds: 1_000_000_000_000 + Int64(seconds * 1_000_000))
  }

  private static func generation(_ number: Int, file: String? = nil, loaded: Double = 0)
    -> CrashPolicy.Candidate
  {
    CrashPolicy.Candidate(number: number, sha256: file ?? "file\(number)", loaded: time(loaded))
  }

  private static func crashes(_ generation: Int, _ seconds: Double..., file: String? = nil) -> [CrashPolicy
    .Crash]
  {
    seconds.map {
      CrashPolicy.Crash(time: time($0), generation: generation, sha256: file ?? "file\(generation)")
    }
  }

  private let policy = CrashPolicy(crashes: 2, window: .seconds(60))
  private let three = [generation(2), generation(1)]

  private func decide(_ crashes: [CrashPolicy.Crash]) -> CrashPolicy.Decision {
    policy.decide(active: Self.generation(3), earlier: three, crashes: crashes)
  }

  @Test func whatNeverCrashedBoots() {
    #expect(decide([]) == .boot(3))
    #expect(policy.decide(active: Self.generation(1), earlier: [], crashes: []) == .boot(1))
  }

  @Test func oneCrashFewerThanTheBoundIsForgiven() {
    for bound in 1...5 {
      let policy = CrashPolicy(crashes: bound, window: .seconds(60))
      for count in 0...6 {
        let all = (0..<count).flatMap { Self.crashes(3, Double($0)) }
        let decision = policy.decide(active: Self.generation(3), earlier: three, crashes: all)
        #expect(decision == (count < bound ? .boot(3) : .boot(2)), "\(count) crashes, bound \(bound)")
      }
    }
  }

  @Test func theWindowCountsToItsVeryEnd() {
    #expect(decide(Self.crashes(3, 0, 60)) == .boot(2))
    #expect(decide(Self.crashes(3, 0, 60.000001)) == .boot(3))
    // Any window counts, not the last one only, and the order of the record does not matter.
    #expect(decide(Self.crashes(3, 1000, 0, 500, 10)) == .boot(2))
    #expect(decide(Self.crashes(3, 0, 61, 122, 183)) == .boot(3))
  }

  @Test func crashesOfTwoGenerationsDoNotAddUp() {
    #expect(decide(Self.crashes(3, 1) + Self.crashes(2, 2) + Self.crashes(1, 3)) == .boot(3))
  }

  @Test func aSubstituteThatCrashesToo_leavesTheAutomationOut() {
    let first = Self.crashes(3, 1, 2)
    #expect(decide(first + Self.crashes(2, 3)) == .boot(2))
    #expect(decide(first + Self.crashes(2, 3, 4)) == .leaveOut)
    #expect(decide(first + Self.crashes(2, 3, 4) + Self.crashes(1, 5, 6)) == .leaveOut)
  }

  @Test func whereThereIsNoOtherFileItIsLeftOut() {
    let crashes = Self.crashes(3, 1, 2)
    #expect(policy.decide(active: Self.generation(3), earlier: [], crashes: crashes) == .leaveOut)
    let same = [Self.generation(2, file: "file3")]
    #expect(policy.decide(active: Self.generation(3), earlier: same, crashes: crashes) == .leaveOut)
    // A later one is not an earlier one.
    #expect(
      policy.decide(active: Self.generation(3), earlier: [Self.generation(4)], crashes: crashes) == .leaveOut)
  }

  @Test func aFileThatWasCondemnedBeforeDoesNotStandIn() {
    let old = Self.crashes(2, -500, -499)
    #expect(decide(old + Self.crashes(3, 1, 2)) == .boot(1))
  }

  /// Reload, rollback and load all make a new number, and that is all the pardon it takes.
  @Test func anAdminsChangeBeginsAnew() {
    let past = Self.crashes(3, 1, 2) + Self.crashes(2, 3, 4)
    let next = Self.generation(4, file: "file4", loaded: 10)
    let earlier = [Self.generation(3), Self.generation(2), Self.generation(1)]
    #expect(policy.decide(active: next, earlier: earlier, crashes: past) == .boot(4))
    let again = past + Self.crashes(4, 11, 12)
    #expect(policy.decide(active: next, earlier: earlier, crashes: again) == .boot(1))
    #expect(
      policy.decide(active: next, earlier: earlier, crashes: again + Self.crashes(1, 13, 14)) == .leaveOut)
  }

  @Test func aFileIsBarredByItsCrashesUnderAnyNumber() {
    let crashes = Self.crashes(1, 1, file: "f") + Self.crashes(2, 2, file: "f")
    #expect(policy.isBarred(sha256: "f", crashes: crashes))
    #expect(!policy.isBarred(sha256: "g", crashes: crashes))
    #expect(!policy.isBarred(sha256: "f", crashes: Self.crashes(1, 1, file: "f")))
  }
}

struct RestartBackoffTests {
  @Test func aCulpritIsNoReasonToWait() {
    var backoff = RestartBackoff()
    for _ in 1...100 { #expect(backoff.ended(after: .zero, hasCulprit: true) == .zero) }
  }

  @Test func earlyEndsWaitTwiceAsLongEachTimeUpToTheBound() {
    var backoff = RestartBackoff(first: .milliseconds(100), most: .seconds(1), early: .seconds(10))
    let waits = (1...6).map { _ in backoff.ended(after: .milliseconds(9999), hasCulprit: false) }
    #expect(waits == [100, 200, 400, 800, 1000, 1000].map { .milliseconds($0) })
    #expect(backoff.ended(after: .seconds(10), hasCulprit: false) == .zero)
    #expect(backoff.ended(after: .zero, hasCulprit: false) == .milliseconds(100))
    for _ in 1...200 { _ = backoff.ended(after: .zero, hasCulprit: false) }
    #expect(backoff.ended(after: .zero, hasCulprit: false) == .seconds(1))
  }
}

struct CrashVerdictTests {
  private static func place(_ automation: String, _ generation: Int = 1, call: String = "handle")
    -> CrashPlace
  {
    CrashPlace(
      automation: automation, generation: generation, sha256: "ab\(generation)\(automation)", call: call)
  }

  private func evidence(
    _ signal: Int32 = 11, place: CrashPlace? = nil, seen: CrashPlace? = nil, module: String? = nil,
    isWritten: Bool = true, inside: [CrashPlace] = []
  ) -> CrashEvidence {
    let confession = CrashEvidence.Confession(
      signal: signal, address: 1, time: Timestamp(microseconds: 1), place: place, seen: seen,
      frames: [("/lib/libc.so.6", 16)] + (module.map { [($0, UInt64(32))] } ?? []))
    return CrashEvidence(
      ending: .signal(signal, name: "S"), confession: isWritten ? confession : nil, inside: inside,
      known: [Self.place("a", 3), Self.place("b", 4)])
  }

  @Test func theThreadsOwnLineGoesFirstThenTheBacktraceThenWhoUsedTheThread() {
    let module = "/var/generations/b/4-ab4b.so"
    let all = evidence(place: Self.place("x"), seen: Self.place("y"), module: module)
    #expect(all.verdict?.culprit.automation == "x" && all.verdict?.basis == "inside")
    let unmarked = evidence(seen: Self.place("y"), module: module)
    #expect(unmarked.verdict?.culprit.automation == "b" && unmarked.verdict?.basis == "backtrace")
    #expect(evidence(module: module + ".2").verdict?.culprit.automation == "b")
    let seen = evidence(seen: Self.place("y"), module: "/lib/4-other.so")
    #expect(seen.verdict?.culprit.automation == "y" && seen.verdict?.basis == "own_thread")
    #expect(evidence().verdict == nil)
  }

  @Test func anUnwrittenEndAccusesTheOnlyOneThatWasInside() {
    let a = Self.place("a"), b = Self.place("b")
    #expect(evidence(isWritten: false, inside: [a]).verdict?.basis == "only_suspect")
    #expect(evidence(isWritten: false, inside: [a, a, a]).verdict?.culprit == a)
    #expect(evidence(isWritten: false, inside: [a, b]).verdict == nil)
    #expect(evidence(isWritten: false).verdict == nil)
    #expect(evidence(9, isWritten: false, inside: [a]).verdict == nil)
  }

  /// Memory that ran out, or that somebody wrote over, ends whichever thread meets it.
  @Test func aReportThatNamesNobodyListsWhoWasInside() {
    let a = Self.place("a")
    let open = evidence(6, inside: [a])
    #expect(open.verdict == nil && open.isOpen)
    #expect(open.report(id: "1", now: .now, processID: 7, uptime: .zero).suspects == [a])
    var broken = open
    broken.reason = "a descriptor was closed"
    #expect(broken.verdict?.culprit == a && broken.verdict?.basis == "only_suspect")
    #expect(!evidence(6).isOpen && !evidence(6, place: a, inside: [a]).isOpen)
    #expect(evidence(isWritten: false, inside: [a, Self.place("b")]).isOpen)
    #expect(!evidence(9, isWritten: false, inside: [a, Self.place("b")]).isOpen)
  }

  @Test func aHostThatIsGivenUpAccusesWhoHeldItsEventThreads() {
    let a = Self.place("a"), b = Self.place("b")
    func given(_ signal: Int32, inside: [CrashPlace], held: [CrashPlace]) -> CrashEvidence {
      var evidence = evidence(signal, place: Self.place("main"), inside: inside)
      evidence.isGivenUp = true
      evidence.held = held
      return evidence
    }
    for signal: Int32 in [6, 9] {
      let one = given(signal, inside: [a, b], held: [a, a])
      #expect(one.verdict?.culprit == a && one.verdict?.basis == "held_event_thread")
      let two = given(signal, inside: [a, b], held: [a, b])
      #expect(two.verdict == nil && two.isOpen)
      #expect(two.report(id: "1", now: .now, processID: 7, uptime: .zero).suspects == [a, b])
      #expect(given(signal, inside: [b], held: []).verdict?.basis == "only_suspect")
      #expect(given(signal, inside: [a, b], held: []).verdict == nil)
    }
    #expect(given(9, inside: [], held: []).verdict == nil && !given(9, inside: [], held: []).isOpen)
  }

  @Test func theReportListsWhoWasInsideWhenNobodyConfessed() {
    let a = Self.place("a"), b = Self.place("b")
    let silent = evidence(9, isWritten: false, inside: [a, b])
      .report(id: "1", now: Timestamp(microseconds: 5), processID: 7, uptime: .seconds(2))
    #expect(silent.suspects == [a, b] && silent.culprit == nil && silent.time.microseconds == 5)
    #expect(silent.uptimeMilliseconds == 2000 && silent.processID == 7)
    let written = evidence(place: a, inside: [a, b])
      .report(id: "1", now: Timestamp(microseconds: 5), processID: 7, uptime: .zero)
    #expect(written.suspects.isEmpty && written.culprit == a && written.frames == ["/lib/libc.so.6+0x10"])
    #expect(written.time.microseconds == 1 && written.address == 1)
  }
}
