import Application
import Domain
import Doubles
import Kernel
import Testing

/// One call to run a function by name.
@Suite struct FunctionCallTests {
  /// What the route got.
  private final class Seen: Sendable {
    private let texts = Monitor<[String: String]>([:])
    var method: String? { texts.withLock { $0["method"] } }
    var query: String? { texts.withLock { $0["query"] } }
    var body: String? { texts.withLock { $0["body"] } }
    var parameters: String? { texts.withLock { $0["parameters"] } }

    func note(_ exchange: Exchange) {
      let (head, bytes) = (exchange.head, exchange.body)
      let body = String(bytes.span(bytes.all))
      func fields(_ fields: [Field]) -> String {
        fields.map { "\(String(head.span($0.name)))=\(String(head.span($0.value)))" }.joined(separator: "&")
      }
      let (query, parameters, method) = (
        fields(exchange.query), fields(exchange.parameters), exchange.method.rawValue
      )
      texts.withLock { $0 = ["method": method, "query": query, "body": body, "parameters": parameters] }
    }
  }

  private let seen: Seen
  private let site: FunctionSite

  init() {
    let seen = Seen()
    self.seen = seen
    site = FunctionSite(behaviour: .runs { seen.note($0) })
  }

  // MARK: To the route

  @Test func aResultIsHeldToTheHostsLimitInItsEnvelope() {
    for (type, count, isSent) in [
      ("application/json", 99_700, true), ("application/json", 99_999, false), ("text/plain", 49_800, true),
      ("text/plain", 50_100, false),
    ] {
      // Text has a quote for each character; JSON stands there as it is.
      let body =
        type == "text/plain"
        ? String(repeating: "\"", count: count) : "\"" + String(repeating: "x", count: count - 2) + "\""
      site.serve(.says(200, type, body))
      let answer = site.call("a_open", key: site.reader)
      #expect(answer.body.utf8.count <= 99_999 && (answer.status == 200) == isSent, "\(type) \(count)")
      #expect((answer.code == "answer.too_large") != isSent)
    }
  }

