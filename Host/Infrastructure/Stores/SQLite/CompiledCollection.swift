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

  private static let numbers = Atomic<UInt32>(0)

  init(schema: RecordSchema, queries: [String: NamedQuery]) {
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
        "'\(schema.members[member].name)'," + expression(schema.members[member])
      }
      return "json_object(\(parts.joined(separator: ",")))"
    }
    return chunks.dropFirst().reduce(chunks[0]) { "council_join(\($0),\($1))" }
  }

  private static func expression(_ member: RecordMember) -> String {
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

/// Text of SQL that is made of names and literals; values of requests are always parameters.
enum SQL {
  /// A name in quotes. Names have been checked; the doubling is for whoever calls this with another.
  static func quoted(_ name: String) -> String {
    "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
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
