import Application
import Domain
import Doubles
import Gateway
import Kernel
import Testing

/// What a caller may say to make a write safe, and what comes of it.
@Suite struct SafeWritesTests {
  /// Counts what reaches the handlers, and keeps what the last one saw.
  private final class Witness: Sendable {
    struct Seen: Sendable {
      var calls = 0
      var headers: [String: String] = [:]
      var query = ""
      var body = ""
      var isDryRun = false
    }
    let seen = Monitor(Seen())
    var calls: Int { seen.withLock { $0.calls } }

    func watch(_ exchange: Exchange) {
      let (head, body) = (exchange.head, exchange.body)
      seen.withLock { seen in
        seen.calls += 1
        seen.headers = [:]
        for field in exchange.headers {
          seen.headers[String(head.span(field.name))] = String(head.span(field.value))
        }
        seen.query = String(head.span(exchange.rawQuery))
        seen.body = String(body.span(body.all))
        seen.isDryRun = exchange.isDryRun
      }
    }
  }

  private let site = Site()
  private let witness = Witness()

  init() { site.serve(behaviour: .runs { [witness] in witness.watch($0) }) }

  private func send(
    _ method: String, _ target: String, _ body: String = "", key: String? = nil,
    _ headers: [String: String] = [:]
  ) -> Site.Answer {
    site.send(
      method, target, body: body, key: key ?? site.writer, headers: headers.map { ($0.key, $0.value) })
  }

  private func send(
    _ method: String, _ target: String, key: String? = nil, _ headers: [String: String]
  ) -> Site.Answer { send(method, target, "", key: key, headers) }

  private func token(_ answer: Site.Answer) throws -> String {
    #expect(answer.status == 428, "\(answer.body)")
    return try #require(try JSONValue.parse(answer.body.utf8.span)["confirm"]?.string)
  }

  // MARK: Confirming

  @Test func aCallThatNeedsConfirmationDoesNothingAndSaysHowToGoOn() throws {
    let first = send("DELETE", "/a/safe/1")
    let token = try token(first)
    #expect(first.code == "confirmation.required" && witness.calls == 0)
    let detail = try #require(try JSONValue.parse(first.body.utf8.span)["detail"]?.string)
    for part in ["Remove one", "DELETE /a/safe/1", "X-Confirm", "'confirm'", "Prefer: dry-run"] {
      #expect(detail.contains(part), "\(detail)")
    }
    #expect(send("DELETE", "/a/safe/1", ["x-confirm": token]).status == 200)
    #expect(witness.calls == 1)
  }

