import Application
import Domain
import Doubles
import Kernel
import Patience
import Testing

/// The life of a canary, without traffic of its own: figures are put in.
@Suite struct CanaryTests {
  let world = World()

  private func rule(_ change: (inout CanaryRule) -> Void = { _ in }) -> CanaryRule {
    var rule = CanaryRule()
    rule.percent = 50
    rule.seconds = 3600
    rule.minRequests = 10
    change(&rule)
    return rule
  }

  private func start(_ rule: CanaryRule) throws -> Canary {
    try world.load("/1.so", manifest("a", "1"))
    world.plugins["/2.so"] = .init(manifest("a", "2"))
    let report = try world.change.startCanary(.init(.reload("a"), from: .path("/2.so")), rule)
    #expect(report.state == .running && report.generation == 2 && report.previous == 1)
    return try #require(world.automations.canary(of: "a"))
  }

  private func ended() -> CanaryReport.State? {
    var state: CanaryReport.State?
    let isOver = eventually {
      state = world.change.canary(of: "a")?.state
      return state != nil && state != .running
    }
    return isOver ? state : nil
  }

  private func serving() -> Int? { world.automations.live("a")?.generation.record.number }

  @Test func bothServeAndTheCatalogKnowsTheOldOneAlone() throws {
    let canary = try start(rule())
    #expect(serving() == 1)
    #expect(world.automations.snapshots.current.automation(named: "a")?.extras?.canary === canary)
    #expect(world.catalog.activeSet().map(\.number) == [1])
    #expect(world.automations.entered.map(\.record.number).sorted() == [1, 2])
    #expect(canary.candidate.generation.enter())
    canary.candidate.generation.leave()
    // A host that starts now has the old generation.
    let next = World(catalog: world.catalog, plugins: world.plugins)
    try next.change.restore()
    #expect(next.automations.live("a")?.generation.record.number == 1)
    #expect(next.automations.canary(of: "a") == nil)
  }

  @Test func aBadOneRollsBackByItself() throws {
    let canary = try start(rule())
    for _ in 0..<100 {
      canary.record(isCandidate: true, status: 500, nanoseconds: 1000)
      canary.record(isCandidate: false, status: 200, nanoseconds: 1000)
    }
    #expect(ended() == .rolledBack)
    let report = try #require(world.change.canary(of: "a"))
    #expect(report.new.errors == 100 && report.old.errors == 0)
    // Its figures are those of the instant of the decision, which may have come between a request and its error.
    #expect(report.reason?.contains("of its answers had a status of 500 or more") == true)
    #expect(serving() == 1 && world.catalog.activeSet().map(\.number) == [1])
    // Whoever hears of the end may hear of it before the candidate is drained.
    let life = ["create", "activate", "quiesce", "stop", "destroy"]
    #expect(eventually { world.plugins.plugins[1].history == life })
    #expect(eventually { world.files.removed.contains("a/2@/2.so") })
    #expect(world.automations.snapshots.current.automation(named: "a")?.extras == nil)
    // The next change is free.
    try world.reload("a", "/3.so", manifest("a", "3"))
  }

  @Test func aGoodOneIsPromotedWhenItsTimeIsOver() throws {
    let canary = try start(rule { $0.seconds = 1 })
    for _ in 0..<100 {
      for side in [true, false] { canary.record(isCandidate: side, status: 200, nanoseconds: 1000) }
    }
    #expect(ended() == .promoted)
    #expect(serving() == 2 && world.catalog.activeSet().map(\.number) == [2])
    #expect(eventually { world.plugins.plugins[0].history.last == "destroy" })
    #expect(try world.change.rollBack("a").version == "1")
  }

