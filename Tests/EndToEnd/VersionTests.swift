import Kernel
import Testing

/// Two versions of one automation, side by side.
@Suite(.serialized) struct VersionTests {
  @Test func bothAnswerOnTheSameRecordsAndChangeByThemselves() throws {
    let host = try HostUnderTest(load: [
      HostUnderTest.accounts, HostUnderTest.products + "/libAccountsV2.so",
    ])
    // Scopes are the family's: a key for one is a key for the other.
    let key = try host.issueKey(["accounts:read", "accounts:write"])
    let body = #"{"name":"Ada","email":"ada@example.org","currency":"EUR"}"#
    let made = try host.call("POST", "/accounts", key: key, body: body)
    let id = try #require(made.json?["id"]?.string)
    let note = try host.call("PATCH", "/v2/accounts/\(id)", key: key, body: #"{"note":"new"}"#)
    #expect(note.status == 200 && note.json?["note"] == "new", "\(note.body)")
    let old = try host.call("GET", "/accounts/\(id)", key: key)
    #expect(old.json?["version"] == 2 && old.json?["note"] == nil)
    let twice = try host.call("POST", "/v2/accounts", key: key, body: body)
    #expect(twice.status == 409)
    // A route that goes says so; the others do not.
    let new = try host.call("GET", "/v2/accounts/\(id)", key: key)
    #expect(
      new.headers["deprecation"] == "@1793491200" && new.headers["sunset"] == "Sat, 01 May 2027 00:00:00 GMT")
    #expect(new.headers["link"] == #"</v3/accounts>; rel="deprecation""#)
    #expect(note.headers["deprecation"] == nil && old.headers["deprecation"] == nil)
    // Only its root leads to it.
    for path in ["/accounts-v2", "/v1/accounts", "/v3/accounts", "/v2", "/v2/hello"] {
      #expect(try host.call("GET", path, key: key).status == 404, "\(path)")
    }
    let shown = try host.admin("GET", "/automations/accounts-v2")
    #expect(shown.json?["routes"]?.array?.first?["path"] == "/v2/accounts/")
    // Each is reloaded, rolled back and unloaded by itself.
    #expect(try host.reload("accounts", path: HostUnderTest.products + "/libAccountsNext.so").status == 200)
    #expect(try host.call("GET", "/accounts/\(id)", key: key).json?["tier"] == "basic")
    #expect(try host.call("GET", "/v2/accounts/\(id)", key: key).json?["note"] == "new")
    #expect(try host.admin("POST", "/automations/accounts/rollback").status == 200)
    #expect(try host.call("GET", "/accounts/\(id)", key: key).json?["tier"] == nil)
    #expect(try host.admin("DELETE", "/automations/accounts-v2").status == 200)
    #expect(try host.call("GET", "/v2/accounts/\(id)", key: key).status == 404)
    #expect(try host.call("GET", "/accounts/\(id)", key: key).status == 200)
    #expect(host.stop() == 0)
  }

  @Test func everyDocumentNamesBothAndSaysWhatGoes() throws {
    let server = "https://agents.example"
    let host = try HostUnderTest(
      load: [HostUnderTest.accounts, HostUnderTest.products + "/libAccountsV2.so"],
      settings: "documents: {server_url: \"\(server)\"}\n")
    let key = try host.issueKey(["accounts:*"])
    let (old, new) = ("accounts_get_account", "accounts-v2_get_account")
    func named(_ list: JSONValue?, _ member: String = "name") -> [String: JSONValue] {
      Dictionary((list?.array ?? []).map { ($0[member]?.string ?? "", $0) }) { first, _ in first }
    }
    let listed = try host.call(
      "POST", "/mcp", key: key,
      headers: ["Content-Type: application/json", "MCP-Protocol-Version: 2025-11-25"],
      body: #"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#)
    let tools = named(listed.json?["result"]?["tools"])
    #expect(tools[old]?["description"]?.string?.contains("Deprecated") == false, "\(listed.body)")
    let warning = tools[new]?["description"]?.string ?? ""
    #expect(
      warning.contains("Deprecated since 2026-11-01") && warning.contains("gone after 2027-05-01"),
      "\(warning)")
    let functions = try host.call("GET", "/functions.json?api=responses", key: key)
    let all = named(functions.json?["tools"])
    #expect(all[old]?["description"]?.string?.hasPrefix("Deprecated") == false, "\(functions.body)")
    #expect(all[new]?["description"]?.string?.hasPrefix("Deprecated, and gone after 2027-05-01") == true)
    for query in ["", "?version=3.0", "?profile=gpt"] {
      let paths = try host.call("GET", "/openapi.json\(query)", key: key).json?["paths"]
      let (before, after) = (paths?["/accounts/{id}"]?["get"], paths?["/v2/accounts/{id}"]?["get"])
      #expect(before?["operationId"]?.string == old && before?["deprecated"] == nil, "\(query)")
      #expect(after?["operationId"]?.string == new && after?["deprecated"] == true, "\(query)")
      #expect(after?["x-sunset"]?.string?.hasPrefix("2027-05-01") == true && before?["x-sunset"] == nil)
      let said = after?["description"]?.string ?? ""
      #expect(said.contains("Deprecated since 2026-11-01") && said.contains("until 2027-05-01"), "\(said)")
      if query != "?profile=gpt" {
        let headers = after?["responses"]?["200"]?["headers"]
        #expect(headers?["Deprecation"] != nil && headers?["Sunset"] != nil, "\(query)")
      }
    }
    let text = try host.call("GET", "/llms.txt", key: key).body
    for (id, root) in [("accounts", "/accounts"), ("accounts-v2", "/v2/accounts")] {
      #expect(
        text.contains("(\(server)/openapi.json?automation=\(id)):") && text.contains("below `\(root)`."),
        "\(text)")
    }
    // One operation of one of them goes.
    let lines = text.split(separator: "\n").filter { $0.contains("Deprecated") }
    #expect(lines.count == 1 && lines.first?.contains("below `/v2/accounts`.") == true, "\(text)")
    #expect(
      lines.first?.contains("Deprecated: `GET /v2/accounts/{id}` (answers until 2027-05-01T00:00:00.000Z).")
        == true,
      "\(text)")
    #expect(text.contains("profile=gpt"))
    let links = try host.call("GET", "/.well-known/api-catalog", key: key).json?["linkset"]
    let anchors = named(links, "anchor")
    #expect(anchors["\(server)/accounts"] != nil && anchors["\(server)/v2/accounts"] != nil)
    #expect(
      anchors["\(server)/v2/accounts"]?["service-desc"]?.array?.first?["href"]?.string
        == "\(server)/openapi.json?automation=accounts-v2")
    #expect(host.stop() == 0)
  }

  @Test func bothComeBackAfterARestart() throws {
    let host = try HostUnderTest(load: [
      HostUnderTest.accounts, HostUnderTest.products + "/libAccountsV2.so",
    ])
    let key = try host.issueKey(["accounts:*"])
    #expect(host.stop() == 0)
    let next = try HostUnderTest(home: host.home)
    for root in ["/accounts", "/v2/accounts"] {
      #expect(try next.call("GET", root, key: key).status == 200)
    }
    #expect(next.stop() == 0)
  }
}
