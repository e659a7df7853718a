import Application
import Domain
import Doubles
import Gateway
import Kernel
import Testing

/// What the request path keeps of an answer that is a stream: counts, audit row, the plugin's call.
@Suite struct StreamTests {
  private let site = Site()

  /// A request whose handler has begun a stream, as the edge is about to send its head.
  private func begin() throws -> (Exchange, AnswerStream) {
    site.serve(behaviour: .waits)
    let exchange = site.exchange("GET", "/a/7", headers: [("authorization", "Bearer \(site.reader)")])
    _ = site.gateway.begin(exchange)
    #expect(site.gateway.handle(exchange) == .pending)
    #expect(!exchange.mayStream)
    #expect(exchange.claim(exchange.handle))
    exchange.status = 200
    let stream = try exchange.beginStream(.events)
    site.gateway.conclude(exchange)
    exchange.close()
    return (exchange, stream)
  }

  private var inside: Int { site.automations.live("a")?.generation.requestsInside ?? -1 }

  @Test func aStreamIsInsideItsGenerationUntilItIsOver() throws {
    let rows = site.audit.rows.count
    let (exchange, stream) = try begin()
    let head = exchange.answerHead
    #expect(exchange.answerHeaders.contains { String(head.span($0.name)).hasPrefix("RateLimit") })
    #expect(inside == 1)
    #expect(site.audit.rows.count == rows)
    #expect(exchange.waiting == nil)
    stream.end()
    stream.finish()
    site.gateway.finished(exchange, sent: true)
    #expect(inside == 0)
    #expect(site.audit.rows.count == rows + 1)
    #expect(site.audit.rows.last?.status == 200)
  }

  @Test func aGenerationThatGoesEndsItsStreams() throws {
    let (exchange, stream) = try begin()
    let watch = DeadlineWatch(OneExchange(exchange), automations: site.automations, log: MemoryLog())
    let old = try #require(site.automations.live("a")?.generation)
    site.serve(behaviour: .answers)
    let new = try #require(site.automations.live("a")?.generation)
    let gone = Unanswered(503, "automation.replaced", "Gone.")
    watch.cancelRequests(of: new, gone)
    #expect(stream.isOpen)
    watch.cancelRequests(of: old, gone)
    #expect(!stream.isOpen)
    #expect(stream.isEndedByHost)
    site.gateway.finished(exchange, sent: true)
  }

  /// A stream cannot be kept: nothing runs, wherever the key stands.
  @Test func aWriteThatStreamsRefusesAKey() {
    let manifest =
      #"{"id":"a","version":"1","requires":["council.stream/1"],"routes":[{"method":"POST","path":"/flow","operation":"flow","stream":true,"body":{"type":"object"}},"#
      + #"{"method":"DELETE","path":"/flow","operation":"stop","stream":true,"confirm":true},"#
      + #"{"method":"GET","path":"/flow","operation":"look","stream":true}]}"#
    let calls = Monitor(0)
    site.serve(
      behaviour: .runs { exchange in calls.withLock { $0 += exchange.mayStream ? 1 : 0 } }, manifest: manifest
    )
    let keyed = [("idempotency-key", "k")]
    for answer in [
      site.send("POST", "/a/flow", body: "{}", key: site.writer, headers: keyed),
      site.send("POST", "/a/flow?idempotency_key=k", body: "{}", key: site.writer),
      site.send("POST", "/a/flow", body: #"{"idempotency_key":"k"}"#, key: site.writer),
      site.send("DELETE", "/a/flow", key: site.writer, headers: keyed),
    ] {
      #expect(answer.status == 422 && answer.code == "idempotency.stream_unsupported", "\(answer.body)")
    }
    #expect(calls.withLock { $0 } == 0 && site.ledger.count == 0)
    #expect(site.send("POST", "/a/flow", body: "{}", key: site.writer).status == 200)
    // A GET can be repeated: a key says nothing there.
    #expect(site.send("GET", "/a/flow", key: site.reader, headers: keyed).status == 200)
    #expect(calls.withLock { $0 } == 2)
    // What is confirmed streams, too.
    let asked = site.send("DELETE", "/a/flow", key: site.writer)
    let token = (try? JSONValue.parse(asked.body.utf8.span))?["confirm"]?.string ?? ""
    #expect(asked.status == 428)
    #expect(site.send("DELETE", "/a/flow", key: site.writer, headers: [("x-confirm", token)]).status == 200)
    #expect(calls.withLock { $0 } == 3)
  }

  @Test func aProblemInThePlaceOfAStreamEndsIt() throws {
    let (exchange, stream) = try begin()
    exchange.answer(Problem(500, "http.answer_head_too_large", "Too large."))
    #expect(!stream.isOpen)
    site.gateway.conclude(exchange)
    site.gateway.finished(exchange, sent: true)
    #expect(inside == 0)
    #expect(site.audit.rows.last?.status == 500)
  }
}
