import AdminAPI
import Application
import Audit
import Configuration
import Cryptography
import Domain
import Gateway
import HTTPServer
import JSONSchema
import Kernel
import PluginFiles
import PluginRuntime
import SQLiteStore
import Telemetry

/// `council serve`: puts the pieces together, serves until a signal, takes them apart again.
///
/// Reads from top to bottom: what stands later uses what stands earlier.
struct HostProcess {
  struct Options {
    var configuration: HostConfiguration
    /// Plugins to load unless they are active with the same file.
    var load: [String]
    /// Where the first admin key and the first agent key go when no key exists; nil issues none.
    var firstKeys: String?
  }

  let options: Options

  /// Returns after a clean end. [main]
  func run() throws(Problem) {
    let settings = options.configuration
    Signals.block()
    let home = try HomeFolder.open(settings.home)
    let log = JSONLines(level: settings.logLevel)
    defer { log.close() }
    let began = Instant.now

    // What is kept.
    let digests = OpenSSLDigests()
    let control = try SQLiteControlStore(path: home.path + "/council.sqlite")
    let audit = try AuditFolder(home: home.path, settings: settings.audit, digests: digests, log: log)
    let stores = SQLiteRecordStores(folder: home.path + "/records")

    // Who may call.
    var random = SystemRandomNumberGenerator()
    let table = try KeyTable(defaultLimit: settings.defaultLimit, seed: (random.next(), random.next()))
    let keys = Keys(table: table, store: control, digests: digests)
    let keyCount = try keys.restore()
    if keyCount == 0, let folder = options.firstKeys { try FirstKeys.issue(keys, into: folder) }

    // What runs plugins.
    let meter = PrometheusMeter()
    let automations = Automations()
    let health = Health()
    let exchanges = ExchangePool(capacity: settings.http.maxConnections + settings.http.exchangeSlack)
    let workers = Workers(settings.workers)
    let watch = DeadlineWatch(exchanges, automations: automations, log: log)
    let drain = DrainGenerations(
      automations: automations, canceller: watch, log: log, limits: settings.drain)
    let change = ChangeAutomation(
      ports: .init(
        files: try PluginFolder(home: home.path, maxBytes: settings.pluginFileBytes),
        inspector: InspectPlugin(
          validate: ValidateFile(digests: digests), probe: ProbePlugin(.init(deadline: settings.probeTimeout))),
        catalog: control, meter: meter, log: log),
      automations: automations,
      plan: PlanGeneration(schemas: JSONSchemaCompiler(), stores: stores),
      start: StartGeneration(
        loader: LoadPlugin(exchanges: exchanges, workers: workers), stores: stores, meter: meter,
        scopes: table.scopes, log: log, defaults: settings.routeDefaults),
      drain: drain, limits: settings.changes)

    // How requests come in.
    let gateway = try Gateway(
      .init(automations: automations, keys: keys, audit: audit, meter: meter, log: log, health: health),
      limits: .init(anonymous: settings.anonymousLimit))
    _ = (gateway, change, began)
  }
}
