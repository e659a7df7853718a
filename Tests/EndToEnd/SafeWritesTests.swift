import Glibc
import Kernel
import Patience
import Testing

/// Writes that are sent twice, tried, and confirmed, through a whole host that also dies in the middle of one.
@Suite(.serialized) struct SafeWritesTests {
  private static let plugin = Fixtures.plugin("safe")
  private static let patient = "supervisor:\n  crashes: 1000\n"

  private struct Site {
    let host: HostUnderTest
    let key: String

    init(_ settings: String = SafeWritesTests.patient) throws {
      host = try HostUnderTest(load: [SafeWritesTests.plugin], settings: settings)
      key = try host.issueKey(["reject:*"])
    }

    func call(
      _ method: String, _ path: String, _ headers: [String] = [], body: String? = nil
    ) throws -> Connection.Answer {
      try host.call(method, "/reject" + path, key: key, headers: headers, body: body)
    }

    func things() throws -> [String] {
      let page = try call("GET", "/")
      #expect(page.status == 200, "\(page.body)")
      return (page.json?["items"]?.array ?? []).compactMap { $0["text"]?.string }
    }

    func id(_ text: String) throws -> String {
      let items = try call("GET", "/").json?["items"]?.array ?? []
      return try #require(items.first { $0["text"]?.string == text }?["id"]?.string)
    }
  }

  private static let one = #"{"text":"one"}"#

  // MARK: The same call twice

