import Kernel

// Messages of the Model Context Protocol, byte by byte.

extension HostUnderTest {
  /// A request of today's revision, without its members `jsonrpc` and `id`; `params` are the members beside `_meta`.
  func mcp(
    _ method: String, _ params: String = "", name: String? = nil, key: String, capabilities: String = "{}"
  ) throws -> JSONValue {
    let meta =
      #""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","#
      + #""io.modelcontextprotocol/clientCapabilities":\#(capabilities)}"#
    let headers =
      ["MCP-Protocol-Version: 2026-07-28", "Mcp-Method: \(method)"] + (name.map { ["Mcp-Name: \($0)"] } ?? [])
    return try answer(method, params.isEmpty ? meta : params + "," + meta, headers, key)
  }

  /// A request of a revision of the era before.
  func previousMCP(
    _ method: String, _ params: String = "", key: String, version: String? = "2025-11-25"
  ) throws -> JSONValue {
    try answer(method, params, version.map { ["MCP-Protocol-Version: \($0)"] } ?? [], key)
  }

  /// A call of a tool by a client of today.
  func callTool(
    _ name: String, _ arguments: String, _ more: String = "", key: String, capabilities: String = "{}"
  ) throws -> JSONValue {
    try mcp(
      "tools/call", #""name":"\#(name)","arguments":\#(arguments)\#(more)"#, name: name, key: key,
      capabilities: capabilities)
  }

  private func answer(
    _ method: String, _ params: String, _ headers: [String], _ key: String
  ) throws -> JSONValue {
    let answer = try call(
      "POST", "/mcp", key: key, headers: headers + ["Accept: application/json, text/event-stream"],
      body: #"{"jsonrpc":"2.0","id":1,"method":"\#(method)","params":{\#(params)}}"#)
    guard let json = answer.json, json["id"] == 1 else { throw Failure("\(answer)") }
    return json
  }
}
