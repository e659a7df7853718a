import Application
import Doubles
import Kernel
import Testing

@testable import MCP

/// Which rules a message is under, and who breaks them.
@Suite struct EraTests {
  private let site = MCPSite()
  private var key: String { site.reader }

  // MARK: Modern

  @Test func discoverSaysWhatIsServed() {
    let answer = site.modern("server/discover", key: key)
    #expect(answer.status == 200 && answer.header("Content-Type") == "application/json", "\(answer)")
    #expect(answer.json?["id"] == 1 && answer.json?["jsonrpc"] == "2.0")
    #expect(answer.result?["resultType"] == "complete")
    #expect(answer.result?["supportedVersions"] == ["2026-07-28", "2025-11-25", "2025-06-18"])
    #expect(
      answer.result?["capabilities"]?["tools"] != nil && answer.result?["capabilities"]?["resources"] != nil)
    #expect(answer.result?["cacheScope"] == "private" && answer.result?["ttlMs"]?.integer == 5000)
    let server = answer.result?["_meta"]?["io.modelcontextprotocol/serverInfo"]
    #expect(server?["name"] == "council" && server?["version"] == "1.2.3")
  }

  @Test(arguments: ["7", "\"seven\"", "\"\"", "\"a\\\"b\"", "-1", "18446744073709551615"])
  func anIDComesBackAsItWas(id: String) {
    let answer = site.modern("server/discover", id: id, key: key)
    #expect(answer.body.contains("\"id\":\(id),"), "\(answer)")
  }

  @Test(arguments: [
    [("mcp-method", "tools/list")], [("mcp-protocol-version", "2026-07-28")],
    [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call")],
    [("mcp-protocol-version", "2025-11-25"), ("mcp-method", "tools/list")],
    [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/list"), ("mcp-method", "tools/list")],
    [
      ("mcp-protocol-version", "2026-07-28"), ("mcp-protocol-version", "2026-07-28"),
      ("mcp-method", "tools/list"),
    ],
    [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "Tools/list")],
  ])
  func headersMustSayWhatTheMessageSays(headers: [(String, String)]) {
    let answer = site.post(MCPSite.message("tools/list", ""), key: key, headers: headers)
    #expect(answer.status == 400 && answer.error == -32020, "\(answer)")
    #expect(answer.json?["id"] == 1)
  }

  @Test func theNameMustBeInTheHeader() {
    let body = MCPSite.message("tools/call", #""name":"things_get_thing","arguments":{"id":"1"}"#)
    for name in [nil, "things_delete_thing", "", "=?base64?dGhpbmdz?=", "=?base64?!!?="] {
      let answer = site.post(body, key: key, headers: MCPSite.routing("tools/call", name))
      #expect(answer.status == 400 && answer.error == -32020, "\(answer)")
    }
    // "things_get_thing", as a client writes what no header can hold.
    let encoded = "=?base64?dGhpbmdzX2dldF90aGluZw==?="
    #expect(site.post(body, key: key, headers: MCPSite.routing("tools/call", encoded)).status == 200)
  }

  @Test(arguments: [
    #"{}"#, #"{"_meta":{}}"#, #"{"_meta":7}"#,
    #"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#,
    #"{"_meta":{"io.modelcontextprotocol/clientCapabilities":{}}}"#,
    #"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":[]}}"#,
  ])
  func whatAModernMessageLacksIsNamed(params: String) {
    let body = #"{"jsonrpc":"2.0","id":5,"method":"tools/list","params":\#(params)}"#
    let answer = site.post(body, key: key, headers: MCPSite.routing("tools/list"))
    #expect(answer.status == 400 && answer.error == -32602 && answer.json?["id"] == 5, "\(answer)")
  }

  @Test func aVersionThatIsNotServedIsAnsweredWithThoseThatAre() {
    let body = MCPSite.message("tools/list", "", version: "2030-01-01")
    let answer = site.post(
      body, key: key, headers: [("mcp-protocol-version", "2030-01-01"), ("mcp-method", "tools/list")])
    #expect(answer.status == 400 && answer.error == -32022, "\(answer)")
    #expect(answer.json?["error"]?["data"]?["requested"] == "2030-01-01")
    #expect(answer.json?["error"]?["data"]?["supported"] == ["2026-07-28", "2025-11-25", "2025-06-18"])
    // Nor is one that only the header names.
    for version in ["2024-11-05", "2025-03-26", "x\u{7f}y"] {
      let answer = site.previous("tools/list", key: key, version: version)
      #expect(answer.status == 400 && answer.error == -32022, "\(answer)")
    }
  }

  @Test func unknownMethodsAreNotFound() {
    for method in ["prompts/list", "initialize", "ping", "tools/calls", "\u{e9}"] {
      let headers = method == "\u{e9}" ? [] : MCPSite.routing(method)
      let answer = site.post(MCPSite.message(method, ""), key: key, headers: headers)
      #expect(
        method == "\u{e9}" ? answer.error == -32020 : answer.status == 404 && answer.error == -32601,
        "\(answer)")
    }
  }

  @Test func noMethodButPOSTIsTaken() {
    for method in ["GET", "HEAD", "DELETE", "PUT"] {
      let answer = site.send(
        method, "/mcp",
        headers: [
          ("authorization", "Bearer \(key)"), ("mcp-protocol-version", "2026-07-28"),
          ("accept", "text/event-stream"),
        ])
      #expect(answer.status == 405 && answer.header("Allow")?.contains("POST") == true, "\(answer)")
    }
  }

  // MARK: The era before

  @Test(arguments: [
    ("2025-11-25", "2025-11-25"), ("2025-06-18", "2025-06-18"), ("2025-03-26", "2025-11-25"),
    ("2026-07-28", "2025-11-25"), ("x", "2025-11-25"),
  ])
  func initializeSettlesOnAVersion(asked: String, settled: String) {
    let answer = site.previous(
      "initialize",
      #"{"protocolVersion":"\#(asked)","capabilities":{},"clientInfo":{"name":"t","version":"1"}}"#,
      key: key, version: nil)
    #expect(answer.status == 200 && answer.result?["protocolVersion"]?.string == settled, "\(answer)")
    #expect(answer.result?["serverInfo"]?["name"] == "council")
    #expect(answer.result?["resultType"] == nil)
    #expect(answer.result?["instructions"]?.string?.isEmpty == false)
    #expect(
      answer.result?["capabilities"] == ["tools": ["listChanged": true], "resources": ["listChanged": true]])
  }

  /// Some clients listen only in a session; the host needs none.
  @Test func aSessionIsANameThatIsNeverLookedAt() {
    func initialize() -> String? {
      site.previous("initialize", #"{"protocolVersion":"2025-11-25"}"#, key: key, version: nil).header(
        "Mcp-Session-Id")
    }
    let (first, second) = (initialize(), initialize())
    #expect(first?.utf8.count == 32 && first != second)
    #expect(first?.utf8.allSatisfy { (0x21...0x7E).contains($0) } == true)
    for session in [first ?? "", "of another host", ""] {
      #expect(site.previous("ping", key: key, headers: [("mcp-session-id", session)]).result == [:])
    }
    #expect(site.modern("server/discover", key: key).header("Mcp-Session-Id") == nil)
  }

  @Test func whereNobodyMayListenNothingIsPromised() {
    for none in [\HostConfiguration.MCP.maxListeners, \.maxListenersPerCaller] {
      var settings = HostConfiguration.MCP()
      settings[keyPath: none] = 0
      let site = MCPSite(settings)
      let hello = site.previous("initialize", "{}", key: site.reader, version: nil)
      #expect(hello.result?["capabilities"] == ["tools": [:], "resources": [:]], "\(hello)")
      let modern = site.modern("server/discover", key: site.reader)
      #expect(modern.result?["capabilities"] == ["tools": [:], "resources": [:]], "\(modern)")
      let refused = site.listen(key: site.reader)
      #expect(refused.status == 405 && !refused.isStreaming)
      site.close(refused)
    }
  }

  @Test func pingAndListsNeedNoSession() {
    #expect(site.previous("ping", key: key).result == [:])
    let tools = site.previous("tools/list", key: key, version: "2025-06-18")
    #expect(tools.result?["tools"]?.array?.isEmpty == false && tools.result?["ttlMs"] == nil, "\(tools)")
  }

  /// Without the header it would be a revision that is not spoken here.
  @Test func onlyTheFirstMessageMayLeaveTheVersionOut() {
    for body in [
      #"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
      #"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#,
    ] {
      let answer = site.post(body, key: key)
      #expect(answer.status == 400 && answer.error == -32020 && answer.json?["id"] == 1, "\(answer)")
    }
    let told = site.post(#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, key: key)
    #expect(told.status == 400 && told.error == -32020 && told.json?["id"] == .null, "\(told)")
    #expect(site.previous("initialize", "{}", key: key, version: nil).status == 200)
  }

  @Test func errorsOfRequestsComeWithStatus200() {
    // Its clients take 4xx for the end of the connection.
    let answer = site.previous("prompts/list", id: "\"q\"", key: key)
    #expect(answer.status == 200 && answer.error == -32601 && answer.json?["id"] == "q", "\(answer)")
    #expect(site.previous("server/discover", key: key).error == -32601)
  }

  // MARK: Both

  @Test func notificationsAndResponsesAreTakenAndDropped() {
    for body in [
      #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
      #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
      #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}"#,
      #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{}}"#,
      #"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
      #"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"things_create_thing","arguments":{"name":"xx"}}}"#,
      #"{"jsonrpc":"2.0","id":1,"result":{}}"#,
    ] {
      let answer = site.post(body, key: site.writer, headers: [("mcp-protocol-version", "2025-11-25")])
      #expect(answer.status == 202 && answer.body.isEmpty, "\(answer)")
    }
    // Nothing was called: each row is the endpoint's own.
    #expect(site.audit.rows.count == 7 && site.audit.rows.allSatisfy { !$0.labels.contains("operation") })
    let modern = [("mcp-protocol-version", "2026-07-28")]
    #expect(site.post(#"{"jsonrpc":"2.0","method":"x"}"#, key: key, headers: modern).status == 202)
    #expect(site.post(#"{"jsonrpc":"2.0","id":1,"result":{}}"#, key: key, headers: modern).error == -32600)
  }

  @Test(arguments: [
    "", "{", "nul", "\u{0}", #"{"jsonrpc":"2.0","id":1,"method":"ping"}x"#, "{\"a\":\"\\ud800\"}",
  ])
  func whatIsNoJSONIsAParseError(body: String) {
    let answer = site.post(body, key: key)
    #expect(answer.status == 400 && answer.error == -32700 && answer.json?["id"] == .null, "\(answer)")
  }

  @Test func aBatchIsRefusedWhole() {
    let answer = site.post(#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, key: key)
    #expect(answer.status == 400 && answer.error == -32600, "\(answer)")
  }

  @Test func otherMediaTypesAreRefused() {
    let answer = site.send(
      "POST", "/mcp", body: Array("{}".utf8),
      headers: [("content-type", "text/plain"), ("authorization", "Bearer \(key)")])
    #expect(answer.status == 415 && answer.error == 415, "\(answer)")
  }

  @Test func levelsAreCountedFromTheArguments() {
    // A body may have 16, and the message around it has three.
    func nested(_ levels: Int) -> String {
      String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
    }
    let fits = site.modern("tools/list", "\"x\":\(nested(16))", key: key)
    #expect(fits.status == 200, "\(fits)")
    let deep = site.modern("tools/list", "\"x\":\(nested(40))", key: key)
    #expect(deep.status == 400 && deep.error == -32700, "\(deep)")
  }
}
