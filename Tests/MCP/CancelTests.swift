import Application
import Doubles
import Kernel
import Testing

@testable import MCP

/// Calls that clients of the era before take back.
@Suite struct CancelTests {
  private func begin(_ site: MCPSite, id: String, session: String?, key: String? = nil) -> Exchange {
    site.begin(
      #"{"jsonrpc":"2.0","id":\#(id),"method":"tools/call","params":{"name":"things_list_things"}}"#,
      key: key ?? site.reader, headers: headers(session))
  }

  private func cancel(_ site: MCPSite, id: String, session: String?, key: String? = nil) {
    let answer = site.post(
      #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":\#(id),"reason":"bored"}}"#,
      key: key ?? site.reader, headers: headers(session))
    #expect(answer.status == 202 && answer.body.isEmpty, "\(answer)")
  }

  private func headers(_ session: String?) -> [(String, String)] {
    [("mcp-protocol-version", "2025-11-25")] + (session.map { [("mcp-session-id", $0)] } ?? [])
  }

  @Test(arguments: ["7", "\"seven\""])
  func aCallEndsWhenItsClientTakesItBack(id: String) {
    let site = MCPSite(behaviour: .waits)
    let call = begin(site, id: id, session: "s")
    #expect(call.waiting != nil && !call.isAbandoned)
    cancel(site, id: id, session: "s")
    // From here on it is the call of a client that left: who looks after deadlines answers it and tells the handler.
    #expect(call.isAbandoned)
    site.close(call)
  }

  @Test func onlyTheCallThatIsMeantEnds() {
    let site = MCPSite(behaviour: .waits)
    let mine = begin(site, id: "1", session: "s")
    cancel(site, id: "2", session: "s")
    cancel(site, id: "\"1\"", session: "s")
    cancel(site, id: "1", session: "another")
    cancel(site, id: "1", session: nil)
    cancel(site, id: "1", session: "s", key: site.writer)
    #expect(mine.waiting != nil && !mine.isAbandoned)
    site.close(mine)
    // Without a session the same id may be another client's.
    let bare = begin(site, id: "1", session: nil)
    cancel(site, id: "1", session: nil)
    #expect(!bare.isAbandoned)
    site.close(bare)
  }

  @Test func anotherRequestOnTheSameExchangeIsLeftAlone() {
    let site = MCPSite(behaviour: .waits)
    let exchange = begin(site, id: "1", session: "s")
    site.close(exchange)
    exchange.open()
    exchange.beginWaiting(for: 1, until: .now + .seconds(60))
    cancel(site, id: "1", session: "s")
    #expect(!exchange.isAbandoned)
  }

  @Test func aStreamEndsWithItsResult() {
    let site = MCPSite(
      behaviour: .runs { exchange in
        _ = exchange.claim(exchange.handle)
        exchange.status = 200
        _ = try? exchange.beginStream(.events)
      })
    let call = site.open(
      #"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"things_watch_things"}}"#,
      key: site.owner,
      headers: headers("s"))
    #expect(call.isStreaming && call.stream?.isOpen == true)
    cancel(site, id: "3", session: "s", key: site.owner)
    #expect(call.stream?.isOpen == false && call.stream?.isEndedByHost == true)
    #expect(MCPSite.written(call).contains(#""isError":true"#))
    site.close(call)
  }

  @Test func soManyCallsAreKnown() {
    let calls = RunningCalls(most: 2)
    func name(_ id: String) -> RunningCalls.Name { .init(caller: "c", session: "s", id: id) }
    func waiting() -> Exchange {
      let exchange = Exchange(slot: 0)
      exchange.open()
      exchange.beginWaiting(for: 1, until: .now + .seconds(60))
      return exchange
    }
    let all = (0..<3).map { _ in waiting() }
    for (number, exchange) in all.enumerated() { calls.note(name("\(number)"), exchange) }
    // The oldest made room.
    #expect(calls.count == 2)
    for number in 0..<3 { calls.cancel(name("\(number)")) }
    #expect(all.map(\.isAbandoned) == [false, true, true])
    // An id that comes again is the newer call's.
    let again = waiting()
    calls.note(name("2"), again)
    calls.cancel(name("2"))
    #expect(again.isAbandoned && calls.count == 2)
    let none = RunningCalls(most: 0)
    none.note(name("0"), all[0])
    #expect(none.count == 0)
  }
}
