/// The records of one collection. Every operation waits for its result, and a write is durable when it returns: call writes
/// from handlers that may block, not from inline ones.
///
/// What does not work throws a ``RecordsError``, which answers the request as the host worded it unless it is caught.
/// What comes back is the JSON of the store, passed on without decoding.
public struct RecordsOf<Entity: Record>: Sendable {
  /// nil where the automation was made outside a host: every operation throws.
  let host: Host?
  let collection: UInt32
  let request: UInt64

  /// The same records, with operations tied to a request: they follow its deadline, and appear in its trace.
  public func on(_ request: Request) -> RecordsOf {
    RecordsOf(host: host, collection: collection, request: request.name)
  }
}

// MARK: - Reading

extension RecordsOf {
  /// One record, or a ``RecordsError`` of kind `notFound`. `fields` names the members to return; none returns all.
  public func get(_ id: String, fields: [String] = []) throws -> RecordJSON {
    if fields.isEmpty { return try record(.get, id, []) }
    return try record(.get, id, JSON.object([.init("fields", .array(fields.map(JSON.string)))]).bytes)
  }

  /// The page that a query string asks for, after the record's ``Record/listing`` or another.
  public func page(_ query: Query, _ listing: Listing = Entity.listing) throws -> PageJSON {
    try on(query.request).page(.find, "", listing.input(from: query))
  }

  /// The page of a query: `["where": ["balance": ["gte": 10]], "order": ["-created_at"], "limit": 20]`.
  public func find(_ query: JSON = [:]) throws -> PageJSON { try page(.find, "", query.bytes) }

  /// The page of records whose searchable fields hold every word, best match first: `search("red shoes")`. What else a
  /// query may say (`where`, `order`, `limit`, `after`, `fields`) goes beside it.
  public func search(_ words: String, _ query: JSON = [:]) throws -> PageJSON {
    try find(query.with("search", .string(words)))
  }

  /// How many records a condition fits: `count(where: ["status": "active"])`.
  public func count(where condition: JSON = [:]) throws -> Int {
    let input = JSON.object([.init("where", condition)]).bytes
    let json = try bound().call(.count, collection, "", input.span, for: requestInForce).json
    return Int(json.member("count")?.integer ?? 0)
  }

  /// The page of a named query with its parameters, and `limit` and `after` where the query leaves them open.
  public func query(_ name: String, _ parameters: JSON = [:]) throws -> PageJSON {
    try page(.query, name, parameters.bytes)
  }
}

// MARK: - Writing

extension RecordsOf {
  /// Inserts a document and returns the record, with defaults and the host's members. Without an id the host makes one.
  public func insert(_ document: some JSONSource, id: String = "") throws -> RecordJSON {
    try document.withJSON { try record(.insert, id, $0) }
  }

  @_disfavoredOverload
  public func insert(_ document: some Encodable, id: String = "") throws -> RecordJSON {
    try insert(JSONCoding.encode(document), id: id)
  }

  /// Replaces the fields of a record. `version`: only if the record still has that version.
  public func replace(_ id: String, with document: some JSONSource, version: Int64? = nil) throws
    -> RecordJSON
  {
    try document.withJSON { try record(.replace, id, $0, version) }
  }

  @_disfavoredOverload
  public func replace(_ id: String, with document: some Encodable, version: Int64? = nil) throws -> RecordJSON
  {
    try replace(id, with: JSONCoding.encode(document), version: version)
  }

  /// Inserts a document under an id, or replaces the one that is there: what a key–value store calls set.
  public func put(_ id: String, _ document: some JSONSource) throws -> RecordJSON {
    try document.withJSON { try record(.put, id, $0) }
  }

  @_disfavoredOverload
  public func put(_ id: String, _ document: some Encodable) throws -> RecordJSON {
    try put(id, JSONCoding.encode(document))
  }

  /// ``put(_:_:)`` of a record that ends after so many seconds; the collection declares an ``Record/expiry``.
  public func put(_ id: String, _ document: JSON, seconds: Int64) throws -> RecordJSON {
    guard let field = Entity.expiry?.field else {
      throw ProblemError(500, "plugin.no_expiry", "Records of '\(Entity.collection)' do not end.")
    }
    return try put(id, document.with(field, .integer(seconds)))
  }

