import Domain
import Kernel
import Testing

struct SuccessionTests {
  /// A succession with a clock of its own.
  private struct Run {
    var succession: Succession
    var now = Instant(nanoseconds: 0)

    init(_ limits: Succession.Limits = Succession.Limits()) { succession = Succession(limits) }

    mutating func pass(_ duration: Duration) { now = now + duration }
    mutating func begin() -> [Succession.Action] { succession.begin(now) }
    mutating func say(_ host: Int, _ word: Succession.Word) -> [Succession.Action] {
      succession.said(host, word, now)
    }
    mutating func end(_ host: Int, _ ending: Succession.Ending) -> [Succession.Action] {
      succession.ended(host, ending, now)
    }
    mutating func upgrade() -> [Succession.Action] { succession.requestHandOver(now) }
    mutating func quit() -> [Succession.Action] { succession.asksToEnd(now) }
    mutating func tick() -> [Succession.Action] { succession.tick(now) }

    /// Host 1 serves.
    static func serving() -> Run {
      var run = Run()
      _ = run.begin()
      _ = run.say(1, .serving)
      return run
    }

    /// As far as the new host 2 boots.
    static func booting() -> Run {
      var run = serving()
      _ = run.upgrade()
      _ = run.say(1, .frozen)
      return run
    }
  }

  private func logs(_ actions: [Succession.Action]) -> [Succession.Action] {
    actions.filter { if case .log = $0 { false } else { true } }
  }

  @Test func aHostIsStartedAndServes() {
    var run = Run()
    #expect(run.begin() == [.start(1, isStandby: false)])
    #expect(run.succession.servingHost == nil)
    #expect(run.say(1, .serving).isEmpty)
    #expect(run.succession.servingHost == 1 && run.succession.restarts == 0)
    #expect(run.succession.deadline == nil)
  }

  @Test func whatIsWrongFromTheStartEndsWithItsOwnCode() {
    var run = Run()
    _ = run.begin()
    #expect(run.end(1, .exited(1)) == [.end(1)])
  }

  @Test func aCrashDuringTheFirstStartIsFollowedByAnother() {
    var run = Run()
    _ = run.begin()
    #expect(run.end(1, .crashed(hasCulprit: true)) == [.start(2, isStandby: false)])
    #expect(run.succession.restarts == 1)
  }

  @Test func aCrashWithoutACulpritWaits() {
    var run = Run.serving()
    #expect(logs(run.end(1, .crashed(hasCulprit: false))).isEmpty)
    #expect(run.succession.deadline == run.now + .milliseconds(100))
    #expect(run.tick().isEmpty)
    run.pass(.milliseconds(100))
    #expect(run.tick() == [.start(2, isStandby: false)])
    run.pass(.seconds(10))
    _ = run.say(2, .serving)
    #expect(run.end(2, .crashed(hasCulprit: false)) == [.start(3, isStandby: false)])
  }

  @Test func aHandOverGoesStepByStep() {
    var run = Run.serving()
    #expect(run.upgrade() == [.tell(1, .freeze)])
    #expect(run.say(1, .frozen) == [.start(2, isStandby: true)])
    #expect(run.say(2, .standby) == [.tell(1, .yield)])
    #expect(run.say(1, .yielded) == [.tell(2, .takeOver)])
    #expect(run.succession.servingHost == 1)
    #expect(run.say(2, .serving) == [.tell(1, .leave)])
    #expect(run.succession.servingHost == 2 && run.succession.handOvers == 1)
    #expect(run.succession.wasAsked(1) && !run.succession.wasAsked(2))
    #expect(run.end(1, .exited(0)) == [.tell(2, .predecessorGone)])
    #expect(run.succession.deadline == nil && run.succession.restarts == 0)
  }

  @Test func oneHandOverAtATime() {
    var run = Run.booting()
    #expect(logs(run.upgrade()).isEmpty)
    #expect(logs(run.say(1, .wantsHandOver("again"))).isEmpty)
    var other = Run.serving()
    #expect(other.say(1, .wantsHandOver("x")) == [.tell(1, .freeze)])
    var nobody = Run()
    _ = nobody.begin()
    #expect(logs(nobody.upgrade()).isEmpty)
  }

  @Test func whateverFailsBeforeTheSwitchLeavesTheOldOneServing() {
    // The old one is busy.
    var busy = Run.serving()
    _ = busy.upgrade()
    #expect(logs(busy.say(1, .busy("a load"))) == [.tell(1, .goOn("a load"))])
    #expect(busy.succession.servingHost == 1 && !busy.succession.isHandingOver)
    // The new one dies, at any step of its own.
    let steps: [(inout Run) -> Void] = [
      { _ in }, { _ = $0.say(2, .standby) },
      {
        _ = $0.say(2, .standby)
        _ = $0.say(1, .yielded)
      },
    ]
    for step in steps {
      for ending in [Succession.Ending.exited(1), .crashed(hasCulprit: true), .crashed(hasCulprit: false)] {
        var run = Run.booting()
        step(&run)
        #expect(logs(run.end(2, ending)) == [.tell(1, .goOn("the new host ended before it served"))])
        #expect(run.succession.servingHost == 1 && run.succession.deadline == nil)
        #expect(run.upgrade() == [.tell(1, .freeze)])
      }
    }
  }

