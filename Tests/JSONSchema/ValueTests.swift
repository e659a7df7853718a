import Application
import Kernel
import Testing

@testable import JSONSchema

/// Numbers, constants, and items that repeat.
@Suite struct ValueTests {
  @Test(
    arguments: [
      ("0.01", "19.99", true), ("0.01", "19.999", false), ("0.1", "0.3", true), ("0.1", "1e22", true),
      ("0.01", "123456789012345.67", true), ("0.01", "12345678901234.567", false),
      ("0.03", "1234567890123456.5", false),
      ("3", "9007199254740993", true),
      ("2", "9007199254740993", false), ("7", "18446744073709551614", true),
      ("5", "18446744073709551614", false),
      ("0.5", "1e308", true), ("0.123456789", "1e308", false), ("1e-8", "12391239123", true),
      ("1e300", "1e301", true),
      ("1e300", "3", false), ("1e300", "0", true), ("1.5", "-4.5", true), ("1.5", "-4", false),
      ("2.5e-30", "5e-30", true),
      ("0.0001", "0.0075", true), ("0.0001", "0.00751", false), ("1", "5e-324", false), ("5e-324", "1", true),
    ])
  func countsMultiplesInDecimal(divisor: String, number: String, expected: Bool) throws {
    #expect(try isValid("{\"multipleOf\": \(divisor)}", number) == expected)
  }

  @Test(
    arguments: [
      ("minimum", "9007199254740993", "9007199254740992", false),
      ("minimum", "9007199254740993", "9007199254740993", true),
      ("minimum", "9007199254740993", "9007199254740992.0", false),
      ("exclusiveMinimum", "9007199254740992.0", "9007199254740993", true),
      ("maximum", "9223372036854775807", "9223372036854775808", false),
      ("maximum", "9223372036854775807", "9223372036854775807", true),
      ("minimum", "9223372036854775807", "18446744073709551615", true),
      ("maximum", "0.5", "0", true), ("maximum", "0.5", "1", false), ("minimum", "-0.5", "-1", false),
      ("minimum", "-0.5", "0", true), ("exclusiveMaximum", "3", "3.0", false),
      ("exclusiveMaximum", "3", "2.9999", true),
      ("maximum", "1e300", "18446744073709551615", true), ("minimum", "1e300", "18446744073709551615", false),
      ("maximum", "-1e300", "-9223372036854775808", false),
    ])
  func comparesNumbersExactly(keyword: String, bound: String, number: String, expected: Bool) throws {
    #expect(try isValid("{\"\(keyword)\": \(bound)}", number) == expected)
  }

