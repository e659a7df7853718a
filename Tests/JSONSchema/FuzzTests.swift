import Application
import Kernel
import Testing

@testable import JSONSchema

/// The same mutations in each run: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// Broken and strange input must give an answer, the same one each time, and never a crash.
@Suite struct FuzzTests {
  /// Each test stops here, however slow the machine and the sanitizer.
  private static let longest = Duration.seconds(1)

  private static let documents = [
    #"{"name":"Ada","email":"a@b.example","balance":12.5,"tags":["a","b"],"next":{"name":"x","next":null}}"#,
    #"[1,-2,3.5e10,18446744073709551615,true,false,null,"\u0041\ud83d\ude00",[],{},[[[[]]]]]"#,
    #"{"a":{"a":{"a":{"a":1,"a":2}}},"b":[{"x":1},{"x":1.0}]}"#,
  ]

  private static let schemas = [
    ##"{"type":"object","properties":{"name":{"type":"string","pattern":"^[A-Z]\\w*$"},"next":{"$ref":"#"}},"required":["name"],"unevaluatedProperties":{"type":["string","number","array"]}}"##,
    #"{"type":["array","object"],"items":{"oneOf":[{"type":"integer","multipleOf":0.5},{"not":{"type":"number"}}]},"uniqueItems":true,"contains":{"const":null},"minContains":1}"#,
    ##"{"$defs":{"a":{"$dynamicAnchor":"n","additionalProperties":{"$dynamicRef":"#n"},"if":{"required":["a"]},"then":{"maxProperties":1},"else":{"enum":[1,2,[{}]]}}},"$ref":"#/$defs/a","dependentRequired":{"a":["b"]},"patternProperties":{"^b":{"prefixItems":[true,false]}},"format":"date-time"}"##,
  ]

  private func mutate(_ bytes: [UInt8], _ generator: inout SeededGenerator, rounds: Int) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<rounds {
      guard !bytes.isEmpty else { return bytes }
      let place = Int.random(in: 0..<bytes.count, using: &generator)
      switch Int.random(in: 0..<6, using: &generator) {
      case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
      case 1: bytes[place] = Array("{}[]\",:0123456789-+.eE\\tfnu ".utf8).randomElement(using: &generator)!
      case 2: bytes.remove(at: place)
      case 3: bytes.insert(bytes[place], at: place)
      case 4:
        let end = min(bytes.count, place + Int.random(in: 1...16, using: &generator))
        bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &generator))
      default: bytes.removeLast(min(bytes.count, Int.random(in: 1...8, using: &generator)))
      }
    }
    return bytes
  }

  @Test func parsesOrRefusesMutatedDocuments() throws {
    var generator = SeededGenerator(state: 1)
    let document = JSONDocument()
    let deadline = Instant.now + Self.longest
    var (parsed, refused) = (0, 0)
    for round in 0..<20_000 where Instant.now < deadline {
      let source = Array(Self.documents[round % Self.documents.count].utf8)
      let bytes = mutate(source, &generator, rounds: 1 + round % 4)
      guard (try? document.parse(bytes.span)) != nil else {
        refused += 1
        continue
      }
      parsed += 1
      // What was read, written and read again is the same.
      let value = JSONValue(document.root)
      let again = try JSONValue.parse(JSON.encode(value).span)
      #expect(again == value, "\(String(decoding: bytes, as: UTF8.self))")
    }
    #expect(parsed > 0 && refused > 0)
  }

  @Test func validatesMutatedDocumentsTheSameWayTwice() throws {
    var generator = SeededGenerator(state: 2)
    let schemas = try Self.schemas.map { try compile($0) }
    let document = JSONDocument()
    let deadline = Instant.now + Self.longest
    var (valid, invalid) = (0, 0)
    for round in 0..<10_000 where Instant.now < deadline {
      let source = Array(Self.documents[round % Self.documents.count].utf8)
      let bytes = mutate(source, &generator, rounds: round % 3)
      guard (try? document.parse(bytes.span)) != nil else { continue }
      for schema in schemas {
        let few = schema.validate(document.root, limit: 1)
        let many = schema.validate(document.root, limit: 50)
        #expect(few.isEmpty == many.isEmpty)
        #expect(few.count <= 1)
        #expect(many.allSatisfy { JSONPointer.tokens($0.pointer) != nil })
        if few.isEmpty { valid += 1 } else { invalid += 1 }
      }
    }
    #expect(valid > 0 && invalid > 0)
  }

  /// A schema that compiles satisfies the draft's metaschema, as far as that speaks of it.
  @Test func compilesOrRefusesMutatedSchemas() throws {
    var generator = SeededGenerator(state: 3)
    let metaschema = try compile(#"{"$ref": "https://json-schema.org/draft/2020-12/schema"}"#)
    let compiler = JSONSchemaCompiler()
    let (document, instance) = (JSONDocument(), JSONDocument())
    let deadline = Instant.now + Self.longest
    var (compiled, refused) = (0, 0)
    for round in 0..<3000 where Instant.now < deadline {
      let source = Array(Self.schemas[round % Self.schemas.count].utf8)
      let bytes = mutate(source, &generator, rounds: 1 + round % 3)
      guard (try? document.parse(bytes.span)) != nil else { continue }
      guard let schema = try? compiler.compile(JSONValue(document.root)) else {
        refused += 1
        continue
      }
      compiled += 1
      let objections = metaschema.validate(document.root, limit: 5).filter { $0.keyword != "duplicate_key" }
      #expect(objections == [], "\(String(decoding: bytes, as: UTF8.self))")
      try instance.parse(Array(Self.documents[round % Self.documents.count].utf8).span)
      _ = schema.validate(instance.root, limit: 5)
    }
    #expect(compiled > 0 && refused > 0)
  }
}
