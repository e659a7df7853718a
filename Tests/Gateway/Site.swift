import Application
import Cryptography
import Domain
import Doubles
import Gateway
import Kernel

/// A gateway with one automation behind it, and requests without a network.
final class Site: Sendable {
  let automations = Automations()
  let audit = MemoryAudit()
  let health = Health()
  let plugins = FakePlugins()
  let keys: Keys
  let gateway: Gateway
  let reader: String
  let writer: String
  private let meter = CountingMeter()
  /// When every request came: limits count from it, and must not refill while a slow machine sends.
  let began = Instant.now
  let log = MemoryLog()
  let spare = SparePool()
  /// What confirmations take for the time.
  let clock = Monitor(Timestamp.now)
  let usage: UsageBook
  let ledger = MemoryLedger()
  private let scopes = ScopeMatrix()

  init(
    usage: UsageBook = UsageBook(), inline: InlineWatch.Limits = InlineWatch.Limits(),
    ownPaths: [any OwnPath] = [], answerCharacters: Int = 99_999,
    jobs: Jobs.Limits = Jobs.Limits(), anonymous: Int = 1, anonymousKeys: AnonymousKeys = .refuse
  ) {
    self.usage = usage
    do throws(Problem) {
      let table = try KeyTable(
        capacity: 1000, defaultLimit: RateLimit(requests: 200, per: .seconds(60)), scopes: scopes,
        seed: (1, 2))
      keys = Keys(table: table, store: MemoryKeyStore(), digests: OpenSSLDigests())
      reader = try keys.issue(.init(principal: "agent", name: "r", scopes: ["a:read"])).key.text
      writer = try keys.issue(.init(principal: "agent", name: "w", scopes: ["a:*"])).key.text
      gateway = try Gateway(
        .init(
          automations: automations, keys: keys, audit: audit, meter: meter, log: log, health: health,
          exchanges: spare,
          safety: .inMemory(
            OpenSSLDigests(), ledger: ledger, clock: { [clock] in clock.withLock { $0 } },
            anonymousKeys: anonymousKeys),
          ownPaths: ownPaths),
        limits: .init(
          anonymous: RateLimit(requests: anonymous, per: .seconds(60)), inline: inline,
          answerCharacters: answerCharacters, jobs: jobs))
    } catch { preconditionFailure(error.detail) }
    serve(behaviour: .answers)
  }

  static let manifest = """
    {"id":"a","version":"1","routes":[
     {"method":"GET","path":"/{id}","operation":"get"},
     {"method":"POST","path":"/","operation":"create","body":{"needs":"name"}},
     {"method":"GET","path":"/open","operation":"open","public":true},
     {"method":"GET","path":"/limited","operation":"limited","limit":{"requests":1,"per_s":60}},
     {"method":"GET","path":"/typed","operation":"typed","query":{"needs":"limit"}},
     {"method":"GET","path":"/declared","operation":"declared","response":{"needs":"name"}},
     {"method":"GET","path":"/slow","operation":"slow","deadline_ms":5},
     {"method":"DELETE","path":"/safe/{id}","operation":"remove","summary":"Remove one","confirm":true,"dry_run":true},
     {"method":"DELETE","path":"/other/{id}","operation":"clear","confirm":true},
     {"method":"POST","path":"/safe","operation":"safe","body":{"type":"object"},"query":{"type":"object"},"dry_run":true},
     {"method":"POST","path":"/strict","operation":"strict","idempotency":"required"},
     {"method":"POST","path":"/own","operation":"own","idempotency":"none"},
     {"method":"PATCH","path":"/safe/{id}","operation":"change","body":{"type":"object","properties":{"confirm":{}}},"confirm":true},
     {"method":"PUT","path":"/safe/{id}","operation":"put","body":{"type":"object"},"confirm":true},
     {"method":"POST","path":"/public","operation":"signal","public":true,"limit":{"requests":1000,"per_s":60}},
     {"method":"GET","path":"/inline","operation":"inline","execution":"inline"}]}
    """