  @Test func theTokenAlsoComesAsParameterOrMember() throws {
    let query = try token(send("DELETE", "/a/safe/1?x=1"))
    #expect(send("DELETE", "/a/safe/1?confirm=\(query)&x=1").status == 200)
    #expect(witness.seen.withLock { $0.query } == "x=1")
    // This route has a member of that name: it is the route's.
    let patch = try token(send("PATCH", "/a/safe/1", #"{"confirm":"x"}"#))
    #expect(send("PATCH", "/a/safe/1", #"{"confirm":"\#(patch)"}"#).status == 428)
    #expect(send("PATCH", "/a/safe/1?confirm=\(patch)", #"{"confirm":"x"}"#).status == 200)
    #expect(witness.seen.withLock { $0.body } == #"{"confirm":"x"}"#)
  }

  /// A member that is cut out leaves a body whose blanks are others.
  @Test(arguments: [#"{"a": 1, "b": "x  y"}"#, "{ \"a\" : 1 ,\n \"b\" : [ 2 ] }", "{}", "{ }"])
  func theTokenIsAMemberOfABodyHoweverThatIsLaidOut(body: String) throws {
    let token = try token(send("PUT", "/a/safe/1", body))
    let rest = body.dropFirst()
    let isEmpty = !body.contains("a")
    let first = #"{"confirm": "\#(token)"\#(isEmpty ? "" : ", ")\#(rest)"#
    #expect(send("PUT", "/a/safe/1", first).status == 200)
    let last = "\(body.dropLast())\(isEmpty ? "" : ", ")\"confirm\": \"\(token)\"}"
    #expect(send("PUT", "/a/safe/1", last).header("Idempotency-Replayed") == "true")
    #expect(send("PUT", "/a/safe/1", body, ["x-confirm": token]).header("Idempotency-Replayed") == "true")
    #expect(send("PUT", "/a/safe/1", #"{"a":2,"confirm":"\#(token)"}"#).code == "confirmation.mismatch")
    #expect(witness.calls == 1)
  }

  @Test func aKeyMayMoveFromTheHeaderIntoTheBody() {
    let headed = send("POST", "/a/safe", #"{"a": 1, "b": 2}"#, ["idempotency-key": "k"])
    #expect(headed.status == 200 && headed.header("Idempotency-Replayed") == nil)
    for body in [
      #"{"a": 1, "b": 2, "idempotency_key": "k"}"#, #"{"idempotency_key":"k","a":1,"b":2}"#,
    ] {
      #expect(send("POST", "/a/safe", body).header("Idempotency-Replayed") == "true")
    }
    #expect(send("POST", "/a/safe", #"{"a": 1, "b": "2", "idempotency_key": "k"}"#).status == 422)
  }

  @Test func aTokenIsOfOneCallOfOneKey() throws {
    let token = try token(send("DELETE", "/a/safe/1"))
    let other = try site.issue(scopes: ["a:*"])
    let confirmed = ["x-confirm": token]
    for answer in [
      send("DELETE", "/a/safe/2", confirmed), send("DELETE", "/a/other/1", confirmed),
      send("DELETE", "/a/safe/1?x=1", confirmed), send("DELETE", "/a/safe/1", key: other, confirmed),
      send("DELETE", "/a/safe/1", ["x-confirm": token, "if-match": "\"1\""]),
      send("DELETE", "/a/safe/1", ["x-confirm": token, "if-none-match": "*"]),
      send("DELETE", "/a/safe/1", ["x-confirm": token, "idempotency-key": "k"]),
      send("DELETE", "/a/safe/1", ["x-confirm": String(token.dropLast(2)) + "AA"]),
      send("DELETE", "/a/safe/1", ["x-confirm": "no"]),
    ] {
      #expect(answer.status == 428 && answer.code == "confirmation.mismatch", "\(answer.body)")
    }
    #expect(witness.calls == 0)
  }

  @Test func aTokenHoldsUntilItsInstant() throws {
    let before = site.clock.withLock { $0 }
    let token = try token(send("DELETE", "/a/safe/1"))
    site.clock.withLock { $0 = before + .seconds(301) }
    #expect(send("DELETE", "/a/safe/1", ["x-confirm": token]).code == "confirmation.expired")
    site.clock.withLock { $0 = before + .seconds(298) }
    #expect(send("DELETE", "/a/safe/1", ["x-confirm": token]).status == 200)
  }

  @Test func whatWasConfirmedOnceTakesEffectOnce() throws {
    let before = site.clock.withLock { $0 }
    let token = try token(send("DELETE", "/a/safe/1"))
    #expect(send("DELETE", "/a/safe/1", ["x-confirm": token]).header("Idempotency-Replayed") == nil)
    let again = send("DELETE", "/a/safe/1", ["x-confirm": token])
    #expect(again.status == 200 && again.header("Idempotency-Replayed") == "true")
    site.clock.withLock { $0 = before + .seconds(3600) }
    #expect(send("DELETE", "/a/safe/1", ["x-confirm": token]).header("Idempotency-Replayed") == "true")
    #expect(witness.calls == 1)
  }

  @Test func aKeyedCallIsConfirmedFirstAndReplayedWithoutConfirmation() throws {
    let keyed = ["idempotency-key": "k"]
    let token = try token(send("DELETE", "/a/safe/1", keyed))
    #expect(site.ledger.count == 0)
    #expect(send("DELETE", "/a/safe/1", ["idempotency-key": "k", "x-confirm": token]).status == 200)
    #expect(send("DELETE", "/a/safe/1", keyed).header("Idempotency-Replayed") == "true")
    #expect(witness.calls == 1)
  }

  @Test func oneConfirmationHasOneEffect() throws {
    let token = try token(send("DELETE", "/a/safe/1", ["idempotency-key": "a"]))
    #expect(send("DELETE", "/a/safe/1", ["x-confirm": token, "idempotency-key": "a"]).status == 200)
    for headers in [["x-confirm": token], ["x-confirm": token, "idempotency-key": "b"]] {
      #expect(send("DELETE", "/a/safe/1", headers).code == "confirmation.mismatch")
    }
    #expect(witness.calls == 1)
  }

  // MARK: Dry runs

  @Test(arguments: [("prefer", "dry-run"), ("prefer", "return=minimal, Dry-Run;x=1"), ("", "?dry_run=true")])
  func aDryRunReachesTheHandlerAsOne(header: String, value: String) {
    let headers = header.isEmpty ? [:] : [header: value]
    let answer = send("POST", "/a/safe" + (header.isEmpty ? value : ""), "{}", headers)
    #expect(answer.status == 200 && answer.header("Preference-Applied") == "dry-run", "\(answer)")
    let seen = witness.seen.withLock { $0 }
    #expect(seen.isDryRun && seen.query.isEmpty)
    #expect(seen.headers["prefer"]?.lowercased().contains("dry-run") == true)
  }

  @Test func aDryRunNeedsNoConfirmationAndIsNotRemembered() {
    let answer = send("DELETE", "/a/safe/1", ["prefer": "dry-run", "idempotency-key": "k"])
    #expect(answer.status == 200 && answer.header("Preference-Applied") == "dry-run")
    #expect(site.ledger.count == 0)
    #expect(send("DELETE", "/a/safe/1").status == 428)
  }

  @Test func aRouteThatCannotBeTriedIsNotRun() {
    for answer in [
      send("POST", "/a/own", ["prefer": "dry-run"]), send("POST", "/a/own?dry_run=true"),
      send("POST", "/a", #"{"name":"x","dry_run":true}"#),
    ] {
      #expect(answer.status == 422 && answer.code == "dry_run.unsupported", "\(answer.body)")
    }
    #expect(send("POST", "/a/safe?dry_run=yes", "{}").code == "dry_run.invalid")
    #expect(witness.calls == 0)
    // What is no such wish is none.
    #expect(send("POST", "/a/own", ["prefer": "dry-running, x=dry-run"]).status == 200)
    #expect(send("POST", "/a/own", ["prefer": #"x="a, dry-run", y="\", dry-run""#]).status == 200)
    #expect(send("POST", "/a/own?dry_run=false").status == 200)
    #expect(!witness.seen.withLock { $0.isDryRun })
  }

  // MARK: What a caller is told

  /// Each refusal ends with something that a model can do.
  @Test func everyRefusalSaysTheNextStep() throws {
    _ = send("POST", "/a/safe", "{}", ["idempotency-key": "used"])
    let token = try token(send("DELETE", "/a/safe/1"))
    let refusals: [(Site.Answer, String, String)] = [
      (
        send("POST", "/a/safe", #"{"n":1}"#, ["idempotency-key": "used"]), "idempotency.key_reused",
        "Use a new key"
      ),
      (send("POST", "/a/strict"), "idempotency.key_missing", "send it as header Idempotency-Key"),
      (send("POST", "/a/safe", #"{"idempotency_key":7}"#), "idempotency.key_invalid", "Send a UUID"),
      (send("POST", "/a/safe", "{}", ["idempotency-key": ""]), "idempotency.key_invalid", "Send a UUID"),
      (send("POST", "/a/own", ["prefer": "dry-run"]), "dry_run.unsupported", "Send the call without"),
      (send("POST", "/a/safe?dry_run=yes", "{}"), "dry_run.invalid", "Send the call again"),
      (
        send("DELETE", "/a/safe/2", ["x-confirm": token]), "confirmation.mismatch",
        "make exactly the same call again"
      ),
      (send("DELETE", "/a/safe/1?confirm="), "confirmation.invalid", "Make the call without one"),
    ]
    for (answer, code, step) in refusals {
      let detail = try #require(try JSONValue.parse(answer.body.utf8.span)["detail"]?.string)
      #expect(
        answer.code == code && detail.contains(step) && detail.hasPrefix("Nothing was done"), "\(detail)")
    }
    for (problem, step) in [
      (Safety.inProgress, "Send the same call again"), (Safety.inProgress(as: "j"), "with jobs_get"),
      (Safety.outcomeUnknown, "Read what it would have changed"),
      (Safety.answerNotKept(200), "Read what it changed"),
    ] { #expect(problem.detail.contains(step) && problem.status == 409, "\(problem.detail)") }
  }

  @Test func theAuditTrailTellsADryRunAndAReplay() {
    _ = send("POST", "/a/safe", "{}", ["prefer": "dry-run"])
    for _ in 0..<2 { _ = send("POST", "/a/safe", "{}", ["idempotency-key": "k"]) }
    _ = send("POST", "/a/safe", "{}")
    #expect(site.audit.rows.map(\.isDryRun) == [true, false, false, false])
    #expect(site.audit.rows.map(\.isReplayed) == [false, false, true, false])
  }

  // MARK: Keys

  @Test func aRepeatedCallIsAnsweredAsTheFirst() {
    site.serve(behaviour: .says(201, "application/json", #"{"id":1}"#))
    let first = send("POST", "/a/safe?x=1", #"{"a":1}"#, ["idempotency-key": "k1"])
    #expect(first.status == 201 && first.header("Idempotency-Replayed") == nil)
    #expect(first.header("Idempotency-Expires") == MemoryLedger.expires.text)
    site.serve(behaviour: .says(500, "application/json", "{}"))
    // Bare or as the draft's string, in the header, the query or the body.
    for answer in [
      send("POST", "/a/safe?x=1", #"{"a":1}"#, ["idempotency-key": "k1"]),
      send("POST", "/a/safe?x=1", #"{"a":1}"#, ["idempotency-key": #""k1""#]),
      send("POST", "/a/safe?idempotency_key=k1&x=1", #"{"a":1}"#),
      send("POST", "/a/safe?x=1", #"{"a":1,"idempotency_key":"k1"}"#),
      send("POST", "/a/safe?x=1", #" { "idempotency_key" : "k1" ,"a":1 } "#, ["idempotency-key": "k1"]),
    ] {
      #expect(answer.status == 201 && answer.body == #"{"id":1}"#, "\(answer)")
      #expect(answer.header("Idempotency-Replayed") == "true" && answer.header("ETag") == "\"1\"")
      #expect(answer.header("Content-Type") == "application/json")
    }
    #expect(site.ledger.count == 1)
  }

  @Test func anotherCallWithTheSameKeyIsRefused() throws {
    let keyed = ["idempotency-key": "k1"]
    #expect(send("POST", "/a/safe", #"{"a":1}"#, keyed).status == 200)
    for answer in [
      send("POST", "/a/safe", #"{"a":2}"#, keyed), send("POST", "/a/safe?x=1", #"{"a":1}"#, keyed),
      send("POST", "/a/strict", #"{"a":1}"#, keyed),
    ] {
      #expect(answer.status == 422 && answer.code == "idempotency.key_reused", "\(answer.body)")
    }
    // Of another principal it is another key; of another key of the same principal it is the same.
    let stranger = try site.keys.issue(.init(principal: "stranger", name: "s", scopes: ["a:*"])).key.text
    #expect(send("POST", "/a/safe", #"{"a":2}"#, key: stranger, keyed).status == 200)
    let second = try site.issue(scopes: ["a:*"])
    let replayed = send("POST", "/a/safe", #"{"a":1}"#, key: second, keyed)
    #expect(replayed.header("Idempotency-Replayed") == "true")
    #expect(witness.calls == 2)
  }

  /// The generation that serves by now may promise more than that of the first call did.
  @Test func aReplayIsNotHeldAgainstTodaysSchema() {
    func serve(_ status: Int, _ response: String) {
      site.serve(
        behaviour: .says(status, "application/json", #"{"id":1}"#),
        manifest:
          #"{"id":"a","version":"1","routes":[{"method":"POST","path":"/","operation":"o"\#(response)}]}"#)
    }
    serve(201, "")
    #expect(send("POST", "/a/", ["idempotency-key": "k"]).status == 201)
    serve(200, #","response":{"needs":"name"}"#)
    let replayed = send("POST", "/a/", ["idempotency-key": "k"])
    #expect(replayed.status == 201 && replayed.body == #"{"id":1}"#, "\(replayed)")
    #expect(send("POST", "/a/").code == "plugin.answer_invalid")
  }

  @Test func aReplayHasItsBudgetAlsoWithoutConfirmation() throws {
    site.serve(
      behaviour: .says(200, "application/json", #"{"a":"\#(String(repeating: "x", count: 100))","b":1}"#))
    let keyed = ["idempotency-key": "k"]
    let token = try token(send("DELETE", "/a/safe/1", keyed))
    #expect(send("DELETE", "/a/safe/1", ["idempotency-key": "k", "x-confirm": token]).status == 200)
    let long = send("DELETE", "/a/safe/1?max_chars=64", keyed)
    #expect(long.code == "answer.too_large" && long.body.contains("do not send it again"), "\(long)")
    #expect(send("DELETE", "/a/safe/1?max_chars=64&fields=b", keyed).body == #"{"b":1}"#)
    #expect(send("DELETE", "/a/safe/1", keyed).header("Idempotency-Replayed") == "true")
  }

  @Test(arguments: [(0, true), (1, false)])
  func anAnswerThatIsTooLongToKeepIsSaidToBe(more: Int, isKept: Bool) {
    let count = site.ledger.answerBytes + more
    func post() -> Site.Answer { send("POST", "/a/long", ["idempotency-key": "k"]) }
    site.serve(
      behaviour: .handles { exchange in
        _ = exchange.claim(exchange.handle)
        exchange.status = 200
        exchange.answerBody.append([UInt8](repeating: 0xFF, count: count))
        return .answered
      },
      manifest: #"{"id":"a","version":"1","routes":[{"method":"POST","path":"/long","operation":"o"}]}"#)
    #expect(post().status == 200)
    let again = post()
    #expect((again.header("Idempotency-Replayed") == "true") == isKept)
    #expect((again.code == "idempotency.answer_not_kept") != isKept)
  }

  /// Behind a proxy all who have no API key have one address: one's answer would be another's.
  @Test func aKeyNeedsACallerWhoIsKnown() {
    func post(_ key: String?, keyed: Bool = true, to site: Site, peer: UInt64) -> Site.Answer {
      site.send(
        "POST", "/a/public", body: "{}", key: key, headers: keyed ? [("idempotency-key", "k")] : [],
        peer: (0, peer))
    }
    let refused = post(nil, to: site, peer: 1)
    #expect(refused.status == 400 && refused.code == "idempotency.caller_unknown", "\(refused)")
    #expect(post("ck_wrong", to: site, peer: 1).status == 401 && witness.calls == 0)
    // An API key is looked at only where it says whose call it is.
    #expect(post("ck_wrong", keyed: false, to: site, peer: 1).status == 200)
    #expect(post(nil, keyed: false, to: site, peer: 1).status == 200)
    for isReplayed in [false, true] {
      let known = post(site.writer, to: site, peer: isReplayed ? 2 : 3)
      #expect(known.status == 200 && (known.header("Idempotency-Replayed") == "true") == isReplayed)
    }
    let open = Site(anonymousKeys: .address)
    for (peer, isReplayed) in [(UInt64(1), false), (1, true), (2, false)] {
      let answer = post(nil, to: open, peer: peer)
      #expect(answer.status == 200 && (answer.header("Idempotency-Replayed") == "true") == isReplayed)
    }
  }

  @Test func aRouteMayInsistOnAKeyOrIgnoreIt() {
    let missing = send("POST", "/a/strict")
    #expect(missing.status == 400 && missing.code == "idempotency.key_missing")
    #expect(witness.calls == 0)
    #expect(send("POST", "/a/strict?idempotency_key=x").status == 200)
    for _ in 0..<2 {
      #expect(send("POST", "/a/own?idempotency_key=x", ["idempotency-key": "x"]).status == 200)
    }
    #expect(witness.calls == 3 && witness.seen.withLock { $0.query } == "idempotency_key=x")
  }

  @Test(arguments: [(503, false), (429, false), (500, true), (404, true), (200, true)])
  func whatAsksForTheSameCallAgainIsNotKept(status: Int, isKept: Bool) {
    site.serve(behaviour: .says(status, "application/problem+json", "{}"))
    for isReplayed in [false, isKept] {
      let answer = send("POST", "/a/safe", "{}", ["idempotency-key": "k"])
      #expect(answer.status == status && (answer.header("Idempotency-Replayed") == "true") == isReplayed)
    }
    #expect(site.ledger.count == (isKept ? 1 : 0))
  }

  @Test func aCallWhoseLedgerFailsIsNotRun() {
    site.ledger.fail(with: Problem(503, "idempotency.full", "full", retryAfterSeconds: 9))
    let answer = send("POST", "/a/safe", "{}", ["idempotency-key": "k"])
    #expect(answer.status == 503 && answer.header("Retry-After") == "9" && witness.calls == 0)
    #expect(send("POST", "/a/safe", "{}").status == 200)
  }

  @Test func aCallThatIsUnderWayOrLostIsNotBegunAgain() throws {
    site.serve(behaviour: .waits)
    let exchange = site.exchange(
      "POST", "/a/safe", headers: [("authorization", "Bearer \(site.writer)"), ("idempotency-key", "k")])
    guard case .readBody = site.gateway.begin(exchange) else { throw Unexpected() }
    exchange.body.append("{}")
    guard case .pending = site.gateway.handle(exchange) else { throw Unexpected() }
    #expect(exchange.park())
    let during = send("POST", "/a/safe", "{}", ["idempotency-key": "k"])
    #expect(during.status == 409 && during.code == "idempotency.in_progress")
    #expect(during.header("Retry-After") == "1")
    // Its client leaves: what the handler does is kept for when it comes back.
    #expect(!exchange.abandonWaiting(until: exchange.deadline))
    // The host answers in its place: nobody will know what the handler did.
    let woken = Monitor(false)
    exchange.wake = { _ in woken.withLock { $0 = true } }
    #expect(exchange.claim(exchange.handle))
    exchange.answer(Problem(504, "handler.timeout", "late"))
    exchange.deliverInPlace()
    #expect(woken.withLock { $0 })
    let later = send("POST", "/a/safe", "{}", ["idempotency-key": "k"])
    #expect(later.status == 409 && later.code == "idempotency.outcome_unknown")
    site.gateway.finished(exchange, sent: true)
  }

  private struct Unexpected: Error {}

  @Test func aKeyIsOneToTwoHundredAndFiftyFivePrintableCharacters() {
    for (key, status) in [
      ("x", 200), (String(repeating: "k", count: 255), 200), (String(repeating: "k", count: 256), 400),
      ("", 400),
      ("\"\"", 400), ("a\tb", 400), ("schlüssel", 400), ("a b", 200), ("\"a\\\"b\"", 200),
    ] {
      let answer = send("POST", "/a/safe", "{}", ["idempotency-key": key])
      #expect(answer.status == status, "\(key): \(answer.body)")
      if status == 400 { #expect(answer.code == "idempotency.key_invalid") }
    }
    let twice = site.send(
      "POST", "/a/safe", body: "{}", key: site.writer,
      headers: [("idempotency-key", "x"), ("idempotency-key", "x")])
    #expect(twice.code == "idempotency.key_invalid")
    #expect(send("POST", "/a/safe?idempotency_key=y", "{}", ["idempotency-key": "x"]).status == 400)
    #expect(send("POST", "/a/safe", #"{"idempotency_key":7}"#).code == "idempotency.key_invalid")
  }

  @Test func noBytesOfAKeyDoHarm() throws {
    let caller = try site.issue(
      scopes: ["a:*"], limit: RateLimitRecord(requests: 1_000_000, periodSeconds: 1))
    var random = SystemRandomNumberGenerator()
    for _ in 0..<2000 {
      let count = Int.random(in: 0...300, using: &random)
      let alphabet: [UInt8] = [0x22, 0x5C, 0x3B, 0x2C, 0x20, 0x41, 0x7E, 0x7F, 0x80, 0xFF, 0x09, 0x27]
      let bytes = (0..<count).map { _ in
        Bool.random(using: &random)
          ? alphabet.randomElement(using: &random)! : UInt8.random(in: 1...255, using: &random)
      }
      let exchange = site.exchange(
        "POST", "/a/safe", headers: [("authorization", "Bearer \(caller)"), ("idempotency-key", "")])
      let place = exchange.head.append(bytes)
      exchange.known[KnownHeader.idempotencyKey.rawValue] = place
      exchange.started = .now
      if case .readBody = site.gateway.begin(exchange) {
        exchange.body.append("{}")
        _ = site.gateway.handle(exchange)
      }
      #expect([200, 400].contains(exchange.status), "\(bytes): \(exchange.status)")
      site.gateway.conclude(exchange)
      site.gateway.finished(exchange, sent: true)
    }
  }

  // MARK: Versions and what is left of a request

  @Test(arguments: ["3", "%223%22"])
  func anExpectedVersionBecomesTheHeader(text: String) throws {
    let token = try token(send("PATCH", "/a/safe/1?if_match=\(text)", "{}"))
    #expect(send("PATCH", "/a/safe/1?if_match=\(text)", "{}", ["x-confirm": token]).status == 200)
    #expect(witness.seen.withLock { $0.headers["if-match"] } == "\"3\"")
    #expect(send("PATCH", "/a/safe/1", #"{"if_match":3}"#, ["x-confirm": token]).status == 200)
    #expect(
      send("PATCH", "/a/safe/1?if_match=4", "{}", ["if-match": "\"3\""]).code == "request.if_match_invalid")
    // A POST has no version to expect: the word is the route's.
    #expect(send("POST", "/a/safe?if_match=3", "{}").status == 200)
    #expect(witness.seen.withLock { $0.query } == "if_match=3")
  }

  @Test func whatIsLeftOfABodyIsAsItCame() {
    for (body, left) in [
      (#"{"idempotency_key":"k"}"#, "{}"),
      (#"{"a":1.50,"idempotency_key":"k","b":"\u0041}{"}"#, #"{"a":1.50,"b":"\u0041}{"}"#),
      (
        #"{"dry_run":false,"a":{"dry_run":true,"x":[1,{"y":"]"}]}}"#,
        #"{"a":{"dry_run":true,"x":[1,{"y":"]"}]}}"#
      ),
      ("{ \"a\" : [ ] , \"idempotency\\u005fkey\" : \"k\" \n}", "{\"a\" : [ ]}"),
      (#"{"idempotency_key":null,"a":"\\","dry_run":null}"#, #"{"a":"\\"}"#),
      (#"{"idempotency_keys":"k","a":1}"#, #"{"idempotency_keys":"k","a":1}"#),
    ] {
      let answer = send("POST", "/a/safe", body)
      #expect(answer.status == 200 && witness.seen.withLock { $0.body } == left, "\(body): \(answer.body)")
      site.ledger.forget()
    }
    // What a route does not want stays: this one has no body schema, and reads what it likes.
    #expect(send("POST", "/a/strict?idempotency_key=1", #"{"idempotency_key":"k"}"#).status == 200)
    #expect(witness.seen.withLock { $0.body } == #"{"idempotency_key":"k"}"#)
  }
}
