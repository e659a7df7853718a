import Application
import Domain
import Doubles
import Kernel
import Synchronization
import Testing

/// Several automations in one change.
@Suite struct ChangeSetTests {
  let world = World()
  let ids = ["a", "b", "c"]

  private func loadAll(_ version: String) throws {
    for id in ids { try world.load("/\(id)-\(version).so", manifest(id, version)) }
  }

  private func set(_ version: String) -> [ChangeAutomation.Member] {
    ids.map { id in
      if world.plugins["/\(id)-\(version).so"] == nil {
        world.plugins["/\(id)-\(version).so"] = .init(manifest(id, version))
      }
      return .init(id, from: .path("/\(id)-\(version).so"))
    }
  }

  @Test func allOfThemServeAfterOneSwap() throws {
    try loadAll("1")
    let before = world.automations.snapshots.current.version
    let report = try world.change.change(all: set("2"))
    #expect(report.snapshot == before + 1)
    #expect(report.automations.map(\.version) == ["2", "2", "2"])
    #expect(report.automations.map(\.previous) == [1, 1, 1])
    #expect(world.catalog.activeSet().map(\.version) == ["2", "2", "2"])
    #expect(world.automations.live.map(\.generation.record.version) == ["2", "2", "2"])
    for old in world.plugins.plugins[..<3] {
      #expect(old.history == ["create", "activate", "quiesce", "stop", "destroy"])
    }
  }

  @Test func aSetMayBringANewAutomation() throws {
    try world.load("/a-1.so", manifest("a", "1"))
    let report = try world.change.change(all: set("2"))
    #expect(report.automations.map(\.previous) == [1, nil, nil])
    #expect(world.automations.live.count == 3)
  }

  @Test(arguments: [
    ("receive", "plugin.file.not_found"), ("probe", "plugin.refused"),
    ("plan", "automation.config_invalid"), ("id", "plugin.manifest.other_automation"),
    ("create", "plugin.refused"), ("activate", "plugin.refused"), ("store", "storage.failed"),
  ])
  func whateverFailsNothingChanges(step: String, cause: String) throws {
    try loadAll("1")
    let snapshot = world.automations.snapshots.current
    var members = set("2")
    var file = FakePlugins.File(manifest("b", "2"))
    switch step {
    case "receive": members[1] = .init("b", from: .path("/nowhere.so"))
    case "probe": file.probe = Problem(422, cause, "no")
    case "plan": members[1] = .init("b", from: .path("/b-2.so"), config: Array(#"{"x":1}"#.utf8))
    case "id": file = FakePlugins.File(manifest("d", "2"))
    case "create": file.create = Problem(422, cause, "no")
    case "activate": file.activate = Problem(422, cause, "no")
    default: world.catalog.fail(with: Problem(500, cause, "the disk is full"))
    }
    world.plugins["/b-2.so"] = file
    let problem = try #require(throws: Problem.self) { try world.change.change(all: members) }
    #expect(problem.code == "automation.set_failed" && problem.members["cause"]?.string == cause)
    let told = problem.members["automations"]?.array ?? []
    #expect(told.map { $0["id"]?.string } == ["a", "b", "c"])
    #expect(told.count { $0["ok"] == false } == 1)
    #expect(told.allSatisfy { $0["step"]?.string != nil && $0["detail"]?.string != nil })
    #expect(world.automations.snapshots.current === snapshot)
    #expect(world.catalog.activeSet().map(\.version) == ["1", "1", "1"])
    // Whatever was created was destroyed, and the old instances were not touched.
    for plugin in world.plugins.plugins[3...] where plugin.history.contains("activate") {
      #expect(plugin.history.suffix(2) == ["stop", "destroy"], "\(plugin.history)")
    }
    for plugin in world.plugins.plugins[..<3] { #expect(plugin.history == ["create", "activate"]) }
    #expect(world.automations.retiring.isEmpty)
  }

  @Test func everyCauseIsListedAtOnce() throws {
    try loadAll("1")
    let members = set("2")
    for id in ["a", "c"] { world.plugins["/\(id)-2.so"]?.probe = Problem(422, "plugin.refused", "no") }
    let problem = try #require(throws: Problem.self) { try world.change.change(all: members) }
    #expect(problem.members["automations"]?.array?.map { $0["ok"]?.bool } == [false, true, false])
  }

  @Test func aSetNamesEachAutomationOnce() throws {
    try loadAll("1")
    for members in [[], [set("2")[0], set("2")[0]]] {
      let problem = try #require(throws: Problem.self) { try world.change.change(all: members) }
      #expect(problem.code == "automation.set_invalid")
    }
  }

  @Test func oneCallTakesTheWholeSetBack() throws {
    try loadAll("1")
    _ = try world.change.change(all: set("2"))
    let report = try world.change.rollBack(all: [("a", nil), ("b", 1), ("c", nil)])
    #expect(report.automations.map(\.version) == ["1", "1", "1"])
    #expect(report.automations.map(\.previous) == [2, 2, 2])
    let none = try #require(throws: Problem.self) {
      try world.change.rollBack(all: [("a", nil), ("b", 99)])
    }
    #expect(none.code == "automation.no_such_generation" && none.members["automation"] == "b")
    #expect(world.automations.live("a")?.generation.record.number == 3)
  }

  /// Readers that look at any time find all of one version, or all of the other.
  @Test func noSnapshotMixesTwoSets() throws {
    try loadAll("1")
    let readers = SnapshotReaders(world.automations.snapshots)
    for round in 0..<50 {
      _ = try world.change.change(all: set(round % 2 == 0 ? "2" : "1"))
      let refused = set("3")
      world.plugins["/b-3.so"]?.activate = Problem(422, "plugin.refused", "no")
      #expect(throws: Problem.self) { try world.change.change(all: refused) }
    }
    let (looks, mixes) = readers.stop()
    #expect(mixes == 0 && looks > 0)
  }
}

/// Threads that look at snapshots over and over.
private final class SnapshotReaders: Sendable {
  private let isOver = Atomic<Bool>(false)
  private let looks = Atomic<Int>(0)
  private let mixes = Atomic<Int>(0)
  private let threads = Monitor<[OSThread]>([])

  init(_ snapshots: Published<Snapshot>) {
    threads.withLock { threads in
      threads = (0..<2).map { number in OSThread("reader-\(number)") { self.read(snapshots) } }
    }
  }

  func stop() -> (looks: Int, mixes: Int) {
    isOver.store(true, ordering: .relaxed)
    for thread in threads.withLock({ $0 }) { thread.join() }
    return (looks.load(ordering: .relaxed), mixes.load(ordering: .relaxed))
  }

  private func read(_ snapshots: Published<Snapshot>) {
    var reader = Published<Snapshot>.Reader(snapshots)
    var last = 0
    while !isOver.load(ordering: .relaxed) {
      let snapshot = reader.look()
      let versions = Set(snapshot.automations.map(\.generation.record.version))
      if versions.count != 1 || snapshot.version < last { mixes.add(1, ordering: .relaxed) }
      last = snapshot.version
      looks.add(1, ordering: .relaxed)
    }
  }
}
