import Application
import Domain
import Doubles
import Kernel
import Testing

/// Functions whose route answers with a stream.
@Suite struct FunctionStreamTests {
  private final class Kept: Sendable {
    let stream = Monitor<AnswerStream?>(nil)
  }

  private let kept = Kept()

  /// A handler that streams these pieces, and then ends, or leaves it to the host.
  private func site(
    _ kind: AnswerStream.Kind, _ pieces: [String], status: Int = 200, type: String? = nil, ends: Bool = true
  ) -> FunctionSite {
    FunctionSite(
      behaviour: .runs { [kept] exchange in
        _ = exchange.claim(exchange.handle)
        exchange.status = status
        exchange.addHeader("Content-Type", type ?? (kind == .events ? "text/event-stream" : "text/plain"))
        guard let stream = try? exchange.beginStream(kind) else { return }
        kept.stream.withLock { $0 = stream }
        for piece in pieces { stream.write(piece) }
        if ends { stream.end() }
      })
  }

  @Test func eventsAreCollectedIntoOneAnswer() {
    let answer = site(
      .events,
      [
        "retry: 5000\n\nid: 0\nevent: progress\ndata: {\"progress\": 0}\n\nda",
        "ta: two\r\ndata: lines\r\n\r\n",
        ": no\n\nid: 3\n\ndata:7\n\ndata\n\n", "event: last\ndata: {\"not\": json\n",
      ]
    ).call("a_open")
    #expect(answer.status == 200 && answer.headers["Content-Type"] == "application/json")
    #expect(
      answer.body
        == #"{"ok":true,"status":200,"result":{"events":["#
        + #"{"event":"progress","id":"0","data":{"progress": 0}},{"data":"two\nlines"},{"data":7},{"data":""},"#
        + #"{"event":"last","data":"{\"not\": json"}"#
        + #"],"truncated":false}}"#)
  }

  @Test func aStreamOfNothingIsNoEvents() {
    #expect(
      site(.events, []).call("a_open").body
        == #"{"ok":true,"status":200,"result":{"events":[],"truncated":false}}"#)
  }

  @Test func textIsCollectedAsText() {
    let answer = site(.bytes, ["a \"b\"\n", "\u{e9}"], status: 202).call("a_open")
    #expect(answer.status == 202)
    #expect(
      answer.body == #"{"ok":true,"status":202,"result":{"text":"a \"b\"\n\#u{e9}","truncated":false}}"#)
    #expect(site(.bytes, ["x"], status: 302).call("a_open").status == 200)
  }

  @Test func aStreamThatIsAnErrorIsAProblem() {
    let answer = site(.events, ["data: no\n\n"], status: 500).call("a_open")
    #expect(answer.status == 500 && answer.json?["ok"] == false && answer.code == "call.failed")
    #expect(answer.json?["problem"]?["detail"] == "no\n")
  }

  @Test(arguments: [AnswerStream.Kind.events, .bytes])
  func anAnswerIsAsLongAsItsCallerMayHaveIt(_ kind: AnswerStream.Kind) throws {
    let site = site(kind, (0..<100).map { "data: \($0)\n\n" }, ends: false)
    let key = try site.keys.issue(.init(principal: "p", name: "n", scopes: ["a:read"], answerLimit: 600)).key
      .text
    let answer = site.call("a_get", #"{"id":"7"}"#, key: key)
    #expect(answer.body.utf8.count <= 600 && answer.body.utf8.count > 200, "\(answer.body)")
    #expect(answer.json?["ok"] == true && answer.json?["result"]?["truncated"] == true, "\(answer.body)")
    if kind == .events {
      let events = answer.json?["result"]?["events"]?.array ?? []
      #expect(events == (0..<events.count).map { ["data": .integer(Int64($0))] })
    }
    // Nobody wants more: whoever writes is told, and the host has ended it.
    let stream = try #require(kept.stream.withLock { $0 })
    #expect(stream.isEndedByHost && stream.write("data: more\n\n") == .gone)
  }

  @Test func aStreamThatTheHostEndsIsTruncated() throws {
    let kept = kept
    let site = FunctionSite(
      behaviour: .runs { exchange in
        _ = exchange.claim(exchange.handle)
        exchange.status = 200
        exchange.addHeader("Content-Type", "text/event-stream")
        guard let stream = try? exchange.beginStream(.events) else { return }
        kept.stream.withLock { $0 = stream }
        stream.write("data: 1\n\ndata: half")
        stream.stop()
      })
    let answer = site.call("a_open")
    #expect(answer.body == #"{"ok":true,"status":200,"result":{"events":[{"data":1}],"truncated":true}}"#)
  }

  @Test func aStreamWithoutAnEndIsCollectedForAWhile() throws {
    let site = site(.events, ["data: 1\n\n"], ends: false)
    let before = Instant.now
    _ = site.call("a_open")
    let stream = try #require(kept.stream.withLock { $0 })
    // `functions` of the host: 40 s, where a stream may last an hour.
    #expect(stream.deadline > before + .seconds(39) && stream.deadline < Instant.now + .seconds(41))
  }
}
