package import Domain
package import Kernel

/// The steps LOAD and START: from a file that passed every check to an instance that can take requests.
package struct StartGeneration: Sendable {
  /// What a route takes that does not say.
  package struct Defaults: Sendable {
    package var deadline: Duration
    package var maxBodyBytes: Int

    package init(deadline: Duration = .seconds(30), maxBodyBytes: Int = 1 << 20) {
      self.deadline = deadline
      self.maxBodyBytes = maxBodyBytes
    }
  }

  private let loader: any PluginLoader
  private let stores: any RecordStores
  private let meter: any RequestMeter
  private let log: any LogSink
  private let defaults: Defaults

  package init(
    loader: any PluginLoader, stores: any RecordStores, meter: any RequestMeter, log: any LogSink,
    defaults: Defaults
  ) {
    self.loader = loader
    self.stores = stores
    self.meter = meter
    self.log = log
    self.defaults = defaults
  }

  package func load(_ path: String, expecting manifest: [UInt8]) throws(Problem) -> any LoadedPlugin {
    let plugin = try loader.load(path: path)
    guard plugin.manifest == manifest else {
      throw Problem(
        422, "plugin.manifest.changed", "The plugin gave another manifest in the host than in the probe.")
    }
    return plugin
  }

  /// Migrates and opens the records, creates the instance, activates it. What fails is taken down again.
  package func start(
    _ plugin: any LoadedPlugin, _ record: GenerationRecord, _ manifest: Manifest,
    _ plan: PlanGeneration.Plan
  ) throws(Problem) -> LiveAutomation {
    var records: (any RecordStore)?
    if !manifest.collections.isEmpty {
      records = try stores.open(automation: manifest.id, collections: manifest.collections)
    }
    do throws(Problem) {
      try plugin.create(
        config: Array(record.config.utf8),
        services: PluginServices(
          automation: manifest.id, generation: record.number, records: records, log: log))
    } catch {
      records?.close()
      throw error
    }
    do throws(Problem) { try plugin.activate() } catch {
      // A plugin that hung is poisoned: its stop refuses without calling it.
      do throws(Problem) {
        try plugin.stop()
        try plugin.destroy()
        records?.close()
      } catch {
        log.log(.error, "generations", "a refused generation does not stop: \(error.detail)")
      }
      throw error
    }
    let generation = Generation(record: record, manifest: manifest, plugin: plugin, records: records)
    let routes = manifest.routes.indices.map { number in
      LiveRoute(
        number: number, declaration: manifest.routes[number], pattern: plan.patterns[number],
        generation: generation, deadline: defaults.deadline, maxBodyBytes: defaults.maxBodyBytes,
        schemas: plan.schemas[number], meter: meter)
    }
    return LiveAutomation(generation: generation, routes: routes)
  }
}
