import Application
import Doubles
import Kernel
import Patience
import Testing

@testable import MCP

/// Clients of the era before, which listen with a GET.
@Suite struct GetListenTests {
  /// What a stream wrote: the id and the data of each event.
  private func events(_ exchange: Exchange) -> [(id: String, data: String)] {
    var events: [(id: String, data: String)] = []
    for block in MCPSite.written(exchange).split(separator: "\n\n") {
      var event = (id: "", data: "")
      for line in block.split(separator: "\n") {
        if line.hasPrefix("id: ") { event.id = String(line.dropFirst(4)) }
        if line.hasPrefix("data: ") { event.data = String(line.dropFirst(6)) }
      }
      if !event.id.isEmpty || !event.data.isEmpty { events.append(event) }
    }
    return events
  }

  private func methods(_ events: [(id: String, data: String)]) -> [String] {
    events.compactMap { (try? JSONValue.parse($0.data.utf8.span))?["method"]?.string }
  }

  private let both = ["notifications/tools/list_changed", "notifications/resources/list_changed"]
  private let one = ["notifications/tools/list_changed"]
  private static let plain =
    #"{"id":"things","version":"2","routes":[{"method":"GET","path":"/","operation":"list_things"}]}"#

  /// Waits until a stream has said so many messages.
  private func hear(_ exchange: Exchange, _ count: Int) -> [(id: String, data: String)] {
    var heard: [(id: String, data: String)] = []
    _ = eventually {
      heard += events(exchange)
      return methods(heard).count >= count
    }
    return heard
  }

  @Test func aReloadIsToldInMessagesWithoutAnID() {
    let site = MCPSite()
    site.listeners.start()
    defer { site.listeners.end() }
    let exchange = site.listen(key: site.reader)
    #expect(exchange.status == 200 && exchange.isStreaming && site.listeners.count == 1)
    let primer = events(exchange)
    #expect(primer.count == 1 && !primer[0].id.isEmpty && primer[0].data.isEmpty)
    site.serve(MCPSite.manifest, .answers)
    let heard = hear(exchange, 2)
    #expect(methods(heard) == both)
    for event in heard {
      let message = try? JSONValue.parse(event.data.utf8.span)
      #expect(message?["jsonrpc"] == "2.0" && message?["id"] == nil && message?["params"] == nil)
    }
    #expect(Set((primer + heard).map(\.id)).count == 3, "every event has an id of its own")
    site.close(exchange)
    #expect(site.listeners.count == 0 && site.audit.rows.last?.status == 200)
  }

  @Test func resourcesAreSpokenOfWhereThereAreSomeOrWere() {
    let site = MCPSite()
    site.listeners.start()
    defer { site.listeners.end() }
    let exchange = site.listen(key: site.reader)
    site.serve(GetListenTests.plain, .answers)
    #expect(methods(hear(exchange, 2)) == both)
    site.serve(GetListenTests.plain, .answers)
    #expect(methods(hear(exchange, 1)) == one)
    site.serve(MCPSite.manifest, .answers)
    #expect(methods(hear(exchange, 2)) == both)
    site.close(exchange)
  }

  @Test func whoComesAgainHearsAtOnceWhatItMissed() {
    let site = MCPSite()
    let first = site.listen(key: site.reader)
    let id = events(first)[0].id
    site.close(first)
    let same = site.listen(key: site.reader, headers: [("last-event-id", id)])
    #expect(methods(events(same)).isEmpty)
    site.close(same)
    site.serve(MCPSite.manifest, .answers)
    let later = site.listen(key: site.reader, headers: [("last-event-id", id)])
    let heard = events(later)
    #expect(methods(heard) == both)
    site.close(later)
    // Also from what was told, and from what no host ever said.
    let told = site.listen(key: site.reader, headers: [("last-event-id", heard.last?.id ?? "")])
    #expect(methods(events(told)).isEmpty)
    site.close(told)
    let strange = site.listen(key: site.reader, headers: [("last-event-id", "7")])
    #expect(methods(events(strange)) == both)
    site.close(strange)
    let long = site.listen(
      key: site.reader, headers: [("last-event-id", String(repeating: "7", count: 129))])
    #expect(methods(events(long)).isEmpty)
    site.close(long)
  }

