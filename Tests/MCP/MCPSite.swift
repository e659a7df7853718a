import Application
import Cryptography
import Domain
import Doubles
import Gateway
import JSONSchema
import Kernel
import MCP
import Synchronization

/// A gateway with the MCP endpoint and one automation behind it, and requests without a network.
final class MCPSite: Sendable {
  let automations = Automations()
  let audit = MemoryAudit()
  let plugins = FakePlugins()
  let listeners: Listeners
  let keys: Keys
  let gateway: Gateway
  /// Holds `things:read`; `things:write` as well; a scope that no route asks for; all of the automation.
  let reader: String
  let writer: String
  let stranger: String
  let owner: String
  let stores = ShelfStores()
  private let meter = CountingMeter()
  private let scopes = ScopeMatrix()
  private let number = Atomic<Int>(0)

  init(
    _ settings: HostConfiguration.MCP = HostConfiguration.MCP(), manifest: String = MCPSite.manifest,
    behaviour: FakePlugin.Behaviour = .answers, serverURL: String = "", showsScopes: Bool = true,
    jobAfter: Duration? = nil, quiet: Duration = .seconds(3600)
  ) {
    listeners = Listeners(automations, settings, quiet: quiet)
    do throws(Problem) {
      let table = try KeyTable(
        capacity: 1000, defaultLimit: RateLimit(requests: 100_000, per: .seconds(60)), scopes: scopes,
        seed: (1, 2))
      keys = Keys(table: table, store: MemoryKeyStore(), digests: OpenSSLDigests())
      reader = try keys.issue(.init(principal: "agent", name: "r", scopes: ["things:read"])).key.text
      writer = try keys.issue(.init(principal: "agent", name: "w", scopes: ["things:read", "things:write"]))
        .key.text
      owner = try keys.issue(.init(principal: "agent", name: "o", scopes: ["things:*"])).key.text
      stranger = try keys.issue(.init(principal: "agent", name: "s", scopes: ["other:read"])).key.text
      gateway = try Gateway(
        .init(
          automations: automations, keys: keys, audit: audit, meter: meter, log: MemoryLog(),
          health: Health(), exchanges: SparePool(),
          safety: .inMemory(OpenSSLDigests()),
          ownPaths: [
            MCPServer(
              .init(
                settings, version: "1.2.3", serverURL: serverURL, showsScopes: showsScopes, jsonDepth: 16,
                jobAfter: jobAfter),
              listeners)
          ]),
        limits: .init(
          anonymous: RateLimit(requests: 100_000, per: .seconds(60)), jsonDepth: 16,
          jobs: .init(after: jobAfter ?? .seconds(40), wait: .zero)))
    } catch { preconditionFailure(error.detail) }
    serve(manifest, behaviour)
  }

  static let manifest = """
    {"id":"things","version":"1","title":"All things","requires":["council.records/1","council.stream/1"],
     "records":[
      {"name":"shelf","fields":[{"name":"label","type":"string"},{"name":"secret","type":"string"}],
       "resource_fields":["label","created_at"]},
      {"name":"hidden","fields":[{"name":"label","type":"string"}]}],
     "routes":[
     {"method":"GET","path":"/{id}","operation":"get_thing","title":"Get a thing","summary":"One thing by its id.",
      "description":"Long words.","response":{"type":"object"},
      "path_parameters":{"type":"object","properties":{"id":{"type":"string","maxLength":10}},"required":["id"]}},
     {"method":"POST","path":"/","operation":"create_thing","summary":"Create a thing",
      "body":{"type":"object","properties":{"name":{"type":"string","minLength":2}},"required":["name"],
              "additionalProperties":false}},
     {"method":"DELETE","path":"/{id}","operation":"delete_thing","summary":"Delete a thing"},
     {"method":"GET","path":"/","operation":"list_things","response":{"type":"array"}},
     {"method":"GET","path":"/open/door","operation":"open_door","public":true},
     {"method":"POST","path":"/{id}/purge","operation":"purge_thing","summary":"Purge a thing","confirm":true,"scope":"things:purge"},
     {"method":"GET","path":"/all/news","operation":"watch_things","summary":"Watch","stream":true,"scope":"things:watch"}]}
    """

