/// Thrown by a handler: becomes an answer in `application/problem+json` (RFC 9457).
public struct ProblemError: Error, Sendable, Equatable {
  /// HTTP status, 400 to 599.
  public var status: Int
  /// Stable, lower case, dotted: `accounts.overdrawn`. Clients match on this and on nothing else.
  public var code: String
  /// What happened and what to do, for people and models. Never holds a secret.
  public var detail: String
  /// Facts a caller can act on, beside the standard members.
  public var members: [JSON.Member]

  public init(_ status: Int, _ code: String, _ detail: String, members: JSON = .object([])) {
    self.status = status
    self.code = code
    self.detail = detail
    self.members = members.members ?? []
  }

  /// The whole document, where it has members that the host's short form has no place for.
  var document: [UInt8] {
    let standard: [JSON.Member] = [
      .init("type", .string("urn:council:problem:\(code)")), .init("status", .integer(Int64(status))),
      .init("code", .string(code)), .init("detail", .string(detail)),
    ]
    return JSON.object(standard + members.filter { own in !standard.contains { $0.name == own.name } }).bytes
  }
}

/// An operation on records that did not work. Not caught, it is passed on to the caller as the host worded it.
public struct RecordsError: Error, Sendable {
  /// What a handler can tell apart.
  public enum Kind: Sendable, Equatable {
    case notFound
    /// A unique field has this value already; ``RecordsError/field`` names it.
    case conflict
    /// The record has another version than the one expected.
    case precondition
    /// The document breaks the declaration.
    case invalid
    /// A limit was reached, or the store cannot be reached; a retry can help.
    case unavailable
    /// The manifest did not ask for this, or it is a write on an event thread.
    case denied
    case unsupported
    /// The request is over.
    case stale
    case other
  }

  public var kind: Kind
  /// HTTP status of the problem, 400 to 599.
  public var status: Int
  /// The problem document.
  public let json: JSONBytes

  /// `records.conflict` and the like.
  public var code: String? { parsed?["code"]?.string }
  public var detail: String? { parsed?["detail"]?.string }
  /// The field at fault, where there is one.
  public var field: String? { parsed?["field"]?.string }

  private var parsed: JSON? { try? JSON(parsing: json.array) }
}
