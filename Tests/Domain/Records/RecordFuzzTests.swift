import Domain
import Kernel
import Testing

/// Input that nobody wrote on purpose ends in a value or a Problem, never in a trap.
@Suite struct RecordFuzzTests {
  /// SplitMix64: the same numbers in every run.
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

  private static let seeds = [
    #"{"where":{"and":[{"n":{"gte":1,"in":[1,2]}},{"not":{"s":{"prefix":"a"}}},{"or":[{"b":true},{"t":null}]}]},"#
      + #""order":["-n","s"],"limit":20,"fields":["id","j"]}"#,
    #"{"s":"text","n":-5,"f":1.5,"b":false,"t":"2026-01-31T13:45:00.123+01:00","j":{"a":[1,{"b":null}]}}"#,
    #"{"operations":[{"op":"insert","document":{"s":"x"}},{"op":"patch","id":"a","patch":{"j":{"x":null}},"version":3},"#
      + #"{"op":"increment","id":"a","increment":{"n":1}},{"op":"delete","id":"b"}]}"#,
    #"{"low":1,"list":["a","b"],"limit":5}"#,
  ]
  private static let pieces = [
    "{", "}", "[", "]", ",", ":", "\"", "null", "true", "1e308", "-9223372036854775808",
    "18446744073709551615",
    "\"where\"", "\"$low\"", "\"\\ud83d\\ude00\"", "\"in\"", "0", "\u{0}", "\u{FF}", "\"id\"", "-", "\"not\"",
  ]

  private static func mutate(_ text: String, _ random: inout Random) -> [UInt8] {
    var bytes = Array(text.utf8)
    for _ in 0..<Int.random(in: 0..<4, using: &random) {
      let place = Int.random(in: 0...bytes.count, using: &random)
      switch Int.random(in: 0..<5, using: &random) {
      case 0: bytes.insert(contentsOf: pieces.randomElement(using: &random)!.utf8, at: place)
      case 1 where place < bytes.count: bytes[place] = UInt8.random(in: 0...255, using: &random)
      case 2 where place < bytes.count: bytes.remove(at: place)
      case 3:
        let end = Int.random(in: place...bytes.count, using: &random)
        bytes.insert(contentsOf: bytes[place..<end], at: place)
      default: bytes.removeLast(bytes.count - place)
      }
    }
    return bytes
  }

  @Test func onlyEverEndsInAProblem() throws {
    let schema = try RecordSchema(
      CollectionDeclaration(
        name: "c",
        fields: [
          FieldDeclaration(name: "s", type: .string, maxLength: 20),
          FieldDeclaration(name: "n", type: .integer, minimum: 0), FieldDeclaration(name: "f", type: .number),
          FieldDeclaration(name: "b", type: .boolean), FieldDeclaration(name: "t", type: .timestamp),
          FieldDeclaration(name: "j", type: .json),
        ]))
    let named = try NamedQuery(
      NamedQueryDeclaration(
        name: "q", query: ["where": ["n": ["gt": "$low"], "s": ["in": "$list"]], "after": "$after"]),
      in: schema, limits: RecordLimits())
    let limits = RecordLimits()
    let document = JSONDocument()
    var random = Random(state: 20_260_131)
    var parsed = 0
    var accepted = 0
    for round in 0..<20_000 {
      let bytes = RecordFuzzTests.mutate(RecordFuzzTests.seeds[round % RecordFuzzTests.seeds.count], &random)
      if let cursor = RecordCursor(bytes.span, limits: limits) { _ = cursor.text }
      _ = RecordTimestamp.normalise(bytes.span)
      guard (try? document.parse(bytes.span)) != nil else { continue }
      parsed += 1
      for attempt in 0..<6 {
        do throws(Problem) {
          switch attempt {
          case 0: _ = try schema.query(document.root, limits: limits).shape(in: schema)
          case 1: _ = try schema.values(of: document.root, limits: limits, now: { .now })
          case 2: _ = try schema.patch(document.root, limits: limits, now: { .now })
          case 3: _ = try schema.increments(document.root, limits: limits)
          case 4: _ = try named.query(document.root, in: schema, limits: limits)
          default:
            _ = try RecordBatch(
              document.root, schemas: [schema], collection: 0, limits: limits, now: { .now })
          }
          accepted += 1
        } catch {
          #expect(error.code.hasPrefix("records.") && (400..<500).contains(error.status))
          #expect(!error.detail.isEmpty)
        }
      }
    }
    #expect(parsed > 1000)
    #expect(accepted > 200)
  }
}
