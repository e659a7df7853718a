import Application
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
}
