import Application
import Cryptography
import Domain
import Doubles
import Gateway
import Kernel
import Patience
import Testing

@Suite struct GatewayTests {
  let site = Site()

  // MARK: The order of the path

  @Test func aCallerWithTheRightKeyReachesTheHandler() throws {
    let answer = site.send("GET", "/a/7", key: site.reader)
    #expect(answer.status == 200)
    #expect(answer.body == #"{"route":0}"#)
    #expect(answer.header("X-Request-Id")?.utf8.count == 32)
    #expect(answer.header("traceparent")?.utf8.count == 55)
    #expect(answer.header("RateLimit-Policy") == #""default";q=200;w=60"#)
    #expect(answer.header("RateLimit")?.hasPrefix(#""default";r=199;t="#) == true)
  }

  @Test func fourWaysOutLeaveFourAuditRows() throws {
    #expect(site.send("GET", "/a/7").status == 401)
    #expect(site.send("POST", "/a", body: "{}", key: site.reader).status == 403)
    #expect(site.send("GET", "/a/limited", key: site.reader).status == 200)
    let limited = site.send("GET", "/a/limited", key: site.reader)
    #expect(limited.status == 429)
    #expect(Int(limited.header("Retry-After") ?? "") ?? 0 >= 1)
    #expect(site.audit.rows.map(\.status) == [401, 403, 200, 429])
    #expect(site.audit.rows[0].principal == "" && site.audit.rows[1].principal == "agent")
    #expect(site.audit.rows[2].labels.contains(#""operation":"limited""#))
  }

  @Test func theLimitComesBeforeThePermission() throws {
    let key = try site.issue(scopes: ["other:read"], limit: RateLimitRecord(requests: 1, periodSeconds: 60))
    #expect(site.send("GET", "/a/7", key: key).status == 403)
    #expect(site.send("GET", "/a/7", key: key).status == 429)
  }

  @Test func theTwoHundredAndFirstRequestOfAMinuteIsRefused() {
    for _ in 0..<200 { #expect(site.send("GET", "/a/7", key: site.reader).status == 200) }
    #expect(site.send("GET", "/a/7", key: site.reader).status == 429)
    #expect(site.send("GET", "/a/7", key: site.writer).status == 200)
  }

  @Test func refusalsNeedNoBody() {
    #expect(site.decision("POST", "/a") == "answer")
    #expect(site.decision("POST", "/a", key: site.writer) == "body")
  }

  // MARK: Keys

  @Test(arguments: ["nonsense", "ck_", "ck_000000000000_0000000000000000000000000000000000000000000"])
  func foreignKeysAreUnknown(text: String) {
    let answer = site.send("GET", "/a/7", key: text)
    #expect(answer.status == 401)
    #expect(answer.code == "access.key_unknown")
    #expect(answer.header("WWW-Authenticate") != nil)
    #expect(!answer.body.contains(text))
  }

  @Test func aKeyTravelsInEitherHeader() {
    #expect(site.send("GET", "/a/7", headers: [("x-api-key", site.reader)]).status == 200)
    #expect(site.send("GET", "/a/7", headers: [("authorization", "bEaReR \(site.reader)")]).status == 200)
    #expect(
      site.send("GET", "/a/7", headers: [("authorization", "Basic \(site.reader)")]).code
        == "access.key_missing")
    let twice = [("authorization", "Bearer \(site.reader)"), ("authorization", "Bearer \(site.reader)")]
    #expect(site.send("GET", "/a/7", headers: twice).code == "access.key_ambiguous")
  }

  @Test func revokedAndExpiredKeysSayWhatTheyAre() throws {
    let (text, id) = try site.issueWithID(scopes: ["a:read"])
    #expect(site.send("GET", "/a/7", key: text).status == 200)
    _ = try site.keys.revoke(id)
    #expect(site.send("GET", "/a/7", key: text).code == "access.key_revoked")
    let (old, oldID) = try site.issueWithID(scopes: ["a:read"])
    let new = try site.keys.rotate(oldID, grace: .zero)
    #expect(site.send("GET", "/a/7", key: old).code == "access.key_expired")
    #expect(site.send("GET", "/a/7", key: new.key.text).status == 200)
  }

