import Application
import Doubles
import Kernel
import Testing

/// What makes a write safe, in the call of a function: as an argument, and in a header.
@Suite struct SafeFunctionTests {
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
    {"id":"a","version":"1","routes":[
     {"method":"POST","path":"/","operation":"make","body":{"type":"object","properties":{"name":{"type":"string"}},
      "required":["name"],"additionalProperties":false}},
     {"method":"PATCH","path":"/{id}","operation":"change","dry_run":true,"errors":[{"status":412,"code":"a.changed"}]},
     {"method":"POST","path":"/none","operation":"none","idempotency":"none"}]}
    """

  private let seen = Seen()
  private let site: FunctionSite

  init() {
    site = FunctionSite(behaviour: .runs { [seen] in seen.answer($0) }, manifest: SafeFunctionTests.manifest)
  }

  private func call(
    _ name: String, _ arguments: String, _ headers: [(String, String)] = []
  ) -> FunctionSite.Answer {
    site.send(
      "POST", "/functions/call", body: #"{"name":"a_\#(name)","arguments":\#(arguments)}"#, key: site.writer,
      headers: headers)
  }

  @Test func aKeyTakesEffectOnce() {
    let arguments = #"{"name":"a","idempotency_key":"k"}"#
    #expect(call("make", arguments).route == ["number": 1])
    #expect(call("make", arguments).route == ["number": 1])
    #expect(seen.calls == [.init(target: "/a/?", body: #"{"name":"a"}"#, ifMatch: nil, isDryRun: false)])
    let other = call("make", #"{"name":"b","idempotency_key":"k"}"#)
    #expect(other.status == 422 && other.code == "idempotency.key_reused", "\(other.body)")
    #expect(call("make", #"{"name":"a","idempotency_key":"l"}"#).route == ["number": 2])
    #expect(call("make", #"{"name":"a"}"#).route == ["number": 3])
  }

  /// The header of the request is the call's, and the same key as the argument.
  @Test func aKeyMayComeInAHeader() {
    let header = [("idempotency-key", "\"k\"")]
    #expect(call("make", #"{"name":"a"}"#, header).route == ["number": 1])
    #expect(call("make", #"{"name":"a"}"#, header).route == ["number": 1])
    #expect(call("make", #"{"name":"a","idempotency_key":"k"}"#, header).route == ["number": 1])
    #expect(call("make", #"{"name":"a","idempotency_key":"k"}"#).route == ["number": 1])
    let both = call("make", #"{"name":"a","idempotency_key":"l"}"#, header)
    #expect(both.status == 400 && both.code == "idempotency.key_invalid", "\(both.body)")
    #expect(seen.calls.count == 1)
  }

  @Test func aVersionMayBeExpected() {
    for version in ["3", #""3""#, #""\"3\"""#] {
      #expect(call("change", #"{"id":"7","if_match":\#(version)}"#).status == 200)
      #expect(seen.calls.last == .init(target: "/a/7?", body: "", ifMatch: "\"3\"", isDryRun: false))
    }
    // It is one more thing that a key is of.
    #expect(call("change", #"{"id":"7","if_match":"3","idempotency_key":"k"}"#).status == 200)
    let other = call("change", #"{"id":"7","if_match":"4","idempotency_key":"k"}"#)
    #expect(other.code == "idempotency.key_reused", "\(other.body)")
  }

  @Test func aWriteMayBeTried() {
    #expect(call("change", #"{"id":"7","dry_run":true}"#).status == 200 && seen.calls.last?.isDryRun == true)
    #expect(
      call("change", #"{"id":"7","dry_run":false}"#).status == 200 && seen.calls.last?.isDryRun == false)
    #expect(seen.calls.last?.target == "/a/7?")
    // Where the route has none, it is refused instead of done.
    let refused = call("make", #"{"name":"a","dry_run":true}"#)
    #expect(refused.status == 422 && refused.code == "dry_run.unsupported" && seen.calls.count == 2)
    // A try uses no key up.
    #expect(call("change", #"{"id":"7","dry_run":true,"idempotency_key":"k"}"#).status == 200)
    #expect(call("change", #"{"id":"7","idempotency_key":"k"}"#).status == 200 && seen.calls.count == 4)
  }
}
