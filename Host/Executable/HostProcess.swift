import AdminAPI
import Application
import Audit
import Cryptography
import Discovery
import Domain
import Functions
import Gateway
import HTTPServer
import JSONSchema
import Kernel
import MCP
import OpenAPI
import PluginFiles
import PluginRuntime
import SQLiteStore
import Supervision
import Telemetry

/// A host: puts the pieces together, serves until it is told to end, takes them apart again.
///
/// Its supervisor holds the home and the sockets, and may have started it to take over from another host.
/// Reads from top to bottom: what stands later uses what stands earlier.
struct HostProcess {
  let settings: HostSettings

  /// Returns after a clean end. [main]
  func run() throws(Problem) {
    Signals.block()
    let began = Instant.now
    let link = try SupervisorLink { Signals.exitNow(1) }
    let isWatched = CrashPage.attach(HostDescriptors.crashPage)
    let home = try HomeFolder.inherited(settings.home)
    let log = JSONLines(level: settings.logLevel, limits: settings.log)
    defer { log.close() }
    CrashPage.guardDescriptors(HostDescriptors.all)
    if !isWatched {
      log.log(.error, "host", "there is no crash page: nobody will know who crashes this host")
    }

    try checkTLS(log)

    // What is kept.
    let digests = OpenSSLDigests()
    let control = try SQLiteControlStore(path: home.path + "/council.sqlite")
    let stores = SQLiteRecordStores(
      folder: home.path + "/records", configuration: settings.sqlite, cipher: try settings.fieldCipher())
    let crashes = try CrashRecord(
      control, log: log, link: link, policy: settings.crashPolicy, symbols: Symbols(home: home.path))

    // Who may call.
    var random = SystemRandomNumberGenerator()
    let table = try KeyTable(
      capacity: settings.maxKeys, defaultLimit: settings.defaultLimit, seed: (random.next(), random.next()))
    let keys = Keys(table: table, store: control, digests: digests)
    let keyCount = try keys.restore()
    if keyCount == 0, let folder = settings.firstKeys { try FirstKeys.issue(keys, into: folder) }
    keys.onChange { link.changed(key: $0) }

    // What runs plugins.
    let meter = PrometheusMeter(limits: settings.metrics)
    let automations = Automations()
    let usage = UsageBook(settings.automations)
    let health = Health()
    let exchanges = ExchangePool(
      capacity: settings.publicListener.maxConnections + settings.publicListener.exchangeSlack
        + settings.values.maxJobs,
      keptBytes: settings.publicListener.keptBytes, streams: AnswerStreams(settings.streams))
    let workers = Workers(settings.workers)
    let desk = RecordsDesk(threads: settings.runnerRecordsThreads)
    let watch = DeadlineWatch(
      exchanges, automations: automations, log: log, interval: settings.deadlineCheckInterval,
      maxCancels: settings.maxCancels)
    let drain = DrainGenerations(automations: automations, canceller: watch, log: log, limits: settings.drain)
    let files = try PluginFolder(home: home.path, maxBytes: settings.pluginFileBytes)
    let recordings = try RecordingFolder(home: home.path, kept: settings.values.keptRecordings)
    let change = ChangeAutomation(
      ports: .init(
        files: files,
        inspector: InspectPlugin(
          validate: ValidateFile(
            digests: digests, signatures: settings.signatureCheck, limits: settings.validation),
          probe: ProbePlugin(settings.probe)),
        catalog: control, meter: meter, log: log,
        replay: ReplayByChild(
          home: home.path, recordings: recordings, limit: settings.replayTime,
          encryptionKeys: settings.values.recordsKeyFile)),
      automations: automations,
      plan: PlanGeneration(schemas: JSONSchemaCompiler(limits: settings.schemas), stores: stores),
      start: StartGeneration(
        loader: LoadByIsolation(
          inProcess: LoadPlugin(exchanges: exchanges, workers: workers, limits: settings.loading),
          exchanges: exchanges, desk: desk, runners: settings.runners),
        stores: stores, meter: meter, scopes: table.scopes, log: log, defaults: settings.routes,
        usage: usage),
      drain: drain, limits: settings.changes)

    // The automations first, so that nobody meets a host without them.
    drain.start()
    watch.start()
    if !link.begin.isStandby { change.removeLeftOvers() }
    // A host of this supervisor has served, with these files: they need no probe.
    try change.restore(isProbed: !link.begin.loadsPlugins, crashes.judge)
    if link.begin.loadsPlugins { load(change, automations, files, crashes, log) }

    // From here on, this host is the only one that may change anything.
    let liveness = Liveness(link)
    let events = HostEvents(link, liveness)
    guard waitForTurn(link, events) else { return log.log(.info, "host", "stopped before it served") }
    let audit = try JournalAuditTrail(
      folder: home.path + "/audit", digests: digests, log: log, limits: settings.audit)
    defer { audit.close() }
    absorbAsides(audit, log)

    // What makes writes safe.
    let ledger = try SQLiteIdempotencyLedger(
      path: home.path + "/idempotency.sqlite", limits: settings.idempotency, configuration: settings.sqlite,
      log: log)
    let safety = Safety(
      ledger: ledger,
      confirmations: Confirmations(
        secret: try HostSecret.read(home.path + "/confirm.key"), digests: digests,
        lifetime: settings.confirmLifetime, maxUsed: settings.values.confirmMaxUsed), digests: digests,
      anonymousKeys: settings.anonymousKeys)

    // How requests come in.
    let handOver = HandOver(link, patience: settings.handOverPatience)
    let documents = Documents(settings.documents)
    let listeners = Listeners(automations, settings.values.mcp, quiet: settings.streams.idle / 2)
    keys.onChange { [weak listeners] _ in listeners?.lookAtKeys() }
    let assets = DocumentAssets.read(from: settings.values.documents.assets, digests, log)
    change.keepActs(in: AutomaticActs(audit: audit, host: handOver, log: log))
    let functions = FunctionsPath(settings.functions, documents: documents, digests: digests)
    let mcp = MCPServer(settings.mcp, listeners)
    let openAPI = OpenAPIPath(
      settings.openAPI, own: Jobs.routes + functions.routes + mcp.routes, documents: documents,
      digests: digests,
      assets: assets)
    let gateway = try Gateway(
      .init(
        automations: automations, keys: keys, audit: audit, meter: meter, log: log, health: health,
        exchanges: exchanges,
        safety: safety,
        ownPaths: [
          openAPI, functions, mcp, DiscoveryPath(settings.discovery, documents: documents, digests: digests),
        ], canceller: watch),
      limits: settings.gateway)
    let admin = try AdminApplication(
      .init(
        automations: automations, change: change, catalog: control, files: files, keys: keys, audit: audit,
        meter: meter, log: log, health: health,
        recordings: RecordTraffic(
          automations: automations, files: recordings, log: log, limits: settings.recording),
        host: handOver, crashes: control, usage: usage,
        documents: AdminDocument.documents(
          release: Services.version, metricsNeedKey: settings.values.metricsNeedKey, assets: assets,
          digests: digests)),
      limits: settings.admin)
    let publicServer = HTTPServer(
      settings.inherited.publicListener, application: gateway, log: log, exchanges: exchanges)
    let adminServer = HTTPServer(settings.inherited.adminListener, application: admin, log: log)

    health.add("audit") { audit.isWriting ? nil : "the audit trail cannot be written" }
    health.addNote { automations.standings.filter { $0.value != .active }.mapValues(\.rawValue) }
    // Each by its kind: who asks need not know what the host keeps where.
    let records = RecordStoresCheck(automations, perRound: settings.healthStoresPerRound)
    let healthWatch = HealthWatch(
      [
        ("control", { control.fault }),
        ("records", { records.look() }),
      ], interval: settings.healthCheckInterval, log: log)
    // Of its own: what a record store's disk does must not keep anybody from looking after the keys.
    let keyWatch = HealthWatch(
      [
        (
          "keys",
          { [interval = settings.healthCheckInterval] in
            keys.lookAtStore(lease: interval + HealthWatch.patience)
          }
        )
      ], interval: settings.healthCheckInterval, log: log)
    HostGauges.register(
      with: meter, automations: automations, servers: [("public", publicServer), ("admin", adminServer)],
      workers: workers, keys: table)
    HostGauges.register(with: meter, automations: automations, change: change)
    HostGauges.register(with: meter, begin: link.begin, crashes: crashes)
    HostGauges.register(with: meter, jobs: gateway.jobs)
    UsageMetrics.register(with: meter, usage)
    usage.beforeEachLook { workers.chargeTimes() }

    // Serve.
    usage.start()
    documents.start()
    listeners.start()
    gateway.inlineWatch.start()
    gateway.jobs.start()
    healthWatch.start(reportingTo: health)
    keyWatch.start(reportingTo: health)
    try adminServer.start()
    try publicServer.start()
    health.isServing = true
    liveness.start([publicServer, adminServer])
    let keeper = KeyUseKeeper(keys: keys, log: log, interval: settings.keyUseInterval)
    keeper.start()
    let housekeeping = Housekeeping(
      handOver, automations: automations, log: log, settings.retainedGenerations)
    housekeeping.start()
    link.say(.serving)
    log.log(
      .info, "host", "ready",
      [
        "public_port": .integer(Int64(publicServer.port)), "admin_port": .integer(Int64(adminServer.port)),
        "automations": .integer(Int64(automations.live.count)), "keys": .integer(Int64(keyCount)),
        "pid": .integer(Int64(Signals.processID)),
        "duration_ms": .number(Double((Instant.now - began) / 1000) / 1000),
      ])

    // Until it is told to end.
    let duties = Duties(
      link: link, events: events, handOver: handOver, audit: audit, crashes: crashes, keys: keys, log: log,
      freezeLimit: settings.freezeLimit)
    let end = duties.serve()
    if case .leave = end {
      log.log(.info, "host", "leaving: another host serves")
      // First of all: who is told of the hand-over, or whose stream ends, comes again, and at the next host.
      publicServer.leave(idle: settings.handOverIdle)
      adminServer.leave(idle: settings.handOverIdle)
      handOver.succeeded()
    }
    change.abandonCanaries()
    // Its clients come again, at the next host.
    listeners.end()
    gateway.jobs.endWaits()
    switch end {
    case .leave:
      duties.leave(until: .now + settings.handOverIdle + settings.drain.timeout) {
        publicServer.isDeserted && adminServer.isDeserted && gateway.jobs.isIdle
      }
    case .drain(let why):
      log.log(.info, "host", "draining", ["signal": .string(why)])
      duties.ignoreTheRest()
    }
    health.isServing = false
    keeper.end()
    housekeeping.end()
    healthWatch.end()
    publicServer.stop(within: settings.drain.timeout)
    adminServer.stop(within: settings.adminStopTimeout)
    // As long as there are requests, their keys are looked after.
    keyWatch.end()
    let leaving = automations.swap(in: [], out: automations.live.map(\.generation.manifest.id))
    drain.drain(leaving)
    _ = drain.wait(for: leaving, until: .now + settings.drain.timeout + settings.drain.grace)
    admin.stop()
    desk.end()
    _ = workers.end(by: .now + settings.workerStopTimeout)
    ledger.end()
    drain.end()
    watch.end()
    usage.end()
    documents.end()
    gateway.inlineWatch.end()
    gateway.jobs.end()
    gateway.jobs.loseRest()
    log.log(.info, "host", "stopped")
  }

