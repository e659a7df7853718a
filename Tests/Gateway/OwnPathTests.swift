import Application
import Domain
import Doubles
import Kernel
import Testing

@testable import Gateway

/// A path of the host's own that calls a route, or asks for a job, by the name and arguments in its body.
final class CallsByName: OwnPath {
  private static let envelope = AnswerEnvelope(frame: 40, repeatsJSON: true)
  let routes = [
    OwnRoute(.post, "/call/{name}", maxBodyBytes: 1000), OwnRoute(.get, "/secret.json", key: .required),
    OwnRoute(.get, "/document.json", challenge: "Bearer realm=\"other\""),
  ]

  func answer(
    _ exchange: Exchange, _ number: Int, _ caller: Application.Caller, _ snapshot: Snapshot
  ) throws(Problem) -> OwnAnswer {
    guard number == 0 else {
      exchange.status = 200
      exchange.answerBody.append(caller.grant == nil ? "nobody" : "somebody")
      return .answered
    }
    let (head, bytes) = (exchange.head, exchange.body)
    let name = String(head.span(exchange.parameters[0].value))
    let (document, target, body) = (JSONDocument(), Arena(capacity: 64), Arena(capacity: 64))
    do throws(JSONError) { try document.parse(bytes.span(bytes.all)) } catch {
      throw Problem(400, "request.json_invalid", "\(error)")
    }
    if let operation = JobOperation(rawValue: name) {
      let job = try JobOperation.job(in: document.root)
      return .job(RouteCall(nil, envelope: CallsByName.envelope), id: job, cancels: operation == .cancel)
    }
    guard let route = snapshot.operation(named: name) else {
      throw Problem(404, "call.unknown", "There is no such operation.")
    }
    try route.operation.arguments.write(document.root, target: target, body: body)
    exchange.become(route.declaration.method, target: target.span(target.all), body: body.span(body.all))
    return .call(RouteCall(route, envelope: CallsByName.envelope))
  }

  func wrap(_ exchange: Exchange, _ call: RouteCall) {
    let answer = exchange.answerBody
    let inner = String(answer.span(answer.all))
    let status = exchange.status
    exchange.discardAnswer()
    exchange.status = 200
    exchange.answerBody.append("{\"was\":\(status),\"answer\":\(inner.isEmpty ? "null" : inner),\"text\":")
    exchange.answerBody.append(jsonString: inner.utf8.span)
    exchange.answerBody.append("}")
  }
}

@Suite struct OwnPathTests {
  private let site = Site(ownPaths: [CallsByName()])

  private func call(_ name: String, _ arguments: String, key: String? = nil) -> JSONValue? {
    let answer = site.send("POST", "/call/\(name)", body: arguments, key: key)
    #expect(answer.header("X-Request-Id") != nil)
    return try? JSONValue.parse(answer.body.utf8.span)
  }

