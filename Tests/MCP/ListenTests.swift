import Application
import Domain
import Doubles
import Kernel
import Patience
import Testing

@testable import MCP

/// Clients that listen for changes.
@Suite struct ListenTests {
  private func open(
    _ site: MCPSite, _ filter: String, id: String = "7", key: String? = nil
  ) -> Exchange {
    site.open(
      MCPSite.message("subscriptions/listen", "\"notifications\":\(filter)", id: id), key: key ?? site.reader,
      headers: MCPSite.routing("subscriptions/listen"))
  }

  /// The messages of what a stream wrote.
  private func messages(_ text: String) -> [JSONValue] {
    text.split(separator: "\n").compactMap { line in
      line.hasPrefix("data: ") ? try? JSONValue.parse(Array(line.dropFirst(6).utf8).span) : nil
    }
  }

  private func id(_ message: JSONValue) -> JSONValue? {
    message["params"]?["_meta"]?["io.modelcontextprotocol/subscriptionId"]
  }

  @Test func theFirstMessageSaysWhatIsListenedFor() {
    let site = MCPSite()
    let exchange = open(
      site, #"{"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["x"]}"#)
    #expect(exchange.status == 200 && exchange.isStreaming)
    let all = messages(MCPSite.written(exchange))
    #expect(all.count == 1 && all.first?["method"] == "notifications/subscriptions/acknowledged")
    #expect(all.first?["params"]?["notifications"] == ["toolsListChanged": true])
    #expect(all.first.flatMap(id) == 7)
    #expect(site.listeners.count == 1)
    site.close(exchange)
    #expect(site.listeners.count == 0)
    // Its row comes when it is over.
    #expect(site.audit.rows.last?.status == 200)
  }

  @Test func aReloadIsToldToWhoListensForIt() {
    let site = MCPSite()
    site.listeners.start()
    defer { site.listeners.end() }
    let tools = open(site, #"{"toolsListChanged":true}"#)
    let both = open(site, #"{"toolsListChanged":true,"resourcesListChanged":true}"#, id: "\"b\"")
    let none = open(site, "{}")
    for exchange in [tools, both, none] { #expect(messages(MCPSite.written(exchange)).count == 1) }
    site.serve(MCPSite.manifest, .answers)
    var heard: [JSONValue] = []
    #expect(
      eventually {
        heard += messages(MCPSite.written(both)); return heard.count == 2
      })
    #expect(
      heard.map { $0["method"] } == [
        "notifications/tools/list_changed", "notifications/resources/list_changed",
      ])
    #expect(heard.allSatisfy { id($0) == "b" })
    heard = []
    #expect(
      eventually {
        heard += messages(MCPSite.written(tools)); return !heard.isEmpty
      })
    #expect(heard.map { $0["method"] } == ["notifications/tools/list_changed"])
    #expect(messages(MCPSite.written(none)).isEmpty)
    for exchange in [tools, both, none] { site.close(exchange) }
  }

  @Test func aRevokedKeyListensNoLonger() throws {
    let site = MCPSite()
    site.keys.onChange { [listeners = site.listeners] _ in listeners.lookAtKeys() }
    site.listeners.start()
    defer { site.listeners.end() }
    let issued = try site.keys.issue(.init(principal: "agent", name: "short", scopes: ["things:read"]))
    let (gone, stays) = (
      open(site, #"{"toolsListChanged":true}"#, key: issued.key.text),
      open(site, #"{"toolsListChanged":true}"#)
    )
    for exchange in [gone, stays] { #expect(messages(MCPSite.written(exchange)).count == 1) }
    _ = try site.keys.revoke(issued.record.id)
    #expect(eventually { gone.stream?.isOpen == false })
    // The end answers the request, and its client asks again with a key that it may have meanwhile.
    #expect(messages(MCPSite.written(gone)).last?["id"] == 7)
    #expect(stays.stream?.isOpen == true && MCPSite.written(stays).isEmpty)
    for exchange in [gone, stays] { site.close(exchange) }
  }

  /// Its lists are others, though the same automations serve. Another host may have changed the key, so this one looks now
  /// and then.
  @Test func aKeyThatMayDoLessIsTold() throws {
    let site = MCPSite(quiet: .milliseconds(5))
    let issued = try site.keys.issue(.init(principal: "agent", name: "wide", scopes: ["things:*"]))
    let exchange = open(site, #"{"toolsListChanged":true}"#, key: issued.key.text)
    #expect(messages(MCPSite.written(exchange)).count == 1)
    var record = issued.record
    record.scopes = ["things:read"]
    try site.keys.table.update(record)
    site.listeners.start()
    defer { site.listeners.end() }
    var heard: [JSONValue] = []
    #expect(
      eventually {
        heard += messages(MCPSite.written(exchange)); return !heard.isEmpty
      })
    #expect(heard.map { $0["method"] } == ["notifications/tools/list_changed"])
    // Once.
    var comments = ""
    #expect(
      eventually {
        comments += MCPSite.written(exchange); return comments.contains(": nothing new")
      })
    #expect(!comments.contains("list_changed"))
    site.close(exchange)
  }

  @Test func theHostsEndAnswersTheRequest() {
    let site = MCPSite()
    site.listeners.start()
    let exchange = open(site, #"{"toolsListChanged":true}"#)
    site.listeners.end()
    let last = messages(MCPSite.written(exchange)).last
    #expect(last?["id"] == 7 && last?["result"]?["resultType"] == "complete")
    #expect(last?["result"]?["_meta"]?["io.modelcontextprotocol/subscriptionId"] == 7)
    site.close(exchange)
    // Nobody is taken in any more.
    let late = open(site, #"{"toolsListChanged":true}"#)
    #expect(late.status == 503 && !late.isStreaming)
    site.close(late)
  }

  @Test func listenersHaveLimits() {
    var settings = HostConfiguration.MCP()
    settings.maxListeners = 3
    settings.maxListenersPerCaller = 2
    let site = MCPSite(settings)
    let filter = #"{"toolsListChanged":true}"#
    let mine = [open(site, filter), open(site, filter)]
    let third = open(site, filter)
    #expect(third.status == 503 && mine.allSatisfy { $0.status == 200 })
    let other = open(site, filter, key: site.writer)
    #expect(other.status == 200)
    let fourth = open(site, filter, key: site.writer)
    #expect(fourth.status == 503)
    site.close(mine[0])
    let again = open(site, filter)
    #expect(again.status == 200)
    for exchange in [mine[1], third, other, fourth, again] { site.close(exchange) }
    #expect(site.listeners.count == 0)
  }

  @Test(arguments: ["", #""notifications":7"#, #""notifications":[]"#, #""notifications":null"#])
  func aFilterIsAnObject(params: String) {
    let site = MCPSite()
    let answer = site.modern("subscriptions/listen", params, key: site.reader)
    #expect(answer.status == 400 && answer.error == -32602, "\(answer)")
  }

  @Test func whoTakesNoEventsIsRefused() {
    let site = MCPSite()
    let answer = site.send(
      "POST", "/mcp", body: Array(MCPSite.message("subscriptions/listen", #""notifications":{}"#).utf8),
      headers: [("accept", "application/json"), ("authorization", "Bearer \(site.reader)")]
        + MCPSite.routing("subscriptions/listen"))
    #expect(answer.status == 406 && answer.error == 406, "\(answer)")
  }
}
