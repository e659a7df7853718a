import Application
import Doubles
import Kernel
import Testing

@testable import MCP

/// Tools whose route answers with a stream.
@Suite struct StreamTests {
  /// A handler that streams these pieces, and then ends, or leaves it to the host.
  private static func streams(
    _ kind: AnswerStream.Kind, _ pieces: [String], status: Int = 200, ends: Bool = true
  ) -> FakePlugin.Behaviour {
    .runs { exchange in
      _ = exchange.claim(exchange.handle)
      exchange.status = status
      exchange.addHeader("Content-Type", kind == .events ? "text/event-stream" : "text/plain")
      guard let stream = try? exchange.beginStream(kind) else { return }
      for piece in pieces { stream.write(piece) }
      if ends { stream.end() } else { stream.stop() }
    }
  }

  private func call(_ site: MCPSite, token: String? = nil) -> (answer: MCPSite.Answer, messages: [JSONValue])
  {
    let meta =
      #""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}"#
      + (token.map { ",\"progressToken\":\($0)" } ?? "")
    let answer = site.post(
      #"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"things_watch_things","_meta":{\#(meta)}}}"#,
      key: site.owner, headers: MCPSite.routing("tools/call", "things_watch_things"))
    let messages = answer.body.split(separator: "\n").compactMap { line in
      line.hasPrefix("data: ") ? try? JSONValue.parse(Array(line.dropFirst(6).utf8).span) : nil
    }
    return (answer, messages)
  }

