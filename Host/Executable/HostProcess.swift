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
    let log = JSONLines(level: settings.logLevel, limits: settings.log)
    defer { log.close() }

    try checkTLS(log)

    // What is kept.
    let digests = OpenSSLDigests()
    let control = try SQLiteControlStore(path: home.path + "/council.sqlite")
    let audit = try JournalAuditTrail(
      folder: home.path + "/audit", digests: digests, log: log, limits: settings.audit)
    defer { audit.close() }
    let stores = SQLiteRecordStores(
      folder: home.path + "/records", configuration: settings.sqlite, cipher: try settings.fieldCipher())

    // Who may call.
    var random = SystemRandomNumberGenerator()
    let table = try KeyTable(
      capacity: settings.maxKeys, defaultLimit: settings.defaultLimit, seed: (random.next(), random.next()))
    let keys = Keys(table: table, store: control, digests: digests)
    let keyCount = try keys.restore()
    if keyCount == 0, let folder = settings.firstKeys { try FirstKeys.issue(keys, into: folder) }

    // What runs plugins.
    let meter = PrometheusMeter(limits: settings.metrics)
    let automations = Automations()
    let usage = UsageBook(settings.automations)
    let health = Health()
    let exchanges = ExchangePool(
      capacity: settings.publicListener.maxConnections + settings.publicListener.exchangeSlack,
      keptBytes: settings.publicListener.keptBytes)
    let workers = Workers(settings.workers)
    let watch = DeadlineWatch(
      exchanges, automations: automations, log: log, interval: settings.deadlineCheckInterval,
      maxCancels: settings.maxCancels)
    let drain = DrainGenerations(automations: automations, canceller: watch, log: log, limits: settings.drain)
    let files = try PluginFolder(home: home.path, maxBytes: settings.pluginFileBytes)
    let change = ChangeAutomation(
      ports: .init(
        files: files,
        inspector: InspectPlugin(
          validate: ValidateFile(digests: digests, limits: settings.validation),
          probe: ProbePlugin(settings.probe)),
        catalog: control, meter: meter, log: log),
      automations: automations,
      plan: PlanGeneration(schemas: JSONSchemaCompiler(limits: settings.schemas), stores: stores),
      start: StartGeneration(
        loader: LoadPlugin(
          exchanges: exchanges, workers: workers, limits: settings.loading),
        stores: stores, meter: meter, scopes: table.scopes, log: log, defaults: settings.routes,
        usage: usage),
      drain: drain, limits: settings.changes)

    // How requests come in.
    let gateway = try Gateway(
      .init(automations: automations, keys: keys, audit: audit, meter: meter, log: log, health: health),
      limits: settings.gateway)
    let admin = try AdminApplication(
      .init(
        automations: automations, change: change, catalog: control, files: files, keys: keys, audit: audit,
        meter: meter, log: log, health: health, usage: usage),
      limits: settings.admin)
    let publicServer = HTTPServer(
      settings.publicListener, application: gateway, log: log, exchanges: exchanges)
    let adminServer = HTTPServer(settings.adminListener, application: admin, log: log)

    health.add("audit") { audit.isWriting ? nil : "the audit trail cannot be written" }
    // Each by its kind: who asks need not know what the host keeps where.
    let records = RecordStoresCheck(automations, perRound: settings.healthStoresPerRound)
    let healthWatch = HealthWatch(
      [
        ("control", { control.fault }),
        ("records", { records.look() }),
      ], interval: settings.healthCheckInterval, log: log)
    HostGauges.register(
      with: meter, automations: automations, servers: [("public", publicServer), ("admin", adminServer)],
      workers: workers, keys: table)
    UsageMetrics.register(with: meter, usage)
    usage.beforeEachLook { workers.chargeTimes() }

    // Serve: the automations first, so that nobody meets a host without them.
    drain.start()
    watch.start()
    usage.start()
    gateway.inlineWatch.start()
    try change.restore()
    load(change, automations, files, log)
    healthWatch.start(reportingTo: health)
    try adminServer.start()
    try publicServer.start()
    health.isServing = true
    let keeper = KeyUseKeeper(keys: keys, log: log, interval: settings.keyUseInterval)
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
    healthWatch.end()
    publicServer.stop(within: settings.drain.timeout)
    adminServer.stop(within: settings.adminStopTimeout)
    let leaving = automations.swap(in: [], out: automations.live.map(\.generation.manifest.id))
    drain.drain(leaving)
    _ = drain.wait(for: leaving, until: .now + settings.drain.timeout + settings.drain.grace)
    admin.stop()
    _ = workers.end(by: .now + settings.workerStopTimeout)
    drain.end()
    watch.end()
    usage.end()
    gateway.inlineWatch.end()
    log.log(.info, "host", "stopped")
  }

  /// Refuses files that no listener could use. One that has expired is used: some clients may take it, and none
  /// is served without.
  private func checkTLS(_ log: any LogSink) throws(Problem) {
    for (name, listener) in [("public", settings.publicListener), ("admin", settings.adminListener)] {
      guard let files = listener.tls else { continue }
      let certificate = try TLSFiles.read(files, of: name)
      if certificate.isExpired || certificate.isNotYetValid {
        log.log(
          .error, "host",
          "the certificate of the \(name) listener \(certificate.isExpired ? "has expired" : "is not valid yet")"
        )
      }
    }
  }

  /// Loads what the command line names, unless it is active with that very file.
  private func load(
    _ change: ChangeAutomation, _ automations: Automations, _ files: PluginFolder, _ log: any LogSink
  ) {
    let digests = OpenSSLDigests()
    for path in settings.load {
      do throws(Problem) {
        let facts = try ValidateFile(digests: digests, limits: settings.validation)(path)
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
