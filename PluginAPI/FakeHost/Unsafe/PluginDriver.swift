import CCouncil
public import CouncilPlugin

/// Calls the functions of a plugin's table, as the host does.
// Safe to share: the table never changes, and the contract says which of its functions may be called at once.
@safe final class PluginDriver: @unchecked Sendable {
  private let table: PluginTable
  private var instance: UnsafeMutableRawPointer?

  /// Checks what the host checks before it calls anything.
  init(table: PluginTable) throws {
    // Safe: the entry function returned a table that stays.
    let plugin = unsafe table.pointee
    guard plugin.abi_major == COUNCIL_ABI_MAJOR else {
      throw FakeHost.LoadError(
        description: "the plugin has ABI major \(plugin.abi_major), the host \(COUNCIL_ABI_MAJOR)")
    }
    guard plugin.min_host_minor <= COUNCIL_ABI_MINOR else {
      throw FakeHost.LoadError(
        description: "the plugin needs ABI minor \(plugin.min_host_minor), the host has \(COUNCIL_ABI_MINOR)")
    }
    let isWhole = PluginDriver.isWhole(plugin)
    guard isWhole else { throw FakeHost.LoadError(description: "a member of the plugin's table is NULL") }
    unsafe self.table = table
  }

  private static func isWhole(_ plugin: council_plugin_v1) -> Bool {
    // Safe: the members are compared, not called.
    unsafe [
      plugin.manifest != nil, plugin.create != nil, plugin.activate != nil, plugin.handle != nil,
      plugin.cancel != nil, plugin.quiesce != nil, plugin.stop != nil, plugin.destroy != nil,
      plugin.get_extension != nil,
    ].allSatisfy { $0 }
  }

  func manifest() throws -> JSON {
    let first = unsafe table.pointee.manifest()
    let second = unsafe table.pointee.manifest()
    guard unsafe first.ptr == second.ptr, unsafe first.len == second.len else {
      throw FakeHost.LoadError(description: "the manifest is not the same at each call")
    }
    do { return try JSON(parsing: unsafe bytes(first)) } catch {
      throw FakeHost.LoadError(description: "the manifest is \(error)")
    }
  }

  func create(in core: FakeCore, config: [UInt8]) throws {
    let config = config.span
    // Safe: the configuration is lent for the call; the host's struct lives as long as the core.
    let outcome = unsafe config.withUnsafeBufferPointer { config in
      unsafe table.pointee.create(
        core.host.pointer, council_view_v1(ptr: config.baseAddress, len: config.count), &instance)
    }
    guard outcome == 0 else { throw refusal("create", outcome, core) }
    failure = { [unowned core] in core.failure }
  }

  private var failure: () -> String? = { nil }

  func activate() throws {
    let outcome = unsafe table.pointee.activate(instance)
    guard outcome == 0 else {
      throw FakeHost.LoadError(description: "activate returned \(outcome): \(failure() ?? "no reason given")")
    }
  }

  private func refusal(_ step: String, _ outcome: council_status, _ core: FakeCore) -> FakeHost.LoadError {
    FakeHost.LoadError(description: "\(step) returned \(outcome): \(core.failure ?? "no reason given")")
  }

  func handle(_ route: Int, _ exchange: FakeExchange, isInline: Bool) {
    exchange.beginHandling()
    // Safe: the instance lives until destroy.
    let run = { unsafe self.table.pointee.handle(self.instance, UInt32(route), exchange.name) }
    let here = { exchange.isDryRun ? ThreadMark.dryRun.run(run) : run() }
    let outcome = isInline ? ThreadMark.event.run(here) : here()
    exchange.endHandling()
    if outcome == status(COUNCIL_PENDING) { return }
    if exchange.end(cut: outcome != status(COUNCIL_OK)) { return }
    if outcome == status(COUNCIL_OK) {
      _ = exchange.answer(.problem(500, "plugin.no_answer", "The handler returned without an answer."))
    } else {
      _ = exchange.answer(.problem(500, "plugin.failed", "The handler returned \(outcome)."))
    }
  }

  func cancel(_ name: UInt64) { unsafe table.pointee.cancel(instance, name) }

  func quiesce() { unsafe table.pointee.quiesce(instance) }

  func stopAndDestroy() throws {
    let outcome = unsafe table.pointee.stop(instance)
    guard outcome == 0 else { throw FakeHost.LoadError(description: "stop returned \(outcome)") }
    unsafe table.pointee.destroy(instance)
  }

}

extension FakeHost {
  /// Loads a Swift automation.
  public convenience init<A: Automation>(_ automation: A.Type, config: JSON = [:]) throws {
    // One table serves every automation of a process: it stands for this one until create has returned.
    try self.init(config: config, driver: { try unsafe PluginDriver(table: export(automation)) })
  }

  /// Loads a plugin by its entry function, in any language: `FakeHost(entry: council_plugin_entry_v1)`.
  @safe public convenience init(
    entry: @convention(c) () -> PluginTable?, config: JSON = [:]
  ) throws {
    try self.init(
      config: config,
      driver: {
        guard let table = unsafe entry() else { throw LoadError(description: "the entry returned NULL") }
        return try unsafe PluginDriver(table: table)
      })
  }
}
