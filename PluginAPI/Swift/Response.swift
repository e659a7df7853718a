/// What a handler can return.
///
/// An `Encodable` type answers as JSON once it conforms: `struct Greeting: Encodable, Answer { … }`.
public protocol Answer: Sendable {
  func response(to request: Request) throws -> Response

  /// The status of every ``response(to:)``, for the documents of the routes that return this type; nil where it differs.
  static var status: Int? { get }
}

extension Answer {
  public static var status: Int? { nil }
}

/// A type that makes another response than this one says its own ``Answer/status``.
extension Answer where Self: Encodable {
  public static var status: Int? { 200 }

  public func response(to request: Request) throws -> Response { try .json(self) }
}

/// An answer: status, headers, body.
///
/// The host adds Date, Content-Length, X-Request-Id, traceparent and the rate-limit headers.
public struct Response: Answer {
  /// One header; the name is a token of RFC 9110, the value has no control characters.
  public struct Header: Sendable, Equatable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  enum Payload: Sendable {
    case none
    case bytes([UInt8])
    case text(String)
    case lent(JSONBytes)
  }

  /// 200 to 599.
  public var status: Int
  /// Empty: `application/json`.
  public var contentType: String
  /// At most 31.
  public var headers: [Header]
  var payload: Payload
  /// Above 0: sent as `ETag`, and a GET whose `If-None-Match` has it is answered 304 without the body.
  public var version: Int64

  init(_ status: Int, _ payload: Payload, contentType: String = "", version: Int64 = 0) {
    self.status = status
    self.payload = payload
    self.contentType = contentType
    self.version = version
    headers = []
  }

  public func response(to request: Request) -> Response { self }

  /// The same with one header more.
  public func header(_ name: String, _ value: String) -> Response {
    var copy = self
    copy.headers.append(Header(name, value))
    return copy
  }

  /// The same with another status.
  public func status(_ status: Int) -> Response {
    var copy = self
    copy.status = status
    return copy
  }
}

extension Response {
  /// JSON bytes, sent as they are.
  public static func json(_ bytes: [UInt8]) -> Response { Response(200, .bytes(bytes)) }

  public static func json(_ value: JSON) -> Response { Response(200, .bytes(value.bytes)) }

  /// A value, encoded.
  @_disfavoredOverload
  public static func json(_ value: some Encodable) throws -> Response {
    Response(200, .bytes(try JSONCoding.encode(value)))
  }

  public static func text(_ text: String) -> Response {
    Response(200, .text(text), contentType: "text/plain; charset=utf-8")
  }

  /// Bytes of any kind.
  public static func bytes(_ bytes: [UInt8], contentType: String) -> Response {
    Response(200, .bytes(bytes), contentType: contentType)
  }

  /// 204.
  public static var noContent: Response { Response(204, .none) }
}

extension JSON: Answer {
  public static var status: Int? { 200 }

  public func response(to request: Request) -> Response { .json(self) }
}
