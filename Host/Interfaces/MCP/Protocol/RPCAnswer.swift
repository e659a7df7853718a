import Application
import Kernel

/// What is written around every result and error.
struct RPCAnswer {
  /// What every modern result begins with: its type, and who answers.
  private let opening: [UInt8]
  let server: JSONValue

  init(version: String) {
    server = ["name": "council", "title": "Council", "version": .string(version)]
    opening = Array(
      "\"_meta\":{\"io.modelcontextprotocol/serverInfo\":\(JSON.text(server))},\"resultType\":".utf8)
  }

  /// Everything up to the result's first member of its own; the caller closes two braces.
  func begin(_ id: Arena, _ era: Era, type: StaticString = "complete", to out: Arena) {
    out.removeAll()
    out.append("{\"jsonrpc\":\"2.0\",\"id\":")
    out.append(id.span(id.all))
    out.append(",\"result\":{")
    guard era == .modern else { return }
    out.append(opening)
    out.append(UInt8(ascii: "\""))
    out.append(type)
    out.append("\",")
  }

  /// Characters around the answer of a tool, as ``ToolResult`` writes it.
  func frame(_ id: Arena, _ era: Era) -> Int { id.count + (era == .modern ? opening.count + 16 : 0) + 300 }

  /// A result whose members, without braces, are these.
  func send(_ members: [UInt8], id: Arena, _ era: Era, _ exchange: Exchange, _ out: Arena) {
    begin(id, era, to: out)
    if members.isEmpty, era == .modern { out.truncate(to: out.count - 1) }
    out.append(members)
    out.append("}}")
    RPCAnswer.send(out, exchange)
  }

  /// Puts what was written into the exchange.
  static func send(_ out: Arena, _ exchange: Exchange, status: Int = 200) {
    let closes = exchange.closes
    exchange.discardAnswer()
    exchange.closes = closes
    exchange.status = status
    exchange.addHeader("Content-Type", "application/json")
    exchange.addHeader("Cache-Control", "no-store")
    exchange.answerBody.append(out.span(out.all))
  }

  /// `id` is empty for a message without one that can be read. It is `null` then: JSON-RPC 2.0, section 5, wants that, and
  /// the official clients take no error without it, though the schemas of the protocol make `id` optional and name no null.
  static func send(_ fault: RPCFault, id: Arena, _ era: Era, _ exchange: Exchange, _ out: Arena) {
    out.removeAll()
    out.append("{\"jsonrpc\":\"2.0\",\"id\":")
    if id.count == 0 { out.append("null") } else { out.append(id.span(id.all)) }
    out.append(",\"error\":{\"code\":")
    out.append(decimal: fault.code)
    out.append(",\"message\":")
    out.append(jsonString: fault.message.utf8.span)
    if let data = fault.data {
      out.append(",\"data\":")
      out.append(json: data)
    }
    out.append("}}")
    // Clients of the era before take a status of 4xx for the end of their connection, when it answers a request of
    // theirs.
    let isPlain = era == .previous && id.count > 0 && fault.code < 0
    send(out, exchange, status: isPlain ? 200 : fault.status)
  }
}
