import Application
import JSONSchema
import Kernel
import Testing

@testable import CommandLineInterface

/// Values that are made for schemas.
struct SamplingTests {
  @Test(arguments: [
    #"{"type":"object","properties":{"name":{"type":"string","minLength":1,"maxLength":100}},"required":["name"],"additionalProperties":false}"#,
    #"{"type":"integer","minimum":-5,"exclusiveMaximum":9}"#,
    #"{"type":"number","minimum":0.5,"maximum":0.75}"#,
    #"{"type":"integer","multipleOf":7}"#, #"{"enum":["a",2,null]}"#, #"{"const":{"a":[1]}}"#, "true", "{}",
    #"{"type":["null","boolean"]}"#,
    #"{"type":"array","items":{"type":"integer"},"minItems":3,"maxItems":3}"#,
    #"{"type":"array","prefixItems":[{"type":"string"},{"type":"boolean"}],"items":false,"maxItems":2}"#,
    #"{"type":"array","items":{"enum":[1,2,3]},"uniqueItems":true}"#,
    ##"{"$ref":"#/$defs/tree","$defs":{"tree":{"type":"object","properties":{"left":{"$ref":"#/$defs/tree"},"value":{"type":"integer"}},"required":["value"]}}}"##,
    #"{"allOf":[{"type":"object","required":["a"]},{"properties":{"a":{"type":"string","maxLength":3}}}]}"#,
    #"{"oneOf":[{"type":"string","maxLength":4},{"type":"integer"}]}"#,
    #"{"anyOf":[{"type":"object","properties":{"k":{"const":1}},"required":["k"]},{"type":"array"}]}"#,
    #"{"type":"object","minProperties":3,"maxProperties":5,"additionalProperties":{"type":"integer"}}"#,
    #"{"type":"string","pattern":"^[^@\\s]+@[^@\\s]+$"}"#, #"{"type":"string","pattern":"^[A-Z]{3}$"}"#,
    #"{"type":"string","pattern":"^(ab|c\\d{2,4})?x[\\w.-]+$"}"#,
    #"{"type":"string","minLength":50,"maxLength":60}"#,
    #"{"properties":{"a":{"type":"integer"}},"required":["a"]}"#,
  ])
  func everySampleIsValid(text: String) throws {
    let sampler = try SchemaSampler(try JSONValue.parse(text.utf8.span), JSONSchemaCompiler())
    var kinds: Set<JSONValue> = []
    for seed in 0..<60 as Range<UInt64> {
      var random = SeededNumbers(seed)
      let value = try #require(sampler.valid(&random), "\(text), seed \(seed)")
      #expect(sampler.accepts(value))
      kinds.insert(value)
      // The same seed gives the same value.
      var again = SeededNumbers(seed)
      #expect(sampler.valid(&again) == value)
    }
    #expect(kinds.count > 1 || text.contains("const"))
  }

  @Test(arguments: [
    "date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uri-reference",
    "uri-template", "uuid", "json-pointer", "relative-json-pointer", "regex", "iri", "iri-reference",
    "idn-email",
  ])
  func everyFormatIsMade(format: String) throws {
    let sampler = try SchemaSampler(["type": "string", "format": .string(format)], JSONSchemaCompiler())
    for seed in 0..<40 as Range<UInt64> {
      var random = SeededNumbers(seed)
      // Made at the first attempt: by the format, not by luck.
      #expect(sampler.accepts(.string(try #require(Texts.of(format: format, &random)))), "\(format) \(seed)")
    }
  }

  @Test(arguments: [
    "false", #"{"type":"string","pattern":"^(?=a)b$"}"#, #"{"type":"integer","minimum":5,"maximum":4}"#,
    #"{"type":"string","minLength":5,"maxLength":4}"#,
  ])
  func whatCannotBeMadeIsSaid(text: String) throws {
    let sampler = try SchemaSampler(try JSONValue.parse(text.utf8.span), JSONSchemaCompiler())
    var random = SeededNumbers(1)
    #expect(sampler.valid(&random) == nil)
  }

  @Test(arguments: [
    "a{", "[", "(", "a)", "*", "(?<n>a)", "\\1", "\\u0041", "[z-a]", "a{9,2}", "\\p{L}", "[\\D]", "\\",
  ])
  func patternsThatAreNotUnderstoodAreLeft(pattern: String) { #expect(PatternSampler(pattern) == nil) }

  @Test func readsEveryTextAsAPattern() {
    var random = SeededNumbers(3)
    let letters = Array("ab01[](){}|?*+^$\\dDwWsS.,-")
    for _ in 0..<20_000 {
      let text = String((0..<Int.random(in: 0...12, using: &random)).map { _ in random.pick(letters) })
      _ = PatternSampler(text)?.sample(&random)
    }
  }

  /// Repetitions inside each other multiply.
  @Test func aPatternWithoutAnEndInSightIsLeft() throws {
    var random = SeededNumbers(1)
    for atom in ["a", ""] {
      let nested = String(repeating: "(", count: 11) + atom + String(repeating: "){8}", count: 11)
      #expect(try #require(PatternSampler(nested)).sample(&random) == nil)
    }
    #expect(try #require(PatternSampler("(a{8}){8}")).sample(&random) == String(repeating: "a", count: 64))
    #expect(try #require(PatternSampler("a{4096}")).sample(&random)?.count ?? 0 >= 4096)
  }

  @Test func mutationsMostlyBreakASchema() throws {
    let schema =
      #"{"type":"object","properties":{"n":{"type":"integer","minimum":0},"s":{"type":"string","maxLength":5},"l":{"type":"array","items":{"type":"boolean"}}},"required":["n","s","l"],"additionalProperties":false}"#
    let sampler = try SchemaSampler(try JSONValue.parse(schema.utf8.span), JSONSchemaCompiler())
    var (broken, notJSON) = (0, 0)
    for seed in 0..<500 as Range<UInt64> {
      var random = SeededNumbers(seed)
      let value = try #require(sampler.valid(&random))
      let bytes = Mutations.body(value, &random)
      if let violations = sampler.violations(bytes) {
        broken += violations.isEmpty ? 0 : 1
      } else {
        notJSON += 1
      }
    }
    #expect(broken > 200 && notJSON > 20 && broken + notJSON < 500)
  }
}
