import CouncilPlugin
import CouncilTesting
import Testing

@Suite struct SDKTests {
  private struct Tried: Automation {
    static let id = "tried", version = "1"

    enum Thing: Record {
      static let collection = "things"
      static let fields: [Field] = [.string("label")]
    }

    @Records var things: RecordsOf<Thing>

    var routes: Routes {
      POST("/", "Make") { try things.insert(["label": JSON.string("\($0.isDryRun)")] as JSON) }.dryRun()
      POST("/later", "Make later") { request async throws -> RecordJSON in
        try await Task.sleep(for: .milliseconds(1))
        return try things.insert(["label": JSON.string("\(request.isDryRun)")] as JSON)
      }.dryRun()
      POST("/always", "Always") { _ in try things.insert([:] as JSON) }
      GET("/", "Count") { _ in Response.json(["count": .integer(Int64(try things.count()))] as JSON) }
    }
  }

  @Test func whatADryRunWritesIsUndoneWhereverItsHandlerRuns() async throws {
    let host = try FakeHost(Tried.self)
    for path in ["/", "/later"] {
      let tried = try await host.call("POST", path, headers: ["Prefer": "respond-async, dry-run"])
      #expect(tried.status == 200 && tried.json["label"] == "true", "\(tried)")
      #expect(try await host.call("GET", "/").json["count"] == 0)
    }
    #expect(try await host.call("POST", "/always", headers: ["Prefer": "dry-run"]).status == 422)
    #expect(try await host.call("GET", "/").json["count"] == 0)
    for path in ["/", "/later"] {
      for header in ["dry-running", #"x="a, dry-run""#, #"x="\", dry-run""#] {
        #expect(try await host.call("POST", path, headers: ["Prefer": header]).json["label"] == "false")
      }
    }
    #expect(try await host.call("GET", "/").json["count"] == 6)
    try await host.stop()
  }

  private let host: FakeHost

  init() throws { host = try FakeHost(Workshop.self) }

  private func made(_ label: String, _ size: Int64) throws -> String {
    let made = try host.call("POST", "/tools", body: ["label": .string(label), "size": .integer(size)])
    return try #require(made.json["id"]?.string, "\(made.text)")
  }

  // MARK: Requests

  /// A task waits for a thread of the pool, and other tests may block those for as long as they take.
  private static let patience = Duration.seconds(600)

  private static let echo: JSON = [
    "method": "GET", "path": "", "id": "a/b c", "owner": "ä", "q": "x+y z", "tags": ["1", "2"],
    "header": "yes",
    "secret": nil, "principal": "agent-7", "traced": true, "soon": true, "over": false,
  ]
  private static let echoQuery = "q=x%2By+z&tag=1&tag=2"
  private static let echoHeaders = ["x-thing": "yes", "authorization": "Bearer secret"]

  @Test func readsEveryPartOfARequest() throws {
    let answer = try host.call(
      "GET", "/workshop/parts/a%2Fb%20c/of/%C3%A4?\(SDKTests.echoQuery)", headers: SDKTests.echoHeaders,
      principal: "agent-7")
    #expect(answer.json == SDKTests.echo.with("path", "/parts/a/b c/of/ä"))
  }

  @Test func readsACopyInAnAsynchronousHandler() async throws {
    let answer = try await host.call(
      "GET", "/workshop/later/a%2Fb%20c/of/%C3%A4?\(SDKTests.echoQuery)", headers: SDKTests.echoHeaders,
      principal: "agent-7", deadline: SDKTests.patience)
    #expect(answer.json == SDKTests.echo.with("path", "/later/a/b c/of/ä"))
  }

  @Test func answersHeadFromGet() throws {
    #expect(try host.call("HEAD", "/parts/1/of/2").json["method"] == "HEAD")
  }

  @Test func blamesTheAutomationForAParameterThatItsPathLacks() throws {
    let answer = try host.call("GET", "/unknown-parameter")
    #expect(answer.status == 500)
    #expect(answer.code == "plugin.unknown_parameter")
  }

  // MARK: Answers

  @Test func answersTextWithHeadersAndStatus() throws {
    let answer = try host.call("GET", "/text")
    #expect(answer.status == 203)
    #expect(answer.contentType == "text/plain; charset=utf-8")
    #expect(answer.text == "plain")
    #expect(answer.header("x-made-by") == "hand")
  }

  @Test func turnsAThrownProblemIntoTheAnswer() async throws {
    for path in ["/fail/problem", "/fail-later"] {
      let answer = try await host.call("GET", path, deadline: SDKTests.patience)
      #expect(answer.status == 418)
      #expect(answer.code == "workshop.teapot")
      #expect(answer.json["detail"] == "Short and stout.")
    }
  }

  @Test func sendsMembersOfAProblemWithoutLettingThemReplaceTheStandardOnes() throws {
    let answer = try host.call("GET", "/fail/members")
    #expect(answer.status == 409)
    #expect(answer.code == "workshop.busy")
    #expect(answer.json["by"] == "Ada")
    #expect(answer.json["status"] == 409)
  }

