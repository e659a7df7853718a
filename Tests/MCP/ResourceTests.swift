import Application
import Domain
import Doubles
import Kernel
import Testing

@testable import MCP

/// Collections that their manifest shows.
@Suite struct ResourceTests {
  private let site = MCPSite()

  private func read(_ uri: String, key: String, name: String? = nil) -> MCPSite.Answer {
    site.modern("resources/read", "\"uri\":\"\(uri)\"", name: name ?? uri, key: key)
  }

  @Test func collectionsThatShowFieldsAreListed() {
    let answer = site.modern("resources/list", key: site.reader)
    #expect(answer.result?["resources"]?.array?.map { $0["uri"] } == ["council://things/shelf"], "\(answer)")
    #expect(answer.result?["cacheScope"] == "private")
    let templates = site.modern("resources/templates/list", key: site.reader)
    #expect(
      templates.result?["resourceTemplates"]?.array?.map { $0["uriTemplate"] } == [
        "council://things/shelf/{id}", "council://things/shelf{?after}",
      ], "\(templates)")
    for key in [site.stranger] {
      #expect(site.modern("resources/list", key: key).result?["resources"] == [])
      #expect(site.modern("resources/templates/list", key: key).result?["resourceTemplates"] == [])
    }
  }

  @Test func aPageHoldsTheNamedFieldsOnly() throws {
    let answer = read("council://things/shelf?after=a%2Bb", key: site.reader)
    let content = try #require(answer.result?["contents"]?.array?.first, "\(answer)")
    #expect(content["text"] == #"{"items":[{"id":"k","label":"x"}],"next":"c"}"#)
    #expect(
      content["uri"] == "council://things/shelf?after=a%2Bb" && content["mimeType"] == "application/json")
    #expect(answer.result?["ttlMs"] == 0)
    let asked = try #require(site.stores.asked.last)
    #expect(asked.operation == .find)
    #expect(asked.input == ["fields": ["id", "label", "created_at"], "limit": 50, "after": "a+b"])
  }

  @Test func oneRecordIsReadByItsID() throws {
    let answer = read("council://things/shelf/a%2Fb", key: site.reader)
    #expect(answer.result?["contents"]?.array?.count == 1, "\(answer)")
    let asked = try #require(site.stores.asked.last)
    #expect(asked.operation == .get && asked.key == "a/b")
    #expect(asked.input == ["fields": ["id", "label", "created_at"]])
  }

  @Test(arguments: [
    "council://things/hidden", "council://things/nothing", "council://other/shelf", "council://things",
    "council://things/shelf/a/b", "council://things//a", "council://things/shelf/%zz",
    "council://things/shelf/%ff",
    "council://things/shelf?before=x", "council://things/shelf/k?after=x", "file:///etc/passwd", "",
    "COUNCIL://things/shelf",
  ])
  func whatIsNoResourceIsNotFound(uri: String) {
    let answer = read(uri, key: site.writer)
    #expect(answer.status == 400 && answer.error == -32602, "\(answer)")
    let before = site.previous("resources/read", #"{"uri":"\#(uri)"}"#, key: site.writer)
    #expect(before.status == 200 && before.error == -32002, "\(before)")
    #expect(site.stores.asked.isEmpty)
  }

  @Test func readingNeedsTheScopeOfTheAutomation() {
    let answer = read("council://things/shelf", key: site.stranger)
    #expect(answer.status == 403, "\(answer)")
    #expect(answer.header("WWW-Authenticate")?.contains("scope=\"things:read\"") == true)
    #expect(site.stores.asked.isEmpty)
  }

  @Test(arguments: [
    (Problem(404, "records.not_found", "No."), -32602, 400),
    (Problem(400, "records.invalid_cursor", "No."), -32602, 400),
    (Problem(503, "records.unavailable", "No."), -32603, 503),
  ])
  func whatTheStoreRefusesIsAnError(problem: Problem, code: Int, status: Int) {
    site.stores.fail(with: problem)
    let answer = read("council://things/shelf", key: site.reader)
    #expect(answer.error == code && answer.status == status, "\(answer)")
  }

  // MARK: Bounds

  @Test func aPageIsAsLongAsTheCallersAnswersMayBe() throws {
    let key = try site.keys.issue(
      .init(principal: "agent", name: "short", scopes: ["things:read"], answerLimit: 4000)
    ).key.text
    site.stores.recordCharacters.withLock { $0 = 500 }
    let answer = read("council://things/shelf", key: key)
    #expect(answer.status == 200 && answer.body.utf8.count <= 4000, "\(answer)")
    let text = answer.result?["contents"]?.array?.first?["text"]?.string ?? ""
    let page = try JSONValue.parse(text.utf8.span)
    let count = page["items"]?.array?.count ?? 0
    #expect((1...7).contains(count) && page["next"] == "c")
    // Each try asks for less.
    let limits = site.stores.asked.compactMap { $0.input["limit"]?.integer }
    #expect(limits.first == 50 && limits.last == Int64(count) && limits == limits.sorted(by: >))
    // Nobody else's is cut.
    #expect(read("council://things/shelf", key: site.reader).body.utf8.count > 25_000)
    // A record that is too long alone cannot be had this way.
    site.stores.recordCharacters.withLock { $0 = 5000 }
    for uri in ["council://things/shelf", "council://things/shelf/k"] {
      let refused = read(uri, key: key)
      #expect(refused.status == 400 && refused.error == -32602, "\(refused)")
      #expect(refused.json?["error"]?["data"]?["code"] == "answer.too_large")
    }
  }

  /// No answer is longer than the host allows, whoever asks.
  @Test func theHostsOwnLimitHoldsForResources() {
    site.stores.recordCharacters.withLock { $0 = 10_000 }
    let answer = read("council://things/shelf", key: site.reader)
    #expect(answer.status == 200 && answer.body.utf8.count <= 99_999, "\(answer.body.utf8.count)")
  }

  @Test func readingIsAuditedAndAccountedForAsTheAutomations() throws {
    let account = try #require(site.automations.snapshots.current.automation(named: "things")).generation
      .account
    let before = account.total(.calls)
    #expect(read("council://things/shelf/k", key: site.reader).status == 200)
    let row = try #require(site.audit.rows.last)
    #expect(row.status == 200 && row.labels.contains(#""automation":"things""#), "\(row)")
    #expect(
      row.labels.contains(#""operation":"resources/read""#) && row.labels.contains("council://things/shelf"))
    #expect(account.total(.calls) == before + 1 && account.total(.storeTime) > 0)
    // The next request on the exchange has a row of its own.
    #expect(site.modern("tools/list", key: site.reader).status == 200)
    #expect(site.audit.rows.last?.labels.contains("things") == false)
  }

  /// Scopes get their numbers when an automation is loaded: a request never adds one.
  @Test func askingDoesNotRegisterAScope() throws {
    let narrow = MCPSite(
      manifest: #"{"id":"plain","version":"1","routes":[{"method":"GET","path":"/","operation":"x"}]}"#)
    #expect(narrow.automations.snapshots.current.automation(named: "plain")?.readScope == nil)
    #expect(site.automations.snapshots.current.automation(named: "things")?.readScope != nil)
  }
}
