import Application
import Domain
import Synchronization

/// One collection of one generation, with the SQL that does not depend on a request.
final class CompiledCollection: Sendable {
  let schema: RecordSchema
  let queries: [String: NamedQuery]
  /// Tells statements of different generations apart: unique in the process.
  let number: UInt32
  /// The quoted name of each member.
  let columns: [[UInt8]]
  let table: String
  /// The whole record as JSON.
  let record: String
  /// Of the statement that gets one whole record; made once, for it is asked for most.
  let getKey: StatementKey
  /// The condition that a record has not ended, with the present instant as its parameter; empty where none ends.
  ///
  /// The plus signs keep the field's index out of it: nearly every record is live, and a page must go by the index of its
  /// order. What has ended is found through the index by the sweep.
  let isLive: String
  /// Encrypts fields; nil only where none is encrypted.
  private let cipher: (any FieldCipher)?

  private static let numbers = Atomic<UInt32>(0)

  init(schema: RecordSchema, queries: [String: NamedQuery], cipher: (any FieldCipher)?) {
    self.cipher = cipher
    isLive =
      schema.expiry.map { expiry in
        let column = SQL.quoted(schema.members[expiry].name)
        return "(+\(column) IS NULL OR +\(column)>?)"
      } ?? ""
    self.schema = schema
    self.queries = queries
    number = CompiledCollection.numbers.add(1, ordering: .relaxed).newValue
    columns = schema.members.map { Array(SQL.quoted($0.name).utf8) }
    table = SQL.quoted(schema.name)
    record = CompiledCollection.json(Array(schema.members.indices), of: schema)
    getKey = StatementKey(collection: number, text: [])
  }

  /// The expression that makes the JSON of these members.
  static func json(_ members: [Int], of schema: RecordSchema) -> String {
    // A function takes 127 parameters, json_object two per member.
    let chunks = stride(from: 0, to: members.count, by: 60).map { start in
      let parts = members[start..<min(start + 60, members.count)].map { member in
        "'\(schema.members[member].name)'," + expression(schema.members[member], schema)
      }
      return "json_object(\(parts.joined(separator: ",")))"
    }
    return chunks.dropFirst().reduce(chunks[0]) { "council_join(\($0),\($1))" }
  }

  private static func expression(_ member: RecordMember, _ schema: RecordSchema) -> String {
    if member.isEncrypted { return SQL.opened(member.name, of: schema.name) }
    let column = SQL.quoted(member.name)
    return switch member.type {
    case .string, .integer, .timestamp: column
    case .number: "council_number(\(column))"
    case .boolean: "council_boolean(\(column))"
    case .json: "json(\(column))"
    }
  }

  func json(of fields: [Int]?) -> String {
    guard let fields else { return record }
    return CompiledCollection.json(fields, of: schema)
  }
}

// MARK: - Records that end

extension CompiledCollection {
  /// The condition that a record has ended; only where the collection declares an end.
  var hasEnded: String {
    schema.expiry.map { SQL.quoted(schema.members[$0].name) + "<=?" } ?? "0"
  }

  /// Takes so many of them by the field's index.
  var sweepText: String {
    "DELETE FROM \(table) WHERE \"id\" IN (SELECT \"id\" FROM \(table) WHERE \(hasEnded) LIMIT ?)"
  }
}

// MARK: - Encrypted fields

extension CompiledCollection {
  func fingerprintColumn(_ member: Int) -> [UInt8] {
    Array(SQL.fingerprint(schema.members[member].name).utf8)
  }

  /// What the value of an encrypted field may stand under, the newest key's first.
  func fingerprints(of value: RecordValue, _ member: Int) -> [[UInt8]] {
    guard case .text(let text) = value, let cipher else { return [] }
    let scope = SQL.scope(schema.members[member].name, of: schema.name)
    return cipher.fingerprints(text.span, scope: scope.utf8.span).map { Array($0.utf8) }
  }