  @Test func argumentsGoWhereTheRouteWantsThem() {
    let answer = site.call("a_get", #"{"id":"7/8","part":"a b","tags":["x","y"]}"#, key: site.reader)
    #expect(answer.status == 200 && answer.json?["ok"] == true && answer.json?["status"] == 200)
    #expect(answer.route == ["route": 0])
    #expect(answer.headers["Content-Type"] == "application/json")
    #expect(seen.method == "GET" && seen.parameters == "id=7/8" && seen.query == "part=a b&tags=x&tags=y")
    #expect(site.call("a_create", #"{"name":"n","note":null}"#, key: site.writer).status == 200)
    #expect(seen.method == "POST" && seen.body == #"{"name":"n","note":null}"#)
    #expect(site.call("a_whole", #"{"body":[1,2]}"#, key: site.writer).status == 200)
    #expect(seen.method == "PUT" && seen.body == "[1,2]")
  }

  @Test func argumentsMayBeTextAsModelsGiveThem() {
    #expect(site.call("a_get", #""{\"id\":\"7\"}""#, key: site.reader).status == 200)
    #expect(seen.parameters == "id=7")
    for nothing in [#""""#, "null", "{}", #""{}""#] {
      #expect(site.call("a_open", nothing).status == 200, "\(nothing)")
    }
    #expect(site.send("POST", "/functions/call", body: #"{"name":"a_open"}"#).status == 200)
  }

  @Test func aToolCallIsTakenAsTheAPIGaveIt() {
    let call =
      #"{"type":"function_call","id":"fc_1","call_id":"call_1","status":"completed","name":"a_get","arguments":"{\"id\":\"7\"}"}"#
    #expect(site.send("POST", "/functions/call", body: call, key: site.reader).status == 200)
  }

  @Test func nullIsAbsentWhereTheSchemaDoesNotTakeIt() {
    let arguments = #"{"name":"n","note":null,"age":null}"#
    #expect(site.call("a_create", arguments, key: site.writer).status == 200)
    #expect(seen.body == #"{"name":"n","note":null}"#)
    #expect(site.call("a_get", #"{"id":"1","part":null,"tags":null}"#, key: site.reader).status == 200)
    #expect(seen.query == "")
    // Required: null is no name.
    let refused = site.call("a_create", #"{"name":null}"#, key: site.writer)
    #expect(refused.status == 422 && refused.code == "request.body_invalid")
  }

  @Test func everyStepOfTheRouteHolds() {
    let anonymous = site.call("a_get", #"{"id":"7"}"#)
    #expect(anonymous.status == 401 && anonymous.code == "access.key_missing")
    #expect(anonymous.headers["WWW-Authenticate"] != nil)
    #expect(site.call("a_create", #"{"name":"n"}"#, key: site.reader).code == "access.scope_missing")
    #expect(site.call("a_create", #"{"name":1}"#, key: site.writer).code == "request.body_invalid")
    #expect(site.call("a_limited", key: site.reader).status == 200)
    let limited = site.call("a_limited", key: site.reader)
    #expect(limited.status == 429 && limited.headers["Retry-After"] != nil)
    #expect(limited.json?["ok"] == false && limited.json?["status"] == 429)
  }

  /// What is wrong with arguments tells of the route.
  @Test(arguments: [AnonymousView.all, .none])
  func argumentsAreNotLookedAtForWhoMayNotCall(view: AnonymousView) {
    let site = FunctionSite(anonymous: view)
    for arguments in [#"{"x":1}"#, "{}", "7", #"{"name":1}"#] {
      let stranger = site.call("a_create", arguments)
      #expect(stranger.status == 401 && stranger.code == "access.key_missing", "\(stranger.body)")
      #expect(stranger.headers["WWW-Authenticate"] == OwnRoute.challenge && !stranger.body.contains("note"))
      #expect(stranger.json?["ok"] == false)
      let reader = site.call("a_create", arguments, key: site.reader)
      #expect(reader.status == 403 && reader.code == "access.scope_missing", "\(reader.body)")
      #expect(!reader.body.contains("note"))
    }
    #expect(site.call("a_create", #"{"x":1}"#, key: site.writer).code == "call.argument_unknown")
  }

  /// As a request line of its own is held to the size of a head.
  @Test func argumentsThatMakeATargetTooLongAreRefused() {
    func part(_ bytes: Int) -> FunctionSite.Answer {
      site.call("a_get", #"{"id":"7","part":"\#(String(repeating: "x", count: bytes))"}"#, key: site.reader)
    }
    // "/a/7?part=" has ten bytes.
    #expect(part(8192 - 10).status == 200)
    let long = part(8193 - 10)
    #expect(long.status == 414 && long.code == "http.target_too_long", "\(long.body)")
  }

  @Test func theRouteSeesTheLengthOfItsOwnBody() {
    let lengths = Monitor<[String]>([])
    let site = FunctionSite(
      behaviour: .runs { exchange in
        let head = exchange.head
        let all = exchange.headers.filter { head.span($0.name).isEqual(to: "content-length") }
        let text = all.map { String(head.span($0.value)) }.joined(separator: ",")
        let known = exchange.has(.contentLength) ? String(head.span(exchange[.contentLength])) : "none"
        lengths.withLock { $0.append("\(text) \(known)") }
      })
    for call in [
      #"{"name":"a_create","arguments":{"name":"n"}}"#, #"{"name":"a_get","arguments":{"id":"7"}}"#,
    ] {
      let answer = site.send(
        "POST", "/functions/call", body: call, key: site.writer,
        headers: [("content-type", "application/json"), ("content-length", "\(call.utf8.count)")])
      #expect(answer.status == 200, "\(answer.body)")
    }
    #expect(lengths.withLock { $0 } == ["12 12", " none"])
  }

  /// The model gets the token as any answer, and says it in its next call.
  @Test func whatNeedsConfirmationIsAskedFor() throws {
    let asked = site.call("a_remove", #"{"id":"7","confirm":null}"#, key: site.writer)
    #expect(asked.status == 428 && asked.json?["ok"] == false && seen.method == nil)
    let token = try #require(asked.json?["problem"]?["confirm"]?.string)
    let other = site.call("a_remove", #"{"id":"8","confirm":"\#(token)"}"#, key: site.writer)
    #expect(other.status == 428 && other.code == "confirmation.mismatch" && seen.method == nil)
  }

  @Test func theAuditRowIsTheRoutes() throws {
    _ = site.call("a_create", #"{"name":1}"#, key: site.writer)
    let row = try #require(site.audit.rows.last)
    #expect(row.status == 422 && row.labels.contains("\"operation\":\"create\""))
  }

  // MARK: What is no call

  @Test(arguments: [
    ("", 400, "request.body_missing"), ("{", 400, "request.json_invalid"),
    ("\u{FEFF}{}", 400, "request.json_invalid"),
    ("[]", 422, "call.invalid"), ("null", 422, "call.invalid"), ("{}", 422, "call.invalid"),
    (#"{"name":7}"#, 422, "call.invalid"), (#"{"name":""}"#, 404, "call.function_unknown"),
    (#"{"name":"a"}"#, 404, "call.function_unknown"), (#"{"name":"a_"}"#, 404, "call.function_unknown"),
    (#"{"name":"_open"}"#, 404, "call.function_unknown"),
    (#"{"name":"b_open"}"#, 404, "call.function_unknown"),
    (#"{"name":"a_open\u0000"}"#, 404, "call.function_unknown"),
    (#"{"name":"a_open","name":"a_get"}"#, 422, "call.invalid"),
    (#"{"name":"a_open","arguments":{},"arguments":{}}"#, 422, "call.invalid"),
    (#"{"name":"a_open","more":1}"#, 422, "call.invalid"),
    (#"{"name":"a_open","arguments":7}"#, 422, "call.invalid"),
    (#"{"name":"a_open","arguments":[]}"#, 422, "call.invalid"),
    (#"{"name":"a_open","arguments":"7"}"#, 422, "call.invalid"),
    (#"{"name":"a_open","arguments":"{"}"#, 422, "call.invalid"),
    (#"{"name":"a_open","arguments":{"x":1}}"#, 422, "call.argument_unknown"),
    (#"{"name":"a_get","arguments":{}}"#, 422, "call.argument_missing"),
    (#"{"name":"a_get","arguments":{"id":{}}}"#, 422, "call.argument_invalid"),
    (#"{"name":"a_get","arguments":{"id":null}}"#, 422, "call.argument_invalid"),
    (#"{"name":"a_get","arguments":{"id":"1","id":"2"}}"#, 422, "call.argument_invalid"),
  ])
  func isRefusedInTheEnvelope(_ body: String, _ status: Int, _ code: String) {
    let answer = site.send("POST", "/functions/call", body: body, key: site.reader)
    #expect(answer.status == status && answer.code == code, "\(answer.body)")
    #expect(answer.json?["ok"] == false && answer.json?["status"] == .integer(Int64(status)))
    #expect(answer.json?["problem"]?["detail"]?.string?.isEmpty == false)
    #expect(answer.headers["Content-Type"] == "application/json")
  }

  @Test func onlyJSONIsACall() {
    let answer = site.send(
      "POST", "/functions/call", body: #"{"name":"a_open"}"#, headers: [("content-type", "text/plain")])
    #expect(answer.status == 415 && answer.code == "request.media_type")
  }

  @Test func theGatewayRefusesBeforeItReadsACall() {
    let answer = site.send("POST", "/functions/call", body: "{}", key: "ck_wrong")
    #expect(answer.status == 401 && answer.json?["ok"] == nil)
    #expect(site.send("GET", "/functions/call").status == 405)
  }

  // MARK: Back from the route

  private func answer(_ status: Int, _ type: String, _ body: String) -> FunctionSite.Answer {
    site.serve(.says(status, type, body))
    return site.call("a_open")
  }

  @Test(arguments: [
    (200, "application/json", #"[1, 2]"#, #"{"ok":true,"status":200,"result":[1, 2]}"#),
    (201, "", #""made""#, #"{"ok":true,"status":201,"result":"made"}"#),
    (200, "text/plain", "a \"b\"\n", #"{"ok":true,"status":200,"result":"a \"b\"\n"}"#),
    (200, "text/markdown", "# Title", ##"{"ok":true,"status":200,"result":"# Title"}"##),
  ])
  func carriesResults(_ status: Int, _ type: String, _ body: String, _ wanted: String) {
    let answer = answer(status, type, body)
    #expect(answer.status == status && answer.body == wanted)
    // A version goes into If-Match of a later call.
    #expect(answer.headers["ETag"] == "\"1\"")
  }

  @Test(arguments: [204, 205, 301, 302, 303, 304, 307, 308])
  func aStatusWithoutABodyIsSaidInTheEnvelopeOnly(_ status: Int) {
    let answer = answer(status, "", "")
    #expect(answer.status == 200 && answer.body == #"{"ok":true,"status":\#(status),"result":null}"#)
  }

  @Test func carriesProblems() {
    let problem = #"{"type":"x","title":"Conflict","status":409,"code":"a.taken","detail":"Taken."}"#
    let answer = answer(409, "application/problem+json", problem)
    #expect(answer.status == 409 && answer.body == #"{"ok":false,"status":409,"problem":\#(problem)}"#)
  }

  @Test(arguments: [(418, "I am a teapot"), (500, ""), (404, "[]")])
  func makesAProblemOfWhatIsNone(_ status: Int, _ body: String) {
    let answer = answer(status, "text/plain", body)
    #expect(answer.status == status && answer.code == "call.failed")
    if !body.isEmpty { #expect(answer.json?["problem"]?["detail"]?.string == body) }
  }

  @Test func saysWhatItCannotCarry() {
    site.serve(
      .runs { exchange in
        exchange.addHeader("Content-Type", "image/png")
        exchange.answerBody.append([0x89, 0xFF, 0xFE] as [UInt8])
      })
    let answer = site.call("a_open")
    // The double adds its own JSON behind: no text, and no JSON.
    #expect(answer.json?["result"] == .null && answer.json?["content_type"] == "image/png")
    #expect((answer.json?["bytes"]?.integer ?? 0) > 3)
  }

  // MARK: Fuzz

  /// Whatever comes is answered, and with 4xx unless it is a call.
  @Test func noBodyMakesItFail() {
    var dice = Dice(state: 11)
    let seeds = [
      #"{"name":"a_get","arguments":{"id":"7","part":"x","tags":["a"]}}"#,
      #"{"name":"a_create","arguments":"{\"name\":\"n\",\"age\":null}"}"#,
      #"{"name":"a_whole","arguments":{"body":[1]}}"#,
    ].map { Array($0.utf8) }
    for _ in 0..<3000 {
      var bytes = seeds.randomElement(using: &dice) ?? []
      for _ in 0..<Int.random(in: 1...6, using: &dice) {
        let place = Int.random(in: 0..<max(1, bytes.count), using: &dice)
        guard place < bytes.count else { break }
        switch Int.random(in: 0..<4, using: &dice) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &dice)
        case 1: bytes.remove(at: place)
        case 2: bytes.insert("{}[]\",:\\0nult\u{7F}".utf8.randomElement(using: &dice) ?? 0, at: place)
        default: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 9)], at: place)
        }
      }
      let answer = site.send("POST", "/functions/call", bytes: bytes, key: site.writer)
      #expect(answer.status < 500, "\(String(decoding: bytes, as: UTF8.self)): \(answer.body)")
      #expect(answer.json?["ok"] == .bool(answer.status < 400), "\(answer.body)")
    }
  }

  /// SplitMix64: the same bytes every time.
  private struct Dice: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
      return z ^ z >> 31
    }
  }
}