  @Test func whoeverIsLateIsKilledAndTheOldOneGoesOn() {
    let limits = Succession.Limits()
    var freezing = Run.serving()
    _ = freezing.upgrade()
    freezing.pass(limits.freeze)
    #expect(logs(freezing.tick()) == [.tell(1, .goOn("a change is under way and does not end"))])
    for (patience, step): (Duration, (inout Run) -> Void) in [
      (limits.boot, { _ in }), (limits.takeOver, { _ = $0.say(2, .standby) }),
      (
        limits.takeOver,
        {
          _ = $0.say(2, .standby)
          _ = $0.say(1, .yielded)
        }
      ),
    ] {
      var run = Run.booting()
      step(&run)
      run.pass(patience)
      #expect(logs(run.tick()) == [.kill(2)])
      #expect(logs(run.tick()).isEmpty, "it is killed once")
      #expect(
        logs(run.end(2, .crashed(hasCulprit: false))) == [
          .tell(1, .goOn("the new host ended before it served"))
        ])
      #expect(run.succession.servingHost == 1)
    }
  }

  @Test func theNewOneServesAtOnceWhenTheOldOneCrashesMeanwhile() {
    var booting = Run.booting()
    #expect(booting.end(1, .crashed(hasCulprit: true)).isEmpty)
    #expect(booting.say(2, .standby) == [.tell(2, .takeOver)])
    #expect(booting.say(2, .serving) == [.tell(2, .predecessorGone)])
    #expect(booting.succession.servingHost == 2 && booting.succession.restarts == 1)

    var yielding = Run.booting()
    _ = yielding.say(2, .standby)
    #expect(yielding.end(1, .crashed(hasCulprit: true)) == [.tell(2, .takeOver)])

    var taking = Run.booting()
    _ = taking.say(2, .standby)
    _ = taking.say(1, .yielded)
    #expect(taking.end(1, .crashed(hasCulprit: true)).isEmpty)
    #expect(taking.say(2, .serving) == [.tell(2, .predecessorGone)])
    // Both.
    var both = Run.booting()
    _ = both.end(1, .crashed(hasCulprit: true))
    #expect(logs(both.end(2, .crashed(hasCulprit: true))) == [.start(3, isStandby: false)])
  }

  @Test func theEndDrainsEverybodyAndASecondWordForces() {
    var run = Run.serving()
    #expect(run.quit() == [.tell(1, .drain)])
    #expect(run.end(1, .exited(0)) == [.end(0)])
    var forced = Run.serving()
    _ = forced.quit()
    #expect(forced.quit() == [.kill(1)])
    #expect(forced.end(1, .crashed(hasCulprit: false)) == [.end(1)])
    var late = Run.serving()
    _ = late.quit()
    late.pass(Succession.Limits().drain)
    #expect(late.tick() == [.kill(1)])
    // While it waits to start again, there is nobody to drain.
    var waiting = Run.serving()
    _ = waiting.end(1, .crashed(hasCulprit: false))
    #expect(waiting.quit() == [.end(0)])
  }

  @Test func theEndTakesAHandOverWithIt() {
    var run = Run.booting()
    #expect(run.quit() == [.tell(1, .drain), .tell(2, .drain)])
    #expect(run.end(2, .exited(0)).isEmpty)
    #expect(run.end(1, .exited(0)) == [.end(0)])
  }

  @Test func aCrashWhileItDrainsIsNoCleanEnd() {
    var run = Run.serving()
    _ = run.quit()
    #expect(run.end(1, .crashed(hasCulprit: true)) == [.end(1)])
  }

  @Test func aHostThatDoesNotGetReadyIsKilledAndFollowed() {
    var run = Run()
    _ = run.begin()
    run.pass(Succession.Limits().boot)
    #expect(logs(run.tick()) == [.kill(1)])
    #expect(run.end(1, .crashed(hasCulprit: false)) == [.start(2, isStandby: false)])
  }

  @Test func whoDoesNotLeaveIsKilled() {
    var limits = Succession.Limits()
    limits.leave = .seconds(5)
    var run = Run(limits)
    _ = run.begin()
    _ = run.say(1, .serving)
    for host in 1...2 {
      _ = run.upgrade()
      _ = run.say(host, .frozen)
      _ = run.say(host + 1, .standby)
      _ = run.say(host, .yielded)
      _ = run.say(host + 1, .serving)
      run.pass(.seconds(2))
    }
    #expect(run.succession.deadline == run.now + .seconds(1))
    #expect(run.tick().isEmpty)
    run.pass(.seconds(1))
    #expect(logs(run.tick()) == [.kill(1)])
    #expect(run.tick().isEmpty, "it is killed once")
    run.pass(.seconds(2))
    #expect(logs(run.tick()) == [.kill(2)])
    #expect(run.end(1, .crashed(hasCulprit: false)) == [.tell(3, .predecessorGone)])
    #expect(run.end(2, .crashed(hasCulprit: false)) == [.tell(3, .predecessorGone)])
    #expect(run.succession.servingHost == 3 && run.succession.deadline == nil)
  }

  @Test func tooManyThatLeaveHaveToHurry() {
    var limits = Succession.Limits()
    limits.leaving = 2
    var run = Run(limits)
    _ = run.begin()
    _ = run.say(1, .serving)
    var hurried: [Succession.Action] = []
    for host in 1...4 {
      _ = run.upgrade()
      _ = run.say(host, .frozen)
      _ = run.say(host + 1, .standby)
      _ = run.say(host, .yielded)
      hurried += run.say(host + 1, .serving).filter { if case .tell(_, .drain) = $0 { true } else { false } }
    }
    #expect(hurried == [.tell(1, .drain), .tell(2, .drain)])
  }
}