  @Test func eventsAreProgressAndTheirTextTheResult() {
    let site = MCPSite(
      behaviour: StreamTests.streams(
        .events, ["data: one\n\nda", "ta: two\ndata: lines\r\n\r\n: no\n\nid: 3\n\n"]))
    let (answer, messages) = call(site, token: "\"p\"")
    #expect(
      answer.header("Content-Type") == "text/event-stream" && answer.header("X-Accel-Buffering") == "no")
    #expect(messages.count == 3, "\(answer)")
    #expect(messages.dropLast().allSatisfy { $0["method"] == "notifications/progress" })
    #expect(messages.dropLast().map { $0["params"]?["progress"] } == [1, 2])
    #expect(messages.dropLast().map { $0["params"]?["message"] } == ["one", "two\nlines"])
    #expect(messages.dropLast().allSatisfy { $0["params"]?["progressToken"] == "p" })
    let result = messages.last?["result"]
    #expect(messages.last?["id"] == 5 && result?["resultType"] == "complete")
    #expect(
      result?["content"] == [["type": "text", "text": "one\ntwo\nlines\n"]] && result?["isError"] == nil)
  }

  @Test func whoWantsNoProgressHearsOfNone() {
    let site = MCPSite(behaviour: StreamTests.streams(.bytes, ["a\u{e9}", "b\n"]))
    for token in [nil, "{}", "1.5", "null"] {
      let messages = call(site, token: token).messages
      #expect(
        messages.count == 1 && messages[0]["result"]?["content"] == [["type": "text", "text": "a\u{e9}b\n"]])
    }
  }

  @Test func whatIsTooLongIsCutAndSaysSo() {
    var settings = HostConfiguration.MCP()
    settings.maxStreamBytes = 1024
    let text = String(repeating: "x", count: 1024)
    let fits = call(MCPSite(settings, behaviour: StreamTests.streams(.bytes, [text]))).messages.last
    #expect(fits?["result"]?["content"]?.array?.count == 1)
    let cut = call(MCPSite(settings, behaviour: StreamTests.streams(.bytes, [text, "y"]))).messages.last
    #expect(cut?["result"]?["content"]?.array?.first?["text"]?.string == text)
    #expect(
      cut?["result"]?["content"]?.array?.last?["text"]?.string?.contains("cut after 1024 bytes") == true)
  }

  @Test func errorsStayErrors() {
    let failed = call(MCPSite(behaviour: StreamTests.streams(.events, ["data: no\n\n"], status: 500)))
      .messages.last
    #expect(failed?["result"]?["isError"] == true)
    let ended = call(MCPSite(behaviour: StreamTests.streams(.events, ["data: a\n\n"], ends: false))).messages
      .last
    #expect(ended?["result"]?["isError"] == true, "the host ended it")
  }

  /// What a stream that ends by the host tells its caller, and that its handler is told.
  @Test func whatIsCutEndsThere() {
    var settings = HostConfiguration.MCP()
    settings.maxStreamBytes = 1024
    let line = "data: " + String(repeating: "x", count: 100) + "\n"
    let endless = FakePlugin.Behaviour.runs { exchange in
      _ = exchange.claim(exchange.handle)
      exchange.status = 200
      exchange.addHeader("Content-Type", "text/event-stream")
      guard let stream = try? exchange.beginStream(.events) else { return }
      // One event without an end.
      for _ in 0..<20 { stream.write(line) }
    }
    let site = MCPSite(settings, behaviour: endless)
    let (answer, messages) = call(site)
    let result = messages.last?["result"]
    #expect(messages.last?["id"] == 5 && result?["isError"] == nil, "\(answer)")
    #expect(result?["content"]?.array?.first?["text"]?.string?.utf8.count == 1024)
    #expect(result?["content"]?.array?.last?["text"]?.string?.contains("cut after 1024 bytes") == true)
  }

  @Test func noEventGrowsBeyondTheLimit() {
    let stream = ToolStream(opening: [], progressToken: "1", isEvents: true, isError: false, maxBytes: 100)
    let out = Arena(capacity: 64)
    stream.translate(("data: " + String(repeating: "y", count: 98) + "\n").utf8.span, into: out)
    #expect(stream.wantsMore)
    stream.translate("data: z\n".utf8.span, into: out)
    #expect(stream.wantsMore, "98, a line end, and one more")
    stream.translate("data:\n".utf8.span, into: out)
    #expect(!stream.wantsMore)
    // Neither does a line.
    let line = ToolStream(opening: [], progressToken: nil, isEvents: true, isError: false, maxBytes: 100)
    line.translate(String(repeating: "z", count: 116).utf8.span, into: out)
    #expect(line.wantsMore)
    line.translate("z".utf8.span, into: out)
    #expect(!line.wantsMore)
  }

  /// The caller reads events, whatever the handler writes: the host may end them well, and write comments between them.
  @Test func bytesBecomeEventsThatTheHostMayEnd() throws {
    let site = MCPSite(
      behaviour: .runs { exchange in
        _ = exchange.claim(exchange.handle)
        exchange.status = 200
        (try? exchange.beginStream(.bytes))?.write("abc")
      })
    let name = "things_watch_things"
    let exchange = site.open(
      MCPSite.message("tools/call", "\"name\":\"\(name)\""), key: site.owner,
      headers: MCPSite.routing("tools/call", name))
    exchange.stream?.stop()
    let text = MCPSite.written(exchange).split(separator: "\n").last { $0.hasPrefix("data: ") } ?? ""
    let message = try JSONValue.parse(Array(text.dropFirst(6).utf8).span)
    #expect(message["id"] == 1 && message["result"]?["isError"] == true, "\(message)")
    #expect(message["result"]?["content"]?.array?.first?["text"] == "abc")
    site.close(exchange)
  }

  @Test func bytesThatBecomeEventsAreKeptAlive() throws {
    let now = Monitor(Instant(nanoseconds: 1))
    var limits = AnswerStreams.Limits()
    limits.heartbeat = .seconds(10)
    let exchange = Exchange(slot: 0, streams: AnswerStreams(limits, now: { now.withLock { $0 } }))
    exchange.open()
    _ = exchange.claim(exchange.handle)
    let stream = try exchange.beginStream(.bytes)
    stream.write("abc")
    stream.translate(
      by: ToolStream(opening: [], progressToken: nil, isEvents: false, isError: false, maxBytes: 100))
    #expect(MCPSite.written(exchange).isEmpty)
    now.withLock { $0 = $0 + .seconds(9) }
    _ = stream.look(sendLimit: .seconds(60))
    #expect(MCPSite.written(exchange).isEmpty)
    now.withLock { $0 = $0 + .seconds(2) }
    _ = stream.look(sendLimit: .seconds(60))
    #expect(MCPSite.written(exchange) == ": keep-alive\n\n")
  }
}
