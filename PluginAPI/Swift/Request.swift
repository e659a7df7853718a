/// One request, as a handler sees it.
///
/// An immediate handler reads straight from the host's memory, during its call and on its thread: a request that
/// is kept longer reads as empty. An asynchronous handler has a copy, which stays.
public struct Request: Sendable {
  /// The host's name of this request.
  let name: UInt64
  let host: Host
  let copy: RequestCopy?

  init(_ name: UInt64, of host: Host, copy: RequestCopy? = nil) {
    self.name = name
    self.host = host
    self.copy = copy
  }

  /// `GET`; also `HEAD`, which the host answers from a GET route.
  public var method: String { copy?.method ?? host.text(name, .method) ?? "" }

  /// The path below the automation's root, percent-decoded.
  public var path: String { copy?.path ?? host.text(name, .path) ?? "" }

  /// A path parameter, percent-decoded. A name that the route's path does not have is a 500, for the mistake is the
  /// automation's.
  public func parameter(_ parameter: String) throws(ProblemError) -> String {
    let value = if let copy { copy.parameters[parameter] } else { host.text(name, .pathParameter, parameter) }
    guard let value else {
      throw ProblemError(500, "plugin.unknown_parameter", "The route has no path parameter '\(parameter)'.")
    }
    return value
  }

  /// The query parameters.
  public var query: Query { Query(request: self) }

  /// The body, to be passed on as it is.
  public var body: Body { Body(request: self) }

  /// The body, decoded. The host has validated it against the route's `body` schema; what still does not fit the type is
  /// answered 422.
  public func body<T: Decodable>(_ type: T.Type) throws -> T {
    do {
      return try body.withJSON { try JSONCoding.decode(type, from: $0) }
    } catch let error as DecodingError {
      throw ProblemError(
        422, "request.body_invalid", "The body does not fit: \(JSONCoding.reason(of: error)).")
    }
  }

  /// The first header of that name, in any case; nil when it did not come. Credentials are withheld by the host.
  public func header(_ header: String) -> String? {
    if let copy { copy.header(header) } else { host.text(name, .header, header) }
  }

  /// The caller's id, stable across key rotations; empty on a public route.
  public var principal: String { copy?.principal ?? host.text(name, .principal) ?? "" }

  /// The id of this request, as in the log and in `X-Request-Id`.
  public var id: String { copy?.id ?? host.text(name, .requestID) ?? "" }

  /// The W3C trace context, to be sent onwards with outgoing calls.
  public var traceparent: String { copy?.traceparent ?? host.text(name, .traceparent) ?? "" }

  /// Time until the host answers 504 in this handler's place; zero when the request is over.
  public var remaining: Duration { host.remaining(name) ?? .zero }

  /// Whether an answer is not wanted any more: the client left, or the deadline passed.
  public var isOver: Bool { host.remaining(name) == nil }

  /// The version that `If-Match` asks for, to be passed to a write: nil when the header did not come or is `*`. A tag that
  /// no record of ours can have is answered 412.
  public var ifMatch: Int64? {
    get throws(ProblemError) {
      guard let header = header("if-match") else { return nil }
      return try EntityTag.expectedVersion(header)
    }
  }

  /// Whether this is a dry run: what the handler answers is wanted, and what it writes into records is undone. Each write is
  /// undone by itself, before the next one: what it wrote is not found by a read that follows, and what belongs together is
  /// one batch. What the handler would change elsewhere is for it to leave. Only routes with ``Route/dryRun()`` are run so.
  public var isDryRun: Bool {
    (header("prefer").map(Preferences.holdDryRun) ?? false) && !["GET", "HEAD"].contains(method)
  }

  /// Writes into the host's log, tied to this request and its trace.
  public var log: Logger { Logger(host: host, request: name) }
}

/// What an asynchronous handler keeps of its request.
final class RequestCopy: Sendable {
  let method: String
  let path: String
  let queryString: String
  let body: [UInt8]
  let parameters: [String: String]
  let principal: String
  let id: String
  let traceparent: String
  private let headers: String

  /// Copies while the handler's call lasts. Throws when the host cannot list the headers: a handler that silently misses
  /// `If-Match` would do harm.
  init(_ name: UInt64, of host: Host, parameterNames: [String]) throws(ProblemError) {
    method = host.text(name, .method) ?? ""
    path = host.text(name, .path) ?? ""
    queryString = host.text(name, .queryString) ?? ""
    body = host.bytes(name, .body) ?? []
    var parameters: [String: String] = [:]
    for parameter in parameterNames { parameters[parameter] = host.text(name, .pathParameter, parameter) }
    self.parameters = parameters
    principal = host.text(name, .principal) ?? ""
    id = host.text(name, .requestID) ?? ""
    traceparent = host.text(name, .traceparent) ?? ""
    guard let headers = host.text(name, .headers) else {
      throw ProblemError(500, "plugin.no_headers", "The host did not list the request's headers.")
    }
    self.headers = headers
  }

  func header(_ name: String) -> String? {
    let wanted = name.lowercased()
    for line in headers.utf8.split(separator: UInt8(ascii: "\n")) {
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
      guard Substring(line[..<colon]) == wanted else { continue }
      let value = line[line.index(after: colon)...].drop { $0 == UInt8(ascii: " ") }
      return String(Substring(value.last == UInt8(ascii: "\r") ? value.dropLast() : value))
    }
    return nil
  }
}
