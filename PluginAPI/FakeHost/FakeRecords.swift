import CouncilPlugin

/// The operations of `council.records/1` on collections in memory.
enum FakeRecords {
  static func run(
    _ operation: UInt32, on collections: inout [FakeCollection], _ place: Int, _ key: String, _ input: JSON,
    _ expected: Int64, stamp: inout Stamp
  ) throws(RecordsFault) -> (json: JSON?, version: Int64) {
    for number in collections.indices { collections[number].removeEnded(at: stamp.after(seconds: 0)) }
    let collection = collections[place]
    switch operation {
    case 1:
      let row = try collection.row(key)
      return (
        collection.json(row, fields: try FakeQuery.fields(input["fields"], in: collection)), row.version
      )
    case 2: return (try FakeQuery(input, in: collection).page(of: collection), 0)
    case 3:
      let query = try FakeQuery(input, in: collection)
      return (["count": .integer(Int64(query.matches(of: collection).count))], 0)
    case 9: return (["results": try batch(input, on: &collections, place, stamp: &stamp)], 0)
    case 10:
      guard let named = collection.queries[key] else { throw .query("", "there is no query '\(key)'") }
      let filled = try fill(named, input)
      return (try FakeQuery(filled, in: collection).page(of: collection), 0)
    default:
      guard let row = try write(operation, on: &collections[place], key, input, expected, stamp: &stamp)
      else {
        return (nil, 0)
      }
      return (collections[place].json(row), row.version)
    }
  }

  /// One write; nil where no record is left of it.
  private static func write(
    _ operation: UInt32, on collection: inout FakeCollection, _ key: String, _ input: JSON, _ expected: Int64,
    stamp: inout Stamp
  ) throws(RecordsFault) -> FakeCollection.Row? {
    switch operation {
    case 4: return try collection.insert(input, id: key, stamp: &stamp)
    case 11 where key.isEmpty: throw .invalid("", "a record is put under an id")
    case 11 where expected > 0: throw .invalid("", "a record that is put has no version to expect")
    case 11 where !collection.rows.contains { $0.id == key }:
      return try collection.insert(input, id: key, stamp: &stamp)
    case 5, 11:
      let now = stamp
      return try collection.change(key, expected: expected, stamp: &stamp) {
        collection, _ throws(RecordsFault) in try collection.checked(input, stamp: now)
      }
    case 6:
      let now = stamp
      return try collection.change(key, expected: expected, stamp: &stamp) {
        collection, row throws(RecordsFault) in try patched(row, input, collection, now)
      }
    case 7:
      try collection.delete(key, expected: expected)
      return nil
    case 8:
      return try collection.change(key, expected: expected, stamp: &stamp) {
        collection, row throws(RecordsFault) in try incremented(row, input, collection)
      }
    default: throw .unknownOperation
    }
  }

  private static func patched(
    _ row: FakeCollection.Row, _ patch: JSON, _ collection: FakeCollection, _ stamp: Stamp
  ) throws(RecordsFault) -> [String: JSON] {
    guard let members = patch.members else { throw .invalid("", "must be an object") }
    var values = row.values
    for member in members {
      let merged =
        if let old = values[member.name], old.members != nil, member.value.members != nil {
          merge(member.value, into: old)
        } else { member.value }
      values[member.name] = try collection.checked(
        member.name, try collection.ending(member.name, merged, stamp))
    }
    return values
  }

  /// JSON Merge Patch (RFC 7396).
  private static func merge(_ patch: JSON, into target: JSON) -> JSON {
    guard let changes = patch.members else { return patch }
    var members = target.members ?? []
    for change in changes {
      let old = members.first { $0.name == change.name }?.value ?? .null
      members.removeAll { $0.name == change.name }
      if change.value != .null { members.append(.init(change.name, merge(change.value, into: old))) }
    }
    return .object(members)
  }

  private static func incremented(
    _ row: FakeCollection.Row, _ amounts: JSON, _ collection: FakeCollection
  ) throws(RecordsFault) -> [String: JSON] {
    guard let members = amounts.members, !members.isEmpty else {
      throw .invalid("", "must name a field to increment")
    }
    var values = row.values
    for member in members {
      let sum: JSON
      switch (values[member.name] ?? .integer(0), member.value) {
      case (.integer(let a), .integer(let b)):
        let (total, overflow) = a.addingReportingOverflow(b)
        if overflow { throw .invalid("/\(member.name)", "would leave the range of a 64-bit integer") }
        sum = .integer(total)
      case (let a, let b):
        guard let a = a.number, let b = b.number else {
          throw .invalid("/\(member.name)", "must be a number")
        }
        sum = .number(a + b)
      }
      values[member.name] = try collection.checked(member.name, sum)
    }
    return values
  }

  // MARK: Batches

  private static func batch(
    _ input: JSON, on collections: inout [FakeCollection], _ place: Int, stamp: inout Stamp
  ) throws(RecordsFault) -> JSON {
    guard let operations = input["operations"]?.array, !operations.isEmpty else {
      throw .invalid("/operations", "must hold an operation")
    }
    let kinds: [String: (number: UInt32, payload: String)] = [
      "insert": (4, "document"), "replace": (5, "document"), "patch": (6, "patch"), "delete": (7, ""),
      "put": (11, "document"),
      "increment": (8, "increment"),
    ]
    var results: [JSON] = []
    for (index, operation) in operations.enumerated() {
      let at = "/operations/\(index)"
      guard let kind = kinds[operation["op"]?.string ?? ""] else {
        throw .invalid(at + "/op", "must be insert, replace, put, patch, increment or delete")
      }
      var target = place
      if let name = operation["collection"]?.string {
        guard let found = collections.firstIndex(where: { $0.name == name }) else {
          throw .invalid(at + "/collection", "is not declared")
        }
        target = found
      }
      let row = try write(
        kind.number, on: &collections[target], operation["id"]?.string ?? "", operation[kind.payload] ?? [:],
        operation["version"]?.integer ?? 0, stamp: &stamp)
      results.append(row.map { collections[target].json($0) } ?? .null)
    }
    return .array(results)
  }

  // MARK: Named queries

  /// The query with parameters in the place of `"$name"`; `limit` and `after` may come beside them.
  private static func fill(_ query: JSON, _ parameters: JSON) throws(RecordsFault) -> JSON {
    switch query {
    case .string(let text) where text.hasPrefix("$"):
      guard let value = parameters[String(text.dropFirst())] else {
        throw .query("/\(text.dropFirst())", "is required")
      }
      return value
    case .array(let items):
      var filled: [JSON] = []
      for item in items { filled.append(try fill(item, parameters)) }
      return .array(filled)
    case .object(let members):
      var filled: [JSON.Member] = []
      for member in members { filled.append(.init(member.name, try fill(member.value, parameters))) }
      var result = JSON.object(filled)
      for name in ["limit", "after"] where query["where"] != nil && query[name] == nil {
        if let value = parameters[name] { result = result.with(name, value) }
      }
      return result
    default: return query
    }
  }
}