  /// Puts a new generation in place, whose handlers behave so.
  func serve(_ manifest: String, _ behaviour: FakePlugin.Behaviour, checksAnswers: Bool = true) {
    var file = FakePlugins.File(manifest)
    file.behaviour = behaviour
    plugins["/things.so"] = file
    do throws(Problem) {
      let manifest = try Manifest.parse(Array(manifest.utf8))
      let plan = try PlanGeneration(schemas: JSONSchemaCompiler(), stores: stores)(
        manifest, config: Array("{}".utf8))
      let record = GenerationRecord(
        automation: manifest.id, number: number.add(1, ordering: .relaxed).newValue, sha256: "",
        file: "/things.so", source: nil, version: "1", config: "{}", loaded: .now)
      let start = StartGeneration(
        loader: plugins, stores: stores, meter: meter, scopes: scopes, log: MemoryLog(),
        defaults: .init(checksAnswers: checksAnswers))
      let automation = try start.start(try plugins.load(path: "/things.so"), record, manifest, plan)
      _ = automations.swap(in: [automation])
    } catch { preconditionFailure("\(error.detail) \(error.members)") }
  }

  // MARK: Requests

  struct Answer: CustomStringConvertible {
    var status: Int
    var headers: [(String, String)]
    var body: String

    func header(_ name: String) -> String? { headers.first { $0.0 == name }?.1 }
    var json: JSONValue? { try? JSONValue.parse(body.utf8.span) }
    var result: JSONValue? { json?["result"] }
    var error: Int? { json?["error"]?["code"]?.integer.map { Int($0) } }
    /// Of a tool's result.
    var text: String? { result?["content"]?.array?.first?["text"]?.string }
    var isError: Bool { result?["isError"]?.bool ?? false }
    var description: String { "\(status) \(headers) \(body)" }
  }

  func send(
    _ method: String, _ target: String, body: [UInt8] = [], headers: [(String, String)] = []
  ) -> Answer {
    let exchange = Exchange.asking(method, target, headers: headers)
    if case .readBody(let most) = gateway.begin(exchange) {
      if body.count > most {
        gateway.refuse(exchange, Problem(413, "http.body_too_large", "Too long."))
      } else {
        exchange.body.append(body.span)
        // What a ledger looked up may be answered by now.
        if case .pending = gateway.handle(exchange), exchange.park() { preconditionFailure("this waits") }
      }
    }
    gateway.conclude(exchange)
    let (head, content) = (exchange.answerHead, exchange.answerBody)
    let answer = Answer(
      status: exchange.status,
      headers: exchange.answerHeaders.map { (String(head.span($0.name)), String(head.span($0.value))) },
      body: exchange.isStreaming ? MCPSite.written(exchange) : String(content.span(content.all)))
    gateway.finished(exchange, sent: true)
    exchange.reset()
    return answer
  }

  /// Begins a request whose answer is a stream, and leaves it open.
  func open(_ body: String, key: String, headers: [(String, String)]) -> Exchange {
    let exchange = begin(body, key: key, headers: headers)
    gateway.conclude(exchange)
    return exchange
  }

  /// Begins a request and leaves it with its handler.
  func begin(_ body: String, key: String, headers: [(String, String)]) -> Exchange {
    let usual = [
      ("content-type", "application/json"), ("accept", "text/event-stream"),
      ("authorization", "Bearer \(key)"),
    ]
    let exchange = Exchange.asking("POST", "/mcp", headers: usual + headers)
    if case .readBody = gateway.begin(exchange) {
      exchange.body.append(body)
      _ = gateway.handle(exchange)
    }
    return exchange
  }

  /// Begins a GET as clients of the era before do, and leaves it open.
  func listen(
    key: String?, accept: String? = "text/event-stream", version: String? = "2025-11-25",
    method: String = "GET", headers: [(String, String)] = []
  ) -> Exchange {
    var all = headers
    if let key { all.append(("authorization", "Bearer \(key)")) }
    if let accept { all.append(("accept", accept)) }
    if let version { all.append(("mcp-protocol-version", version)) }
    let exchange = Exchange.asking(method, "/mcp", headers: all)
    if case .readBody = gateway.begin(exchange) { _ = gateway.handle(exchange) }
    gateway.conclude(exchange)
    return exchange
  }

  /// The client leaves.
  func close(_ exchange: Exchange) {
    gateway.finished(exchange, sent: false)
    exchange.reset()
  }

