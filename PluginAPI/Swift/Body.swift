import FoundationEssentials

/// What holds one JSON document as bytes and can lend them: an operation on records takes it without a copy.
public protocol JSONSource {
  func withJSON<R>(_ read: (Span<UInt8>) throws -> R) throws -> R
}

/// The body of a request, not decoded.
public struct Body: JSONSource, Sendable {
  let request: Request

  /// Lends the bytes for the time of the call.
  public func withJSON<R>(_ read: (Span<UInt8>) throws -> R) throws -> R {
    if let body = request.copy?.body { return try read(body.span) }
    let result = try request.host.withField(request.name, .body, "") { bytes in try read(bytes) }
    if let result { return result }
    let empty: [UInt8] = []
    return try read(empty.span)
  }

  /// A copy of the bytes.
  public var bytes: [UInt8] { request.copy?.body ?? request.host.bytes(request.name, .body) ?? [] }
}

extension Array: JSONSource where Element == UInt8 {
  public func withJSON<R>(_ read: (Span<UInt8>) throws -> R) throws -> R { try read(span) }
}

extension JSON: JSONSource {
  public func withJSON<R>(_ read: (Span<UInt8>) throws -> R) throws -> R { try read(bytes.span) }
}

/// Codable to and from JSON bytes.
enum JSONCoding {
  static func encode(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
    return [UInt8](try encoder.encode(value))
  }

  static func decode<T: Decodable>(_ type: T.Type, from bytes: Span<UInt8>) throws -> T {
    var copy: [UInt8] = []
    copy.reserveCapacity(bytes.count)
    for index in bytes.indices { copy.append(bytes[index]) }
    return try JSONDecoder().decode(type, from: Data(copy))
  }

  /// Where a document does not fit a type, and why.
  static func reason(of error: DecodingError) -> String {
    switch error {
    case .keyNotFound(let key, let context): "'\(path(context.codingPath + [key]))' is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      "'\(path(context.codingPath))' has another type"
    case .dataCorrupted(let context) where context.codingPath.isEmpty: "it is not JSON"
    case .dataCorrupted(let context): "'\(path(context.codingPath))' has a value that is not allowed"
    @unknown default: "it cannot be decoded"
    }
  }

  private static func path(_ keys: [any CodingKey]) -> String {
    "/" + keys.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: "/")
  }
}
