/// One JSON document as the host's store wrote it; passed on without being decoded or copied.
public struct JSONBytes: JSONSource, Answer {
  let owned: OwnedBytes

  public func withJSON<R>(_ read: (Span<UInt8>) throws -> R) throws -> R { try owned.withBytes(read) }

  public static var status: Int? { 200 }

  /// A copy of the bytes.
  public var array: [UInt8] { owned.array }

  /// Decodes the document.
  public func decode<T: Decodable>(_ type: T.Type) throws -> T {
    try owned.withBytes { try JSONCoding.decode(type, from: $0) }
  }

  public func response(to request: Request) -> Response { Response(200, .lent(self)) }

  /// The text of one member of the outermost object.
  func member(_ name: String) -> JSON? {
    owned.withBytes { bytes in
      var scan = JSONScan(at: 0)
      return scan.member(name, of: bytes)
    }
  }
}

/// A record as the store wrote it. Returned from a handler it is answered with its version as `ETag`.
public struct RecordJSON: JSONSource, Answer {
  public let json: JSONBytes
  /// Grows with each write of the record.
  public let version: Int64

  public static var status: Int? { 200 }

  /// The record's id.
  public var id: String { json.member("id")?.string ?? "" }

  public func withJSON<R>(_ read: (Span<UInt8>) throws -> R) throws -> R { try json.withJSON(read) }

  /// Decodes the record: `try accounts.get(id).decode(Account.self)`.
  public func decode<T: Decodable>(_ type: T.Type) throws -> T { try json.decode(type) }

  public func response(to request: Request) -> Response { Response(200, .lent(json), version: version) }

  /// Answered with 201, and `Location` below the path that was posted to.
  public func created() -> CreatedRecord { CreatedRecord(record: self) }
}

/// See ``RecordJSON/created()``.
public struct CreatedRecord: Answer {
  let record: RecordJSON

  public static var status: Int? { 201 }

  public func response(to request: Request) -> Response {
    var location = "/\(request.host.automation)"
    for segment in request.path.split(separator: "/") {
      location += "/\(PercentCoding.encodeSegment(segment))"
    }
    location += "/\(PercentCoding.encodeSegment(record.id))"
    return record.response(to: request).status(201).header("Location", location)
  }
}

/// A page of records as the store wrote it: `{"items":[…],"next":cursor|null}`.
public struct PageJSON: JSONSource, Answer {
  public let json: JSONBytes

  public static var status: Int? { 200 }

  public func withJSON<R>(_ read: (Span<UInt8>) throws -> R) throws -> R { try json.withJSON(read) }

  public func response(to request: Request) -> Response { json.response(to: request) }

  /// Decodes the page: `try accounts.find(query).decode(Account.self).items`.
  public func decode<T: Decodable>(_ type: T.Type) throws -> Page<T> { try json.decode(Page<T>.self) }
}

/// A decoded page.
public struct Page<Item: Decodable & Sendable>: Decodable, Sendable {
  public var items: [Item]
  /// The cursor of the next page, to be passed as `after`; nil on the last.
  public var next: String?
}

/// Nothing, answered with 204.
public struct NoContent: Answer {
  public static var status: Int? { 204 }

  public init() {}
  public func response(to request: Request) -> Response { .noContent }
}