  /// Puts a new generation in place, whose handlers behave so.
  func serve(
    behaviour: FakePlugin.Behaviour, checksAnswers: Bool = true, manifest text: String = Site.manifest
  ) {
    _ = automations.swap(in: [make(behaviour, checksAnswers, manifest: text)])
  }

  func make(
    _ behaviour: FakePlugin.Behaviour, _ checksAnswers: Bool = true, manifest text: String = Site.manifest
  ) -> LiveAutomation {
    var file = FakePlugins.File(text)
    file.behaviour = behaviour
    plugins["/a.so"] = file
    do throws(Problem) {
      let manifest = try Manifest.parse(Array(text.utf8))
      let plan = try PlanGeneration(schemas: OpenSchemas(), stores: EmptyStores())(
        manifest, config: Array("{}".utf8))
      let record = GenerationRecord(
        automation: "a", number: plugins.plugins.count + 1, sha256: "", file: "/a.so", source: nil,
        version: "1",
        config: "{}", loaded: .now)
      let start = StartGeneration(
        loader: plugins, stores: EmptyStores(), meter: meter, scopes: scopes, log: MemoryLog(),
        defaults: .init(checksAnswers: checksAnswers), usage: usage)
      return try start.start(try plugins.load(path: "/a.so"), record, manifest, plan)
    } catch { preconditionFailure(error.detail) }
  }

  func issue(scopes: [String], limit: RateLimitRecord? = nil) throws(Problem) -> String {
    try keys.issue(.init(principal: "agent", name: "k", scopes: scopes, limit: limit)).key.text
  }

  func issueWithID(scopes: [String]) throws(Problem) -> (String, String) {
    let key = try keys.issue(.init(principal: "agent", name: "k", scopes: scopes)).key
    return (key.text, key.id)
  }

  // MARK: Requests

  struct Answer {
    var status: Int
    var headers: [(String, String)]
    var body: String

    func header(_ name: String) -> String? { headers.first { $0.0 == name }?.1 }
    var code: String? { (try? JSONValue.parse(body.utf8.span))?["code"]?.string }
  }

  func send(
    _ method: String, _ target: String, body: String = "", key: String? = nil,
    headers: [(String, String)] = [], peer: (UInt64, UInt64) = (0, 1)
  ) -> Answer {
    let all = headers + (key.map { [("authorization", "Bearer \($0)")] } ?? [])
    let exchange = exchange(method, target, headers: all)
    exchange.peer = peer
    if case .readBody = gateway.begin(exchange) {
      exchange.body.append(body)
      if case .pending = gateway.handle(exchange), exchange.park() {
        preconditionFailure("this request waits")
      }
    }
    gateway.conclude(exchange)
    let (head, content) = (exchange.answerHead, exchange.answerBody)
    let answer = Answer(
      status: exchange.status,
      headers: exchange.answerHeaders.map { (String(head.span($0.name)), String(head.span($0.value))) },
      body: String(content.span(content.all)))
    gateway.finished(exchange, sent: true)
    return answer
  }

  func decision(_ method: String, _ target: String, key: String? = nil) -> String {
    let exchange = exchange(method, target, headers: key.map { [("authorization", "Bearer \($0)")] } ?? [])
    defer { gateway.finished(exchange, sent: false) }
    return switch gateway.begin(exchange) {
    case .answer: "answer"
    case .readBody: "body"
    case .stream: "stream"
    }
  }

  /// What the edge would hand over.
  func exchange(_ method: String, _ target: String, headers: [(String, String)] = []) -> Exchange {
    .asking(method, target, headers: headers, at: began)
  }
}

/// A listener with a single connection.
final class OneExchange: ExchangeTable {
  private let only: Exchange
  init(_ exchange: Exchange) { only = exchange }
  func exchange(slot: UInt32) -> Exchange? { slot == 0 ? only : nil }
  var slotCount: Int { 1 }
}