  /// A standby waits until the host before it has let go. False: it is told to end instead.
  private func waitForTurn(_ link: SupervisorLink, _ events: HostEvents) -> Bool {
    guard link.begin.isStandby else { return true }
    link.say(.standby)
    while let event = events.next() {
      switch event {
      case .end: return false
      case .notice(let notice):
        if notice.kind == .takeOver { return true }
        if notice.kind == .drain { return false }
      }
    }
    return false
  }

  private func absorbAsides(_ audit: JournalAuditTrail, _ log: any LogSink) {
    do throws(Problem) { _ = try audit.absorbAsides() } catch {
      log.log(.error, "audit", "rows of a host before are not taken in yet: \(error.detail)")
    }
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
    _ change: ChangeAutomation, _ automations: Automations, _ files: PluginFolder, _ crashes: CrashRecord,
    _ log: any LogSink
  ) {
    let digests = OpenSSLDigests()
    for path in settings.load {
      do throws(Problem) {
        let facts = try ValidateFile(
          digests: digests, signatures: settings.signatureCheck, limits: settings.validation)(path)
        if automations.live.contains(where: { $0.generation.record.sha256 == facts.sha256 }) { continue }
        if crashes.isBarred(sha256: facts.sha256) {
          throw Problem(409, "automation.crashed", "It crashed the host too often; an admin can load it.")
        }
        _ = try change.change(.init(.either, from: .path(path)))
      } catch {
        log.log(
          .error, "host", "\(path) is not loaded: \(error.detail)",
          ["code": .string(error.code), "path": .string(path)])
      }
    }
  }
}
