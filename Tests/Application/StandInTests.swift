import Application
import Domain
import Doubles
import Kernel
import Testing

/// An earlier generation in the place of one that crashes: who tells of it, and what ends it.
@Suite struct StandInTests {
  let world = World()

  /// A host that starts after generation 2 of `a` crashed too often.
  private func restarted() throws -> World {
    try world.load("/1.so", manifest("a", "1"))
    try world.reload("a", "/2.so", manifest("a", "2"))
    return try next()
  }

  private func next() throws -> World {
    let next = World(catalog: world.catalog, plugins: world.plugins)
    try next.change.restore { active, earlier in .boot(earlier.first?.number ?? active.number) }
    return next
  }

  @Test func itIsToldAndEveryFurtherStartTellsItAnew() throws {
    #expect(world.automations.standings.isEmpty)
    for host in [try restarted(), try next()] {
      #expect(host.automations.live("a")?.generation.record.number == 1)
      #expect(host.automations.standings == ["a": .standIn] && host.automations.displaced(of: "a") == 2)
    }
    #expect(world.automations.standings == ["a": .active] && world.automations.displaced(of: "a") == nil)
    #expect(world.catalog.activeSet().map(\.number) == [2])
  }

  @Test func aChangeThatFailsDoesNotEndIt() throws {
    let world = try restarted()
    world.plugins["/3.so"] = .init(manifest("b", "3"))
    #expect(throws: Problem.self) { try world.change.change(.init(.reload("a"), from: .path("/3.so"))) }
    #expect(world.automations.displaced(of: "a") == 2)
  }

  @Test(arguments: ["reload", "rollback", "rollback to", "set", "rollback of a set", "unload"])
  func aChangeEndsIt(change: String) throws {
    let world = try restarted()
    world.plugins["/3.so"] = .init(manifest("a", "3"))
    var version: String? = "1"
    switch change {
    case "reload":
      try world.reload("a", "/3.so", manifest("a", "3"))
      version = "3"
    case "set":
      _ = try world.change.change(all: [.init("a", from: .path("/3.so"))])
      version = "3"
    // What serves already is what the one that crashed is rolled back to.
    case "rollback": #expect(try world.change.rollBack("a").previous == 1)
    case "rollback of a set": _ = try world.change.rollBack(all: [("a", nil)])
    case "rollback to": _ = try world.change.rollBack("a", to: 1)
    default:
      _ = try world.change.unload("a")
      version = nil
    }
    #expect(world.automations.displaced(of: "a") == nil)
    #expect(world.automations.live("a")?.generation.record.version == version)
    #expect(world.automations.standings == (version == nil ? [:] : ["a": .active]))
    #expect(world.catalog.activeSet().map(\.number) == (version == nil ? [] : [3]))
  }

  @Test(arguments: [(true, nil), (false, 2)] as [(Bool, Int?)])
  func aCanaryEndsItWhenItIsPromoted(promoting: Bool, displaced: Int?) throws {
    let world = try restarted()
    world.plugins["/3.so"] = .init(manifest("a", "3"))
    var rule = CanaryRule()
    rule.seconds = 3600
    _ = try world.change.startCanary(.init(.reload("a"), from: .path("/3.so")), rule)
    #expect(world.automations.displaced(of: "a") == 2)
    _ = try world.change.decideCanary(of: "a", promoting: promoting)
    #expect(world.automations.displaced(of: "a") == displaced)
  }

  @Test func whatIsLeftOutStandsAsItsReasonSays() throws {
    try world.load("/1.so", manifest("a", "1"))
    try world.load("/b.so", manifest("b", "1"))
    let next = World(catalog: world.catalog, plugins: world.plugins)
    world.plugins["/b.so"]?.create = Problem(422, "plugin.refused", "no")
    try next.change.restore { active, _ in active.automation == "a" ? .leaveOut : .boot(active.number) }
    #expect(next.automations.standings == ["a": .crashed, "b": .failed])
    try next.reload("a", "/1.so", manifest("a", "2"))
    #expect(next.automations.standings == ["a": .active, "b": .failed])
  }
}
