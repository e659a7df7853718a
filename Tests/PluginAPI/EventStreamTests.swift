import CouncilPlugin
import CouncilTesting
import Testing

/// Streams as an author writes and tests them.
@Suite struct EventStreamTests {
  @Test func aStreamIsItsEvents() async throws {
    let host = try FakeHost(Feed.self)
    let answer = try await host.call("GET", "/feed/three")
    #expect(answer.status == 200)
    #expect(answer.contentType == "text/event-stream")
    #expect(answer.header("X-Feed") == "yes")
    #expect(answer.events.map(\.data) == ["0", "1", "2"])
    #expect(answer.events.map(\.id) == ["0", "1", "2"])
    try await host.stop()
  }

  @Test func whatIsThrownBeforeIsAnOrdinaryAnswer() async throws {
    let host = try FakeHost(Feed.self)
    let answer = try await host.call("GET", "/feed/none")
    #expect(answer.status == 404)
    #expect(answer.code == "feed.none")
    try await host.stop()
  }

  @Test func whatIsThrownInsideIsTheLastEvent() async throws {
    let host = try FakeHost(Feed.self)
    let answer = try await host.call("GET", "/feed/breaks")
    #expect(answer.events.map(\.event) == ["", "error"])
    let problem = try JSON(parsing: Array(answer.events[1].data.utf8))
    #expect(problem["code"]?.string == "feed.broken")
    #expect(problem["status"]?.integer == 409)
    let other = try await host.call("GET", "/feed/unknown")
    #expect(other.events.count == 1)
    #expect(other.events[0].data.contains("plugin.failed"))
    #expect(!other.events[0].data.contains("secret"))
    #expect(host.log.contains { $0.text.contains("secret") })
    try await host.stop()
  }

  @Test func theBodyIsCancelledWhenTheClientLeaves() async throws {
    let host = try FakeHost(Feed.self)
    let answer = try await host.call("GET", "/feed/endless", deadline: .milliseconds(200))
    #expect(answer.events.map(\.data) == ["first"])
    // Would wait for ever for a task that goes on.
    try await host.stop()
    #expect(host.log.contains { $0.text == "over" })
  }

  @Test func theManifestSaysThatItStreams() throws {
    let host = try FakeHost(Feed.self)
    #expect(host.manifest["requires"] == ["council.http/1", "council.stream/1"])
    let routes = host.manifest["routes"]?.array ?? []
    #expect(routes.allSatisfy { $0["stream"] == true && $0["execution"] == "inline" })
    try host.stop()
  }

  private struct TriedFeed: Automation {
    static let id = "tried-feed", version = "1"
    var routes: Routes {
      POST("/", "Feed") { _ async throws in EventStream { _ in } }.dryRun()
    }
  }

  /// What it writes could not be undone: its answer leaves while it works.
  @Test func aRouteThatStreamsHasNoDryRun() throws {
    let fault = #expect(throws: FakeHost.LoadError.self) { try FakeHost(TriedFeed.self) }
    #expect("\(fault.map { "\($0)" } ?? "")".contains("/routes/0/dry_run"))
  }

  @Test func anEventIsWrittenAsTheStandardHasIt() async throws {
    let host = try FakeHost(Feed.self)
    let answer = try await host.call("GET", "/feed/forms")
    #expect(
      answer.text
        == "retry: 1500\n\ndata: \n\nid: 7\nevent: change\ndata: one\ndata: two\ndata: three\ndata: \n\n"
        + ": a comment\n: of two lines\n\nid: \ndata: {\"a\":[1,\"ä\"]}\n\n")
    #expect(
      answer.events == [
        ServerEvent(data: ""), ServerEvent(event: "change", data: "one\ntwo\nthree\n", id: "7"),
        ServerEvent(data: "{\"a\":[1,\"ä\"]}", id: ""),
      ])
    try await host.stop()
  }

  @Test func anEventThatWouldForgeAnotherIsRefused() async throws {
    let host = try FakeHost(Feed.self)
    let answer = try await host.call("GET", "/feed/forged")
    #expect(answer.events.map(\.event) == ["", "", "", "error"])
    #expect(
      answer.events.prefix(3).map(\.data) == [
        "plugin.event_invalid", "plugin.event_invalid", "plugin.event_invalid",
      ])
    #expect(answer.events[3].data.contains("plugin.event_too_long"))
    try await host.stop()
  }

}

private struct Feed: Automation {
  static let id = "feed", version = "1"
  @Log var log

  struct Broken: Error { let text = "secret" }

  var routes: Routes {
    GET("/three", "Three") { _ in
      EventStream(headers: [.init("X-Feed", "yes")]) { events in
        for number in 0..<3 { try await events.send(.init(data: "\(number)", id: "\(number)")) }
      }
    }
    GET("/none", "None") { _ -> EventStream in throw ProblemError(404, "feed.none", "There is none.") }
    GET("/breaks", "Breaks") { _ in
      EventStream { events in
        try await events.send(.init(data: "whole"))
        throw ProblemError(409, "feed.broken", "It broke.")
      }
    }
    GET("/unknown", "Unknown") { _ in EventStream { _ in throw Broken() } }
    GET("/endless", "Endless") { _ in
      EventStream { events in
        defer { log.info("over") }
        try await events.send(.init(data: "first"))
        try await Task.sleep(for: .seconds(3600))
      }
    }
    GET("/forms", "Forms") { _ in
      EventStream(retry: .milliseconds(1500)) { events in
        try await events.send(.init(data: ""))
        try await events.send(.init(event: "change", data: "one\ntwo\r\nthree\r", id: "7"))
        try await events.comment("a comment\nof two lines")
        try await events.send(.init(data: ["a": [1, "ä"]] as JSON, id: ""))
      }
    }
    GET("/forged", "Forged") { _ in
      EventStream { events in
        let forged: [ServerEvent] = [
          .init(event: "a\ndata: b", data: ""), .init(data: "", id: "a\rb"), .init(data: "", id: "a\0"),
        ]
        for event in forged {
          do { try await events.send(event) } catch let problem as ProblemError {
            try await events.send(.init(data: problem.code))
          }
        }
        try await events.send(.init(data: String(repeating: "x", count: 65_536)))
      }
    }
  }
}