  @Test func onlyTheNewestStreamOfASessionIsTold() {
    let site = MCPSite()
    site.listeners.start()
    defer { site.listeners.end() }
    let session = [("mcp-session-id", "s1")]
    let old = site.listen(key: site.reader, headers: session)
    let new = site.listen(key: site.reader, headers: session)
    // Of another key: the same name is another session.
    let other = site.listen(key: site.writer, headers: session)
    let alone = [site.listen(key: site.reader), site.listen(key: site.reader)]
    for exchange in [old, new, other] + alone { _ = events(exchange) }
    site.serve(MCPSite.manifest, .answers)
    for exchange in [new, other] + alone { #expect(methods(hear(exchange, 2)) == both) }
    // Those that were told come after it in no order: all have been told by now.
    #expect(events(old).isEmpty)
    site.close(new)
    site.serve(MCPSite.manifest, .answers)
    #expect(methods(hear(old, 2)) == both)
    for exchange in [old, other] + alone { site.close(exchange) }
  }

  @Test func limitsAreTheSameForBothEras() {
    var settings = HostConfiguration.MCP()
    settings.maxListeners = 3
    settings.maxListenersPerCaller = 2
    let site = MCPSite(settings)
    let modern = site.open(
      MCPSite.message("subscriptions/listen", #""notifications":{"toolsListChanged":true}"#),
      key: site.reader, headers: MCPSite.routing("subscriptions/listen"))
    let mine = site.listen(key: site.reader)
    let third = site.listen(key: site.reader)
    #expect(modern.isStreaming && mine.isStreaming && third.status == 503 && !third.isStreaming)
    let other = site.listen(key: site.writer)
    let fourth = site.listen(key: site.owner)
    #expect(other.isStreaming && fourth.status == 503)
    for exchange in [modern, mine, third, other, fourth] { site.close(exchange) }
    #expect(site.listeners.count == 0)
  }

  @Test func theHostsEndEndsTheStream() {
    let site = MCPSite()
    site.listeners.start()
    let exchange = site.listen(key: site.reader)
    _ = events(exchange)
    site.listeners.end()
    #expect(MCPSite.written(exchange).isEmpty)
    #expect(exchange.stream?.isOpen == false)
    site.close(exchange)
  }

  @Test func theRevisionBeforeGetsNoEventWithoutData() {
    let site = MCPSite()
    let exchange = site.listen(key: site.reader, version: "2025-06-18")
    #expect(exchange.isStreaming && MCPSite.written(exchange) == ": listening\n\n")
    site.close(exchange)
    // Without a version it would be one that is not spoken here.
    let unknown = site.listen(key: site.reader, version: nil)
    #expect(!unknown.isStreaming && unknown.status == 400)
    site.close(unknown)
  }

  @Test func whatIsNoSuchGETOpensNothing() {
    let site = MCPSite()
    let cases: [(exchange: Exchange, status: Int)] = [
      (site.listen(key: nil), 401), (site.listen(key: "cncl_wrong"), 401),
      (site.listen(key: site.reader, accept: nil), 406),
      (site.listen(key: site.reader, accept: "application/json, */*"), 406),
      (site.listen(key: site.reader, version: "2026-07-28"), 405),
      (site.listen(key: site.reader, version: "2024-11-05"), 400),
      (site.listen(key: site.reader, method: "HEAD"), 405),
      (site.listen(key: site.reader, headers: [("origin", "https://elsewhere.example")]), 403),
      (
        site.listen(
          key: site.reader, headers: [("mcp-protocol-version", "2025-11-25")]), 400
      ),
    ]
    for (exchange, status) in cases {
      #expect(exchange.status == status && !exchange.isStreaming)
      site.close(exchange)
    }
    #expect(site.listeners.count == 0)
  }

  @Test func aPageOfAnAllowedOriginMayListen() {
    var settings = HostConfiguration.MCP()
    settings.origins = ["https://app.example.com"]
    let site = MCPSite(settings)
    let exchange = site.listen(key: site.reader, headers: [("origin", "https://app.example.com")])
    let head = exchange.answerHead
    let allowed = exchange.answerHeaders.filter {
      head.span($0.name).isEqual(to: "Access-Control-Allow-Origin")
    }
    #expect(exchange.isStreaming && allowed.count == 1)
    site.close(exchange)
  }
}