  /// What a stream has for its client now.
  static func written(_ exchange: Exchange) -> String {
    guard let stream = exchange.stream else { return "" }
    let all = Arena()
    while case .bytes = stream.take(upTo: 1 << 16, pause: {}, { _ = all.append($0) }) {}
    return String(all.span(all.all))
  }

  /// A message of the era before.
  func previous(
    _ method: String, _ params: String? = nil, id: String = "1", key: String?,
    version: String? = "2025-11-25",
    headers: [(String, String)] = []
  ) -> Answer {
    post(
      #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)"\#(params.map { ",\"params\":\($0)" } ?? "")}"#,
      key: key, headers: headers + (version.map { [("mcp-protocol-version", $0)] } ?? []))
  }

  /// A modern message, as a client that keeps the rules sends it. `params` are members without braces.
  func modern(
    _ method: String, _ params: String = "", id: String = "1", name: String? = nil, key: String?,
    capabilities: String = "{}", headers: [(String, String)] = []
  ) -> Answer {
    post(
      MCPSite.message(method, params, id: id, capabilities: capabilities), key: key,
      headers: MCPSite.routing(method, name) + headers)
  }

  func call(
    _ tool: String, _ arguments: String = "{}", key: String?, capabilities: String = "{}", more: String = ""
  ) -> Answer {
    modern(
      "tools/call", #""name":"\#(tool)","arguments":\#(arguments)\#(more)"#, name: tool, key: key,
      capabilities: capabilities)
  }

  static func message(
    _ method: String, _ params: String, id: String = "1", version: String = "2026-07-28",
    capabilities: String = "{}"
  ) -> String {
    let meta =
      #""_meta":{"io.modelcontextprotocol/protocolVersion":"\#(version)","io.modelcontextprotocol/clientCapabilities":\#(capabilities)}"#
    return
      #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":{\#(params.isEmpty ? "" : params + ",")\#(meta)}}"#
  }

  static func routing(_ method: String, _ name: String? = nil) -> [(String, String)] {
    [("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)] + (name.map { [("mcp-name", $0)] } ?? [])
  }

  func post(_ body: String, key: String?, headers: [(String, String)] = []) -> Answer {
    post(Array(body.utf8), key: key, headers: headers)
  }

  func post(_ body: [UInt8], key: String?, headers: [(String, String)] = []) -> Answer {
    let usual = [("content-type", "application/json"), ("accept", "application/json, text/event-stream")]
    return send(
      "POST", "/mcp", body: body,
      headers: usual + (key.map { [("authorization", "Bearer \($0)")] } ?? []) + headers)
  }
}

/// Records that remember what they were asked.
final class ShelfStores: RecordStores, RecordStore {
  struct Question: Equatable {
    var operation: RecordOperation
    var key: String
    var input: JSONValue
  }

  private let questions = Monitor<[Question]>([])
  /// Characters that each record of a page has more than its id.
  let recordCharacters = Monitor(1)
  private let problem = Monitor<Problem?>(nil)

  var asked: [Question] { questions.withLock { $0 } }
  /// What every call throws from now on.
  func fail(with problem: Problem?) { self.problem.withLock { $0 = problem } }

  func plan(automation: String, version: Int?, collections: [CollectionDeclaration]) -> [String] { [] }
  func open(
    automation: String, version: Int?, collections: [CollectionDeclaration]
  ) -> any RecordStore { self }
  func collection(named name: String) -> Int? { ["shelf", "hidden"].firstIndex(of: name) }

  func call(
    _ operation: RecordOperation, collection: Int, key: Span<UInt8>, input: Span<UInt8>,
    expectedVersion: Int64,
    isDryRun: Bool
  ) throws(Problem) -> RecordResult {
    let question = Question(
      operation: operation, key: String(key), input: (try? JSONValue.parse(input)) ?? .null)
    questions.withLock { $0.append(question) }
    if let problem = problem.withLock({ $0 }) { throw problem }
    let label = String(repeating: "x", count: recordCharacters.withLock { $0 })
    let record = #"{"id":"k","label":"\#(label)"}"#
    // A page is as long as was asked for where records are long.
    let count = label.count > 1 ? Int(question.input["limit"]?.integer ?? 1) : 1
    let items = Array(repeating: record, count: count).joined(separator: ",")
    let json = operation == .get ? record : #"{"items":[\#(items)],"next":"c"}"#
    return RecordResult(json: Array(json.utf8))
  }
  var fault: String? { nil }
  func close() {}
}