  @Test func keepsTheTextOfAnUnknownErrorInTheLog() throws {
    let answer = try host.call("GET", "/fail/otherwise")
    #expect(answer.status == 500)
    #expect(answer.code == "plugin.failed")
    #expect(!answer.text.contains("Boom"))
    #expect(
      host.log.contains { $0.level == .error && $0.text.contains("Boom") && $0.path == "/fail/otherwise" })
  }

  @Test(arguments: [
    ("badly", "plugin.invalid_problem"), ("badly-with-members", "plugin.invalid_problem"),
    ("header", "plugin.invalid_response"),
  ])
  func answersInThePlaceOfAnAnswerThatCannotBeSent(how: String, code: String) throws {
    let answer = try host.call("GET", "/fail/\(how)")
    #expect(answer.status == 500)
    #expect(answer.code == code)
  }

  @Test(arguments: [
    (#"{"label":"a","size":1}"#, 200, ""), (#"{"label":"a"}"#, 422, "'/size' is missing"),
    (#"{"label":"a","size":"1"}"#, 422, "'/size' has another type"), ("", 422, "it is not JSON"),
  ]) func decodesABodyOrSaysWhyNot(body: String, status: Int, reason: String) throws {
    let answer = try host.call("POST", "/decode", bytes: Array(body.utf8))
    #expect(answer.status == status)
    #expect(reason.isEmpty || answer.json["detail"]?.string?.contains(reason) == true, "\(answer.text)")
  }

  // MARK: Asynchronous handlers

  @Test func cancelsTheTaskOfARequestThatIsOver() async throws {
    let answer = try await host.call("GET", "/wait", deadline: .milliseconds(20))
    #expect(answer.status == 504)
    // Stopping waits for the task, so its last words are in the log.
    try await host.stop()
    #expect(host.log.map(\.text) == ["cancelled"])
  }

  @Test func stopsWithinTheTimeThatTheAutomationGrants() async throws {
    let stubborn = try FakeHost(Stubborn.self)
    let answer = try await stubborn.call("GET", "/hang", deadline: .milliseconds(20))
    #expect(answer.status == 504)
    await #expect(throws: FakeHost.LoadError.self) { try await stubborn.stop() }
    Stubborn.release.withLock { $0?.resume() }
  }

  @Test func handlesManyRequestsAtOnce() async throws {
    let statuses = await withTaskGroup(of: Int.self) { group in
      for number in 0..<200 {
        group.addTask { [host] in
          let answer = try? await host.call("GET", "/later/\(number)/of/x", deadline: SDKTests.patience)
          return answer?.json["id"] == .string("\(number)") ? 1 : 0
        }
      }
      return await group.reduce(0, +)
    }
    #expect(statuses == 200)
  }

  // MARK: Records

  @Test func insertsAnEncodedValueAndSaysWhereItIs() throws {
    let made = try host.call("POST", "/workshop/tools", body: ["label": "saw", "size": 3])
    #expect(made.status == 201)
    #expect(made.json["lent"] == false)
    #expect(made.header("location") == "/workshop/tools/\(made.json["id"]?.string ?? "")")
    let part = try host.call("POST", "/workshop/tools/a%20b/parts", body: ["label": "blade"])
    #expect(part.header("location") == "/workshop/tools/a%20b/parts/\(part.json["id"]?.string ?? "")")
    let named = try host.call("POST", "/named/x%2F%22", body: ["label": "axe"])
    #expect(named.json["id"] == "x/\"")
    #expect(named.header("location")?.hasSuffix("/x%2F%22") == true)
  }

  @Test func readsSomeFields() throws {
    let id = try made("saw", 3)
    #expect(try host.call("GET", "/tools/\(id)/label").json == ["label": "saw"])
  }

  @Test func replacesAndIncrements() throws {
    let id = try made("saw", 3)
    let replaced = try host.call(
      "PUT", "/tools/\(id)", headers: ["If-Match": "\"1\""], body: ["label": "axe", "size": 4])
    #expect(replaced.json["label"] == "axe")
    #expect(replaced.header("etag") == "\"2\"")
    #expect(try host.call("POST", "/tools/\(id)/grow").json["size"] == 9)
    #expect(
      try host.call("PUT", "/tools/\(id)", headers: ["If-Match": "\"1\""], body: ["label": "b", "size": 4])
        .status == 412)
  }

  @Test func refusesAnIncrementBeyondTheBound() throws {
    let id = try made("saw", 94)
    #expect(try host.call("POST", "/tools/\(id)/grow").status == 200)
    let refused = try host.call("POST", "/tools/\(id)/grow")
    #expect(refused.status == 422)
    #expect(refused.code == "records.invalid")
  }

  @Test func runsNamedQueriesCountsAndDecodes() throws {
    for (label, size) in [("saw", 3), ("axe", 30), ("pen", 10), ("awl", 20)] {
      _ = try made(label, Int64(size))
    }
    let large = try host.call("GET", "/large?size=10")
    #expect(large.json["items"]?.array?.compactMap { $0["label"]?.string } == ["axe", "awl"])
    #expect(large.json["next"]?.string != nil)
    #expect(try host.call("GET", "/large?size=much").code == "request.query_parameter_invalid")
    #expect(try host.call("GET", "/count").json["count"] == 3)
    #expect(try host.call("GET", "/decoded").json["labels"] == ["saw", "axe", "pen", "awl"])
  }

  @Test func derivesAListingFromIndexedFields() throws {
    for (label, size) in [("saw", 3), ("axe", 3), ("pen", 1)] { _ = try made(label, Int64(size)) }
    let list = try host.call("GET", "/tools?size=3&order=-label")
    #expect(list.json["items"]?.array?.compactMap { $0["label"]?.string } == ["saw", "axe"])
    #expect(try host.call("GET", "/tools?lent=true").status == 400)
  }

  @Test func runsABatchWholeOrNotAtAll() throws {
    let refused = try host.call("POST", "/batch?delete=nobody")
    #expect(refused.status == 404)
    #expect(try host.call("GET", "/jobs").json["items"]?.array?.count == 0)
    let done = try host.call("POST", "/batch")
    let results = try #require(done.json["results"]?.array)
    #expect(results.count == 5)
    #expect(results[1]["size"] == 2)
    #expect(results[2]["label"] == "patched")
    #expect(results[4] == .null)
    #expect(try host.call("GET", "/jobs").json["items"]?.array?.count == 1)
  }

  @Test func letsAHandlerCatchWhatRecordsThrow() throws {
    #expect(try host.call("DELETE", "/quiet/nobody").status == 204)
    #expect(host.log == [.init(.warning, "records.not_found 404")])
  }

  @Test func deniesAWriteFromAnInlineHandler() throws {
    let refused = try host.call("POST", "/inline", body: ["label": "saw"])
    #expect(refused.status == 403)
    #expect(refused.code == "records.denied")
  }

  @Test func releasesWhateverTheHostHandedOver() throws {
    _ = try made("saw", 3)
    _ = try host.call("GET", "/tools")
    _ = try host.call("POST", "/tools", body: ["label": "saw", "size": 1])
    _ = try host.call("GET", "/decoded")
    #expect(host.unreleased == 0)
  }

  @Test func refusesRecordsOutsideOfAHost() {
    let error = #expect(throws: ProblemError.self) { try Workshop().tools.get("x") }
    #expect(error?.code == "plugin.not_running")
  }

  // MARK: Life

  @Test func decodesItsConfiguration() throws {
    #expect(try host.call("GET", "/greeting").json == ["greeting": "Hello"])
    let other = try FakeHost(Workshop.self, config: ["greeting": "Moin"])
    #expect(try other.call("GET", "/greeting").json == ["greeting": "Moin"])
    let limited = try FakeHost(Workshop.self, config: ["limit": 5])
    #expect(try limited.call("GET", "/greeting").json == ["greeting": "Hello", "limit": 5])
    // What was loaded before goes on as it was.
    #expect(try host.call("GET", "/greeting").json == ["greeting": "Hello"])
  }

  @Test func refusesAConfigurationThatDoesNotFit() throws {
    let error = #expect(throws: FakeHost.LoadError.self) {
      _ = try FakeHost(Workshop.self, config: ["greeting": "Moin", "limit": 1.5])
    }
    #expect(error?.description.contains("/limit") == true)
  }

  @Test func givesTheReasonOfACreateOrActivateThatFails() {
    let unmade = #expect(throws: FakeHost.LoadError.self) { _ = try FakeHost(Unmade.self) }
    #expect(unmade?.description.contains("no such machine") == true)
    let inactive = #expect(throws: FakeHost.LoadError.self) { _ = try FakeHost(Inactive.self) }
    #expect(inactive?.description.contains("not today") == true)
  }

  @Test func refusesTwoRoutesWithOneName() {
    let error = #expect(throws: FakeHost.LoadError.self) { _ = try FakeHost(Repeating.self) }
    #expect(error?.description.contains("get_it") == true)
  }
}

private struct Stubborn: Automation {
  static let id = "stubborn", version = "1"
  static let stopTimeout = Duration.milliseconds(10)
  static let release = Guarded<CheckedContinuation<Void, Never>?>(nil)
  var routes: Routes {
    GET("/hang", "Hang") { _ in
      await withCheckedContinuation { continuation in Stubborn.release.withLock { $0 = continuation } }
      return NoContent()
    }
  }
}

private struct Unmade: Automation {
  static let id = "unmade", version = "1"
  init() throws { throw ProblemError(500, "x", "no such machine") }
  var routes: Routes { GET("/", "Nothing") { _ in NoContent() } }
}

private struct Inactive: Automation {
  static let id = "inactive", version = "1"
  func activate() throws { throw ProblemError(500, "x", "not today") }
  var routes: Routes { GET("/", "Nothing") { _ in NoContent() } }
}

private struct Repeating: Automation {
  static let id = "repeating", version = "1"
  var routes: Routes {
    GET("/a", "Get it") { _ in NoContent() }
    GET("/b", "Get it!") { _ in NoContent() }
  }
}
