import Application
import Cryptography
import Domain
import Doubles
import JSONSchema
import Kernel

@testable import OpenAPI

/// Automations behind the documents, and requests for them without a network.
final class DocumentSite: Sendable {
  let automations = Automations()
  let documents: Documents
  let path: OpenAPIPath
  let keys: Keys
  private let plugins = FakePlugins()
  private let scopes = ScopeMatrix()

  init(
    _ facts: OpenAPIPath.Facts = .init(release: "9"), limits: Documents.Limits = .init(),
    own: [OwnRoute] = [], assets: PageAssets? = nil
  ) {
    documents = Documents(limits)
    path = OpenAPIPath(facts, own: own, documents: documents, digests: OpenSSLDigests(), assets: assets)
    do throws(Problem) {
      let table = try KeyTable(
        capacity: 100, defaultLimit: RateLimit(requests: 200, per: .seconds(60)), scopes: scopes, seed: (1, 2)
      )
      keys = Keys(table: table, store: MemoryKeyStore(), digests: OpenSSLDigests())
    } catch { preconditionFailure(error.detail) }
    documents.start()
  }

  deinit { documents.end() }

  func serve(_ manifest: String) {
    let file = "/\(plugins.plugins.count).so"
    plugins[file] = FakePlugins.File(manifest)
    do throws(Problem) {
      let manifest = try Manifest.parse(Array(manifest.utf8))
      let plan = try PlanGeneration(schemas: JSONSchemaCompiler(), stores: EmptyStores())(
        manifest, config: Array("{}".utf8))
      let record = GenerationRecord(
        automation: manifest.id, number: plugins.plugins.count + 1, sha256: "", file: file, source: nil,
        version: manifest.version, config: "{}", loaded: .now)
      let start = StartGeneration(
        loader: plugins, stores: EmptyStores(), meter: CountingMeter(), scopes: scopes, log: MemoryLog(),
        defaults: .init(), usage: UsageBook())
      _ = automations.swap(in: [try start.start(try plugins.load(path: file), record, manifest, plan)])
    } catch { preconditionFailure("\(error.detail) \(error.members)") }
  }

  func caller(_ scopes: [String]? = nil) -> Caller {
    guard let scopes else { return Caller(nil, keys.table) }
    do throws(Problem) {
      let text = try keys.issue(.init(principal: "p", name: "n", scopes: scopes)).key.text
      return Caller(try keys.authenticate(exchange([("authorization", "Bearer \(text)")])), keys.table)
    } catch { preconditionFailure(error.detail) }
  }

  private func exchange(_ headers: [(String, String)]) -> Exchange {
    let exchange = Exchange(slot: 0)
    exchange.open()
    for (name, value) in headers {
      let range = exchange.head.append(value)
      exchange.headers.append(Field(name: exchange.head.append(name), value: range))
      for known in KnownHeader.allCases where known.name.description == name {
        exchange.known[known.rawValue] = range
        exchange.knownCount[known.rawValue] = 1
      }
    }
    return exchange
  }

  struct Answer {
    var status: Int
    var headers: [String: String]
    var body: String
    var json: JSONValue? { try? JSONValue.parse(body.utf8.span) }
    var code: String? { json?["code"]?.string }
  }

  func get(
    _ number: Int = 0, _ query: [(String, String)] = [], _ caller: Caller? = nil, file: String = "",
    headers: [(String, String)] = []
  ) -> Answer {
    let exchange = exchange(headers)
    for (name, value) in query {
      let name = exchange.head.append(name)
      exchange.query.append(Field(name: name, value: exchange.head.append(value)))
    }
    if !file.isEmpty {
      let name = exchange.head.append("file")
      exchange.parameters.append(Field(name: name, value: exchange.head.append(file)))
    }
    let woken = Monitor(false)
    exchange.wake = { _ in woken.signal { $0 = true } }
    do throws(Problem) {
      let snapshot = automations.snapshots.current
      if case .pending = try path.answer(exchange, number, caller ?? self.caller(), snapshot), exchange.park()
      {
        _ = woken.wait { $0 ? true : nil }
      }
    } catch { exchange.answer(error) }
    let (head, body) = (exchange.answerHead, exchange.answerBody)
    let headers = exchange.answerHeaders.map { (String(head.span($0.name)), String(head.span($0.value))) }
    return Answer(
      status: exchange.status, headers: Dictionary(headers) { first, _ in first },
      body: String(body.span(body.all)))
  }
}
