import Application
import Audit
import Cryptography
import Domain
import Gateway
import JSONSchema
import Kernel
import Patience
import PluginFiles
import SQLiteStore
import Telemetry

@testable import PluginRuntime

/// The host without its listeners: what `council serve` puts together, in a folder of its own.
final class StressSite: Sendable {
  static let first = Workshop.build("\(Workshop.rejects)/stress.c")
  static let second = Workshop.build("\(Workshop.rejects)/stress.c", #"-DVERSION='"2"'"#)

  let folder: String
  let log: JSONLines
  let control: SQLiteControlStore
  let audit: JournalAuditTrail
  let meter = PrometheusMeter()
  let keys: Keys
  let automations = Automations()
  let change: ChangeAutomation
  let gateway: Gateway
  let workers = Workers(Workers.Limits(threads: 4, queue: 64))
  private let ledger: SQLiteIdempotencyLedger
  private let drain: DrainGenerations
  private let watch: DeadlineWatch

  init() throws {
    folder = Workshop.path("")
    log = JSONLines(to: try LogOutput(file: folder + ".log"), level: .debug)
    control = try SQLiteControlStore(path: folder + "/council.sqlite")
    let digests = OpenSSLDigests()
    ledger = try SQLiteIdempotencyLedger(path: folder + "/idempotency.sqlite", log: log)
    var trail = JournalAuditTrail.Limits()
    // How busy the disk is says nothing here.
    (trail.actWait, trail.admitWait) = (.seconds(60), .seconds(60))
    audit = try JournalAuditTrail(folder: folder + "/audit", digests: digests, log: log, limits: trail)
    let table = try KeyTable(
      capacity: 100_000, defaultLimit: RateLimit(requests: 1_000_000, per: .seconds(1)), seed: (1, 2))
    keys = Keys(table: table, store: control, digests: digests)
    watch = DeadlineWatch(TestEdge.shared, automations: automations, log: log, interval: .milliseconds(5))
    drain = DrainGenerations(
      automations: automations, canceller: watch, log: log,
      limits: .init(timeout: .milliseconds(100), grace: .seconds(30)))
    let stores = SQLiteRecordStores(folder: folder + "/records")
    let files = try PluginFolder(home: folder)
    let loader = LoadPlugin(
      exchanges: TestEdge.shared, workers: workers, limits: .init(patience: .seconds(30)))
    change = ChangeAutomation(
      ports: .init(
        files: files, inspector: Inspector(digests: digests, loader: loader), catalog: control, meter: meter,
        log: log),
      automations: automations, plan: PlanGeneration(schemas: JSONSchemaCompiler(), stores: stores),
      start: StartGeneration(
        loader: LoadByIsolation(
          inProcess: loader, exchanges: TestEdge.shared, desk: Stage.desk, runners: RunnerSettings()),
        stores: stores, meter: meter, scopes: table.scopes, log: log, defaults: .init()),
      drain: drain, limits: .init(drainWait: .milliseconds(1)))
    gateway = try Gateway(
      .init(
        automations: automations, keys: keys, audit: audit, meter: meter, log: log, health: Health(),
        safety: Safety(
          ledger: ledger,
          confirmations: Confirmations(
            secret: [UInt8](repeating: 7, count: 32), digests: digests, lifetime: .seconds(300)),
          digests: digests)),
      limits: .init())
    drain.start()
    watch.start()
  }

  /// Takes everything down; false when something did not end.
  func end() -> Bool {
    let leaving = automations.swap(in: [], out: automations.live.map(\.generation.manifest.id))
    drain.drain(leaving)
    var ended = eventually { drain.wait(for: leaving + automations.retiring, until: .now) }
    ended = eventually { workers.end(by: .now) } && ended
    ledger.end()
    drain.end()
    watch.end()
    ended = audit.close() && ended
    log.close()
    Workshop.shell("rm -rf '\(folder)' '\(folder).log'")
    return ended
  }

  /// What the edge does with one request on one of its event threads. nil: no answer came.
  func ask(_ method: HTTPMethod, _ path: String, key: String) -> (status: Int, body: String)? {
    let exchange = TestEdge.shared.open { exchange in
      exchange.method = method
      exchange.started = .now
      exchange.rawPath = exchange.head.append(path)
      let value = exchange.head.append("Bearer " + key)
      exchange.headers.append(Field(name: exchange.head.append("authorization"), value: value))
      exchange.known[KnownHeader.authorization.rawValue] = value
      exchange.knownCount[KnownHeader.authorization.rawValue] = 1
    }
    if case .readBody = gateway.begin(exchange) {
      guard TestEdge.shared.settle(exchange, gateway.handle(exchange)) else {
        return nil
      }
    }
    gateway.conclude(exchange)
    exchange.close()
    let answer = (exchange.status, Stage.body(of: exchange))
    gateway.finished(exchange, sent: true)
    TestEdge.shared.close(exchange)
    return answer
  }
}

/// Reads the manifest in this process: under a sanitizer, a child has the sanitizer's threads and signals.
private struct Inspector: PluginInspector {
  let digests: OpenSSLDigests
  let loader: LoadPlugin

  func validate(path: String) throws(Problem) -> PluginFileFacts {
    try ValidateFile(digests: digests, signatures: .ofNobody)(path)
  }

  func probe(path: String, config: [UInt8]) throws(Problem) -> ProbeReport {
    ProbeReport(manifest: try loader.load(path: path).manifest, duration: .zero)
  }
}
