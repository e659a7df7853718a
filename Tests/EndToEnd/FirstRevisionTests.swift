import Kernel
import Testing

/// Clients of the oldest revision of MCP that is served, over a socket.
@Suite struct FirstRevisionTests {
  private static let version = "2025-06-18"

  @Test func aClientOf20250618ListsAndCallsTools() throws {
    let host = try HostUnderTest(load: [HostUnderTest.accounts, HostUnderTest.hello])
    let key = try host.issueKey(["hello:*", "accounts:*"])
    let opened = try host.previousMCP(
      "initialize",
      #""protocolVersion":"\#(Self.version)","capabilities":{},"clientInfo":{"name":"old","version":"1"}"#,
      key: key, version: nil)
    #expect(opened["result"]?["protocolVersion"]?.string == Self.version, "\(opened)")
    #expect(opened["result"]?["capabilities"]?["tools"] != nil, "\(opened)")
    #expect(opened["result"]?["serverInfo"]?["name"] == "council", "\(opened)")
    let taken = try host.call(
      "POST", "/mcp", key: key,
      headers: ["MCP-Protocol-Version: \(Self.version)", "Accept: application/json, text/event-stream"],
      body: #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
    #expect(taken.status == 202 && taken.body.isEmpty, "\(taken)")

    let listed = try host.previousMCP("tools/list", key: key, version: Self.version)
    let tools = listed["result"]?["tools"]?.array ?? []
    #expect(tools.count == 6, "\(listed)")
    for tool in tools {
      // What that revision has of a tool, and nothing that came later must be understood.
      #expect(tool["name"]?.string != nil && tool["title"]?.string != nil, "\(tool)")
      #expect(tool["description"]?.string?.isEmpty == false, "\(tool)")
      #expect(tool["inputSchema"]?["type"] == "object", "\(tool)")
      #expect(tool["outputSchema"] == nil || tool["outputSchema"]?["type"] == "object", "\(tool)")
      #expect(tool["annotations"]?["readOnlyHint"]?.bool != nil, "\(tool)")
    }
    let called = try host.previousMCP(
      "tools/call", #""name":"hello_greet","arguments":{"name":"Ada"}"#, key: key, version: Self.version)
    #expect(called["result"]?["structuredContent"] == ["message": "Hello, Ada!"], "\(called)")
    #expect(
      called["result"]?["content"] == [["type": "text", "text": #"{"message":"Hello, Ada!"}"#]], "\(called)")
    #expect(called["result"]?["isError"] != true, "\(called)")
    let wrong = try host.previousMCP(
      "tools/call", #""name":"accounts_get_account","arguments":{"id":"none"}"#, key: key,
      version: Self.version
    )
    #expect(wrong["result"]?["isError"] == true && wrong["error"] == nil, "\(wrong)")
    let unknown = try host.previousMCP(
      "tools/call", #""name":"nothing","arguments":{}"#, key: key, version: Self.version)
    #expect(unknown["error"]?["code"] == -32602, "\(unknown)")
    #expect(try host.previousMCP("ping", key: key, version: Self.version)["result"] == [:])
    #expect(host.stop() == 0)
  }
}
