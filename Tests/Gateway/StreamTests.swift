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