  /// Changes fields of a record by a merge patch (RFC 7396): null removes a field.
  public func patch(_ id: String, _ changes: some JSONSource, version: Int64? = nil) throws -> RecordJSON {
    try changes.withJSON { try record(.patch, id, $0, version) }
  }

  @_disfavoredOverload
  public func patch(_ id: String, _ changes: some Encodable, version: Int64? = nil) throws -> RecordJSON {
    try patch(id, JSONCoding.encode(changes), version: version)
  }

  /// Deletes a record.
  @discardableResult
  public func delete(_ id: String, version: Int64? = nil) throws -> NoContent {
    let nothing: [UInt8] = []
    _ = try bound().call(.delete, collection, id, nothing.span, expecting: version ?? 0, for: requestInForce)
    return NoContent()
  }

  /// Adds to number fields in one step: `increment(id, ["balance": -500])`.
  public func increment(_ id: String, _ amounts: JSON, version: Int64? = nil) throws -> RecordJSON {
    try record(.increment, id, amounts.bytes, version)
  }

  /// Runs several writes, all or none; the results stand in the same order.
  public func batch(_ operations: [BatchOperation]) throws -> JSONBytes {
    let input = JSON.object([.init("operations", .array(operations.map(\.json)))]).bytes
    return try bound().call(.batch, collection, "", input.span, for: requestInForce).json
  }
}

// MARK: - Calling

extension RecordsOf {
  /// The request that was named, or that of the dry run whose task this is.
  private var requestInForce: UInt64 { request == 0 ? DryRun.request : request }

  private func bound() throws(ProblemError) -> Host {
    guard let host else {
      throw ProblemError(
        500, "plugin.not_running", "Records of '\(Entity.collection)' were used outside of a host.")
    }
    return host
  }

  private func record(
    _ operation: RecordsOperation, _ key: String, _ input: Span<UInt8>, _ version: Int64? = nil
  ) throws -> RecordJSON {
    let (json, version) = try bound().call(
      operation, collection, key, input, expecting: version ?? 0, for: requestInForce)
    return RecordJSON(json: json, version: version)
  }

  private func record(
    _ operation: RecordsOperation, _ key: String, _ input: [UInt8], _ version: Int64? = nil
  ) throws -> RecordJSON {
    try record(operation, key, input.span, version)
  }

  private func page(_ operation: RecordsOperation, _ key: String, _ input: [UInt8]) throws -> PageJSON {
    PageJSON(json: try bound().call(operation, collection, key, input.span, for: requestInForce).json)
  }
}

/// The operations of `council.records/1`.
enum RecordsOperation: UInt32 {
  case get = 1
  case find, count, insert, replace, patch, delete, increment, batch, query, put
}

/// One write of ``RecordsOf/batch(_:)``.
public struct BatchOperation: Sendable {
  private(set) var json: JSON

  private init(_ operation: JSON, id: String?, _ payload: JSON.Member?, version: Int64? = nil) {
    let members: [JSON.Member?] = [
      .init("op", operation), id.map { .init("id", .string($0)) }, payload,
      version.map { .init("version", .integer($0)) },
    ]
    json = .object(members.compactMap { $0 })
  }

  public static func insert(_ document: JSON, id: String? = nil) -> BatchOperation {
    BatchOperation("insert", id: id, .init("document", document))
  }

  public static func replace(_ id: String, with document: JSON, version: Int64? = nil) -> BatchOperation {
    BatchOperation("replace", id: id, .init("document", document), version: version)
  }

  public static func put(_ id: String, _ document: JSON) -> BatchOperation {
    BatchOperation("put", id: id, .init("document", document))
  }

  public static func patch(_ id: String, _ changes: JSON, version: Int64? = nil) -> BatchOperation {
    BatchOperation("patch", id: id, .init("patch", changes), version: version)
  }

  public static func increment(_ id: String, _ amounts: JSON, version: Int64? = nil) -> BatchOperation {
    BatchOperation("increment", id: id, .init("increment", amounts), version: version)
  }

  public static func delete(_ id: String, version: Int64? = nil) -> BatchOperation {
    BatchOperation("delete", id: id, nil, version: version)
  }

  /// The same write in another collection of the automation.
  public func `in`<Other: Record>(_ other: Other.Type) -> BatchOperation {
    var copy = self
    copy.json = json.with("collection", .string(other.collection))
    return copy
  }
}
