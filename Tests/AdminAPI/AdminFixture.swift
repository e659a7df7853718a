import AdminAPI
import Application
import Domain
import Doubles
import Kernel
import Patience
import Testing

/// An admin listener on ports in memory, driven as the edge drives it.
final class AdminFixture {
  let automations = Automations()
  let catalog = MemoryCatalog()
  let files = MemoryFiles()
  let inspector: MemoryInspector
  let keyStore = MemoryKeyStore()
  let keys: Keys
  let audit = MemoryAudit()
  let meter = CountingMeter()
  let log = MemoryLog()
  let health = Health()
  let admin: AdminApplication
  let drain: DrainGenerations

  init(
    limits: AdminApplication.Limits = AdminApplication.Limits(),
    rate: RateLimit = RateLimit(requests: 10_000, per: .seconds(60)), replay: (any ReplayGate)? = nil
  ) throws {
    inspector = MemoryInspector(files)
    let scopes = ScopeMatrix(maxSets: 64, maxRequired: 128)
    keys = Keys(
      table: try KeyTable(capacity: 100, defaultLimit: rate, scopes: scopes, seed: (1, 2)), store: keyStore,
      digests: WeakDigests())
    let stores = EmptyStores()
    drain = DrainGenerations(
      automations: automations, canceller: NoCanceller(), log: log, limits: DrainGenerations.Limits())
    drain.start()
    let change = ChangeAutomation(
      ports: ChangeAutomation.Ports(
        files: files, inspector: inspector, catalog: catalog, meter: meter, log: log, replay: replay),
      automations: automations, plan: PlanGeneration(schemas: OpenSchemas(), stores: stores),
      start: StartGeneration(
        loader: MemoryLoader(files: files), stores: stores, meter: meter, scopes: scopes, log: log,
        defaults: StartGeneration.Defaults()),
      drain: drain, limits: ChangeAutomation.Limits(drainWait: .seconds(5)))
    admin = try AdminApplication(
      AdminApplication.Ports(
        automations: automations, change: change, catalog: catalog, files: files, keys: keys, audit: audit,
        meter: meter, log: log, health: health,
        recordings: RecordTraffic(automations: automations, files: MemoryRecordings(), log: log)),
      limits: limits)
  }

  deinit {
    inspector.open(true)
    admin.stop()
    drain.end()
  }

  func key(_ scopes: String...) throws -> String {
    try keys.issue(Keys.Issue(principal: "tester", name: "test", scopes: scopes)).key.text
  }

  /// A manifest that makes a file a good plugin.
  func manifest(_ id: String = "hello", version: String = "1.0.0") -> String {
    #"{"id":"\#(id)","version":"\#(version)","routes":[{"method":"GET","path":"/{name}","operation":"greet"}]}"#
  }

  func begin(
    _ method: HTTPMethod, _ target: String, key: String? = nil, host: String? = "127.0.0.1:8081",
    headers: [(String, String)] = []
  ) -> Running {
    let exchange = Exchange(slot: 0)
    exchange.open()
    exchange.started = .now
    exchange.method = method
    let parts = target.split(separator: "?", maxSplits: 1)
    exchange.rawPath = exchange.head.append(String(parts[0]))
    if parts.count > 1 { exchange.rawQuery = exchange.head.append(String(parts[1])) }
    var all = headers
    if let host { all.append(("host", host)) }
    if let key { all.append(("authorization", "Bearer " + key)) }
    for (name, value) in all {
      let field = Field(name: exchange.head.append(name), value: exchange.head.append(value))
      exchange.headers.append(field)
      if let known = KnownHeader.allCases.first(where: { "\($0.name)" == name }) {
        exchange.known[known.rawValue] = field.value
        exchange.knownCount[known.rawValue] += 1
      }
    }
    return Running(admin: admin, exchange: exchange)
  }

  func send(
    _ method: HTTPMethod, _ target: String, key: String? = nil, host: String? = "127.0.0.1:8081",
    headers: [(String, String)] = [], body: String = ""
  ) -> Answer {
    let running = begin(method, target, key: key, host: host, headers: headers)
    running.start(Array(body.utf8))
    return running.finish()
  }
}

/// One request on its way, as the edge sees it.
final class Running {
  let admin: AdminApplication
  let exchange: Exchange
  private let woken = Monitor(false)
  private var isPending = false

  init(admin: AdminApplication, exchange: Exchange) {
    self.admin = admin
    self.exchange = exchange
    exchange.wake = { [woken] _ in woken.signal(all: true) { $0 = true } }
  }

  func start(_ body: [UInt8]) {
    switch admin.begin(exchange) {
    case .answer: return
    case .readBody(let max):
      guard body.count <= max else {
        return admin.refuse(exchange, Problem(413, "http.body_too_large", "Too long."))
      }
      exchange.body.append(body)
    case .stream(let sink, _):
      do throws(Problem) {
        let middle = body.count / 2
        try sink.write(body.span.extracting(0..<middle))
        try sink.write(body.span.extracting(middle..<body.count))
      } catch { return admin.refuse(exchange, error) }
    }
    if case .pending = admin.handle(exchange) { isPending = true }
  }

  func finish() -> Answer {
    if isPending, exchange.park() {
      let answered: Bool? = woken.eventually { $0 ? true : nil }
      #expect(answered == true, "no answer came")
    }
    admin.conclude(exchange)
    let answer = Answer(exchange)
    exchange.close()
    admin.finished(exchange, sent: true)
    return answer
  }

  /// The connection dies.
  func abort() {
    exchange.close()
    admin.finished(exchange, sent: false)
  }
}

struct Answer {
  var status: Int
  var headers: [String: String] = [:]
  var text: String
  var json: JSONValue

  init(_ exchange: Exchange) {
    status = exchange.status
    let head = exchange.answerHead
    for field in exchange.answerHeaders {
      headers[String(head.span(field.name)).lowercased()] = String(head.span(field.value))
    }
    let body = exchange.answerBody
    text = String(body.span(body.all))
    json = (try? JSONValue.parse(body.span(body.all))) ?? .null
  }

  var code: String? { json["code"]?.string }
}
