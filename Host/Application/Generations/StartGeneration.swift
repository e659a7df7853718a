package import Domain
package import Kernel

/// The steps LOAD and START: from a file that passed every check to an instance that can take requests.
package struct StartGeneration: Sendable {
  /// What a route takes that does not say.
  package struct Defaults: Sendable {
    package var deadline: Duration
    package var maxBodyBytes: Int
    /// Whether an answer is held against the schema that its route declares.
    package var checksAnswers: Bool

    package init(
      deadline: Duration = .milliseconds(HostConfiguration.defaults.deadlineMilliseconds),
      maxBodyBytes: Int = HostConfiguration.defaults.maxBodyBytes,
      checksAnswers: Bool = HostConfiguration.defaults.checksAnswers
    ) {
      self.deadline = deadline
      self.maxBodyBytes = maxBodyBytes
      self.checksAnswers = checksAnswers
    }
  }

  private let loader: any PluginLoader
  private let stores: any RecordStores
  private let meter: any RequestMeter
  private let scopes: ScopeMatrix
  private let log: any LogSink
  private let defaults: Defaults
  private let usage: UsageBook

  package init(
    loader: any PluginLoader, stores: any RecordStores, meter: any RequestMeter, scopes: ScopeMatrix,
    log: any LogSink, defaults: Defaults, usage: UsageBook = UsageBook()
  ) {
    self.usage = usage
    self.loader = loader
    self.stores = stores
    self.meter = meter
    self.scopes = scopes
    self.log = log
    self.defaults = defaults
  }

  /// `manifest` is what the probe found; nil where there was none.
  package func load(
    _ path: String, isolation: Isolation, expecting manifest: [UInt8]?
  ) throws(Problem) -> any LoadedPlugin {
    let plugin = try loader.load(path: path, isolation: isolation)
    guard manifest == nil || plugin.manifest == manifest else {
      throw Problem(
        422, "plugin.manifest.changed", "The plugin gave another manifest in the host than in the probe.")
    }
    return plugin
  }

  /// Migrates and opens the records, creates the instance, activates it. What fails is taken down again.
  package func start(
    _ plugin: any LoadedPlugin, _ record: GenerationRecord, _ manifest: Manifest,
    _ plan: PlanGeneration.Plan, signature: SignatureFacts? = nil
  ) throws(Problem) -> LiveAutomation {
    let scopes = try manifest.routes.map { route throws(Problem) in
      try route.scope.map { name throws(Problem) in try self.scopes.require(name) }
    }
    let shows = manifest.collections.contains { !$0.resourceFields.isEmpty }
    let readScope = shows ? try self.scopes.require(manifest.readScope) : nil
    var records: (any RecordStore)?
    if !manifest.collections.isEmpty {
      records = try stores.open(
        automation: manifest.family, version: manifest.number, collections: manifest.collections)
    }
    let generation = Generation(
      record: record, manifest: manifest, plugin: plugin, records: records, signature: signature,
      account: usage.account(of: manifest.id))
    do throws(Problem) {
      var routes: [LiveRoute] = []
      for number in manifest.routes.indices {
        var schemas = plan.schemas[number]
        if !defaults.checksAnswers { schemas.response = nil }
        routes.append(
          try LiveRoute(
            number: number, declaration: manifest.routes[number], pattern: plan.patterns[number],
            generation: generation, scope: scopes[number], deadline: defaults.deadline,
            maxBodyBytes: defaults.maxBodyBytes, schemas: schemas, meter: meter))
      }
      try create(generation)
      return LiveAutomation(generation: generation, routes: routes, readScope: readScope)
    } catch {
      records?.close()
      throw error
    }
  }

  /// Takes down an instance that was started and that nobody will call.
  func discard(_ generation: Generation) {
    generation.retire()
    do throws(Problem) {
      try generation.plugin.quiesce()
      try generation.plugin.stop()
      try generation.plugin.destroy()
      generation.records?.close()
      generation.state = .stopped
    } catch {
      // It may still be inside a call on its records.
      generation.state = .stuck
      log.log(
        .error, "generations", "a discarded generation does not stop: \(error.detail)", generation.logFields)
    }
  }

  private func create(_ generation: Generation) throws(Problem) {
    let plugin = generation.plugin
    try plugin.create(
      config: generation.configBytes,
      services: PluginServices(
        automation: generation.manifest.id, generation: generation.record.number,
        records: generation.records, log: log,
        routes: generation.manifest.routes.map { route in
          "\(route.method.rawValue) \(generation.manifest.root)\(route.path)"
        }, account: generation.account))
    do throws(Problem) { try plugin.activate() } catch {
      // A plugin that hung is poisoned: its stop refuses without calling it.
      do throws(Problem) {
        try plugin.stop()
        try plugin.destroy()
      } catch {
        log.log(
          .error, "generations", "a refused generation does not stop: \(error.detail)", generation.logFields)
      }
      throw error
    }
  }
}
