import AdminAPI
import Application
import Audit
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
  let settings: HostSettings

  /// Returns after a clean end. [main]
  func run() throws(Problem) {
    Signals.block()
    let began = Instant.now
    let home = try HomeFolder.open(settings.home)
    let log = JSONLines(level: settings.logLevel)
    defer { log.close() }

    // What is kept.
    let digests = OpenSSLDigests()
    let control = try SQLiteControlStore(path: home.path + "/council.sqlite")
    let audit = try JournalAuditTrail(
      folder: home.path + "/audit", digests: digests, log: log, limits: settings.audit)
    defer { audit.close() }
    let stores = SQLiteRecordStores(folder: home.path + "/records")

    // Who may call.
    var random = SystemRandomNumberGenerator()
    let table = try KeyTable(
      capacity: settings.maxKeys, defaultLimit: settings.defaultLimit, seed: (random.next(), random.next()))
    let keys = Keys(table: table, store: control, digests: digests)
    let keyCount = try keys.restore()
    if keyCount == 0, let folder = settings.firstKeys { try FirstKeys.issue(keys, into: folder) }

    // What runs plugins.
    let meter = PrometheusMeter()
    let automations = Automations()
    let health = Health()
    let exchanges = ExchangePool(
      capacity: settings.publicListener.maxConnections + settings.publicListener.exchangeSlack)
    let workers = Workers(settings.workers)
    let desk = RecordsDesk(threads: settings.runnerRecordsThreads)
    let watch = DeadlineWatch(exchanges, automations: automations, log: log)
    let drain = DrainGenerations(automations: automations, canceller: watch, log: log, limits: settings.drain)
    let files = try PluginFolder(home: home.path, maxBytes: settings.pluginFileBytes)
    let change = ChangeAutomation(
      ports: .init(
        files: files,
        inspector: InspectPlugin(
          validate: ValidateFile(digests: digests, limits: .init(fileBytes: settings.pluginFileBytes)),
          probe: ProbePlugin(.init(deadline: settings.probeTimeout))),
        catalog: control, meter: meter, log: log),
      automations: automations,
      plan: PlanGeneration(schemas: JSONSchemaCompiler(), stores: stores),
      start: StartGeneration(
        loader: LoadByIsolation(
          inProcess: LoadPlugin(
            exchanges: exchanges, workers: workers, limits: .init(patience: settings.callTimeout)),
          exchanges: exchanges, desk: desk, runners: settings.runners),
        stores: stores, meter: meter, scopes: table.scopes, log: log, defaults: settings.routes),
      drain: drain, limits: settings.changes)

    // How requests come in.
    let gateway = try Gateway(
      .init(automations: automations, keys: keys, audit: audit, meter: meter, log: log, health: health),
      limits: settings.gateway)
    let admin = try AdminApplication(
      .init(
        automations: automations, change: change, catalog: control, files: files, keys: keys, audit: audit,
        meter: meter, log: log, health: health),
      limits: settings.admin)
    let publicServer = HTTPServer(
      settings.publicListener, application: gateway, log: log, exchanges: exchanges)
    let adminServer = HTTPServer(settings.adminListener, application: admin, log: log)

    health.add("audit") { audit.isWriting ? nil : "the audit trail cannot be written" }
    HostGauges.register(
      with: meter, automations: automations, servers: [("public", publicServer), ("admin", adminServer)],
      workers: workers, keys: table)

    // Serve: the automations first, so that nobody meets a host without them.
    drain.start()
    watch.start()
    try change.restore()
    load(change, automations, files, log)
    try adminServer.start()
    try publicServer.start()
    health.isServing = true
    let keeper = KeyUseKeeper(keys: keys, log: log)
    keeper.start()
    log.log(
      .info, "host", "ready",
      [
        "public_port": .integer(Int64(publicServer.port)), "admin_port": .integer(Int64(adminServer.port)),
        "automations": .integer(Int64(automations.live.count)), "keys": .integer(Int64(keyCount)),
        "duration_ms": .number(Double((Instant.now - began) / 1000) / 1000),
      ])

    // Until a signal ends it.
    var signal = Signals.wait()
    while Signals.isReload(signal) {
      log.log(.warning, "host", "the configuration is read at the start only: HUP changes nothing")
      signal = Signals.wait()
    }
    log.log(.info, "host", "draining", ["signal": .string(Signals.name(signal))])
    OSThread("second-signal") {
      _ = Signals.wait()
      Signals.exitNow(1)
    }.leave()
    health.isServing = false
    keeper.end()
    publicServer.stop(within: settings.drain.timeout)
    adminServer.stop(within: .seconds(5))
    let leaving = automations.swap(in: [], out: automations.live.map(\.generation.manifest.id))
    drain.drain(leaving)
    _ = drain.wait(for: leaving, until: .now + settings.drain.timeout + settings.drain.grace)
    admin.stop()
    desk.end()
    _ = workers.end(by: .now + .seconds(1))
    drain.end()
    watch.end()
    log.log(.info, "host", "stopped")
  }

  /// Loads what the command line names, unless it is active with that very file.
  private func load(
    _ change: ChangeAutomation, _ automations: Automations, _ files: PluginFolder, _ log: any LogSink
  ) {
    let digests = OpenSSLDigests()
    for path in settings.load {
      do throws(Problem) {
        let facts = try ValidateFile(digests: digests)(path)
        if automations.live.contains(where: { $0.generation.record.sha256 == facts.sha256 }) { continue }
        _ = try change.change(.init(.either, from: .path(path)))
      } catch {
        log.log(
          .error, "host", "\(path) is not loaded: \(error.detail)",
          ["code": .string(error.code), "path": .string(path)])
      }
    }
  }
}