  @Test func aHundredOfTheSameCallMakeOneRecord() throws {
    let site = try Site()
    let answers = Monitor<[Connection.Answer]>([])
    let threads = (0..<100).map { _ in
      OSThread("same-call") { [host = site.host, key = site.key] in
        let answer = Connection(port: host.port)?.request(
          "POST", "/reject/slow?wait_ms=50", key: key, headers: ["Idempotency-Key: \"same\""],
          body: SafeWritesTests.one)
        if let answer { answers.withLock { $0.append(answer) } }
      }
    }
    for thread in threads { thread.join() }
    let all = answers.withLock { $0 }
    #expect(all.count == 100)
    let made = all.filter { $0.status == 200 }
    #expect(Set(made.map(\.body)).count == 1 && made.count { $0.headers["idempotency-replayed"] == nil } == 1)
    let others = all.filter { $0.status != 200 }
    #expect(
      others.allSatisfy {
        $0.status == 409 && $0.code == "idempotency.in_progress" && $0.headers["retry-after"] == "1"
      }, "\(others.first?.body ?? "")")
    #expect(try site.things() == ["one"])
    let replayed = try site.call(
      "POST", "/slow?wait_ms=50", ["Idempotency-Key: same"], body: SafeWritesTests.one)
    #expect(replayed.status == 200 && replayed.body == made.first?.body)
    #expect(
      replayed.headers["idempotency-replayed"] == "true" && replayed.headers["idempotency-expires"] != nil)
    #expect(replayed.headers["content-type"] == "application/json" && replayed.headers["x-request-id"] != nil)
    let other = try site.call(
      "POST", "/slow?wait_ms=50", ["Idempotency-Key: same"], body: #"{"text":"two"}"#)
    #expect(other.status == 422 && other.code == "idempotency.key_reused")
    #expect(try site.things() == ["one"])
    #expect(site.host.stop() == 0)
  }

  @Test func aHostThatDiesBeforeTheAnswerDoesNotRunTheCallAgain() throws {
    let site = try Site()
    #expect(
      try site.call("POST", "/", ["Idempotency-Key: before"], body: #"{"text":"before"}"#).status == 200)
    let old = site.host.servingPID
    let thread = OSThread("dies") { [key = site.key] in
      let answer = Connection(port: site.host.port)?.request(
        "POST", "/reject/slow?wait_ms=60000", key: key, headers: ["Idempotency-Key: k"],
        body: SafeWritesTests.one)
      if answer != nil { Issue.record("the host died and answered") }
    }
    #expect(eventually { (try? site.things())?.count == 2 })
    kill(old, SIGKILL)
    thread.join()
    #expect(site.host.successor(of: old) != nil)
    let again = try site.call(
      "POST", "/slow?wait_ms=60000", ["Idempotency-Key: k"], body: SafeWritesTests.one)
    #expect(again.status == 409 && again.code == "idempotency.outcome_unknown", "\(again.body)")
    #expect(again.json?["detail"]?.string?.contains("new key") == true)
    let replayed = try site.call("POST", "/", ["Idempotency-Key: before"], body: #"{"text":"before"}"#)
    #expect(replayed.status == 200 && replayed.headers["idempotency-replayed"] == "true", "\(replayed.body)")
    #expect(try site.things().count == 2)
    // The next host of the same home remembers, too.
    #expect(site.host.stop() == 0)
    let next = try HostUnderTest(home: site.host.home, settings: SafeWritesTests.patient)
    let late = try next.call(
      "POST", "/reject/", key: site.key, headers: ["Idempotency-Key: before"], body: #"{"text":"before"}"#)
    #expect(late.body == replayed.body && late.headers["idempotency-replayed"] == "true")
    #expect(next.stop() == 0)
  }

  @Test func whileOneHostFollowsAnotherACallIsUnderWayInOneOfThem() throws {
    let site = try Site()
    let old = site.host.servingPID
    let answer = Monitor<Connection.Answer?>(nil)
    let thread = OSThread("slow") { [host = site.host, key = site.key] in
      let said = Connection(port: host.port)?.request(
        "POST", "/reject/slow?wait_ms=3000", key: key, headers: ["Idempotency-Key: k"],
        body: SafeWritesTests.one)
      answer.withLock { $0 = said }
    }
    #expect(eventually { (try? site.things()) == ["one"] })
    #expect(try site.host.admin("POST", "/host/upgrade").status == 200)
    #expect(site.host.successor(of: old) != nil)
    let during = try site.call(
      "POST", "/slow?wait_ms=3000", ["Idempotency-Key: k"], body: SafeWritesTests.one)
    #expect(during.status == 409 && during.code == "idempotency.in_progress", "\(during.body)")
    thread.join()
    #expect(answer.withLock { $0?.status } == 200)
    let later = try site.call("POST", "/slow?wait_ms=3000", ["Idempotency-Key: k"], body: SafeWritesTests.one)
    #expect(later.body == answer.withLock { $0?.body } && later.headers["idempotency-replayed"] == "true")
    #expect(site.host.stop() == 0)
  }

  @Test func aClientThatLeavesFindsItsAnswerWhenItComesBack() throws {
    let site = try Site()
    do {
      let leaving = try #require(Connection(port: site.host.port))
      let body = SafeWritesTests.one
      #expect(
        leaving.send(
          "POST /reject/slow?wait_ms=1000 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(site.key)\r\n"
            + "Idempotency-Key: k\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        ))
      #expect(eventually { (try? site.things()) == ["one"] })
    }
    var last: Connection.Answer?
    let isThere = eventually {
      last = try? site.call("POST", "/slow?wait_ms=1000", ["Idempotency-Key: k"], body: SafeWritesTests.one)
      return last?.status == 200
    }
    #expect(isThere && last?.headers["idempotency-replayed"] == "true", "\(last?.body ?? "no answer")")
    #expect(try site.things() == ["one"])
    #expect(site.host.stop() == 0)
  }

  @Test func aDeadlineLeavesTheOutcomeUnknownAndAFailureIsRemembered() throws {
    let site = try Site(SafeWritesTests.patient + "routes:\n  deadline_ms: 300\n")
    let late = try site.call("POST", "/slow?wait_ms=1500", ["Idempotency-Key: k"], body: SafeWritesTests.one)
    #expect(late.status == 504 && late.code == "handler.timeout")
    let again = try site.call("POST", "/slow?wait_ms=1500", ["Idempotency-Key: k"], body: SafeWritesTests.one)
    #expect(again.status == 409 && again.code == "idempotency.outcome_unknown", "\(again.body)")
    #expect(try site.things() == ["one"])
    for _ in 0..<2 {
      let failed = try site.call("POST", "/fails?idempotency_key=f")
      #expect(failed.status == 500 && failed.body == #"{"calls":1}"#)
    }
    #expect(try site.call("POST", "/busy", ["Idempotency-Key: b"]).status == 503)
    #expect(try site.call("POST", "/busy", ["Idempotency-Key: b"]).status == 200)
    #expect(try site.call("POST", "/strict", body: SafeWritesTests.one).code == "idempotency.key_missing")
    #expect(try site.call("POST", "/strict", body: #"{"text":"s","idempotency_key":"s"}"#).status == 200)
    #expect(site.host.stop() == 0)
  }

  /// A handler that says "again" after it wrote is not run again.
  @Test(arguments: ["none", "process"])
  func whatWasHalfDoneIsNotDoneTwice(isolation: String) throws {
    let site = try Site(SafeWritesTests.patient + "isolation:\n  default: \(isolation)\n")
    for isReplayed in [false, true] {
      let half = try site.call("POST", "/half", ["Idempotency-Key: h"], body: SafeWritesTests.one)
      #expect(half.status == 503 && (half.headers["idempotency-replayed"] == "true") == isReplayed)
    }
    #expect(try site.things() == ["one"])
    #expect(site.host.stop() == 0)
  }

  // MARK: Trying

  @Test(arguments: ["none", "process"])
  func aDryRunAnswersAndLeavesNoTrace(isolation: String) throws {
    let site = try Site(SafeWritesTests.patient + "isolation:\n  default: \(isolation)\n")
    for path in ["/", "/thread"] {
      for (headers, query) in [(["Prefer: dry-run"], ""), ([], "?dry_run=true")] {
        let tried = try site.call("POST", path + query, headers, body: SafeWritesTests.one)
        #expect(tried.status == 200 && tried.json?["text"]?.string == "one", "\(tried.body)")
        #expect(tried.headers["preference-applied"] == "dry-run")
        #expect(try site.things() == [])
      }
    }
    let inBody = try site.call("POST", "/echo", body: #"{"text":"x","dry_run":true}"#)
    #expect(inBody.body == #"{"query":"","prefer":"dry-run","body":{"text":"x"}}"#, "\(inBody.body)")
    #expect(
      try site.call("POST", "/slow", ["Prefer: dry-run"], body: SafeWritesTests.one).code
        == "dry_run.unsupported")
    #expect(try site.call("POST", "/", body: SafeWritesTests.one).status == 200)
    let id = try site.id("one")
    let gone = try site.call("DELETE", "/" + id, ["Prefer: dry-run"])
    #expect(gone.status == 204 && gone.headers["preference-applied"] == "dry-run")
    let missing = try site.call("DELETE", "/nobody", ["Prefer: dry-run"])
    #expect(missing.status == 404, "\(missing.body)")
    #expect(try site.things() == ["one"])
    #expect(site.host.stop() == 0)
  }

  // MARK: Confirming

  @Test func aDeletionIsConfirmedOnceForOneCall() throws {
    let site = try Site()
    for text in ["one", "two"] { _ = try site.call("POST", "/", body: #"{"text":"\#(text)"}"#) }
    let (one, two) = (try site.id("one"), try site.id("two"))
    let asked = try site.call("DELETE", "/" + one)
    #expect(asked.status == 428 && asked.code == "confirmation.required")
    let token = try #require(asked.json?["confirm"]?.string)
    #expect(try site.things().count == 2)
    for path in ["/" + two + "?confirm=" + token, "/" + one + "?x=1&confirm=" + token] {
      #expect(try site.call("DELETE", path).code == "confirmation.mismatch")
    }
    #expect(try site.call("POST", "/other/" + one, ["X-Confirm: \(token)"]).code == "confirmation.mismatch")
    let stranger = try site.host.issueKey(["reject:*"])
    let theirs = try site.host.call(
      "DELETE", "/reject/" + one, key: stranger, headers: ["X-Confirm: \(token)"])
    #expect(theirs.status == 428)
    // The secret is the home's: the next host knows the token.
    let old = site.host.servingPID
    #expect(try site.host.admin("POST", "/host/upgrade").status == 200)
    #expect(site.host.successor(of: old) != nil)
    #expect(try site.call("DELETE", "/\(one)?confirm=\(token)").status == 204)
    #expect(try site.things() == ["two"])
    let again = try site.call("DELETE", "/\(one)?confirm=\(token)")
    #expect(again.status == 204 && again.headers["idempotency-replayed"] == "true")
    #expect(System.shell("test $(stat -c %a '\(site.host.home)/confirm.key') = 600") == 0)
    #expect(site.host.stop() == 0)
  }

  // MARK: Versions

  /// RFC 9110, sections 8.8.3 and 13.1, on a record route of the SDK.
  @Test func recordsAreReadAndWrittenByTheirVersion() throws {
    let host = try HostUnderTest(load: [HostUnderTest.accounts])
    let key = try host.issueKey(["accounts:*"])
    func call(_ method: String, _ path: String, _ headers: [String] = [], _ body: String? = nil) throws
      -> Connection.Answer
    { try host.call(method, "/accounts/" + path, key: key, headers: headers, body: body) }
    func delete(_ path: String, _ headers: [String] = []) throws -> Connection.Answer {
      try host.confirm("DELETE", "/accounts/" + path, key: key, headers: headers)
    }
    let made = try call("POST", "", [], #"{"name":"A","email":"a@example.org","currency":"EUR"}"#)
    let id = try #require(made.json?["id"]?.string)
    #expect(made.headers["etag"] == "\"1\"")
    #expect(try call("GET", id).headers["etag"] == "\"1\"")
    for tags in ["\"1\"", "W/\"1\"", "\"7\", \"1\"", "*", "\"x\",W/\"1\""] {
      #expect(try call("GET", id, ["If-None-Match: \(tags)"]).status == 304, "\(tags)")
    }
    for tags in ["\"2\"", "1", "\"11\""] {
      #expect(try call("GET", id, ["If-None-Match: \(tags)"]).status == 200, "\(tags)")
    }
    let change = #"{"balance":1}"#
    // Compared strongly: a weak tag fits nothing.
    for tags in ["\"2\"", "W/\"1\"", "1", "\"x\"", "\"1\", \"2\"", ""] {
      #expect(try call("PATCH", id, ["If-Match: \(tags)"], change).status == 412, "\(tags)")
      #expect(try delete(id, ["If-Match: \(tags)"]).status == 412, "\(tags)")
    }
    let stale = try call("PATCH", id, ["If-Match: \"2\""], change)
    #expect(stale.code == "records.precondition_failed" && stale.json?["version"]?.integer == 1)
    #expect(stale.json?["detail"]?.string?.contains("read it again") == true, "\(stale.body)")
    for (number, path, tags) in [(2, id, "\"1\""), (3, id, "*"), (4, id, "W/\"9\", \"3\", \"x\"")] {
      let changed = try call("PATCH", path, ["If-Match: \(tags)"], change)
      #expect(changed.status == 200 && changed.headers["etag"] == "\"\(number)\"", "\(tags): \(changed.body)")
    }
    // Without headers, as a client like GPT Actions is.
    #expect(try call("PATCH", id + "?if_match=3", [], change).status == 412)
    #expect(try call("PATCH", id, [], #"{"balance":2,"if_match":4}"#).status == 200)
    #expect(try delete(id + "?if_match=4").status == 412)
    let tried = try call("PATCH", id, ["Prefer: dry-run", "If-Match: \"5\""], #"{"balance":77}"#)
    #expect(tried.json?["balance"]?.integer == 77 && tried.headers["preference-applied"] == "dry-run")
    #expect(try call("GET", id).json?["balance"]?.integer == 2)
    #expect(try delete(id + "?if_match=%225%22").status == 204)
    #expect(host.stop() == 0)
  }
}
