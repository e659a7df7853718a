import Application
import Cryptography
import Domain
import Doubles
import Functions
import Gateway
import JSONSchema
import Kernel
import Patience

/// A gateway with one automation behind the functions, and requests without a network.
final class FunctionSite: Sendable {
  let automations = Automations()
  let audit = MemoryAudit()
  let documents = Documents()
  let keys: Keys
  let gateway: Gateway
  let reader: String
  let writer: String
  private let plugins = FakePlugins()
  private let meter = CountingMeter()
  private let scopes = ScopeMatrix()
  private let text: String

  static let manifest = """
    {"id":"a","version":"1","routes":[
     {"method":"GET","path":"/{id}","operation":"get","summary":"Get one","query":{"type":"object",
      "properties":{"part":{"type":"string"},"tags":{"type":"array","items":{"type":"string"}}},
      "additionalProperties":false}},
     {"method":"POST","path":"/","operation":"create","summary":"Create","body":{"type":"object","required":["name"],
      "properties":{"name":{"type":"string"},"note":{"type":["string","null"]},"age":{"type":"integer"}},
      "additionalProperties":false}},
     {"method":"PUT","path":"/whole","operation":"whole","summary":"Replace","body":{"type":"array","items":{"type":"integer"}}},
     {"method":"GET","path":"/open","operation":"open","summary":"Open to all","public":true},
     {"method":"GET","path":"/limited","operation":"limited","limit":{"requests":1,"per_s":60}},
     {"method":"DELETE","path":"/{id}","operation":"remove","summary":"Remove","confirm":true,"deprecated":{"since":"2026-01-01T00:00:00Z",
      "sunset":"2027-01-01T00:00:00Z","link":"/docs"}}]}
    """

  init(
    anonymous: AnonymousView = .all, behaviour: FakePlugin.Behaviour = .answers, maxBytes: Int = 1 << 20,
    manifest: String = FunctionSite.manifest, jobAfter: Duration? = nil
  ) {
    text = manifest
    do throws(Problem) {
      let table = try KeyTable(
        capacity: 100, defaultLimit: RateLimit(requests: 10_000, per: .seconds(60)), scopes: scopes,
        seed: (1, 2))
      keys = Keys(table: table, store: MemoryKeyStore(), digests: OpenSSLDigests())
      reader = try keys.issue(.init(principal: "agent", name: "r", scopes: ["a:read"])).key.text
      writer = try keys.issue(.init(principal: "agent", name: "w", scopes: ["a:*"])).key.text
      let path = FunctionsPath(
        .init(anonymous: anonymous, maxBytes: maxBytes, maxBodyBytes: 10_000, jobAfter: jobAfter),
        documents: documents, digests: OpenSSLDigests())
      gateway = try Gateway(
        .init(
          automations: automations, keys: keys, audit: audit, meter: meter, log: MemoryLog(),
          health: Health(), exchanges: SparePool(),
          safety: .inMemory(OpenSSLDigests()), ownPaths: [path]),
        limits: .init(anonymous: RateLimit(requests: 1000, per: .seconds(60))))
    } catch { preconditionFailure(error.detail) }
    serve(behaviour)
    documents.start()
  }

  deinit { documents.end() }

  func serve(_ behaviour: FakePlugin.Behaviour) {
    var file = FakePlugins.File(text)
    file.behaviour = behaviour
    plugins["/a.so"] = file
    do throws(Problem) {
      let manifest = try Manifest.parse(Array(text.utf8))
      let plan = try PlanGeneration(schemas: JSONSchemaCompiler(), stores: EmptyStores())(
        manifest, config: Array("{}".utf8))
      let record = GenerationRecord(
        automation: "a", number: 1, sha256: "", file: "/a.so", source: nil, version: "1", config: "{}",
        loaded: .now)
      let start = StartGeneration(
        loader: plugins, stores: EmptyStores(), meter: meter, scopes: scopes, log: MemoryLog(),
        defaults: .init())
      _ = automations.swap(in: [try start.start(try plugins.load(path: "/a.so"), record, manifest, plan)])
    } catch { preconditionFailure(error.detail) }
  }

  struct Answer {
    var status: Int
    var headers: [String: String]
    var body: String
    var json: JSONValue? { try? JSONValue.parse(body.utf8.span) }
    /// What the route got.
    var route: JSONValue? { json?["result"] }
    var code: String? { json?["problem"]?["code"]?.string ?? json?["code"]?.string }
  }

  func call(_ name: String, _ arguments: String = "{}", key: String? = nil) -> Answer {
    send("POST", "/functions/call", body: #"{"name":"\#(name)","arguments":\#(arguments)}"#, key: key)
  }

  func list(_ query: String = "", key: String? = nil, headers: [(String, String)] = []) -> Answer {
    send("GET", "/functions.json\(query)", key: key, headers: headers)
  }

  func send(
    _ method: String, _ target: String, body: String = "", bytes: [UInt8] = [], key: String? = nil,
    headers: [(String, String)] = []
  ) -> Answer {
    let exchange = Exchange.asking(
      method, target, headers: headers + (key.map { [("authorization", "Bearer \($0)")] } ?? []), peer: (0, 1)
    )
    if case .readBody = gateway.begin(exchange) {
      exchange.body.append(bytes.isEmpty ? Array(body.utf8) : bytes)
      if case .pending = gateway.handle(exchange) {
        let answered = Monitor(false)
        exchange.wake = { _ in answered.signal(all: true) { $0 = true } }
        if exchange.park() {
          precondition(answered.eventually { $0 ? true : nil } == true, "no answer comes")
        }
      }
    }
    gateway.conclude(exchange)
    let (head, content) = (exchange.answerHead, exchange.answerBody)
    var streamed = ""
    if let stream = exchange.stream {
      while case .bytes = stream.take(upTo: 1 << 20, pause: {}, { streamed += String($0) }) {}
    }
    let answer = Answer(
      status: exchange.status,
      headers: Dictionary(
        exchange.answerHeaders.map { (String(head.span($0.name)), String(head.span($0.value))) }
      ) { first, _ in first },
      body: String(content.span(content.all)) + streamed)
    gateway.finished(exchange, sent: true)
    return answer
  }
}