  @Test(arguments: [(CanaryRule.Outcome.rollback, 1), (.promote, 2)])
  func tooFewRequestsDoWhatTheRuleSays(outcome: CanaryRule.Outcome, number: Int) throws {
    _ = try start(
      rule {
        $0.seconds = 1
        $0.whenTooFew = outcome
      })
    #expect(ended() == (outcome == .promote ? .promoted : .rolledBack))
    #expect(world.change.canary(of: "a")?.reason?.contains("0 request(s)") == true)
    #expect(serving() == number)
  }

  @Test func whateverElseWouldChangeTheAutomationIsRefused() throws {
    _ = try start(rule())
    world.plugins["/3.so"] = .init(manifest("a", "3"))
    let change = ChangeAutomation.Request(.reload("a"), from: .path("/3.so"))
    let changes: [() throws -> Void] = [
      { _ = try world.change.change(change) }, { _ = try world.change.startCanary(change, rule()) },
      { _ = try world.change.unload("a") },
    ]
    for change in changes {
      let problem = try #require(throws: Problem.self) { try change() }
      #expect(problem.code == "automation.canary_running" && (problem.retryAfterSeconds ?? 0) > 0)
    }
    let set = try #require(throws: Problem.self) {
      try world.change.change(all: [.init("a", from: .path("/3.so"))])
    }
    #expect(set.members["cause"] == "automation.canary_running")
    #expect(serving() == 1 && world.automations.canary(of: "a") != nil)
  }

  @Test(arguments: [(true, CanaryReport.State.promoted, 2), (false, .aborted, 1)])
  func anAdminDecides(promoting: Bool, state: CanaryReport.State, number: Int) throws {
    _ = try start(rule())
    #expect(try world.change.decideCanary(of: "a", promoting: promoting).state == state)
    #expect(serving() == number && world.catalog.activeSet().map(\.number) == [number])
    let again = try #require(throws: Problem.self) {
      try world.change.decideCanary(of: "a", promoting: promoting)
    }
    #expect(again.code == "canary.not_running")
  }

  @Test func aPromotionThatCannotBeStoredLeavesTheCanaryRunning() throws {
    _ = try start(rule())
    world.catalog.fail(with: Problem(500, "storage.failed", "full"))
    #expect(throws: Problem.self) { try world.change.decideCanary(of: "a", promoting: true) }
    #expect(serving() == 1 && world.automations.canary(of: "a") != nil)
    world.catalog.fail(with: nil)
    #expect(try world.change.decideCanary(of: "a", promoting: true).state == .promoted)
  }

  @Test func aCanaryNeedsSomethingToCompareWith() throws {
    world.plugins["/1.so"] = .init(manifest("a", "1"))
    let problem = try #require(throws: Problem.self) {
      try world.change.startCanary(.init(.either, from: .path("/1.so")), rule())
    }
    #expect(problem.code == "canary.nothing_to_compare" && world.plugins.plugins.isEmpty)
  }

  @Test func whatEndsByItselfIsWrittenDownAndWaitsForAHandOver() throws {
    let (audit, host) = (MemoryAudit(), GatedHost())
    world.change.keepActs(in: AutomaticActs(audit: audit, host: host, log: world.log))
    #expect(host.gate.freeze(until: .now))
    let canary = try start(rule { $0.whenTooFew = .promote })
    for _ in 0..<100 {
      canary.record(isCandidate: true, status: 500, nanoseconds: 1000)
      canary.record(isCandidate: false, status: 200, nanoseconds: 1000)
    }
    #expect(host.attempts.eventually { $0 >= 3 ? true : nil } == true)
    #expect(world.automations.canary(of: "a") === canary && audit.acts.isEmpty)
    host.gate.open()
    #expect(ended() == .rolledBack)
    #expect(eventually { host.gate.freeze(until: .now) }, "the act is still inside")
    let act = try #require(audit.acts.first)
    #expect(audit.acts.count == 1 && act.action == "automation.canary_end" && act.target == "a")
    #expect(act.principal.isEmpty && act.key.isEmpty && act.details["canary"] == "rolled_back")
    #expect(act.details["new"]?["errors"] == 100 && act.details["old"]?["errors"] == 0)
    #expect(world.change.canaryEnds == [.rolledBack: 1])
    // What an admin decides is the admin's act.
    host.gate.open()
    _ = try world.change.startCanary(.init(.reload("a"), from: .path("/2.so")), rule())
    _ = try world.change.decideCanary(of: "a", promoting: true)
    #expect(audit.acts.count == 1 && world.change.canaryEnds == [.rolledBack: 1, .promoted: 1])
  }

  @Test func whatRunsStillWhenTheHostEndsIsAborted() throws {
    let audit = MemoryAudit()
    world.change.keepActs(in: AutomaticActs(audit: audit, host: nil, log: world.log))
    let canary = try start(rule())
    audit.state.withLock { $0.failure = Problem(503, "audit.unavailable", "full") }
    world.change.abandonCanaries()
    #expect(world.log.text.contains("is not in the audit trail"))
    #expect(serving() == 1 && world.change.canary(of: "a")?.state == .aborted)
    #expect(eventually { world.drain.wait(for: [canary.candidate.generation], until: .now) })
    #expect(world.files.removed.contains("a/2@/2.so"))
    world.change.abandonCanaries()
    #expect(world.change.canaryEnds == [.aborted: 1])
  }

  @Test func theHostTakesBothAwayWhenItEnds() throws {
    let canary = try start(rule())
    let leaving = world.automations.swap(in: [], out: ["a"])
    #expect(Set(leaving.map(\.record.number)) == [1, 2])
    #expect(!canary.candidate.generation.enter())
  }

  // MARK: Who goes where

  private func exchange(key: String? = nil, headers: [String] = [], peer: UInt64 = 0) -> Exchange {
    let exchange = Exchange(slot: 0)
    exchange.peer = (0, peer)
    exchange.requestID = exchange.head.append("\(UInt64.random(in: 0 ... .max))")
    if let key {
      exchange.known[KnownHeader.authorization.rawValue] = exchange.head.append("Bearer \(key)")
      exchange.knownCount[KnownHeader.authorization.rawValue] = 1
    }
    for name in headers {
      let range = exchange.head.append(name)
      exchange.headers.append(Field(name: range, value: range))
    }
    return exchange
  }

  @Test func oneKeyMeetsOneGeneration() throws {
    let canary = try start(rule { $0.percent = 30 })
    var taken = 0
    for number in 0..<1000 {
      let answers = Set((0..<3).map { _ in canary.takes(exchange(key: "ck_\(number)")) })
      #expect(answers.count == 1)
      if answers == [true] { taken += 1 }
    }
    #expect((200...400).contains(taken), "\(taken) of 1000")
    let addresses = (0..<1000).count { canary.takes(exchange(peer: UInt64($0))) }
    #expect((200...400).contains(addresses), "\(addresses) of 1000")
  }

  @Test func byRequestChanceDecides() throws {
    let canary = try start(
      rule {
        $0.percent = 30
        $0.share = .request
      })
    let taken = (0..<1000).count { _ in canary.takes(exchange(key: "ck_one")) }
    #expect((200...400).contains(taken), "\(taken) of 1000")
  }

  @Test func theHeaderAlwaysGoesToTheCanary() throws {
    let canary = try start(
      rule {
        $0.percent = 0
        $0.header = "x-council-canary"
      })
    #expect(canary.takes(exchange(key: "ck_one", headers: ["accept", "x-council-canary"])))
    #expect(!canary.takes(exchange(key: "ck_one", headers: ["accept"])))
  }
}

/// A host whose gate a test closes.
private final class GatedHost: HostControl {
  let gate = ActGate()
  let attempts = Monitor(0)

  func beginAct() throws(Problem) {
    attempts.signal(all: true) { $0 += 1 }
    try gate.enter()
  }
  func endAct() { gate.leave() }
  func handOver(_ cause: String) throws(Problem) -> HandOverReport { HandOverReport(milliseconds: 0) }
}