  @Test func aCallByNameIsTheRequestThatItStandsFor() throws {
    let answer = call("a_get", #"{"id":"7"}"#, key: site.reader)
    #expect(answer?["was"] == 200 && answer?["answer"]?["route"] == 0)
    // Its audit row is the route's, with the route's own status.
    let row = try #require(site.audit.rows.last)
    #expect(row.status == 200 && row.labels.contains("\"operation\":\"get\""))
    #expect(call("a_open", "{}")?["was"] == 200)
    #expect(call("a_create", #"{"body":{"name":"x"}}"#, key: site.writer)?["was"] == 200)
  }

  @Test func everyStepOfTheRouteHolds() {
    #expect(call("a_get", #"{"id":"7"}"#)?["answer"]?["code"] == "access.key_missing")
    #expect(
      call("a_create", #"{"body":{"name":"x"}}"#, key: site.reader)?["answer"]?["code"]
        == "access.scope_missing")
    #expect(call("a_create", #"{"body":{}}"#, key: site.writer)?["answer"]?["code"] == "request.body_invalid")
    #expect(call("a_limited", "{}", key: site.reader)?["was"] == 200)
    #expect(call("a_limited", "{}", key: site.reader)?["was"] == 429)
    site.serve(behaviour: .says(200, "application/json", "[]"))
    #expect(call("a_declared", "{}", key: site.reader)?["answer"]?["code"] == "plugin.answer_invalid")
  }

  /// The limit holds for all that is sent, the answer's second copy and its escapes included.
  @Test func theHostsLimitHoldsForWhatWrapsAnAnswer() throws {
    let site = Site(ownPaths: [CallsByName()], answerCharacters: 1000)
    var longest = 0
    for count in 430..<490 {
      site.serve(
        behaviour: .says(200, "application/json", #"{"a":"\#(String(repeating: "x", count: count))"}"#))
      let answer = site.send("POST", "/call/a_open", body: "{}", key: site.reader)
      #expect(answer.body.utf8.count <= 1000)
      if answer.body.contains(#""was":200"#) { longest = max(longest, answer.body.utf8.count) }
      if count == 489 { #expect(answer.body.contains("answer.too_large")) }
    }
    #expect(longest > 980)
    // Of a text every byte may be six.
    site.serve(behaviour: .says(200, "text/plain", String(repeating: "\u{1}", count: 200)))
    #expect(
      site.send("POST", "/call/a_open", body: "{}", key: site.reader).body.contains("answer.too_large"))
  }

  @Test func aPageIsCutToWhatWrapsIt() throws {
    let site = Site(ownPaths: [CallsByName()], answerCharacters: 1000)
    site.serve(
      behaviour: .handles { exchange in
        let head = exchange.head
        let limit = exchange.query.first { head.span($0.name).isEqual(to: "limit") }
        let count = limit.flatMap { Int(String(head.span($0.value))) } ?? 50
        let items = (1...count).map { #"{"id":"\#($0)","q":"\"\""}"# }.joined(separator: ",")
        _ = exchange.claim(exchange.handle)
        exchange.status = 200
        exchange.addHeader("Content-Type", "application/json")
        exchange.answerBody.append(#"{"items":[\#(items)],"next":"\#(count)"}"#)
        return .answered
      },
      manifest:
        #"{"id":"a","version":"1","routes":[{"method":"GET","path":"/","operation":"list","query":{"properties":{"limit":{"minimum":1},"after":{}}},"response":{"properties":{"items":{"type":"array"},"next":{}}}}]}"#
    )
    let answer = site.send("POST", "/call/a_list", body: "{}", key: site.reader)
    let page = try JSONValue.parse(answer.body.utf8.span)
    #expect(page["was"] == 200 && page["answer"]?["truncated"] == "answers.max_characters", "\(answer.body)")
    #expect((700...1000).contains(answer.body.utf8.count), "\(answer.body.utf8.count)")
  }

  @Test func whatThePathItselfRefusesIsAProblem() {
    let answer = site.send("POST", "/call/a_nothing", body: "{}", key: site.reader)
    #expect(answer.status == 404 && answer.code == "call.unknown")
    #expect(site.send("POST", "/call/a_get", body: "{}", key: site.reader).code == "call.argument_missing")
    #expect(site.send("GET", "/call/a_get").code == "request.method_not_allowed")
    #expect(site.send("OPTIONS", "/call/a_get").header("Allow") == "POST, OPTIONS")
    #expect(site.send("POST", "/call/a_get/more").code == "route.not_found")
  }

  @Test func knowsWhoAsks() {
    #expect(site.send("GET", "/secret.json").status == 401)
    #expect(site.send("GET", "/secret.json", key: site.reader).body == "somebody")
    #expect(
      site.send("GET", "/document.json", key: "ck_wrong").header("WWW-Authenticate")
        == "Bearer realm=\"other\"")
    #expect(site.send("GET", "/document.json", peer: (0, 9)).body == "nobody")
    // One without a key may ask once a minute here.
    #expect(site.send("GET", "/document.json", peer: (0, 9)).status == 429)
  }
}
