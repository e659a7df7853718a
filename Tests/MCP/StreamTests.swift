import Application
import Domain
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

  private func call(
    _ site: MCPSite, token: String? = nil, arguments: String = "{}", key: String? = nil
  ) -> (answer: MCPSite.Answer, messages: [JSONValue]) {
    let meta =
      #""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}"#
      + (token.map { ",\"progressToken\":\($0)" } ?? "")
    let answer = site.post(
      #"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"things_watch_things","arguments":\#(arguments),"_meta":{\#(meta)}}}"#,
      key: key ?? site.owner, headers: MCPSite.routing("tools/call", "things_watch_things"))
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
      cut?["result"]?["content"]?.array?.last?["text"]
        == "Cut off here: mcp.max_stream_bytes allows 1024 bytes.")
  }

  private static let events = (0..<200).map { "data: {\"n\": \($0), \"name\": \"\u{e9}\"}\n\n" }
  private static let lines = (0..<200).map { "{\"n\": \($0), \"name\": \"\u{e9}\"}\n" }

  /// What a result says, all of it; whether it says that it was cut; and that what it says is the beginning of `lines`, up
  /// to the end of one.
  private func said(
    _ message: JSONValue?, by lines: [String] = StreamTests.lines
  ) -> (characters: Int, note: String?, isPrefix: Bool) {
    let texts = message?["result"]?["content"]?.array?.compactMap { $0["text"]?.string } ?? []
    let text = texts.first ?? "none"
    let count = text.split(separator: "\n").count
    return (
      texts.reduce(0) { $0 + $1.unicodeScalars.count }, texts.count == 2 ? texts[1] : nil,
      text == lines.prefix(count).joined()
    )
  }

  @Test(arguments: [AnswerStream.Kind.events, .bytes], [256, 600, 1000, 5000])
  func aResultIsAsLongAsItsKeyMayHaveIt(kind: AnswerStream.Kind, limit: Int) throws {
    let isEvents = kind == .events
    let site = MCPSite(
      behaviour: StreamTests.streams(kind, isEvents ? StreamTests.events : StreamTests.lines))
    let key = try site.keys.issue(
      .init(principal: "p", name: "n", scopes: ["things:*"], answerLimit: limit)
    ).key.text
    let (answer, messages) = call(site, key: key)
    let (characters, note, isPrefix) = said(messages.last)
    #expect(note == "Cut off here: answer_limit allows \(limit) characters.", "\(answer)")
    #expect(messages.last?["id"] == 5 && messages.last?["result"]?["isError"] == nil)
    // What stands around a result alone is longer than the smallest limit.
    if limit == 256 { return #expect(characters == note?.utf8.count) }
    let sent = answer.body.unicodeScalars.count
    #expect(sent <= limit && sent > limit - 300, "\(answer)")
    if isEvents { #expect(isPrefix, "\(answer)") }
  }

  @Test(arguments: ["max_chars", "max_bytes", "max_tokens"])
  func aResultIsAsLongAsItIsAskedFor(name: String) {
    for kind in [AnswerStream.Kind.events, .bytes] {
      let isEvents = kind == .events
      let site = MCPSite(
        behaviour: StreamTests.streams(kind, isEvents ? StreamTests.events : StreamTests.lines))
      for limit in [64, 500] {
        let messages = call(site, arguments: "{\"\(name)\":\(limit)}").messages
        let (characters, note, isPrefix) = said(messages.last)
        #expect(note?.contains("\(name) allows \(limit) ") == true, "\(messages)")
        #expect(characters <= (name == "max_tokens" ? 3 * limit : limit))
        #expect(isPrefix || !isEvents)
        if limit == 500 { #expect(characters > 350, "\(messages)") }
      }
    }
  }

  /// What fits to the last character is whole, and says nothing of a limit.
  @Test func bothSidesOfALimit() {
    let line = String(repeating: "\u{e9}", count: 99)
    for (kind, piece) in [(AnswerStream.Kind.events, "data: \(line)\n\n"), (.bytes, line + "\n")] {
      let site = MCPSite(behaviour: StreamTests.streams(kind, [piece, piece, "data: x"]))
      let whole = call(
        MCPSite(behaviour: StreamTests.streams(kind, [piece, piece])), arguments: #"{"max_chars":200}"#)
      #expect(said(whole.messages.last, by: [line + "\n", line + "\n"]) == (200, nil, true))
      let cut = said(call(site, arguments: #"{"max_chars":201}"#).messages.last, by: [line + "\n"])
      #expect(cut.note == "Cut off here: max_chars allows 201 characters." && cut.characters <= 201)
      // The note has 46 characters: an event makes room for it, a text as many characters as it takes.
      #expect(cut.characters == (kind == .events ? 100 + 46 : 201))
      #expect(cut.isPrefix == (kind == .events))
    }
  }

  /// Quotes take two characters in a result, control characters six.
  @Test func aResultIsHeldToTheHostsLimitAsItIsSent() {
    var settings = HostConfiguration.MCP()
    settings.maxStreamBytes = 1 << 20
    let event = "data: " + String(repeating: "\"", count: 500) + "\n\n"
    for (kind, piece) in [
      (AnswerStream.Kind.events, event), (.bytes, String(repeating: "\u{1}", count: 500)),
    ] {
      let site = MCPSite(settings, behaviour: StreamTests.streams(kind, Array(repeating: piece, count: 110)))
      let (answer, messages) = call(site)
      #expect(answer.body.unicodeScalars.count <= 99_999 && answer.body.unicodeScalars.count > 98_000)
      #expect(said(messages.last).note == "Cut off here: answers.max_characters allows 99999 characters.")
    }
  }

  @Test func theFirstEventMayBeTooLongAlone() {
    let event = "data: " + String(repeating: "x", count: 1000) + "\n\n"
    let site = MCPSite(behaviour: StreamTests.streams(.events, [event, "data: y\n\n"]))
    let (_, messages) = call(site, token: "1", arguments: #"{"max_chars":500}"#)
    #expect(messages.count == 1, "what is left out is no progress: \(messages)")
    #expect(
      messages.last?["result"]?["content"] == [
        ["type": "text", "text": ""],
        ["type": "text", "text": "Cut off here: max_chars allows 500 characters."],
      ])
  }

  /// A piece ends anywhere, also inside a character.
  @Test func charactersComeInPieces() {
    let bytes = Array("a\u{e9}\u{20ac}\u{1f600}".utf8) + [0xFF, UInt8(ascii: "z"), 0xE2, 0x82]
    let stream = ToolStream(
      opening: [], progressToken: nil, isEvents: false, isError: false, maxBytes: 100)
    let out = Arena(capacity: 64)
    for byte in bytes { stream.translate([byte].span, into: out) }
    stream.end(byHost: false, into: out)
    #expect(String(out.span(out.all)).contains("\"a\u{e9}\u{20ac}\u{1f600}\u{FFFD}z\u{FFFD}\""))
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
    // Half of an event is none.
    #expect(
      result?["content"] == [
        ["type": "text", "text": ""],
        ["type": "text", "text": "Cut off here: mcp.max_stream_bytes allows 1024 bytes."],
      ])
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
