import CouncilPlugin

/// The query language of `council.records/1`, over records in memory.
struct FakeQuery: Sendable {
  private let filter: JSON
  private let words: [String]
  private let order: [(name: String, descending: Bool)]
  private let limit: Int
  private let after: [JSON]?
  private let fields: [String]?

  init(_ query: JSON, in collection: FakeCollection) throws(RecordsFault) {
    guard let members = query.members else { throw .query("", "must be an object") }
    for member in members
    where !["where", "search", "order", "limit", "after", "fields"].contains(member.name) {
      throw .query("/\(member.name)", "is not a member of a query")
    }
    filter = query["where"] ?? [:]
    try FakeQuery.check(filter, in: collection)
    words =
      try query["search"].map { text throws(RecordsFault) in
        try FakeSearch.words(of: text, in: collection)
      } ?? []
    var order: [(name: String, descending: Bool)] = []
    for entry in query["order"]?.array ?? [] {
      let text = entry.string ?? ""
      let name = text.hasPrefix("-") ? String(text.dropFirst()) : text
      guard collection.isKnown(name) else { throw .query("/order", "names no field '\(name)'") }
      if collection.field(name)?["encrypted"]?.bool == true {
        throw .query("/order", "'\(name)' is encrypted, which has no order")
      }
      order.append((name, text.hasPrefix("-")))
    }
    if order.last?.name != "id" { order.append(("id", order.last?.descending ?? false)) }
    self.order = order
    let limit = query["limit"]?.integer ?? 20
    guard (1...200).contains(limit) else { throw .query("/limit", "must be 1 to 200") }
    self.limit = Int(limit)
    after = try query["after"].map { cursor throws(RecordsFault) in
      guard let values = FakeQuery.values(ofCursor: cursor.string ?? ""), values.count == order.count else {
        throw .query("/after", "this is not a cursor of this query")
      }
      return values
    }
    fields = try FakeQuery.fields(query["fields"], in: collection)
  }

  /// The names of a projection; nil for all.
  static func fields(_ value: JSON?, in collection: FakeCollection) throws(RecordsFault) -> [String]? {
    guard let value else { return nil }
    let names = (value.array ?? []).compactMap(\.string)
    for name in names where !collection.isKnown(name) { throw .query("/fields", "names no field '\(name)'") }
    return names
  }

  func matches(of collection: FakeCollection) -> [FakeCollection.Row] {
    collection.rows.filter { FakeQuery.holds(filter, $0, collection) && collection.holds(words, $0) }
  }

  func page(of collection: FakeCollection) -> JSON {
    var rows = matches(of: collection).sorted { key($0, collection).precedes(key($1, collection), order) }
    if let after { rows = rows.filter { after.precedes(key($0, collection), order) } }
    let page = rows.prefix(limit)
    let next = rows.count > limit ? page.last.map { FakeQuery.cursor(of: key($0, collection)) } : nil
    return [
      "items": .array(page.map { collection.json($0, fields: fields) }),
      "next": next.map(JSON.string) ?? .null,
    ]
  }

  private func key(_ row: FakeCollection.Row, _ collection: FakeCollection) -> [JSON] {
    order.map { collection.value(of: $0.name, in: row) }
  }

  // MARK: Cursors

  private static func cursor(of values: [JSON]) -> String {
    JSON.array(values).bytes.map { String(Int($0) + 0x100, radix: 16).dropFirst() }.joined()
  }

  private static func values(ofCursor text: String) -> [JSON]? {
    var bytes: [UInt8] = []
    var rest = Substring(text)
    while !rest.isEmpty {
      guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
      bytes.append(byte)
      rest = rest.dropFirst(2)
    }
    return (try? JSON(parsing: bytes))?.array
  }
}

// MARK: - Conditions

extension FakeQuery {
  private static let operators = [
    "eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "exists", "null", "prefix", "contains",
  ]

  private static func check(_ filter: JSON, in collection: FakeCollection) throws(RecordsFault) {
    guard let members = filter.members else { throw .query("/where", "must be an object") }
    for member in members {
      switch member.name {
      case "and", "or": for inner in member.value.array ?? [] { try check(inner, in: collection) }
      case "not": try check(member.value, in: collection)
      default:
        guard collection.isKnown(member.name) else {
          throw .query("/where/\(member.name)", "is not a field of \(collection.name)")
        }
        try FakeSearch.checkEncrypted(member, in: collection)
        for test in member.value.members ?? [] where !operators.contains(test.name) {
          throw .query("/where/\(member.name)/\(test.name)", "is not an operator")
        }
      }
    }
  }

  private static func holds(_ filter: JSON, _ row: FakeCollection.Row, _ collection: FakeCollection) -> Bool {
    (filter.members ?? []).allSatisfy { member in
      switch member.name {
      case "and": return (member.value.array ?? []).allSatisfy { holds($0, row, collection) }
      case "or": return (member.value.array ?? []).contains { holds($0, row, collection) }
      case "not": return !holds(member.value, row, collection)
      default:
        let value = collection.value(of: member.name, in: row)
        guard let tests = member.value.members else { return equal(value, member.value) }
        return tests.allSatisfy { holds($0.name, value, $0.value) }
      }
    }
  }

  /// A missing value equals null only, and passes `ne` and `nin`.
  private static func holds(_ name: String, _ value: JSON, _ operand: JSON) -> Bool {
    switch name {
    case "eq": equal(value, operand)
    case "ne": !equal(value, operand)
    case "gt": value != .null && operand.isBefore(value)
    case "gte": value != .null && !value.isBefore(operand)
    case "lt": value != .null && value.isBefore(operand)
    case "lte": value != .null && !operand.isBefore(value)
    case "in": (operand.array ?? []).contains { equal(value, $0) }
    case "nin": !(operand.array ?? []).contains { equal(value, $0) }
    case "exists": (value != .null) == (operand == true)
    case "null": (value == .null) == (operand == true)
    case "prefix": value.string?.hasPrefix(operand.string ?? "") ?? false
    case "contains": value.string?.contains(operand.string ?? "") ?? false
    default: false
    }
  }

  private static func equal(_ a: JSON, _ b: JSON) -> Bool {
    if let a = a.number, let b = b.number { a == b } else { a == b }
  }
}

// MARK: - Order

extension JSON {
  /// Null before every value, false before true, numbers by size, text by code point.
  fileprivate func isBefore(_ other: JSON) -> Bool {
    switch (self, other) {
    case (.null, .null): false
    case (.null, _): true
    case (.bool(let a), .bool(let b)): !a && b
    case (.string(let a), .string(let b)): a.utf8.lexicographicallyPrecedes(b.utf8)
    default:
      if let a = number, let b = other.number { a < b } else { false }
    }
  }
}

extension [JSON] {
  fileprivate func precedes(_ other: [JSON], _ order: [(name: String, descending: Bool)]) -> Bool {
    for (place, part) in order.enumerated() {
      let (a, b) = part.descending ? (other[place], self[place]) : (self[place], other[place])
      if a.isBefore(b) { return true }
      if b.isBefore(a) { return false }
    }
    return false
  }
}
