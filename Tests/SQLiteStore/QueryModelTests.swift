import Application
import Domain
import Kernel
import RecordsContract
import SQLiteStore
import Testing

/// Random queries, compared with what a filter means when it is read off plain values; and random bytes, which
/// must end in a Problem.
@Suite struct QueryModelTests {
  private static let collection = CollectionDeclaration(
    name: "accounts",
    fields: [
      FieldDeclaration(name: "s", type: .string, indexed: true), FieldDeclaration(name: "n", type: .integer),
      FieldDeclaration(name: "f", type: .number), FieldDeclaration(name: "b", type: .boolean),
    ], indexes: [["n", "s"]])

  struct Random: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var word = state
      word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
      word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
      return word ^ word >> 31
    }
  }

  private static let texts = ["", "a", "ab", "abc", "b", "B", "é", "aé", "%", "_", "a\u{10FFFF}"]

  private func value(_ field: String, _ random: inout Random) -> JSONValue {
    switch field {
    case "s": .string(QueryModelTests.texts.randomElement(using: &random)!)
    case "n": .integer(Int64.random(in: -2...4, using: &random))
    case "f": .number(Double(Int.random(in: -4...8, using: &random)) / 4)
    default: .bool(Bool.random(using: &random))
    }
  }

  private func filter(_ depth: Int, _ random: inout Random) -> JSONValue {
    switch depth > 0 ? Int.random(in: 0..<6, using: &random) : 9 {
    case 0: return ["and": .array((0..<2).map { _ in filter(depth - 1, &random) })]
    case 1: return ["or": .array((0..<3).map { _ in filter(depth - 1, &random) })]
    case 2, 3: return ["not": filter(depth - 1, &random)]
    default: break
    }
    let field = ["s", "n", "f", "b"].randomElement(using: &random)!
    let name: String
    let operand: JSONValue
    switch Int.random(in: 0..<8, using: &random) {
    case 0: (name, operand) = ("null", .bool(Bool.random(using: &random)))
    case 1: (name, operand) = ("in", .array((0..<3).map { _ in value(field, &random) }))
    case 2: (name, operand) = ("nin", .array((0..<3).map { _ in value(field, &random) }))
    case 3 where field == "s":
      (name, operand) = (
        "prefix", .string(["a", "ab", "é", "%", "a\u{10FFFF}"].randomElement(using: &random)!)
      )
    case 4 where field == "s":
      (name, operand) = ("contains", .string(["b", "é", "_"].randomElement(using: &random)!))
    case 5: (name, operand) = ("ne", value(field, &random))
    case 6... where field != "b":
      (name, operand) = (["gt", "gte", "lt", "lte"].randomElement(using: &random)!, value(field, &random))
    default: (name, operand) = ("eq", value(field, &random))
    }
    return .object([field: .object([name: operand])])
  }

  /// What a filter means, on one record's values by member.
  private func matches(_ filter: RecordFilter, _ record: [RecordValue]) -> Bool {
    switch filter {
    case .isNull(let member, let flag): return (record[member] == .null) == flag
    case .compare(let member, let comparison, let operand):
      switch comparison {
      case .equal: return record[member] == operand.value
      case .notEqual: return record[member] != operand.value
      case .greater: return order(record[member], operand.value).map { $0 > 0 } ?? false
      case .greaterOrEqual: return order(record[member], operand.value).map { $0 >= 0 } ?? false
      case .less: return order(record[member], operand.value).map { $0 < 0 } ?? false
      case .lessOrEqual: return order(record[member], operand.value).map { $0 <= 0 } ?? false
      }
    case .oneOf(let member, let operands, let negated):
      return operands.contains { $0.value == record[member] } != negated
    case .prefix(let member, let operand):
      guard case .text(let text) = record[member], case .text(let part) = operand.value else { return false }
      return text.starts(with: part)
    case .contains(let member, let operand):
      guard case .text(let text) = record[member], case .text(let part) = operand.value else { return false }
      return text.indices.contains { text[$0...].starts(with: part) }
    case .all(let filters): return filters.allSatisfy { matches($0, record) }
    case .any(let filters): return filters.contains { matches($0, record) }
    case .not(let inner): return !matches(inner, record)
    }
  }

  private func order(_ a: RecordValue, _ b: RecordValue) -> Int? {
    switch (a, b) {
    case (.integer(let a), .integer(let b)): a < b ? -1 : a == b ? 0 : 1
    case (.number(let a), .number(let b)): a < b ? -1 : a == b ? 0 : 1
    case (.text(let a), .text(let b)): a.lexicographicallyPrecedes(b) ? -1 : a == b ? 0 : 1
    default: nil
    }
  }

  @Test func filtersFindWhatTheyMean() throws {
    let store = try StoreUnderTest(SQLiteConfiguration(), [QueryModelTests.collection])
    let schema = try RecordSchema(QueryModelTests.collection)
    var random = Random(state: 7)
    var model: [(id: String, values: [RecordValue])] = []
    let document = JSONDocument()
    for number in 0..<100 {
      var fields: [String: JSONValue] = [:]
      for field in ["s", "n", "f", "b"] where Int.random(in: 0..<4, using: &random) > 0 {
        fields[field] = value(field, &random)
      }
      let text = JSON.text(JSONValue.object(fields))
      let id = try store.records.insert(text, id: StoreUnderTest.id(number))
      try document.parse(text.utf8.span)
      model.append(
        (
          id,
          [.text(Array(id.utf8))]
            + (try schema.values(of: document.root, limits: RecordLimits(), now: { .now }))
        ))
    }
    var found = 0
    for _ in 0..<400 {
      let text = JSON.text(["where": filter(3, &random)] as JSONValue)
      try document.parse(text.utf8.span)
      let query = try schema.query(document.root, limits: RecordLimits())
      let expected = model.filter { record in query.filter.map { matches($0, record.values) } ?? true }.map(
        \.id)
      let whole = try JSONValue.parse(text.utf8.span).object ?? [:]
      let ids = try store.records.allPages(whole.merging(["limit": 200]) { $1 }).compactMap(\.string)
      #expect(ids == expected, "\(text)")
      found += ids.count
    }
    #expect(found > 1000)
  }

  @Test func randomBytesEndInAProblem() throws {
    let store = try StoreUnderTest(SQLiteConfiguration(), [QueryModelTests.collection])
    for number in 0..<30 { try store.records.insert("{\"n\":\(number)}", id: StoreUnderTest.id(number)) }
    var random = Random(state: 11)
    let page = try store.records.json(.find, #"{"order":["n"],"limit":2}"#)
    let cursor = try #require(page["next"]?.string)
    let seeds = [
      "{\"order\":[\"n\"],\"limit\":2,\"after\":\"\(cursor)\"}",
      #"{"where":{"s":{"prefix":"a"},"n":{"in":[1,2,3]},"not":{"b":true}},"order":["-f"],"fields":["id","f"]}"#,
      #"{"s":"x","n":1,"f":0.5,"b":true}"#,
      #"{"operations":[{"op":"insert","document":{"n":1}},{"op":"delete","id":"none"}]}"#,
    ]
    var problems = 0
    var answers = 0
    for round in 0..<10_000 {
      var bytes = Array(seeds[round % seeds.count].utf8)
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        if Bool.random(using: &random) {
          bytes[place] = UInt8.random(in: 32...126, using: &random)
        } else {
          bytes.remove(at: place)
        }
      }
      // Writes wait for the disk: most rounds read.
      let operation: RecordOperation =
        round % 4 < 2 || round % 64 > 3
        ? [.find, .count, .get][round % 3] : round % 4 == 2 ? .insert : .batch
      do throws(Problem) {
        let key = operation == .get ? "r000007" : ""
        _ = try store.store.call(
          operation, collection: 0, key: key.utf8.span, input: bytes.span, expectedVersion: 0)
        answers += 1
      } catch {
        #expect(error.code.hasPrefix("records.") && (400..<500).contains(error.status), "\(error)")
        problems += 1
      }
    }
    #expect(problems > 50)
    #expect(answers > 10)
  }
}
