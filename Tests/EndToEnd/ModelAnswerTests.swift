import Kernel
import Patience
import Testing

/// Answers sized for models, over HTTP: fields, budgets, links, Markdown, and calls that last.
@Suite struct ModelAnswerTests {
  private static func accounts(_ count: Int, settings: String = "") throws -> (
    HostUnderTest, String, [String]
  ) {
    let host = try HostUnderTest(load: [HostUnderTest.accounts], settings: settings)
    let key = try host.issueKey(["accounts:*"])
    let ids = Monitor<[String]>([])
    let threads = (0..<8).map { part in
      OSThread("maker-\(part)") {
        guard let connection = Connection(port: host.port) else { return }
        for number in stride(from: part, to: count, by: 8) {
          // Some names are of other scripts: characters and bytes are not the same.
          let name = number % 10 == 0 ? "Zoë 漢字 \(number)" : "a\(number)"
          let body =
            #"{"name":"\#(name)","email":"a\#(number)@example.org","balance":\#(number % 7),"currency":"EUR"}"#
          let answer = connection.request("POST", "/accounts/", key: key, body: body)
          if let id = answer?.json?["id"]?.string { ids.withLock { $0.append(id) } }
        }
      }
    }
    for thread in threads { thread.join() }
    let made = ids.withLock { $0 }
    #expect(made.count == count)
    return (host, key, made)
  }

  @Test(arguments: ["created_at", "-balance", "name"])
  func fiveThousandAccountsFitPageByPageIntoTwoThousandCharacters(order: String) throws {
    let (host, key, made) = try ModelAnswerTests.accounts(order == "created_at" ? 5000 : 500)
    let connection = try #require(Connection(port: host.port))
    var seen: [String] = []
    var target: String? = "/accounts/?limit=100&order=\(order)&max_chars=2000"
    var pages = 0
    while let here = target, pages <= made.count {
      let page = try #require(connection.request("GET", here, key: key))
      #expect(page.status == 200 && page.body.unicodeScalars.count <= 2000, "\(page.body)")
      let items = try #require(page.json?["items"]?.array, "\(page.body)")
      #expect(!items.isEmpty)
      seen += items.compactMap { $0["id"]?.string }
      pages += 1
      let next = page.json?["next"]?.string
      #expect((next != nil) == (page.headers["link"] != nil))
      // By the header alone, as a client that knows nothing else would.
      target = page.headers["link"].map { String($0.dropFirst().prefix { $0 != ">" }) }
      if let next { #expect(target?.contains("after=" + PercentText.component(next)) == true) }
    }
    #expect(seen.count == made.count && Set(seen) == Set(made), "by \(order), \(pages) pages")
    #expect(host.stop() == 0)
  }

  @Test func recordsThatComeAndGoMeanwhileNeitherRepeatNorHideOthers() throws {
    let (host, key, made) = try ModelAnswerTests.accounts(200)
    let connection = try #require(Connection(port: host.port))
    var seen: [String] = []
    var deleted: Set<String> = []
    var after = ""
    repeat {
      let page = try #require(
        connection.request("GET", "/accounts/?limit=50&max_chars=1500&order=created_at\(after)", key: key))
      let ids = (page.json?["items"]?.array ?? []).compactMap { $0["id"]?.string }
      seen += ids
      // The last record of the page, where the cursor stands.
      if let last = ids.last {
        #expect(try host.confirm("DELETE", "/accounts/\(last)", key: key).status == 204)
        deleted.insert(last)
      }
      after = page.json?["next"]?.string.map { "&after=" + PercentText.component($0) } ?? ""
    } while !after.isEmpty && seen.count <= 400
    #expect(seen.count == 200 && Set(seen) == Set(made) && !deleted.isEmpty)
  }