  @Test func aRotatedKeyLivesThroughItsGrace() throws {
    let (old, id) = try site.issueWithID(scopes: ["a:read"])
    _ = try site.keys.rotate(id, grace: .seconds(3600))
    #expect(site.send("GET", "/a/7", key: old).status == 200)
  }

  @Test func aPublicRouteTakesEverybodyAndLimitsTheAddress() {
    #expect(site.send("GET", "/a/open").status == 200)
    #expect(site.send("GET", "/a/open").status == 429)
    #expect(site.send("GET", "/a/open", peer: (1, 2)).status == 200)
  }

  // MARK: Paths

  @Test(arguments: [
    ("/a/%37", 200, ""), ("/a/caf%C3%A9", 200, ""), ("/a/x%2Fy", 200, ""), ("/a/7/", 200, ""),
    ("/a", 405, "request.method_not_allowed"), ("/b/7", 404, "route.not_found"),
    ("/", 404, "route.not_found"),
    ("/a/7/8", 404, "route.not_found"), ("/a//7", 404, "route.not_found"),
    ("/a/%", 400, "request.path_invalid"), ("/a/%4", 400, "request.path_invalid"),
    ("/a/%zz", 400, "request.path_invalid"), ("/a/%00", 400, "request.path_invalid"),
    ("/a/%0a", 400, "request.path_invalid"), ("/a/%FF", 400, "request.path_invalid"),
    ("/a/%C3", 400, "request.path_invalid"), ("/a/%ED%A0%80", 400, "request.path_invalid"),
    ("/a/..", 400, "request.path_invalid"), ("/a/%2e%2E", 400, "request.path_invalid"),
    ("/a/x\u{7f}", 400, "request.path_invalid"), ("/a/é", 400, "request.path_invalid"),
    ("/a/x\\y", 400, "request.path_invalid"), ("a", 400, "request.target_invalid"),
    ("*", 400, "request.target_invalid"),
    ("/" + Array(repeating: "a", count: 33).joined(separator: "/"), 400, "request.path_too_deep"),
  ])
  func pathsAreDecodedOnceOrRefused(path: String, status: Int, code: String) {
    let answer = site.send("GET", path, key: site.reader)
    #expect(answer.status == status)
    if status != 200 { #expect(answer.code == code) }
    if status == 405 { #expect(answer.header("Allow") == "POST, OPTIONS") }
  }

  @Test(arguments: [
    ("limit=5", 200), ("limit=five", 400), ("limit=05", 400), ("limit=5&limit=6", 200), ("q=a%20b+c", 200),
    ("q=%", 400), ("q=%00", 400), ("=", 200), ("&&", 200), ("q=a=b", 200),
  ])
  func queriesAreDecodedAndTyped(query: String, status: Int) {
    // The schema wants a member "limit" to be there, and the double validates nothing else but its presence.
    let wanted = query.contains("limit") ? query : "limit=1&" + query
    let isTyped = status == 400 && query.hasPrefix("limit")
    let answer = site.send("GET", "/a/typed?" + wanted, key: site.reader)
    #expect(answer.status == (isTyped ? 200 : status))
  }

  // MARK: Bodies

  @Test(arguments: [
    ("{\"name\":1}", 200, ""), ("", 400, "request.body_missing"), ("{", 400, "request.json_invalid"),
    ("{}", 422, "request.body_invalid"), ("\u{0}", 400, "request.json_invalid"),
    ("{\"name\":1e999}", 400, "request.json_invalid"),
    (
      "{\"name\":" + String(repeating: "[", count: 64) + String(repeating: "]", count: 64) + "}", 400,
      "request.json_invalid"
    ),
  ])
  func bodiesAreValidated(body: String, status: Int, code: String) {
    let answer = site.send("POST", "/a", body: body, key: site.writer)
    #expect(answer.status == status)
    if status != 200 { #expect(answer.code == code) }
  }

  @Test(arguments: [
    ("application/json", 200), ("application/json; charset=utf-8", 200), ("Application/JSON", 200),
    ("application/merge-patch+json", 200), ("text/plain", 415), ("application/x-json", 415), ("json", 415),
  ])
  func bodiesAreJSON(type: String, status: Int) {
    let answer = site.send(
      "POST", "/a", body: "{\"name\":1}", key: site.writer, headers: [("content-type", type)])
    #expect(answer.status == status)
  }

  // MARK: Traces

  @Test func aValidTraceIsContinuedAndAnInvalidOneReplaced() {
    let parent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
    let continued = site.send("GET", "/a/7", key: site.reader, headers: [("traceparent", parent)])
    #expect(continued.header("traceparent")?.hasPrefix("00-0123456789abcdef0123456789abcdef-") == true)
    #expect(continued.header("traceparent")?.contains("-0123456789abcdef-") == false)
    for bad in [
      "00-00000000000000000000000000000000-0123456789abcdef-01", parent.uppercased(), parent + "0", "x",
    ] {
      let answer = site.send("GET", "/a/7", key: site.reader, headers: [("traceparent", bad)])
      #expect(answer.header("traceparent")?.hasPrefix("00-0123") == false)
    }
  }

  // MARK: Generations

  @Test func aRequestIsInsideItsGenerationFromMatchToAnswer() throws {
    let exchange = site.exchange("POST", "/a", headers: [("authorization", "Bearer \(site.writer)")])
    let generation = try #require(site.automations.live("a")?.generation)
    _ = site.gateway.begin(exchange)
    #expect(generation.requestsInside == 1)
    exchange.body.append("{\"name\":1}")
    _ = site.gateway.handle(exchange)
    site.gateway.conclude(exchange)
    #expect(generation.requestsInside == 0)
    site.gateway.finished(exchange, sent: true)
    #expect(generation.requestsInside == 0)
  }

  @Test func aConnectionThatDiesLeavesTheGeneration() throws {
    let exchange = site.exchange("POST", "/a", headers: [("authorization", "Bearer \(site.writer)")])
    _ = site.gateway.begin(exchange)
    site.gateway.finished(exchange, sent: false)
    #expect(site.automations.live("a")?.generation.requestsInside == 0)
    #expect(site.audit.rows.map(\.status) == [499])
  }

  @Test func aRequestFindsTheGenerationThatReplacedTheOneItSaw() throws {
    #expect(site.send("GET", "/a/7", key: site.reader).status == 200)
    site.serve(behaviour: .answers)
    #expect(site.send("GET", "/a/7", key: site.reader).status == 200)
    #expect(site.automations.live("a")?.generation.requestsInside == 0)
  }

  @Test func whatCannotBeAuditedIsNotDone() {
    site.audit.isFull = true
    let answer = site.send("GET", "/a/7", key: site.reader)
    #expect(answer.status == 503 && answer.code == "audit.unavailable")
    #expect(site.audit.rows.isEmpty)
    #expect(site.send("GET", "/health/live").status == 200)
  }

  // MARK: Waiting

  @Test func aHandlerThatNeverAnswersIsAnsweredForAtItsDeadline() throws {
    site.serve(behaviour: .waits)
    let exchange = site.exchange("GET", "/a/slow", headers: [("authorization", "Bearer \(site.reader)")])
    let woken = Monitor(false)
    exchange.wake = { _ in woken.signal { $0 = true } }
    _ = site.gateway.begin(exchange)
    #expect(site.gateway.handle(exchange) == .pending)
    #expect(exchange.park())
    let watch = DeadlineWatch(
      OneExchange(exchange), automations: site.automations, log: MemoryLog(), interval: .milliseconds(1))
    watch.start()
    defer { watch.end() }
    #expect(woken.eventually { $0 ? true : nil } == true)
    site.gateway.conclude(exchange)
    #expect(exchange.status == 504)
    // The answer goes out before the handler is told.
    let plugin = try #require(site.plugins.plugins.last)
    #expect(eventually { plugin.history.contains("cancel") })
  }

  @Test func aRequestWhoseClientLeftEndsBeforeItsDeadlineAndItsHandlerIsTold() throws {
    site.serve(behaviour: .waits)
    let exchange = site.exchange("GET", "/a/7", headers: [("authorization", "Bearer \(site.reader)")])
    let woken = Monitor(false)
    exchange.wake = { _ in woken.signal { $0 = true } }
    _ = site.gateway.begin(exchange)
    #expect(site.gateway.handle(exchange) == .pending)
    #expect(exchange.park())
    let until = try #require(exchange.waiting?.until)
    #expect(!exchange.abandonWaiting(until: Instant(nanoseconds: until.nanoseconds + 1)))
    #expect(!exchange.isAbandoned)
    #expect(exchange.abandonWaiting(until: until))
    #expect(!exchange.abandonWaiting(until: until))
    let watch = DeadlineWatch(
      OneExchange(exchange), automations: site.automations, log: MemoryLog(), interval: .milliseconds(1))
    watch.start()
    defer { watch.end() }
    #expect(woken.eventually { $0 ? true : nil } == true)
    site.gateway.conclude(exchange)
    #expect(exchange.status == 499 && exchange.closes)
    #expect(site.audit.rows.last?.status == 499)
    let plugin = try #require(site.plugins.plugins.last)
    #expect(eventually { plugin.history.contains("cancel") })
  }

  @Test(arguments: [
    ("9223372036854775807", 200), ("9223372036854775808", 400), ("-9223372036854775808", 200),
    ("-9223372036854775809", 400), ("99999999999999999999999", 400),
  ]) func aParameterOutOfRangeIsToldTheRange(text: String, status: Int) {
    let answer = site.send("GET", "/a/typed?limit=\(text)", key: site.reader)
    #expect(answer.status == status)
    let said = "/limit: must be from -9223372036854775808 to"
    #expect(status == 200 || answer.body.contains(said), "\(answer.body)")
  }

  /// What the edge refuses by itself is concluded without having begun; a server error is logged with its ids.
  @Test func aRequestThatNeverBeganHasItsIdsToo() {
    let exchange = site.exchange("GET", "/a/7")
    site.gateway.refuse(exchange, Problem(501, "http.unknown_coding", "x"))
    site.gateway.conclude(exchange)
    #expect(exchange.status == 501)
    #expect(exchange.requestID.count == 32 && exchange.traceparent.count == 55)
  }

  @Test func optionsAreToldWithoutAKey() {
    let answer = site.send("OPTIONS", "/a/7")
    #expect(answer.status == 204 && answer.header("Allow") == "GET, HEAD, OPTIONS")
    #expect(site.send("OPTIONS", "/nowhere").status == 404)
  }

  /// Whoever sends a write again because the host said so does it twice.
  @Test(arguments: [("GET", "/a/7", true), ("POST", "/a/own", false)])
  func aDrainCancelsOnlyItsOwnGeneration(method: String, path: String, isRead: Bool) throws {
    site.serve(behaviour: .waits)
    let generation = try #require(site.automations.live("a")?.generation)
    let exchange = site.exchange(method, path, headers: [("authorization", "Bearer \(site.writer)")])
    _ = site.gateway.begin(exchange)
    #expect(site.gateway.handle(exchange) == .pending)
    let watch = DeadlineWatch(OneExchange(exchange), automations: site.automations, log: MemoryLog())
    site.serve(behaviour: .answers)
    let other = try #require(site.automations.live("a")?.generation)
    let reason = Unanswered(503, "automation.replaced", "Replaced.")
    watch.cancelRequests(of: other, reason)
    #expect(exchange.status == 0)
    watch.cancelRequests(of: generation, reason)
    #expect(exchange.status == 503)
    let (head, body) = (exchange.answerHead, exchange.answerBody)
    let text = String(body.span(body.all))
    #expect(exchange.answerHeaders.contains { String(head.span($0.name)) == "Retry-After" } == isRead)
    #expect(text.contains("Send it again.") == isRead && text.contains("read what it changes") != isRead)
    #expect(!exchange.claim(exchange.handle))
  }

  // MARK: Health

  @Test func healthTellsLiveFromReady() {
    #expect(site.send("GET", "/health/live").status == 200)
    #expect(site.send("GET", "/health/ready").status == 503)
    site.health.isServing = true
    #expect(site.send("GET", "/health/ready").status == 200)
    site.health.add("store") { "it is gone" }
    #expect(site.send("GET", "/health/ready").body.contains("it is gone"))
    #expect(site.send("POST", "/health/ready").status == 405)
    #expect(site.audit.rows.isEmpty)
  }
}
