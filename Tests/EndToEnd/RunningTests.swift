import Kernel
import Patience
import Testing

/// Handlers that do what they should not, in a host that goes on.
@Suite struct RunningTests {
  /// Tests/Rejects/running.c with its routes; those named in `deadlines` have that many milliseconds.
  private static func plugin(deadlines: [String: Int] = [:], inline: Set<String> = []) -> String {
    let names = [
      "hello", "answers_twice", "never_answers", "fails", "pends", "keeps_request", "uses_kept_request",
      "releases",
      "arguments", "reads_everything", "problem", "headers", "records", "waits", "unknown_status",
      "other_thread_reads", "deadline", "logs", "answers_and_pends", "echoes", "opens", "closes",
    ]
    let routes = names.map { name in
      var route =
        #"{"method":"\#(name == "echoes" ? "POST" : "GET")","path":"/\#(name)","operation":"\#(name)","#
      route += #""scope":"reject:read","execution":"\#(inline.contains(name) ? "inline" : "blocking")""#
      if let deadline = deadlines[name] { route += #","deadline_ms":\#(deadline)"# }
      if name == "echoes" { route += #","body":\#(body)"# }
      return route + "}"
    }
    return Fixtures.plugin(
      "running",
      manifest:
        #"{"id":"reject","version":"1","requires":["council.http/1","council.records/1","council.log/1"],"#
        + #""records":[{"name":"things","fields":[{"name":"a","type":"string"}]}],"#
        + #""routes":[\#(routes.joined(separator: ","))]}"#)
  }

  private static let body =
    #"{"type":"object","properties":{"name":{"type":"string","maxLength":5},"count":{"type":"integer","minimum":1}},"#
    + #""required":["name"],"additionalProperties":false}"#

  private struct Site {
    let host: HostUnderTest
    let key: String

    init(_ plugin: String, settings: String = "") throws {
      host = try HostUnderTest(load: [plugin], settings: settings)
      key = try host.issueKey(["reject:*"])
    }

    func call(_ route: String, body: String? = nil, headers: [String] = []) throws -> Connection.Answer {
      try host.call(body == nil ? "GET" : "POST", "/reject/" + route, key: key, headers: headers, body: body)
    }

    /// Requests that are inside the automation now.
    var inside: Int64? {
      (try? host.admin("GET", "/automations"))?.json?["items"]?.array?.first?["requests_inside"]?.integer
    }

    /// Sends a request and leaves it there.
    func open(_ route: String) throws -> Connection {
      let connection = try #require(Connection(port: host.port))
      #expect(
        connection.send("GET /reject/\(route) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(key)\r\n\r\n"))
      return connection
    }

    func hasSaid(_ text: String) -> Bool {
      eventually { host.logLines.contains { $0["message"]?.string?.contains(text) == true } }
    }

    func expectAProblem(
      _ answer: Connection.Answer?, _ status: Int, _ code: String, location: SourceLocation = #_sourceLocation
    ) {
      #expect(answer?.status == status, "\(answer?.body ?? "no answer")", sourceLocation: location)
      #expect(answer?.code == code, "\(answer?.body ?? "no answer")", sourceLocation: location)
      #expect(answer?.headers["content-type"] == "application/problem+json", sourceLocation: location)
    }
  }

  @Test(arguments: [false, true]) func theFirstOfTwoAnswersCounts(isInline: Bool) throws {
    let site = try Site(RunningTests.plugin(inline: isInline ? ["answers_twice"] : []))
    let answer = try site.call("answers_twice")
    #expect(answer.status == 200 && answer.body == #"{"first":true}"#)
    #expect(site.hasSaid("second -2"), "the second answer was not told that it is stale")
    #expect(site.host.stop() == 0)
  }

  @Test(arguments: [false, true]) func aHandlerWithoutAnAnswerIsAnsweredFor(isInline: Bool) throws {
    let site = try Site(
      RunningTests.plugin(inline: isInline ? ["never_answers", "fails", "unknown_status"] : []))
    site.expectAProblem(try site.call("never_answers"), 500, "plugin.no_answer")
    site.expectAProblem(try site.call("fails"), 500, "plugin.failed")
    site.expectAProblem(try site.call("unknown_status"), 500, "plugin.failed")
    #expect(try site.call("hello").status == 200)
    #expect(site.hasSaid("without an answer"))
    #expect(site.host.stop() == 0)
  }

  @Test(arguments: [false, true]) func aRequestThatPendsTooLongIsCancelled(isInline: Bool) throws {
    let site = try Site(RunningTests.plugin(deadlines: ["pends": 200], inline: isInline ? ["pends"] : []))
    #expect(try site.call("closes").status == 200)
    site.expectAProblem(try site.call("pends"), 504, "handler.timeout")
    // Cancel answers too, and learns that it comes too late.
    #expect(site.hasSaid("cancelled -2"))
    // So does the thread that would have answered.
    #expect(try site.call("opens").status == 200)
    #expect(try site.call("hello").body == #"{"message":"hello"}"#)
    #expect(site.host.stop() == 0)
  }

  @Test func aStaleRequestIsRefusedAndNobodyElseIsAnswered() throws {
    let site = try Site(RunningTests.plugin())
    #expect(try site.call("keeps_request").body == "{}")
    for _ in 1...20 { #expect(try site.call("uses_kept_request").body == "-2 -2 -2") }
    #expect(try site.call("hello").body == #"{"message":"hello"}"#)
    #expect(site.host.stop() == 0)
  }

  @Test func anAnswerWhileItSaysThatItPendsIsAnAnswer() throws {
    let site = try Site(RunningTests.plugin(inline: ["pends"]))
    #expect(try site.call("answers_and_pends").body == "{}")
    #expect(try site.call("opens").status == 200)
    #expect(try site.call("pends").body == #"{"later":true}"#)
    site.expectAProblem(try site.call("problem"), 409, "reject.problem")
    #expect(site.host.stop() == 0)
  }

  /// Both workers hang in their handlers: the callers get 504, other requests find other workers.
  @Test func handlersThatHangDoNotStopTheOthers() throws {
    let site = try Site(
      RunningTests.plugin(deadlines: ["waits": 300]), settings: "workers:\n  threads: 2\n  queue: 16\n")
    #expect(try site.call("closes").status == 200)
    for _ in 1...3 {
      let hanging = try (0..<2).map { _ in try site.open("waits") }
      for connection in hanging { site.expectAProblem(connection.answer(), 504, "handler.timeout") }
      for _ in 1...5 { #expect(try site.call("hello").status == 200) }
    }
    #expect(try site.call("opens").status == 200)
    #expect(try site.call("waits").body == "{}")
    #expect(site.host.stop() == 0)
  }

  /// In a process of its own a plugin has another queue: IsolationTests fills that.
  @Test(.disabled(if: HostUnderTest.isIsolated)) func aFullQueueIsBackPressure() throws {
    let site = try Site(
      RunningTests.plugin(inline: ["opens", "closes"]), settings: "workers:\n  threads: 1\n  queue: 2\n")
    #expect(try site.call("closes").status == 200)
    // One is inside the handler and two wait: there is no room for a fourth.
    var waiting: [Connection] = []
    for inside in 1...3 {
      let isIn = eventually {
        if (site.inside ?? 0) >= inside { return true }
        if let connection = try? site.open("waits") { waiting.append(connection) }
        // The one that was just opened is refused where another has taken its place: then one more is asked for.
        for _ in 0..<40 where (site.inside ?? 0) < inside { System.pause(.milliseconds(5)) }
        return (site.inside ?? 0) >= inside
      }
      #expect(isIn)
    }
    let connection = try #require(Connection(port: site.host.port))
    for _ in 1...3 {
      let refused = connection.request("GET", "/reject/hello", key: site.key)
      site.expectAProblem(refused, 503, "automation.overloaded")
      #expect(refused?.headers["retry-after"] == "1")
    }
    // What runs on the event threads goes on, and lets the others go.
    #expect(try site.call("opens").status == 200)
    let statuses = waiting.compactMap { $0.answer()?.status }
    #expect(
      statuses.filter { $0 == 200 }.count == 3 && statuses.allSatisfy { $0 == 200 || $0 == 503 },
      "\(statuses)")
    #expect(connection.request("GET", "/reject/hello", key: site.key)?.status == 200)
    #expect(site.host.stop() == 0)
  }

  @Test func aBodyThatBreaksTheSchemaNeverReachesTheHandler() throws {
    let site = try Site(RunningTests.plugin())
    let good = #"{"name":"Ada","count":1}"#
    #expect(try site.call("echoes", body: good).body == good)
    for (body, pointers) in [
      (#"{}"#, [""]), (#"{"name":5}"#, ["/name"]), (#"{"name":"abcdef"}"#, ["/name"]),
      (#"{"name":"a","count":0}"#, ["/count"]), (#"{"name":"a","other":1}"#, ["/other"]), ("[]", [""]),
      (#"{"name":1,"count":"x"}"#, ["/name", "/count"]),
    ] {
      let refused = try site.call("echoes", body: body)
      site.expectAProblem(refused, 422, "request.body_invalid")
      let errors = refused.json?["errors"]?.array ?? []
      #expect(Set(errors.compactMap { $0["pointer"]?.string }) == Set(pointers), "\(body): \(refused.body)")
      #expect(errors.allSatisfy { $0["message"]?.string?.isEmpty == false }, "\(refused.body)")
    }
    site.expectAProblem(try site.call("echoes", body: "{"), 400, "request.json_invalid")
    site.expectAProblem(try site.call("echoes", body: ""), 400, "request.body_missing")
    #expect(site.host.stop() == 0)
  }
}
