import Application
import Kernel
import Testing

@testable import JSONSchema

/// What is refused when a schema is compiled.
@Suite struct CompilerTests {
  @Test func listsAllThatIsWrong() throws {
    let refused = try #require(
      try refusal(
        """
        {"type": "text", "properties": {"a": {"minimum": "1"}, "b": 7, "c": {"pattern": "("}},
         "required": ["x", "x"], "allOf": [], "multipleOf": 0, "minLength": -1, "items": [true], "$anchor": "1"}
        """))
    #expect(refused.code == "schema.invalid")
    // The anchor is found while the document is read, before its keywords are.
    #expect(refused.pointers == ["/$anchor"])
    let keywords = try #require(
      try refusal(
        """
        {"type": "text", "properties": {"a": {"minimum": "1"}, "b": 7, "c": {"pattern": "("}},
         "required": ["x", "x"], "allOf": [], "multipleOf": 0, "minLength": -1, "items": [true]}
        """))
    #expect(
      keywords.pointers == [
        "/allOf", "/items", "/minLength", "/multipleOf", "/properties/a/minimum", "/properties/b",
        "/properties/c/pattern", "/required", "/type",
      ])
  }

  @Test(
    arguments: [
      #"{"$ref": "https://example.com/other"}"#: "/$ref",
      #"{"properties": {"a": {"$dynamicRef": "other.json#x"}}}"#: "/properties/a/$dynamicRef",
      #"{"$schema": "http://json-schema.org/draft-07/schema#"}"#: "/$schema",
      #"{"format": "idn-hostname"}"#: "/format",
      #"{"pattern": "(?<=a+)b"}"#: "/pattern",
    ])
  func namesWhatIsUnsupported(schema: String, pointer: String) throws {
    let refused = try #require(try refusal(schema))
    #expect(refused.code == "schema.unsupported")
    #expect(refused.pointers == [pointer])
  }

  @Test(
    arguments: [
      ##"{"$ref": "#/$defs/none"}"##: "/$ref",
      ##"{"$ref": "#none"}"##: "/$ref",
      ##"{"$ref": "#%zz"}"##: "/$ref",
      ##"{"$ref": 1}"##: "/$ref",
      ##"{"$id": "a#b"}"##: "/$id",
      ##"{"$defs": {"a": {"$anchor": "x"}, "b": {"$anchor": "x"}}}"##: "/$defs/b/$anchor",
      ##"{"$defs": {"a": {"$id": "x"}, "b": {"$id": "x"}}}"##: "/$defs/b",
      ##"{"$defs": {"a": 3}}"##: "/$defs/a",
      ##"{"properties": []}"##: "/properties",
      ##"{"dependentRequired": {"a": "b"}}"##: "/dependentRequired/a",
      ##"{"enum": 3}"##: "/enum",
      ##"{"title": 3}"##: "/title",
      ##"{"uniqueItems": 1}"##: "/uniqueItems",
      ##"{"type": []}"##: "/type",
      ##"{"maxItems": 1.5}"##: "/maxItems",
      ##"{"patternProperties": {"[": true}}"##: "/patternProperties/[",
      "3": "", "[]": "", "null": "", "\"true\"": "",
    ])
  func namesWhatIsInvalid(schema: String, pointer: String) throws {
    let refused = try #require(try refusal(schema))
    #expect(refused.code == "schema.invalid")
    #expect(refused.pointers == [pointer])
  }

  @Test(
    arguments: [
      ##"{"$ref": "#"}"##,
      ##"{"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}"##,
      ##"{"anyOf": [{"type": "null"}, {"not": {"if": {"$ref": "#"}}}]}"##,
      ##"{"dependentSchemas": {"a": {"$ref": "#"}}}"##,
    ])
  func refusesSchemasThatApplyThemselvesWithoutEnd(schema: String) throws {
    #expect(try refusal(schema)?.code == "schema.invalid")
  }

  @Test func takesSchemasThatApplyThemselvesToParts() throws {
    let tree = ##"{"properties": {"next": {"$ref": "#"}, "value": {"type": "integer"}}}"##
    #expect(try outline(tree, #"{"next":{"next":{"value":"x"}}}"#) == ["/next/next/value type"])
  }

  @Test func findsGivenDocumentsWithoutFetching() throws {
    let documents = ["https://example.com/id.json": try json(#"{"$defs": {"id": {"type": "integer"}}}"#)]
    let schema = try compile(
      ##"{"$id": "https://example.com/a/b.json", "items": {"$ref": "../id.json#/$defs/id"}}"##,
      documents: documents)
    #expect(try violations(schema, "[1,null]").map(\.pointer) == ["/1"])
  }

  @Test func ignoresWhatItDoesNotKnow() throws {
    #expect(try isValid(#"{"x-note": {"type": 3}, "format": "iban", "$comment": "a"}"#, "\"b\""))
  }

  @Test func describesFormatsOnlyWhenToldTo() throws {
    #expect(try isValid(#"{"format": "email"}"#, "\"b\"", formats: false))
    #expect(try !isValid(#"{"format": "email"}"#, "\"b\"", formats: true))
    #expect(try refusal(#"{"format": "idn-hostname"}"#, formats: false) == nil)
  }

  @Test func knowsTheDraftsOwnSchemas() throws {
    let schema = #"{"$ref": "https://json-schema.org/draft/2020-12/schema"}"#
    #expect(try isValid(schema, #"{"items": {"type": "string"}, "$defs": {"a": false}}"#))
    #expect(try !isValid(schema, #"{"items": {"type": "text"}}"#))
    #expect(try !isValid(schema, #"{"properties": {"a": {"anyOf": [{"minLength": -1}]}}}"#))
  }
}

/// Both sides of each limit on schemas.
@Suite struct SchemaLimitTests {
  private func nested(_ depth: Int) -> String {
    String(repeating: #"{"not":"#, count: depth) + "{}" + String(repeating: "}", count: depth)
  }

  @Test func boundsDepth() throws {
    var limits = SchemaLimits()
    limits.schemaDepth = 10
    #expect(try refusal(nested(10), limits: limits) == nil)
    #expect(try refusal(nested(11), limits: limits)?.code == "schema.invalid")
  }

  @Test func boundsTheNumberOfSchemas() throws {
    var limits = SchemaLimits()
    limits.nodes = 100
    func schema(_ count: Int) -> String {
      "{\"allOf\":[\(Array(repeating: "{\"minimum\":1}", count: count).joined(separator: ","))]}"
    }
    #expect(try refusal(schema(97), limits: limits) == nil)
    #expect(try refusal(schema(101), limits: limits)?.code == "schema.invalid")
  }

  @Test func boundsPatterns() throws {
    var limits = SchemaLimits()
    limits.patternBytes = 8
    limits.patterns = 2
    #expect(try refusal(#"{"pattern": "12345678"}"#, limits: limits) == nil)
    #expect(try refusal(#"{"pattern": "123456789"}"#, limits: limits)?.pointers == ["/pattern"])
    #expect(
      try refusal(#"{"patternProperties": {"a": true, "b": true}, "pattern": "a"}"#, limits: limits) == nil)
    #expect(
      try refusal(#"{"patternProperties": {"a": true, "b": true}, "pattern": "c"}"#, limits: limits)?.code
        == "schema.invalid")
  }

  @Test func boundsConstants() throws {
    var limits = SchemaLimits()
    limits.constants = 4
    #expect(try refusal(#"{"enum": [1, 2, 3]}"#, limits: limits) == nil)
    #expect(try refusal(#"{"enum": [1, 2, [3]]}"#, limits: limits)?.pointers == ["/enum"])
  }

  @Test func boundsTheListOfErrors() throws {
    var limits = SchemaLimits()
    limits.reportedErrors = 3
    let schema = "{\"allOf\":[\(Array(repeating: "7", count: 20).joined(separator: ","))]}"
    #expect(try refusal(schema, limits: limits)?.pointers.count == 3)
  }

  @Test func boundsTheDepthOfAnEvaluation() throws {
    var limits = SchemaLimits()
    limits.evaluationDepth = 20
    let schema = ##"{"items": {"$ref": "#"}, "type": "array"}"##
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    #expect(try isValid(schema, nested(20), limits: limits))
    let found = try violations(schema, nested(21), limits: limits)
    #expect(found.map(\.keyword) == ["depth"])
    // A negation makes no answer of what was not looked at.
    #expect(
      try !isValid(
        ##"{"not": {"$ref": "#/$defs/a"}, "$defs": {"a": {"items": {"$ref": "#/$defs/a"}, "type": "array"}}}"##,
        nested(30), limits: limits))
  }

  @Test func boundsTheWorkOfAnEvaluation() throws {
    var limits = SchemaLimits()
    limits.evaluations = 10_000
    // Each level applies the next one twice.
    let levels = (0..<30).map {
      ##""d\##($0)": {"anyOf": [{"$ref": "#/$defs/d\##($0 + 1)"}, {"$ref": "#/$defs/d\##($0 + 1)"}]}"##
    }
    let schema =
      ##"{"$ref": "#/$defs/d0", "$defs": {\##(levels.joined(separator: ",")), "d30": {"type": "null"}}}"##
    #expect(try violations(schema, "1", limits: limits).first?.keyword == "limit")
    #expect(try isValid(schema, "null", limits: limits))
  }

  @Test func countsWorkByTheSizeOfTheDocument() throws {
    var limits = SchemaLimits()
    limits.evaluations = 10
    let document = "[\((0..<5000).map(String.init).joined(separator: ","))]"
    #expect(try isValid(#"{"items": {"minimum": 0}}"#, document, limits: limits))
  }
}