  @Test func theKeyAndTheHostHaveTheirSay() throws {
    let (host, key, _) = try ModelAnswerTests.accounts(60, settings: "answers:\n  max_characters: 3000\n")
    let whole = try host.call("GET", "/accounts/?limit=60", key: key)
    #expect(
      whole.body.unicodeScalars.count <= 3000 && whole.headers["answer-truncated"] == "answers.max_characters"
    )
    let issued = host.command([
      "keys", "issue", "--principal", "gpt", "--scope", "accounts:read", "--answer-limit", "1000",
    ])
    let small = String(issued.output.dropLast())
    let page = try host.call("GET", "/accounts/?limit=60", key: small)
    #expect(
      page.body.unicodeScalars.count <= 1000 && page.headers["answer-truncated"] == "answer_limit",
      "\(issued.said)")
    #expect(page.json?["truncated"] == "answer_limit")
    let listed = try host.admin("GET", "/keys").json?["items"]?.array ?? []
    #expect(listed.contains { $0["answer_limit"]?.integer == 1000 })
  }

  @Test func fieldsAndMarkdownGoTogether() throws {
    let (host, key, _) = try ModelAnswerTests.accounts(3)
    let page = try host.call(
      "GET", "/accounts/?order=name&fields=name,balance", key: key, headers: ["Accept: text/markdown"])
    #expect(page.headers["content-type"] == "text/markdown; charset=utf-8")
    let lines = page.body.split(separator: "\n")
    #expect(lines.count == 5 && lines[0] == "| id | name | balance |", "\(page.body)")
    let unknown = try host.call("GET", "/accounts/?fields=color", key: key)
    #expect(unknown.status == 400 && unknown.code == "request.field_unknown", "\(unknown.body)")
    #expect(unknown.json?["known"]?.array?.contains("email") == true)
    let id = try #require(
      try host.call("GET", "/accounts/?limit=1", key: key).json?["items"]?.array?[0]["id"]?.string)
    let one = try host.call("GET", "/accounts/\(id)?fields=email", key: key)
    #expect(one.json?.object?.keys.sorted() == ["email", "id"] && one.headers["etag"] != nil)
  }

  /// SplitMix64.
  private struct Dice: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var word = state
      word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
      word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
      return word ^ (word >> 31)
    }
  }

  @Test func whateverTheParametersSayTheAnswerIsSoundOrARefusal() throws {
    let (host, key, _) = try ModelAnswerTests.accounts(40)
    let connection = try #require(Connection(port: host.port))
    var dice = Dice(state: 20_261_120)
    let names = [
      "fields", "max_chars", "max_bytes", "max_tokens", "limit", "after", "order", "%66ields", "max%5Fchars",
      "x",
    ]
    let values = [
      "", "0", "1", "64", "500", "1e9", "1000000000", "99999999999999999999", "-1", "id", "name,balance",
      "a.b.c", ",",
      "%2C", ".", "id.", "%00", "%FF", "%22", "name%20", "%E2%82%AC", "name", "-name", "[]", "*", "%3Cid%3E",
      "id,id",
    ]
    let accepts = [
      "*/*", "text/markdown", "text/markdown;q=0.1", ",;q", "application/json;q=0", "text/*;q=1;q=0",
    ]
    let prefers = [
      "max-chars=300", "max-tokens=", "respond-async", "max-bytes=\"400\"", ";;=,", "max-chars=1",
    ]
    for round in 0..<2000 {
      let query = (0..<Int.random(in: 0...4, using: &dice)).map { _ in
        "\(names.randomElement(using: &dice)!)=\(values.randomElement(using: &dice)!)"
      }
      let target = "/accounts/?" + query.joined(separator: "&")
      let answer = try #require(
        connection.request(
          round % 9 == 0 ? "HEAD" : "GET", target, key: key,
          headers: [
            "Accept: \(accepts.randomElement(using: &dice)!)",
            "Prefer: \(prefers.randomElement(using: &dice)!)",
          ]), "\(target)")
      #expect((200..<500).contains(answer.status), "\(target): \(answer)")
      if round % 9 == 0 { continue }
      if answer.headers["content-type"]?.hasPrefix("text/markdown") == true {
        #expect(
          answer.body.hasPrefix("| ") || answer.body.hasPrefix("**") || answer.body.hasPrefix("No records"),
          "\(target): \(answer)")
      } else {
        #expect(answer.json != nil, "\(target): \(answer)")
      }
    }
    #expect(host.stop() == 0)
  }

  // MARK: Jobs

  private static let sleeper =
    #"{"id":"hog","version":"1","routes":[{"method":"GET","path":"/a","operation":"a"},"#
    + #"{"method":"GET","path":"/b","operation":"b"},"#
    + #"{"method":"GET","path":"/sleep","operation":"sleep","summary":"Sleep","deadline_ms":60000,"#
    + #""query":{"type":"object","properties":{"ms":{"type":"integer"}}},"response":{"type":"object"}},"#
    + #"{"method":"GET","path":"/c","operation":"c"},"#
    + #"{"method":"POST","path":"/sleep","operation":"change","deadline_ms":60000,"#
    + #""query":{"type":"object","properties":{"ms":{"type":"integer"}}}}]}"#

  private func poll(_ host: HostUnderTest, _ path: String, _ key: String) -> Connection.Answer? {
    var last: Connection.Answer?
    _ = eventually {
      last = try? host.call("GET", path, key: key)
      return last?.status != 202
    }
    return last
  }

  /// How many rows of the trail hold a text, once there are so many: a row may be written after its answer is sent.
  private func auditRows(_ host: HostUnderTest, _ text: String, atLeast count: Int) -> Int {
    var found = 0
    _ = eventually {
      let read = host.command(["audit", "read", "--limit", "1000"])
      found = read.output.split(separator: "\n").count { $0.contains(text) }
      return found >= count
    }
    return found
  }

  @Test func aCallThatLastsBecomesAJobThatIsPolled() throws {
    let host = try HostUnderTest(
      load: [Fixtures.plugin("hog", manifest: ModelAnswerTests.sleeper)],
      settings: "answers:\n  job_after_ms: 50\n")
    let (key, other) = (try host.issueKey(["hog:read"]), try host.issueKey(["hog:read"]))
    let quick = try host.call("GET", "/hog/sleep?ms=0", key: key)
    #expect(quick.status == 200 || quick.status == 202, "\(quick)")
    let accepted = try host.call("GET", "/hog/sleep?ms=1500", key: key)
    #expect(accepted.status == 202, "\(accepted)")
    let path = try #require(accepted.headers["location"])
    #expect(path == "/jobs/" + (accepted.json?["job"]?.string ?? ""))
    #expect(try host.call("GET", path, key: other).code == "job.not_found")
    let ended = poll(host, path, key)
    #expect(
      ended?.status == 200 && ended?.headers["content-type"] == "application/json",
      "\(String(describing: ended))")
    #expect(try host.call("DELETE", path, key: key).status == 204)
    #expect(try host.call("GET", path, key: key).code == "job.not_found")

    let asked = try host.call("GET", "/hog/sleep?ms=60000", key: key, headers: ["Prefer: respond-async"])
    let running = try #require(asked.headers["location"])
    #expect(asked.status == 202 && asked.headers["preference-applied"] == "respond-async")
    #expect(try host.call("DELETE", running, key: key).status == 204)
    #expect(try host.call("GET", running, key: key).status == 404)
  }

  private static let manyJobs = "answers:\n  job_after_ms: 50\nroutes:\n  deadline_ms: 50\n"

  private func jobs(_ host: HostUnderTest) throws -> [String] {
    let text = try #require(Connection(port: host.adminPort)?.request("GET", "/metrics")).body
    return text.split(separator: "\n").filter { $0.hasPrefix("council_jobs{") }.map(String.init).sorted()
  }

  @Test func aCallByNameThatLastsIsFetchedByName() throws {
    let host = try HostUnderTest(
      load: [Fixtures.plugin("hog", manifest: ModelAnswerTests.sleeper)], settings: ModelAnswerTests.manyJobs)
    let key = try host.issueKey(["hog:read"])
    func call(_ name: String, _ arguments: String) throws -> Connection.Answer {
      try host.call(
        "POST", "/functions/call", key: key, headers: ["Content-Type: application/json"],
        body: #"{"name":"\#(name)","arguments":\#(arguments)}"#)
    }
    #expect(try jobs(host) == [#"council_jobs{state="kept"} 0"#, #"council_jobs{state="running"} 0"#])
    let accepted = try call("hog_sleep", #"{"ms":1000}"#)
    #expect(accepted.status == 202 && accepted.json?["status"] == 202, "\(accepted)")
    let job = try #require(accepted.json?["result"]?["job"]?.string)
    #expect(try jobs(host) == [#"council_jobs{state="kept"} 0"#, #"council_jobs{state="running"} 1"#])
    // One look: it waits.
    let ended = try call("jobs_get", #"{"job":"\#(job)"}"#)
    #expect(
      ended.status == 200 && ended.json?["ok"] == true && ended.json?["result"]?["job"] == nil, "\(ended)")
    #expect(try jobs(host) == [#"council_jobs{state="kept"} 1"#, #"council_jobs{state="running"} 0"#])
    #expect(try call("jobs_cancel", #"{"job":"\#(job)"}"#).json?["status"] == 204)
    #expect(try call("jobs_get", #"{"job":"\#(job)"}"#).status == 404)
    // A look in vain ends in time, and the job with the host that is told to stop.
    let other = try call("hog_sleep", #"{"ms":30000}"#)
    let running = try #require(other.json?["result"]?["job"]?.string)
    let look = try host.call("GET", "/jobs/\(running)", key: key, headers: ["Prefer: wait=1"])
    #expect(look.status == 202 && look.json?["job"]?.string == running)
    #expect(try call("jobs_cancel", #"{"job":"\#(running)"}"#).status == 200)

    // The 202, two looks (the second after a cancel), and its end.
    #expect(auditRows(host, #""job":"\#(job)""#, atLeast: 4) == 4)
  }

  @Test func aCallWithAKeyThatLastsIsAnsweredFromTheLedgerAfterwards() throws {
    let host = try HostUnderTest(
      load: [Fixtures.plugin("hog", manifest: ModelAnswerTests.sleeper)], settings: ModelAnswerTests.manyJobs)
    let key = try host.issueKey(["hog:*"])
    func send(_ more: [String] = []) throws -> Connection.Answer {
      try host.call("POST", "/hog/sleep?ms=1500", key: key, headers: ["Idempotency-Key: one"] + more)
    }
    let accepted = try send()
    let path = try #require(accepted.headers["location"], "\(accepted)")
    let again = try send()
    #expect(again.status == 409 && again.code == "idempotency.in_progress", "\(again)")
    #expect(again.json?["poll"]?.string == path)
    let ended = try #require(poll(host, path, key))
    let replayed = try send()
    #expect(ended.status == 200 && replayed.body == ended.body, "\(replayed)")
    #expect(replayed.headers["idempotency-replayed"] == "true")
    // Also from the next host, which knows nothing of the job.
    let old = host.servingPID
    #expect(try host.admin("POST", "/host/upgrade").status == 200)
    #expect(host.successor(of: old) != nil)
    #expect(try host.call("GET", path, key: key).code == "job.lost")
    #expect(try send().headers["idempotency-replayed"] == "true")
    #expect(auditRows(host, #""replayed":true"#, atLeast: 2) == 2)
    #expect(host.stop() == 0)
  }

  @Test func aHandOverLetsAJobEndAndTheNextHostSaysThatItsAnswerIsLost() throws {
    let host = try HostUnderTest(
      load: [Fixtures.plugin("hog", manifest: ModelAnswerTests.sleeper)],
      settings: "answers:\n  job_after_ms: 50\n")
    let key = try host.issueKey(["hog:read"])
    let accepted = try host.call("GET", "/hog/sleep?ms=3000", key: key)
    let path = try #require(accepted.headers["location"], "\(accepted)")
    let old = host.servingPID
    #expect(try host.admin("POST", "/host/upgrade").status == 200)
    #expect(host.successor(of: old) != nil)
    let lost = try host.call("GET", path, key: key)
    #expect(lost.status == 410 && lost.code == "job.lost", "\(lost)")
    #expect(eventually { !System.lives(old) })
    #expect(host.stop() == 0)
  }
}