  /// The bytes that an encrypted field keeps for one record; nil for null.
  func sealed(_ value: RecordValue, _ member: Int, id: [UInt8]) -> [UInt8]? {
    guard case .text(let text) = value, let cipher else { return nil }
    let context = Array(SQL.scope(schema.members[member].name, of: schema.name).utf8) + [0] + id
    return cipher.seal(text.span, context: context.span)
  }

  /// What a value of a unique field is looked for as: itself, or its fingerprints, the newest key's first.
  func lookedFor(_ value: RecordValue, _ member: Int) -> [RecordValue] {
    if value == .null { return [] }
    return schema.members[member].isEncrypted ? fingerprints(of: value, member).map { .text($0) } : [value]
  }

  /// The columns that one member is kept in; the last is the one that is looked into.
  func columnNames(_ member: Int) -> [String] {
    let field = schema.members[member]
    let name = SQL.quoted(field.name)
    return field.isEncrypted && field.isFindable ? [name, SQL.fingerprint(field.name)] : [name]
  }

  /// Binds a member's value to its columns; returns the next parameter.
  func bind(
    _ value: RecordValue, _ member: Int, id: [UInt8], to statement: Statement, at index: Int
  ) throws(SQLiteError) -> Int {
    let field = schema.members[member]
    guard field.isEncrypted else {
      try statement.bind(index, value)
      return index + 1
    }
    if let sealed = sealed(value, member, id: id) {
      try statement.bind(index, blob: sealed)
    } else {
      try statement.bindNull(index)
    }
    guard field.isFindable else { return index + 1 }
    try statement.bind(index + 1, fingerprints(of: value, member).first.map { .text($0) } ?? .null)
    return index + 2
  }
}

/// Text of SQL that is made of names and literals; values of requests are always parameters.
enum SQL {
  /// A name in quotes. Names have been checked; the doubling is for whoever calls this with another.
  static func quoted(_ name: String) -> String {
    "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
  }

  /// The column beside an encrypted field by which its values are found. No field has a colon in its name.
  static func fingerprint(_ field: String) -> String { quoted(field + ":fingerprint") }

  /// What the values of one encrypted field are bound to. Names hold no slash.
  static func scope(_ field: String, of collection: String) -> String { "\(collection)/\(field)" }

  /// The value of an encrypted field.
  static func opened(_ field: String, of collection: String) -> String {
    "council_open(\(quoted(field)),'\(scope(field, of: collection))',\"id\")"
  }

  /// A literal, for the one place that takes no parameter: a column's default.
  static func literal(_ value: RecordValue) -> String {
    switch value {
    case .null: "NULL"
    case .integer(let number): String(number)
    case .number(let number): number.description
    case .boolean(let flag): flag ? "1" : "0"
    case .text(let text):
      "'"
        + String(decoding: text, as: UTF8.self).split(separator: "'", omittingEmptySubsequences: false)
        .joined(separator: "''") + "'"
    }
  }

  static func type(_ type: FieldDeclaration.FieldType) -> String {
    switch type {
    case .string, .timestamp, .json: "TEXT"
    case .integer, .boolean: "INTEGER"
    case .number: "REAL"
    }
  }

  /// A declared field's column. Whether it is required is the host's to check, for what a later
  /// generation may relax must not be part of the table; a CHECK states only what its type means.
  static func column(_ field: FieldDeclaration, default value: RecordValue) -> String {
    let name = quoted(field.name)
    if field.encrypted { return "\(name) BLOB" }
    var text = "\(name) \(type(field.type))"
    if value != .null { text += " DEFAULT \(literal(value))" }
    switch field.type {
    case .boolean: text += " CHECK(\(name) IN (0,1))"
    case .timestamp: text += " CHECK(length(\(name))=\(RecordTimestamp.byteCount))"
    // No json_valid: SQLite 3.40 counts it among what a schema that is not trusted must not call.
    case .string, .integer, .number, .json: break
    }
    return text
  }
}