  @Test(
    arguments: [
      ("1", "1.0", true), ("1", "true", false), ("0", "false", false), ("0", "-0.0", true),
      ("null", "0", false),
      ("[1, 2]", "[1.0, 2]", true), ("[1, 2]", "[2, 1]", false),
      (#"{"a": [], "b": {}}"#, #"{"b":{},"a":[]}"#, true),
      (#"{"a": 1}"#, #"{"a":1,"b":2}"#, false), (#""é""#, #""\u00e9""#, true),
      (#""é""#, #""e\u0301""#, false),
      ("9007199254740993", "9007199254740992.0", false), (#""""#, #""""#, true),
      (#""a\u0000b""#, #""a\u0000b""#, true),
    ])
  func comparesConstantsByValue(constant: String, value: String, expected: Bool) throws {
    #expect(try isValid("{\"const\": \(constant)}", value) == expected)
    #expect(try isValid("{\"enum\": [\"other\", \(constant), [7]]}", value) == expected)
  }

  @Test func comparesAgainstManyConstants() throws {
    let names = (0..<3000).map { "\"name\($0)\"" }.joined(separator: ",")
    let schema = try compile("{\"enum\": [\(names)]}")
    #expect(try violations(schema, "\"name2999\"") == [])
    #expect(try violations(schema, "\"name3000\"").map(\.keyword) == ["enum"])
  }

  @Test(
    arguments: [
      ("[1, 1.0]", false), ("[1, true]", true), ("[0, false, null, \"\", [], {}]", true),
      ("[[1], [1]]", false),
      (#"[{"a":1,"b":[2]},{"b":[2.0],"a":1}]"#, false), (#"[{"a":1},{"a":2}]"#, true),
      (#"["a","\u0061"]"#, false),
      ("[[[[]]], [[]]]", true), ("[1e2, 100]", false),
      ("[18446744073709551615, 1.8446744073709552e19]", true),
      ("[\"1\", 1]", true), ("[]", true), ("[null]", true), ("[null, null]", false),
    ])
  func findsItemsThatRepeat(array: String, expected: Bool) throws {
    #expect(try isValid(#"{"uniqueItems": true}"#, array) == expected)
  }

  @Test func saysWhichItemsAreEqual() throws {
    let found = try violations(#"{"uniqueItems": true}"#, #"["a","b","c","b"]"#)
    #expect(found.map(\.message) == ["must not repeat an item: numbers 1 and 3 are equal"])
  }

  @Test func findsARepetitionAmongManyLargeItems() throws {
    let members = (0..<300).map { "\"k\($0)\":\($0)" }
    let forward = "{\(members.joined(separator: ","))}"
    let backward = "{\(members.reversed().joined(separator: ","))}"
    let others = (0..<200).map { "{\"k\":\($0)}" }.joined(separator: ",")
    let schema = try compile(#"{"uniqueItems": true}"#)
    #expect(try violations(schema, "[\(forward),\(others)]") == [])
    #expect(try violations(schema, "[\(forward),\(others),\(backward)]").map(\.keyword) == ["uniqueItems"])
  }

  @Test(arguments: [
    ("\"ab\"", true), ("\"abc\"", true), ("\"a\"", false), ("\"abcd\"", false), ("\"éé\"", true),
    ("\"😀\"", false), ("\"😀😀😀\"", true), ("\"😀😀😀😀\"", false), ("\"e\u{301}\"", true),
  ])
  func countsCharactersAsCodePoints(text: String, expected: Bool) throws {
    #expect(try isValid(#"{"minLength": 2, "maxLength": 3}"#, text) == expected)
  }

  /// Around the 64 that fit in one word.
  @Test(arguments: [1, 63, 64, 65, 200]) func findsWhichOfManyRequiredNamesIsMissing(count: Int) throws {
    let names = (0..<count).map { "\"n\($0)\"" }
    let schema = try compile("{\"required\": [\(names.joined(separator: ","))]}")
    #expect(try violations(schema, "{\(names.map { $0 + ":1" }.joined(separator: ","))}") == [])
    let found = try violations(schema, "{\(names.dropLast().map { $0 + ":1" }.joined(separator: ","))}")
    #expect(found.map(\.message) == ["needs the property \"n\(count - 1)\""])
  }

  /// Around the words that the marks of evaluated members take.
  @Test(arguments: [1, 64, 65, 130]) func marksManyMembers(count: Int) throws {
    let names = (0..<count).map { "\"n\($0)\"" }
    let properties = names.map { $0 + ":true" }.joined(separator: ",")
    let schema = try compile(
      "{\"allOf\": [{\"properties\": {\(properties)}}], \"unevaluatedProperties\": false}")
    let members = names.map { $0 + ":1" }
    #expect(try violations(schema, "{\(members.joined(separator: ","))}") == [])
    #expect(
      try violations(schema, "{\((members + ["\"x\":1"]).joined(separator: ","))}").map(\.pointer) == ["/x"])
  }

  @Test func keepsMarksOfABranchThatFailsOut() throws {
    let schema = """
      {"anyOf": [{"properties": {"a": true}, "required": ["z"]}, {"properties": {"b": true}}],
       "unevaluatedProperties": false}
      """
    #expect(try outline(schema, #"{"b":1}"#) == [])
    #expect(try outline(schema, #"{"a":1,"b":1}"#) == ["/a unevaluatedProperties"])
    #expect(try outline(schema, #"{"a":1,"b":1,"z":1}"#) == ["/z unevaluatedProperties"])
  }
}

/// What text in a query or path becomes.
@Suite struct ParameterTypeTests {
  private func types(_ schema: String, _ names: [String]) throws -> [ParameterType] {
    let schema = try compile(schema)
    return names.map { schema.parameterType($0) }
  }

  @Test func comeFromThePropertysSchema() throws {
    let schema = """
      {"properties": {"s": {"type": "string"}, "i": {"type": "integer"}, "n": {"type": "number"},
        "b": {"type": "boolean"}, "a": {"type": "array", "items": {"type": "integer"}}, "l": {"type": "array"},
        "any": {}, "or": {"type": ["integer", "null"]}, "both": {"type": ["integer", "string"]}}}
      """
    #expect(
      try types(schema, ["s", "i", "n", "b", "a", "l", "any", "or", "both", "unknown"]) == [
        .string, .integer, .number, .boolean, .array(.integer), .array(.string), .string, .integer, .string,
        .string,
      ])
  }

  @Test func followReferencesAndAlternatives() throws {
    let schema = ##"""
      {"$ref": "#/$defs/page", "allOf": [{"properties": {"flag": {"const": true}}}],
       "$defs": {"page": {"properties": {"limit": {"$ref": "#/$defs/count"}, "level": {"enum": [1, 2]},
         "x": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}},
         "count": {"allOf": [{"type": "number"}, {"type": "integer"}]}}}
      """##
    #expect(
      try types(schema, ["limit", "level", "x", "flag"]) == [.integer, .integer, .integer, .boolean])
  }

  @Test func fallBackToAdditionalProperties() throws {
    #expect(try types(#"{"additionalProperties": {"type": "integer"}}"#, ["a"]) == [.integer])
    #expect(try types(#"{"additionalProperties": false}"#, ["a"]) == [.string])
    #expect(try types("true", ["a"]) == [.string])
  }
}
