import Application
import Kernel

// The endpoint, for documents of paths. What is said through it is the protocol's: modelcontextprotocol.io.

extension MCPServer {
  static let messageManual = OwnManual(
    "council_send_mcp_message", "Speak the Model Context Protocol",
    "One JSON-RPC message of the revisions \(Revision.all.joined(separator: ", ")). Clients of the protocol need this address and a key; "
      + "every operation that the key may call is a tool.",
    body: [
      "type": "object",
      "properties": [
        "jsonrpc": ["type": "string", "enum": ["2.0"]],
        "method": ["type": "string"],
        "id": ["type": ["string", "integer"], "maxLength": .integer(Int64(Message.maxIDBytes))],
        "params": ["type": "object"],
      ], "required": ["jsonrpc", "method"],
    ],
    answers: [
      .init(
        "200", "The answer to a request.",
        ["application/json": response, OwnManual.events.type: OwnManual.events.schema]),
      .init("202", "A notification was taken."),
    ] + refusals(400, 401, 403, 404, 406, 413, 415, 429, 503))

  static let changesManual = OwnManual(
    "council_follow_mcp_changes", "Hear of changes over the Model Context Protocol",
    "For clients of the revisions \(Revision.previous.joined(separator: ", ")): a stream of notifications, one when tools or resources change.",
    answers: [
      .init("200", "The stream, which ends with this host.", [OwnManual.events.type: OwnManual.events.schema])
    ]
      + refusals(400, 401, 403, 405, 406, 429, 503))

  private static let response: JSONValue = [
    "type": "object",
    "properties": [
      "jsonrpc": ["type": "string", "enum": ["2.0"]],
      "id": ["type": ["string", "integer", "null"]],
      "result": ["type": "object"],
      "error": [
        "type": "object",
        "properties": [
          "code": ["type": "integer"], "message": ["type": "string"], "data": ["type": "object"],
        ], "required": ["code", "message"],
      ],
    ], "required": ["jsonrpc", "id"],
  ]

  /// In the protocol's words, but for what is no message at all.
  private static func refusals(_ statuses: Int...) -> [OwnManual.Answer] {
    statuses.map { status in
      OwnManual.Answer(
        String(status), "An error of JSON-RPC. " + Problem.title(of: status) + ".",
        ["application/json": response, OwnManual.problem.type: OwnManual.problem.schema])
    }
  }
}
