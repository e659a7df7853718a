import Kernel
import Patience
import Testing

/// Who may call, how often, and what is written down of it.
@Suite struct AccessTests {
  private let host: HostUnderTest

  init() throws { host = try HostUnderTest(load: [HostUnderTest.hello], hasDefaultLimit: true) }

  private struct IssuedKey {
    var id: String
    var text: String
  }

  private func issue(_ more: String = "", scope: String = "hello:read") throws -> IssuedKey {
    let answer = try host.admin(
      "POST", "/keys", body: #"{"principal":"tester","scopes":["\#(scope)"]\#(more)}"#)
    #expect(answer.status == 201, "\(answer.body)")
    return try key(in: answer)
  }

  private func key(in answer: Connection.Answer) throws -> IssuedKey {
    IssuedKey(
      id: try #require(answer.json?["id"]?.string, "\(answer.body)"),
      text: try #require(answer.json?["key"]?.string))
  }

  private func hello(_ key: String?) throws -> Connection.Answer {
    try host.call("GET", "/hello/x", key: key)
  }

  /// An address is written down by whoever passes it on: browsers, proxies, logs.
  @Test func aKeyInTheAddressIsNone() throws {
    let key = try issue().text
    #expect(try hello(key).status == 200)
    for name in ["key", "api_key", "apikey", "access_token", "token", "authorization", "x-api-key"] {
      for target in ["/hello/x", "/functions/call", "/mcp"] {
        let message =
          target == "/mcp"
          ? #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"hello_greet","arguments":{"name":"x"}}}"#
          : #"{"name":"hello_greet","arguments":{"name":"x"}}"#
        let isCall = target != "/hello/x"
        let answer = try host.call(
          isCall ? "POST" : "GET", "\(target)?\(name)=\(key)",
          headers: target == "/mcp" ? ["MCP-Protocol-Version: 2025-11-25"] : [], body: isCall ? message : nil)
        #expect(answer.status == 401 && answer.body.contains("key_missing"), "\(target) \(name): \(answer)")
        #expect(answer.headers["www-authenticate"]?.hasPrefix("Bearer") == true, "\(target) \(name)")
        #expect(!answer.body.contains(key), "\(answer)")
      }
    }
  }

  // MARK: The audit trail

  /// Every row there is, page by page.
  private func rows(after: Int64 = 0) throws -> [JSONValue] {
    var rows: [JSONValue] = []
    var after = after
    while true {
      let page = try host.admin("GET", "/audit?limit=1000&after=\(after)")
      rows += page.json?["items"]?.array ?? []
      guard let next = page.json?["next"]?.integer else { return rows }
      after = next
    }
  }

  @Test func everyOutcomeLeavesItsRow() throws {
    let good = try issue()
    let tight = try issue(#","limit":{"requests":1,"per_s":3600}"#)
    let other = try issue(scope: "accounts:read")
    #expect(try hello(tight.text).status == 200)
    let start = try #require(try rows().last?["seq"]?.integer)
    let calls: [(status: Int, key: IssuedKey?)] = [(401, nil), (429, tight), (403, other), (200, good)]
    var slowest: Int64 = 0
    for (status, key) in calls {
      let answer = try hello(key?.text)
      let answered = Instant.now
      #expect(answer.status == status, "\(answer.body)")
      let id = try #require(answer.headers["x-request-id"])
      var row: JSONValue?
      let isThere = eventually {
        row = (try? rows(after: start))?.first { $0["request_id"]?.string == id }
        return row != nil
      }
      #expect(isThere, "no row of the \(status)")
      slowest = max(slowest, (Instant.now - answered) / 1000)
      #expect(row?["status"]?.integer == Int64(status))
      #expect(row?["method"]?.string == "GET" && row?["path"]?.string == "/hello/x")
      #expect(row?["automation"]?.string == "hello" && row?["operation"]?.string == "greet")
      #expect(row?["generation"]?.integer == 1)
      #expect(row?["key"]?.string == key?.id)
      #expect(row?["principal"]?.string == key.map { _ in "tester" })
      #expect(row?["duration_us"]?.integer ?? -1 >= 0 && row?["time"]?.string != nil)
    }
    print("audit: the slowest of four rows was read \(slowest) µs after its answer")
    let verified = try host.admin("POST", "/audit/verify")
    #expect(verified.status == 200, "\(verified.body)")
    #expect(verified.json?["rows"]?.integer ?? 0 >= start + 4)
    #expect(host.stop() == 0)
  }

  @Test func anAdminsActsAreInTheTrail() throws {
    let key = try issue()
    #expect(try host.admin("DELETE", "/keys/\(key.id)").status == 200)
    #expect(try host.admin("DELETE", "/keys/nobodyhasit").status == 404)
    let acts = try rows().filter { $0["action"]?.string?.hasPrefix("key.") == true }
    #expect(acts.compactMap { $0["action"]?.string } == ["key.issue", "key.revoke", "key.revoke"])
    #expect(acts.compactMap { $0["status"]?.integer } == [201, 200, 404])
    #expect(acts.first?["target"]?.string == key.id && acts.first?["principal"]?.string == "admin")
    #expect(host.stop() == 0)
  }

  @Test func aRowThatWasTouchedIsFound() throws {
    let key = try issue()
    for _ in 1...10 { #expect(try hello(key.text).status == 200) }
    #expect(eventually { (try? rows().count) ?? 0 >= 11 })
    #expect(host.stop() == 0)
    let whole = CouncilCommand(["audit", "verify", "--home", host.home, "--json"])
    #expect(whole.code == 0 && whole.json?["rows"]?.integer ?? 0 >= 11, "\(whole.said)")

    let folder = host.home + "/audit"
    let file = try #require(System.names(in: folder).first { $0.hasSuffix(".jsonl") })
    var text = System.bytes("\(folder)/\(file)")
    let lines = text.split(separator: 10, omittingEmptySubsequences: false)
    // The fifth line is the fourth row: a segment begins with its header.
    let line = lines[4]
    let seq = try #require(try JSONValue.parse(Array(line).span)["seq"]?.integer)
    let place = try #require(line.firstRange(of: Array("tester".utf8))?.lowerBound)
    text[place] ^= 1
    System.shell("chmod u+w '\(folder)/\(file)'")
    System.write(text, to: "\(folder)/\(file)")
    let touched = CouncilCommand(["audit", "verify", "--home", host.home])
    #expect(touched.code == 1, "\(touched.said)")
    #expect(
      touched.errors.contains("audit.broken") && touched.errors.contains("row \(seq)"), "\(touched.said)")
  }

  // MARK: Keys

  @Test func aKeyEndsWhenItIsTold() throws {
    let key = try issue()
    #expect(try hello(key.text).status == 200)
    #expect(try host.admin("DELETE", "/keys/\(key.id)").status == 200)
    let refused = try hello(key.text)
    #expect(refused.status == 401 && refused.headers["www-authenticate"] != nil, "\(refused.body)")

    let short = try issue(#","expires_in_s":1"#)
    #expect(eventually { (try? hello(short.text))?.status == 401 })
    let listed = try host.admin("GET", "/keys?limit=100").json?["items"]?.array ?? []
    func state(_ key: IssuedKey) -> String? { listed.first { $0["id"]?.string == key.id }?["state"]?.string }
    #expect(state(key) == "revoked" && state(short) == "expired")
    #expect(listed.allSatisfy { $0["key"] == nil })
    for wrong in [
      "", "nonsense", key.text.dropLast() + "x", "ck_000000000000_" + String(repeating: "0", count: 43),
    ] {
      #expect(try hello(String(wrong)).status == 401, "'\(wrong)'")
    }
    #expect(try host.call("GET", "/hello/x", headers: ["X-API-Key: \(host.agentKey)"]).status == 200)
    #expect(host.stop() == 0)
  }

  @Test func aRotatedKeyWorksForItsGraceAndNoLonger() throws {
    let (at, later) = (try issue(), try issue())
    let successor = try key(in: try host.admin("POST", "/keys/\(at.id)/rotate", body: #"{"grace_s":0}"#))
    #expect(try hello(at.text).status == 401)
    #expect(try hello(successor.text).status == 200)
    let other = try key(in: try host.admin("POST", "/keys/\(later.id)/rotate", body: #"{"grace_s":3600}"#))
    #expect(try hello(later.text).status == 200)
    #expect(try hello(other.text).status == 200)
    let twice = try host.admin("POST", "/keys/\(at.id)/rotate", body: #"{"grace_s":-1}"#)
    #expect(twice.status == 422, "\(twice.body)")
    #expect(host.stop() == 0)
    // What was ended stays ended.
    let next = try HostUnderTest(home: host.home)
    for (key, status) in [(at, 401), (successor, 200), (later, 200), (other, 200)] {
      #expect(try next.call("GET", "/hello/x", key: key.text).status == status)
    }
    #expect(next.stop() == 0)
  }

  @Test func aKeysTextIsNowhereButInItsAnswer() throws {
    let issued = try issue()
    let rotated = try key(in: try host.admin("POST", "/keys/\(issued.id)/rotate", body: #"{"grace_s":60}"#))
    #expect(try host.admin("PUT", "/log-level", body: #"{"level":"debug"}"#).status == 200)
    for key in [issued.text, rotated.text, host.adminKey, host.agentKey] {
      _ = try hello(key)
      _ = try host.call("GET", "/hello/x", headers: ["X-API-Key: \(key)"])
    }
    #expect(try host.admin("POST", "/audit/verify").status == 200)
    #expect(host.stop() == 0)
    for key in [issued.text, rotated.text, host.adminKey, host.agentKey] {
      // The part after the public id is the secret; a grep that finds nothing ends with 1.
      let secret = String(key.suffix(20))
      let search = CouncilCommand(
        shell: #"grep -rlF --exclude-dir=keys -- "$1" "$0""#, [host.home, secret])
      #expect(search.code == 1, "\(search.said)")
      // And that it would be found:
      #expect(
        CouncilCommand(shell: #"grep -rlF -- "$1" "$0/audit" "$0/log""#, [host.home, "hello"]).code == 0)
    }
  }

  // MARK: Limits

  @Test func theTwoHundredAndFirstRequestOfAMinuteWaits() throws {
    let key = try issue()
    let connection = try #require(Connection(port: host.port))
    for number in 1...200 {
      let answer = connection.request("GET", "/hello/x", key: key.text)
      #expect(answer?.status == 200, "number \(number): \(answer?.body ?? "no answer")")
      #expect(answer?.headers["ratelimit-policy"] == #""default";q=200;w=60"#)
      #expect(answer?.headers["ratelimit"]?.hasPrefix(#""default";r="#) == true)
    }
    // One is given back every 300 ms; none of the next ten can all be such.
    var refused: Connection.Answer?
    for _ in 1...200 where refused == nil {
      let answer = connection.request("GET", "/hello/x", key: key.text)
      if answer?.status != 200 { refused = answer }
    }
    #expect(
      refused?.status == 429 && refused?.code == "limit.exceeded", "\(refused?.body ?? "never refused")")
    #expect(refused?.headers["ratelimit"]?.hasPrefix(#""default";r=0;t="#) == true)
    #expect(Int(refused?.headers["retry-after"] ?? "") ?? 0 > 0)
    #expect(try hello(host.agentKey).status == 200, "the limit is of one key")
    #expect(host.stop() == 0)
  }

  @Test func aLimitOfAKeysOwnIsExact() throws {
    let key = try issue(#","limit":{"requests":3,"per_s":3600}"#)
    let remaining = try (1...3).map { _ in try hello(key.text).headers["ratelimit"]?.split(separator: ";")[1]
    }
    #expect(remaining == ["r=2", "r=1", "r=0"])
    for _ in 1...3 { #expect(try hello(key.text).status == 429) }
    #expect(host.stop() == 0)
  }
}
