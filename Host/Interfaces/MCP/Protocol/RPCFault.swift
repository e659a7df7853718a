package import Kernel

/// A JSON-RPC error as an answer: what went wrong with the message itself, not with the tool that it calls.
package struct RPCFault: Error, Sendable, Equatable {
  package var code: Int
  package var message: String
  /// The HTTP status that the revision of 2026-07-28 gives the code.
  package var status: Int
  package var data: JSONValue?

  package init(_ code: Int, _ message: String, status: Int, data: JSONValue? = nil) {
    self.code = code
    self.message = message
    self.status = status
    self.data = data
  }

  /// The bytes are no JSON.
  static func unreadable(_ why: String) -> RPCFault { RPCFault(-32700, "Parse error: \(why)", status: 400) }

  /// JSON, but no JSON-RPC message that this host takes.
  static func notAMessage(_ why: String) -> RPCFault { RPCFault(-32600, why, status: 400) }

  static func unknownMethod(_ name: String) -> RPCFault {
    RPCFault(-32601, "Method not found: \(name.prefix(100))", status: 404)
  }

  static func parameters(_ why: String, data: JSONValue? = nil) -> RPCFault {
    RPCFault(-32602, why, status: 400, data: data)
  }

  static func headerMismatch(_ why: String) -> RPCFault { RPCFault(-32020, why, status: 400) }

  static func unsupportedVersion(_ requested: String) -> RPCFault {
    RPCFault(
      -32022, "Unsupported protocol version", status: 400,
      data: [
        "supported": .array(Revision.all.map(JSONValue.string)),
        "requested": .string(String(requested.prefix(100))),
      ])
  }

  /// A problem of HTTP: authorization, a limit, a host that cannot. Its status is the code, which the protocol leaves to
  /// applications: codes outside -32768 to -32000 are theirs.
  static func problem(_ problem: Problem) -> RPCFault {
    var data = problem.members
    data["code"] = .string(problem.code)
    if let seconds = problem.retryAfterSeconds { data["retry_after_s"] = .integer(Int64(seconds)) }
    return RPCFault(problem.status, problem.detail, status: problem.status, data: .object(data))
  }
}

/// The revisions of the protocol that this host speaks.
enum Revision {
  /// Every request stands for itself.
  static let modern = "2026-07-28"
  /// Those that begin with `initialize`, newest first.
  static let previous = ["2025-11-25", "2025-06-18"]
  static let all = [modern] + previous
}

/// Whose rules a message is under.
package enum Era: Sendable, Equatable {
  case modern, previous
}
