import CouncilPlugin

/// A collection in memory: its declaration, and its records by id in the order of their making.
struct FakeCollection: Sendable {
  static let own = ["id", "version", "created_at", "updated_at"]

  struct Row: Sendable {
    var id: String
    var version: Int64
    var created: String
    var updated: String
    /// Declared fields that are not null.
    var values: [String: JSON]
  }

  let name: String
  let fields: [JSON]
  let queries: [String: JSON]
  /// The field that says when a record ends, and the seconds that one without it gets.
  let expiry: (field: String, seconds: Int64?)?
  private(set) var rows: [Row] = []

  init(_ declaration: JSON) {
    name = declaration["name"]?.string ?? ""
    fields = declaration["fields"]?.array ?? []
    let named = (declaration["queries"]?.array ?? []).map { ($0["name"]?.string ?? "", $0["query"] ?? [:]) }
    queries = Dictionary(named) { first, _ in first }
    expiry = declaration["expires"]?["field"]?.string.map {
      ($0, declaration["expires"]?["after_s"]?.integer)
    }
  }

  /// Forgets what has ended. Before every operation, so that nothing sees it.
  mutating func removeEnded(at now: String) {
    guard let expiry else { return }
    rows.removeAll { row in
      guard let end = row.values[expiry.field]?.string else { return false }
      return end.utf8.lexicographicallyPrecedes(now.utf8) || end == now
    }
  }

  func field(_ name: String) -> JSON? { fields.first { $0["name"]?.string == name } }

  /// Whether the searchable fields hold every word.
  func holds(_ words: [String], _ row: Row) -> Bool {
    var held: Set<String> = []
    for field in fields where field["searchable"]?.bool == true {
      held.formUnion(FakeSearch.words(row.values[field["name"]?.string ?? ""]?.string ?? ""))
    }
    return words.allSatisfy { held.contains($0) }
  }

  func isKnown(_ member: String) -> Bool {
    FakeCollection.own.contains(member) || fields.contains { $0["name"]?.string == member }
  }

  func row(_ id: String) throws(RecordsFault) -> Row {
    guard let row = rows.first(where: { $0.id == id }) else { throw .notFound(name) }
    return row
  }

  /// The record as JSON, with all members or with some.
  func json(_ row: Row, fields wanted: [String]? = nil) -> JSON {
    let all = ["id"] + fields.compactMap { $0["name"]?.string } + FakeCollection.own.dropFirst()
    return .object((wanted ?? all).map { JSON.Member($0, value(of: $0, in: row)) })
  }

  func value(of member: String, in row: Row) -> JSON {
    switch member {
    case "id": .string(row.id)
    case "version": .integer(row.version)
    case "created_at": .string(row.created)
    case "updated_at": .string(row.updated)
    default: row.values[member] ?? .null
    }
  }

  // MARK: Writing

  mutating func insert(_ document: JSON, id: String, stamp: inout Stamp) throws(RecordsFault) -> Row {
    let values = try checked(document, stamp: stamp)
    let id = id.isEmpty ? stamp.id() : id
    if rows.contains(where: { $0.id == id }) { throw .conflict(name, "id") }
    try checkUnique(values, except: id)
    let now = stamp.now()
    let row = Row(id: id, version: 1, created: now, updated: now, values: values)
    rows.append(row)
    return row
  }

  mutating func change(
    _ id: String, expected: Int64, stamp: inout Stamp,
    _ change: (FakeCollection, Row) throws(RecordsFault) -> [String: JSON]
  ) throws(RecordsFault) -> Row {
    let old = try row(id)
    if expected > 0, old.version != expected { throw .precondition(expected, old.version) }
    var row = old
    row.values = try change(self, old)
    try checkUnique(row.values, except: id)
    row.version += 1
    row.updated = stamp.now()
    rows = rows.map { $0.id == id ? row : $0 }
    return row
  }

  mutating func delete(_ id: String, expected: Int64) throws(RecordsFault) {
    let old = try row(id)
    if expected > 0, old.version != expected { throw .precondition(expected, old.version) }
    rows.removeAll { $0.id == id }
  }

  /// The values of a whole document, defaults filled in.
  func checked(_ document: JSON, stamp: Stamp) throws(RecordsFault) -> [String: JSON] {
    guard let members = document.members else { throw .invalid("", "must be an object") }
    var values: [String: JSON] = [:]
    for member in members {
      values[member.name] = try checked(member.name, ending(member.name, member.value, stamp))
    }
    for field in fields {
      guard let name = field["name"]?.string, !members.contains(where: { $0.name == name }) else { continue }
      values[name] = field["default"]
      if values[name] == nil, name == expiry?.field, let seconds = expiry?.seconds {
        values[name] = .string(stamp.after(seconds: seconds))
      }
      if values[name] == nil, field["required"]?.bool == true { throw .invalid("/\(name)", "is required") }
    }
    return values
  }

  /// The end of a record, where it is given as seconds from now.
  func ending(_ name: String, _ value: JSON, _ stamp: Stamp) throws(RecordsFault) -> JSON {
    guard name == expiry?.field, case .integer(let seconds) = value else { return value }
    guard (1...3_155_760_000).contains(seconds) else {
      throw .invalid("/\(name)", "must be a timestamp, or the seconds from now, from 1 to 3155760000")
    }
    return .string(stamp.after(seconds: seconds))
  }

  /// The value of one field; nil for null.
  func checked(_ name: String, _ value: JSON) throws(RecordsFault) -> JSON? {
    guard let field = fields.first(where: { $0["name"]?.string == name }) else {
      throw .invalid("/\(name)", "is not a field of \(self.name)")
    }
    if value == .null {
      if field["required"]?.bool == true { throw .invalid("/\(name)", "is required and cannot be null") }
      return nil
    }
    let kind = field["type"]?.string ?? ""
    if let fault = SchemaCheck(FakeCollection.schema(of: field, kind)).fault(in: value) {
      throw .invalid("/\(name)", fault.reason)
    }
    return kind == "integer" ? value.integer.map(JSON.integer) : value
  }

  private static func schema(of field: JSON, _ kind: String) -> JSON {
    var schema: JSON = kind == "json" ? [:] : ["type": .string(kind == "timestamp" ? "string" : kind)]
    let names = [
      ("enum", "enum"), ("min_length", "minLength"), ("max_length", "maxLength"), ("minimum", "minimum"),
      ("maximum", "maximum"),
    ]
    for (ours, theirs) in names {
      if let value = field[ours] { schema = schema.with(theirs, value) }
    }
    return schema
  }

  private func checkUnique(_ values: [String: JSON], except id: String) throws(RecordsFault) {
    for field in fields where field["unique"]?.bool == true {
      guard let name = field["name"]?.string, let value = values[name] else { continue }
      if rows.contains(where: { $0.id != id && $0.values[name] == value }) {
        throw .conflict(self.name, name)
      }
    }
  }
}
