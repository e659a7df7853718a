import Application
import Doubles
import Kernel
import Testing

/// What makes a write safe, in a tool's call: as an argument, and in a header.
@Suite struct SafeToolTests {
  /// What reached the handler.
  private final class Seen: Sendable {
    struct Call: Equatable, Sendable {
      var target: String
      var body: String
      var ifMatch: String?
      var isDryRun: Bool
    }
    private let all = Monitor<[Call]>([])
    var calls: [Call] { all.withLock { $0 } }

    /// Each call is answered by its number.
    func answer(_ exchange: Exchange) {
      let (head, body) = (exchange.head, exchange.body)
      let ifMatch = exchange.headers.first { head.span($0.name).isEqual(to: "if-match") }
      let call = Call(
        target: String(head.span(exchange.rawPath)) + "?" + String(head.span(exchange.rawQuery)),
        body: String(body.span(body.all)), ifMatch: ifMatch.map { String(head.span($0.value)) },
        isDryRun: exchange.isDryRun)
      let number = all.withLock { calls in
        calls.append(call)
        return calls.count
      }
      _ = exchange.claim(exchange.handle)
      exchange.status = 200
      exchange.addHeader("Content-Type", "application/json")
      exchange.answerBody.append("{\"number\":\(number)}")
      exchange.deliver()
    }
  }

  private static let manifest = """
    {"id":"things","version":"1","routes":[
     {"method":"POST","path":"/","operation":"make","body":{"type":"object","properties":{"name":{"type":"string"}},
      "required":["name"],"additionalProperties":false}},
     {"method":"PATCH","path":"/{id}","operation":"change","dry_run":true,"errors":[{"status":412,"code":"things.changed"}]},
     {"method":"POST","path":"/none","operation":"none","idempotency":"none"}]}
    """

  private let seen = Seen()
  private let site: MCPSite

  init() {
    site = MCPSite(manifest: SafeToolTests.manifest, behaviour: .runs { [seen] in seen.answer($0) })
  }

  private func call(_ tool: String, _ arguments: String, _ headers: [(String, String)] = []) -> MCPSite.Answer
  {
    site.modern(
      "tools/call", #""name":"things_\#(tool)","arguments":\#(arguments)"#, name: "things_\(tool)",
      key: site.owner, headers: headers)
  }

  @Test func theListOffersWhatTheRouteHeeds() {
    let tools = site.modern("tools/list", key: site.owner).result?["tools"]?.array ?? []
    let offered = Dictionary(
      uniqueKeysWithValues: tools.map {
        ($0["name"]?.string ?? "", ($0["inputSchema"]?["properties"]?.object ?? [:]).keys.sorted())
      })
    #expect(offered["things_make"] == ["idempotency_key", "name"])
    #expect(offered["things_change"] == ["dry_run", "id", "idempotency_key", "if_match"])
    #expect(offered["things_none"] == [])
    #expect(tools.allSatisfy { $0["inputSchema"]?["required"]?.array?.contains("idempotency_key") != true })
  }

  @Test func aKeyTakesEffectOnce() {
    let arguments = #"{"name":"a","idempotency_key":"k"}"#
    #expect(call("make", arguments).text == #"{"number":1}"#)
    #expect(call("make", arguments).text == #"{"number":1}"#)
    #expect(seen.calls == [.init(target: "/things/?", body: #"{"name":"a"}"#, ifMatch: nil, isDryRun: false)])
    let other = call("make", #"{"name":"b","idempotency_key":"k"}"#)
    #expect(other.isError && other.text?.contains("idempotency.key_reused") == true, "\(other)")
    #expect(call("make", #"{"name":"a","idempotency_key":"l"}"#).text == #"{"number":2}"#)
    #expect(call("make", #"{"name":"a"}"#).text == #"{"number":3}"#)
  }

  /// The header of the message is the call's, and the same key as the argument.
  @Test func aKeyMayComeInAHeader() {
    let header = [("idempotency-key", "\"k\"")]
    #expect(call("make", #"{"name":"a"}"#, header).text == #"{"number":1}"#)
    #expect(call("make", #"{"name":"a"}"#, header).text == #"{"number":1}"#)
    #expect(call("make", #"{"name":"a","idempotency_key":"k"}"#, header).text == #"{"number":1}"#)
    #expect(call("make", #"{"name":"a","idempotency_key":"k"}"#).text == #"{"number":1}"#)
    let both = call("make", #"{"name":"a","idempotency_key":"l"}"#, header)
    #expect(both.isError && both.text?.contains("idempotency.key_invalid") == true, "\(both)")
    #expect(seen.calls.count == 1)
  }

  @Test func aVersionMayBeExpected() {
    for version in ["3", #""3""#, #""\"3\"""#] {
      #expect(!call("change", #"{"id":"7","if_match":\#(version)}"#).isError)
      #expect(seen.calls.last == .init(target: "/things/7?", body: "", ifMatch: "\"3\"", isDryRun: false))
    }
    // It is one more thing that a key is of.
    #expect(!call("change", #"{"id":"7","if_match":"3","idempotency_key":"k"}"#).isError)
    let other = call("change", #"{"id":"7","if_match":"4","idempotency_key":"k"}"#)
    #expect(other.text?.contains("idempotency.key_reused") == true, "\(other)")
  }

  @Test func aWriteMayBeTried() {
    #expect(!call("change", #"{"id":"7","dry_run":true}"#).isError && seen.calls.last?.isDryRun == true)
    #expect(!call("change", #"{"id":"7","dry_run":false}"#).isError && seen.calls.last?.isDryRun == false)
    #expect(seen.calls.last?.target == "/things/7?")
    // Where the route has none, it is refused instead of done.
    let refused = call("make", #"{"name":"a","dry_run":true}"#)
    #expect(refused.isError && refused.text?.contains("dry_run.unsupported") == true && seen.calls.count == 2)
    // A try uses no key up.
    #expect(!call("change", #"{"id":"7","dry_run":true,"idempotency_key":"k"}"#).isError)
    #expect(!call("change", #"{"id":"7","idempotency_key":"k"}"#).isError && seen.calls.count == 4)
  }
}
