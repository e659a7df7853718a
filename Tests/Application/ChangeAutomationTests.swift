import Application
import Domain
import Doubles
import Kernel
import Patience
import Testing

@Suite struct ChangeAutomationTests {
  let world = World()

  @Test func loadsANewAutomationAndServesIt() throws {
    let report = try world.load("/one.so", manifest("a", "1"))
    #expect(report.automation == "a" && report.generation == 1 && report.routes == 1)
    #expect(world.automations.live("a")?.generation.state == .active)
    #expect(world.catalog.activeSet().map(\.number) == [1])
    #expect(world.plugins.plugins[0].history == ["create", "activate"])
  }

  @Test func aRouteThatNamesNoDeadlineHasThirtySeconds() throws {
    let world = World()
    try world.load(
      "/a.so",
      #"{"id":"a","version":"1","routes":[{"method":"GET","path":"/","operation":"o"},"#
        + #"{"method":"GET","path":"/own","operation":"own","deadline_ms":1500}]}"#)
    let live = try #require(world.automations.snapshots.current.automation(named: "a"))
    #expect(live.routes.map(\.declaration.operation) == ["o", "own"])
    #expect(live.routes.map(\.deadlineNanoseconds) == [30_000_000_000, 1_500_000_000])
  }

  @Test func aReloadReplacesAndStopsTheOldGeneration() throws {
    // However busy this machine is, the reload waits until the old generation has stopped.
    let world = World(change: .init(drainWait: .seconds(60)))
    try world.load("/one.so", manifest("a", "1"))
    let report = try world.reload("a", "/two.so", manifest("a", "2"))
    #expect(report.previous == 1 && report.generation == 2 && !report.draining)
    #expect(world.plugins.plugins[0].history == ["create", "activate", "quiesce", "stop", "destroy"])
    #expect(world.automations.live("a")?.generation.record.version == "2")
  }

  @Test func aGenerationWithARequestInsideDrainsUntilItLeaves() throws {
    // However long this process stands still, the request is not given up.
    let world = World(drain: .init(timeout: .seconds(3600), grace: .seconds(600)))
    try world.load("/one.so", manifest("a", "1"))
    let old = try #require(world.automations.live("a")?.generation)
    #expect(old.enter())
    let report = try world.reload("a", "/two.so", manifest("a", "2"))
    #expect(report.draining)
    #expect(!old.enter())
    #expect(world.plugins.plugins[0].history == ["create", "activate", "quiesce"])
    old.leave()
    #expect(eventually { world.drain.wait(for: [old], until: .now) })
    #expect(old.state == .stopped)
  }

  @Test(arguments: [
    ("probe", "plugin.probe.crashed"), ("create", "plugin.refused"), ("activate", "plugin.refused"),
    ("manifest", "plugin.manifest.invalid"), ("id", "plugin.manifest.other_automation"),
    ("sealed", "plugin.manifest.not_as_sealed"), ("route", "plugin.route.duplicate"),
    ("ambiguous", "plugin.route.ambiguous"), ("schema", "schema.unsupported"),
    ("extension", "plugin.abi.extension_missing"), ("two", "plugin.plan.conflicts"),
  ])
  func aStepThatFailsLeavesTheOldGenerationServing(step: String, code: String) throws {
    try world.load("/one.so", manifest("a", "1"))
    let routes = { (routes: String) in #"{"id":"a","version":"2","routes":[\#(routes)]}"# }
    let get = { (path: String, name: String, more: String) in
      #"{"method":"GET","path":"\#(path)","operation":"\#(name)"\#(more)}"#
    }
    var file = FakePlugins.File(manifest("a", "2"))
    switch step {
    case "probe": file.probe = Problem(422, code, "died")
    case "create": file.create = Problem(422, code, "no")
    case "activate": file.activate = Problem(422, code, "no")
    case "manifest": file.manifest = "{}"
    case "id": file.manifest = manifest("b", "2")
    case "sealed": file.sealed = manifest("a", "3")
    case "route": file.manifest = routes(get("/{x}", "one", "") + "," + get("/{y}", "two", ""))
    case "ambiguous": file.manifest = routes(get("/{x}/b", "one", "") + "," + get("/a/{y}", "two", ""))
    case "schema": file.manifest = routes(get("/", "one", #","query":{"refuse":true}"#))
    case "extension":
      file.manifest =
        #"{"id":"a","version":"2","requires":["council.time-travel/1"],"routes":[\#(get("/", "o", ""))]}"#
    default:
      file.manifest = routes(get("/{x}", "one", #","query":{"refuse":true}"#) + "," + get("/{y}", "two", ""))
    }
    world.plugins["/two.so"] = file
    let problem = try #require(throws: Problem.self) {
      try world.change.change(.init(.reload("a"), from: .path("/two.so")))
    }
    #expect(problem.code == code)
    #expect(problem.members["step"] != nil)
    #expect(world.automations.live("a")?.generation.record.number == 1)
    #expect(world.automations.live("a")?.generation.enter() == true)
    #expect(world.catalog.activeSet().map(\.number) == [1])
  }

  @Test func aFileThatDiedInTheProbeIsQuarantinedUntilReleased() throws {
    var file = FakePlugins.File(manifest("a", "1"))
    file.probe = Problem(422, "plugin.probe.crashed", "SIGSEGV")
    world.plugins["/bad.so"] = file
    #expect(throws: Problem.self) { try world.change.change(.init(.load, from: .path("/bad.so"))) }
    file.probe = nil
    world.plugins["/bad.so"] = file
    let held = try #require(throws: Problem.self) {
      try world.change.change(.init(.load, from: .path("/bad.so")))
    }
    #expect(held.code == "plugin.quarantined")
    #expect(world.catalog.release("sha-of-/bad.so"))
    _ = try world.change.change(.init(.load, from: .path("/bad.so")))
  }

  @Test func refusesAFileWithAnotherHash() throws {
    world.plugins["/one.so"] = .init(manifest("a", "1"))
    let problem = try #require(throws: Problem.self) {
      try world.change.change(.init(.load, from: .path("/one.so"), expectedSHA256: "ab"))
    }
    #expect(problem.code == "plugin.file.hash_mismatch")
  }

  @Test func refusesASecondAutomationWithTheSameID() throws {
    try world.load("/one.so", manifest("a", "1"))
    let problem = try #require(throws: Problem.self) { try world.load("/two.so", manifest("a", "2")) }
    #expect(problem.code == "automation.exists")
  }

  @Test func aRollbackLoadsTheEarlierFileAsANewGeneration() throws {
    try world.load("/one.so", manifest("a", "1"))
    try world.reload("a", "/two.so", manifest("a", "2"))
    let report = try world.change.rollBack("a")
    #expect(report.generation == 3 && report.version == "1" && report.previous == 2)
    #expect(try world.change.rollBack("a").version == "2")
    let none = try #require(throws: Problem.self) { try world.change.rollBack("a", to: 99) }
    #expect(none.code == "automation.no_such_generation")
  }

  @Test func unloadTakesTheRoutesAndKeepsTheFiles() throws {
    try world.load("/one.so", manifest("a", "1"))
    _ = try world.change.unload("a")
    #expect(world.automations.live("a") == nil)
    #expect(world.catalog.activeSet().isEmpty && world.catalog.generations(of: "a").count == 1)
    #expect(throws: Problem.self) { try world.change.unload("a") }
  }

  @Test func restoreBringsBackTheLastSetThatWorked() throws {
    try world.load("/one.so", manifest("a", "1"))
    try world.reload("a", "/two.so", manifest("a", "2"))
    try world.load("/other.so", manifest("b", "1"))
    world.plugins["/two.so"]?.probe = Problem(422, "plugin.probe.crashed", "now it dies")
    let next = World(catalog: world.catalog, plugins: world.plugins)
    try next.change.restore()
    #expect(next.automations.live("a")?.generation.record.version == "1")
    #expect(next.automations.live("b")?.generation.record.number == 1)
    #expect(world.catalog.activeSet().map(\.number) == [1, 1])
    #expect(next.log.messages(.error).count == 1)
  }

  @Test func configurationIsCheckedAndKeptOverAReload() throws {
    let wants =
      #"{"id":"a","version":"1","config":{"needs":"town"},"routes":[{"method":"GET","path":"/","operation":"o"}]}"#
    world.plugins["/one.so"] = .init(wants)
    let problem = try #require(throws: Problem.self) {
      try world.change.change(.init(.load, from: .path("/one.so")))
    }
    #expect(problem.code == "automation.config_invalid")
    let config = Array(#"{"town":"Bonn"}"#.utf8)
    _ = try world.change.change(.init(.load, from: .path("/one.so"), config: config))
    _ = try world.change.change(.init(.reload("a"), from: .path("/one.so")))
    #expect(world.automations.live("a")?.generation.configBytes == config)
    let plain = try #require(throws: Problem.self) {
      world.plugins["/two.so"] = .init(manifest("b", "1"))
      return try world.change.change(.init(.load, from: .path("/two.so"), config: config))
    }
    #expect(plain.code == "automation.config_invalid")
  }

  /// A request that becomes a stream at the moment of the first look is neither waiting nor a stream.
  @Test func requestsAreCancelledUntilNoneIsLeft() throws {
    let world = World(drain: .init(timeout: .zero, grace: .seconds(600)))
    try world.load("/one.so", manifest("a", "1"))
    let old = try #require(world.automations.live("a")?.generation)
    #expect(old.enter())
    try world.reload("a", "/two.so", manifest("a", "2"))
    #expect(world.canceller.cancelled(3) == [old.serial])
    old.leave()
    #expect(eventually { world.drain.wait(for: [old], until: .now) } && old.state == .stopped)
  }

  @Test func aStuckGenerationIsCancelledThenLeftMapped() throws {
    let world = World(drain: .init(timeout: .milliseconds(20), grace: .milliseconds(20)))
    try world.load("/one.so", manifest("a", "1"))
    let old = try #require(world.automations.live("a")?.generation)
    #expect(old.enter())
    try world.reload("a", "/two.so", manifest("a", "2"))
    #expect(eventually { world.drain.wait(for: [old], until: .now) })
    #expect(old.state == .stuck)
    #expect(world.automations.stuck.count == 1)
    #expect(world.canceller.cancelled(1) == [old.serial])
    #expect(world.plugins.plugins[0].history == ["create", "activate", "quiesce"])
  }

  @Test func whatTheCatalogKnowsStaysAtAStart() throws {
    try world.load("/0.so", manifest("a", "0"))
    try world.reload("a", "/1.so", manifest("a", "1"))
    world.change.removeLeftOvers()
    #expect(world.files.kept.withLock { $0 } == ["a/1@/0.so", "a/2@/1.so"])
  }

  @Test func onlySoManyGenerationsAreKept() throws {
    try world.load("/0.so", manifest("a", "0"))
    for number in 1...6 { try world.reload("a", "/\(number).so", manifest("a", "\(number)")) }
    #expect(world.catalog.generations(of: "a").map(\.number) == [7, 6, 5, 4, 3])
    #expect(world.files.removed.contains("a/1@/0.so"))
  }
}

/// Everything the use cases need, in memory.
final class World: Sendable {
  let catalog: MemoryCatalog
  let plugins: FakePlugins
  let files = NamedFiles()
  let log = MemoryLog()
  let automations = Automations()
  let canceller = RecordingCanceller()
  let drain: DrainGenerations
  let change: ChangeAutomation

  init(
    catalog: MemoryCatalog = .init(), plugins: FakePlugins = .init(),
    drain limits: DrainGenerations.Limits = .init(), change: ChangeAutomation.Limits = .init()
  ) {
    self.catalog = catalog
    self.plugins = plugins
    let meter = CountingMeter()
    drain = DrainGenerations(automations: automations, canceller: canceller, log: log, limits: limits)
    drain.start()
    self.change = ChangeAutomation(
      ports: .init(files: files, inspector: plugins, catalog: catalog, meter: meter, log: log),
      automations: automations, plan: PlanGeneration(schemas: OpenSchemas(), stores: EmptyStores()),
      start: StartGeneration(
        loader: plugins, stores: EmptyStores(), meter: meter, scopes: ScopeMatrix(), log: log,
        defaults: .init()),
      drain: drain, limits: change)
  }

  deinit { drain.end() }

  @discardableResult
  func load(_ path: String, _ manifest: String) throws(Problem) -> ChangeReport {
    plugins[path] = .init(manifest)
    return try change.change(.init(.load, from: .path(path)))
  }

  @discardableResult
  func reload(_ id: String, _ path: String, _ manifest: String) throws(Problem) -> ChangeReport {
    plugins[path] = .init(manifest)
    return try change.change(.init(.reload(id), from: .path(path)))
  }
}

final class RecordingCanceller: RequestCanceller {
  private let serials = Monitor<[Int]>([])
  func cancelRequests(of generation: Generation, _ reason: Unanswered) {
    serials.signal { $0.append(generation.serial) }
  }
  /// Waits until that many cancels have come; whom they were for.
  func cancelled(_ count: Int) -> Set<Int>? {
    serials.eventually { $0.count < count ? nil : Set($0) }
  }
  func cancel(_ plugin: any LoadedPlugin, _ handle: UInt64) {}
}

func manifest(_ id: String, _ version: String) -> String {
  #"{"id":"\#(id)","version":"\#(version)","routes":[{"method":"GET","path":"/","operation":"o"}]}"#
}
