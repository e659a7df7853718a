import Kernel
import Testing

/// What a stranger reads first, against a host with the example plugins.
@Suite(.serialized) struct DiscoveryTests {
  private func links(_ text: String) -> [String] {
    text.split(separator: "\n").filter { $0.hasPrefix("- [") }.compactMap { line in
      line.split(separator: "](").dropFirst().first?.split(separator: ")").first.map(String.init)
    }
  }

  private func hrefs(_ value: JSONValue) -> [String] {
    switch value {
    case .array(let items): items.flatMap(hrefs)
    case .object(let members):
      (members["href"]?.string.map { [$0] } ?? []) + members.filter { $0.key != "href" }.values.flatMap(hrefs)
    default: []
    }
  }

  @Test func everyLinkLeadsSomewhere() throws {
    let host = try HostUnderTest(load: [HostUnderTest.accounts, HostUnderTest.hello])
    let key = try host.issueKey(["*"])
    let text = try host.call("GET", "/llms.txt")
    #expect(text.status == 200 && text.headers["content-type"] == "text/markdown; charset=utf-8")
    let lines = text.body.split(separator: "\n", omittingEmptySubsequences: false)
    // The form of llmstxt.org: one heading, a quotation, lists of links below second headings.
    #expect(lines[0] == "# Council" && lines[2].hasPrefix("> "))
    #expect(lines.filter { $0.hasPrefix("# ") }.count == 1)
    #expect(lines.filter { $0.hasPrefix("## ") } == ["## Automations", "## Interfaces", "## Optional"])
    let found = links(text.body)
    #expect(
      found.contains("/openapi.json?automation=accounts") && found.contains("/openapi.json?automation=hello"))
    // MCP takes no GET.
    for link in found where link != "/mcp" {
      #expect(try host.call("GET", link, key: key).status == 200, "\(link)")
    }
    let catalog = try host.call("GET", "/.well-known/api-catalog")
    #expect(catalog.headers["content-type"]?.hasPrefix("application/linkset+json") == true)
    for link in hrefs(try #require(catalog.json)) where !["/accounts", "/hello"].contains(link) {
      #expect(try host.call("GET", link, key: key).status == 200, "\(link)")
    }
    #expect(host.stop() == 0)
  }

  @Test func tellsWhatTheCallerMayCallAndWhatServesNow() throws {
    let host = try HostUnderTest(load: [HostUnderTest.accounts, HostUnderTest.hello])
    let narrow = try host.issueKey(["accounts:read"])
    let text = try host.call("GET", "/llms.txt", key: narrow)
    #expect(text.body.contains("automation=accounts") && !text.body.contains("automation=hello"))
    #expect(text.headers["vary"] == "Authorization, X-API-Key")
    let tag = try #require(text.headers["etag"])
    #expect(try host.call("GET", "/llms.txt", key: narrow, headers: ["If-None-Match: \(tag)"]).status == 304)
    #expect(try host.admin("DELETE", "/automations/accounts").status == 200)
    let after = try host.call("GET", "/llms.txt", key: narrow, headers: ["If-None-Match: \(tag)"])
    #expect(after.status == 200 && !after.body.contains("automation=accounts"))
    #expect(try host.call("GET", "/llms.txt", key: "ck_wrong").status == 401)
    #expect(try host.call("POST", "/llms.txt").status == 405)
    #expect(host.stop() == 0)
  }

  @Test func saysNothingToStrangersWhereThatIsSet() throws {
    let host = try HostUnderTest(load: [HostUnderTest.hello], settings: "documents:\n  anonymous: none\n")
    for path in ["/llms.txt", "/.well-known/api-catalog", "/openapi.json", "/functions.json"] {
      #expect(try host.call("GET", path).status == 401, "\(path)")
    }
    #expect(host.stop() == 0)
  }
}
