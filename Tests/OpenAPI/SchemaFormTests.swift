import Application
import JSONSchema
import Kernel
import Testing

@testable import OpenAPI

@Suite struct SchemaFormTests {
  private func form(_ schema: String, _ version: OpenAPIVersion) throws -> (JSONValue, [String: JSONValue]) {
    var form = SchemaForm(try JSONValue.parse(schema.utf8.span), version, name: "op.body")
    let converted = form.schema()
    return (converted, Dictionary(uniqueKeysWithValues: form.components().map { ($0.name, $0.schema) }))
  }

  private func older(_ schema: String) throws -> JSONValue { try form(schema, .v30).0 }

  private func json(_ text: String) throws -> JSONValue { try JSONValue.parse(text.utf8.span) }

  @Test(arguments: [
    (#"{"type":["string","null"]}"#, #"{"type":"string","nullable":true}"#),
    (#"{"type":"null"}"#, #"{"type":"string","nullable":true,"enum":[null]}"#),
    (
      #"{"type":["string","integer","null"]}"#,
      #"{"anyOf":[{"type":"string","nullable":true},{"type":"integer","nullable":true}]}"#
    ),
    (#"{"type":["string","null"],"enum":["a"]}"#, #"{"type":"string","enum":["a"]}"#),
    (
      #"{"type":["string","null"],"enum":["a",null]}"#,
      #"{"type":"string","nullable":true,"enum":["a",null]}"#
    ),
    (#"{"const":7}"#, #"{"enum":[7]}"#),
    (#"{"type":"string","examples":["a","b"]}"#, #"{"type":"string","example":"a"}"#),
    (#"{"exclusiveMinimum":3}"#, #"{"minimum":3,"exclusiveMinimum":true}"#),
    (#"{"exclusiveMinimum":3,"minimum":5}"#, #"{"minimum":5}"#),
    (#"{"exclusiveMinimum":5,"minimum":5}"#, #"{"minimum":5,"exclusiveMinimum":true}"#),
    (#"{"exclusiveMaximum":3,"maximum":5}"#, #"{"maximum":3,"exclusiveMaximum":true}"#),
    (#"{"type":"array"}"#, #"{"type":"array","items":{}}"#),
    (
      #"{"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}],"items":false}"#,
      #"{"type":"array","maxItems":2,"items":{"anyOf":[{"type":"string"},{"type":"integer"}]}}"#
    ),
    (#"{"type":"array","prefixItems":[{"type":"string"}]}"#, #"{"type":"array","items":{}}"#),
    (#"true"#, #"{}"#), (#"false"#, #"{"not":{}}"#), (#"{"enum":[]}"#, #"{"not":{}}"#),
    (#"{"required":[]}"#, #"{}"#),
    // Without the patterns, what they cover would be further properties.
    (#"{"patternProperties":{"^x":{}},"additionalProperties":false}"#, #"{}"#),
    (#"{"if":{"type":"string"},"then":{"minLength":3}}"#, #"{}"#),
    // Leaving something out under `not` would take less: so all of it goes.
    (#"{"not":{"propertyNames":{"maxLength":3}}}"#, #"{}"#),
    (#"{"not":{"type":"string"}}"#, #"{"not":{"type":"string"}}"#),
    (#"{"oneOf":[{"type":"string"},{"contains":{}}]}"#, #"{"anyOf":[{"type":"string"},{}]}"#),
    (
      #"{"oneOf":[{"type":"string"},{"type":"integer"}]}"#,
      #"{"oneOf":[{"type":"string"},{"type":"integer"}]}"#
    ),
  ])
  func olderFormSaysTheSameOrTakesMore(_ schema: String, _ expected: String) throws {
    #expect(try older(schema) == json(expected))
  }

  @Test func definitionsBecomeComponents() throws {
    let schema = #"""
      {"type":"object","properties":{"a":{"$ref":"#/$defs/node"},"b":{"$ref":"#/$defs/node","description":"b"}},
       "$defs":{"node":{"type":"object","properties":{"next":{"$ref":"#/$defs/node"}}}}}
      """#
    for version in [OpenAPIVersion.v31, .v30] {
      let (converted, components) = try form(schema, version)
      let reference: JSONValue = ["$ref": "#/components/schemas/op.body.node"]
      #expect(converted["properties"]?["a"] == reference)
      #expect(converted["$defs"] == nil)
      #expect(components.keys.sorted() == ["op.body.node"])
      #expect(components["op.body.node"]?["properties"]?["next"] == reference)
      // In 3.0 nothing beside a reference is read.
      let sibling = converted["properties"]?["b"]
      #expect(
        sibling
          == (version == .v31
            ? ["$ref": "#/components/schemas/op.body.node", "description": "b"]
            : ["allOf": [reference], "description": "b"]))
    }
  }

  @Test func referencesBeyondTheDefinitionsAreFoundToo() throws {
    let (converted, components) = try form(
      #"""
      {"properties":{"self":{"$ref":"#"},"place":{"$ref":"#/properties/a~1b"},"named":{"$ref":"#here"},
        "other":{"$ref":"https://example.com/elsewhere"},"gone":{"$ref":"#/$defs/none"},
        "a/b":{"type":"integer"},"x":{"$anchor":"here","type":"boolean"},
        "inner":{"$id":"urn:inner","properties":{"y":{"$ref":"#/$defs/z"}},"$defs":{"z":{"type":"null"}}}}}
      """#, .v31)
    let properties = converted["properties"]
    #expect(properties?["self"] == ["$ref": "#/components/schemas/op.body"])
    #expect(properties?["place"] == ["$ref": "#/components/schemas/op.body.a_b"])
    #expect(components["op.body.a_b"] == ["type": "integer"])
    #expect(properties?["named"] == ["$ref": "#/components/schemas/op.body.x"])
    #expect(components["op.body.x"] == ["type": "boolean"])
    // What is not in the schema is not fetched: anything is taken there.
    #expect(properties?["other"] == [:] && properties?["gone"] == [:])
    #expect(properties?["inner"]?["properties"]?["y"] == ["$ref": "#/components/schemas/op.body.z"])
    #expect(components["op.body.z"] == ["type": "null"])
  }

  @Test func requiredNamesAreAmongTheProperties() throws {
    let (open, _) = try form(#"{"anyOf":[{"required":["a"]},{"required":["b"]}]}"#, .v31)
    #expect(open["anyOf"]?.array?.first?["properties"] == ["a": [:]])
    let (closed, _) = try form(#"{"required":["a"],"additionalProperties":{"type":"string"}}"#, .v31)
    #expect(closed["properties"] == ["a": ["$ref": "#/components/schemas/op.body.additionalProperties"]])
    let (none, _) = try form(#"{"required":["a"],"additionalProperties":false}"#, .v31)
    #expect(none["properties"] == ["a": false])
  }

  /// Else the same schema would have another entity tag on each host.
  @Test func componentsHaveOneOrder() throws {
    let names = ["a", "b", "c", "d", "e", "f"]
    for all in [names, names.reversed(), ["d", "a", "f", "c", "b", "e"]] {
      let properties = all.map { ##""\##($0)":{"$ref":"#/$defs/\##($0)"}"## }.joined(separator: ",")
      let definitions = all.map { #""\#($0)":{"title":"\#($0)"}"# }.joined(separator: ",")
      let schema = try json(#"{"properties":{\#(properties)},"$defs":{\#(definitions)}}"#)
      for version in [OpenAPIVersion.v31, .v30] {
        var form = SchemaForm(schema, version, name: "op")
        _ = form.schema()
        #expect(form.components().map(\.name) == names.reversed().map { "op.\($0)" })
      }
    }
  }

  /// Each level names six members that only its `additionalProperties` describes.
  @Test(arguments: [OpenAPIVersion.v31, .v30])
  func levelsDoNotMultiply(version: OpenAPIVersion) throws {
    var schema = #"{"type":"string"}"#
    for _ in 0..<12 { schema = #"{"required":["a","b","c","d","e","f"],"additionalProperties":\#(schema)}"# }
    let (converted, components) = try form(schema, version)
    let bytes = JSON.encode(converted).count + components.values.reduce(0) { $0 + JSON.encode($1).count }
    #expect(components.count == 12 && bytes < 100_000, "\(bytes) bytes")
  }

  @Test func newerFormKeepsEveryKeywordThatItCan() throws {
    let schema = #"""
      {"type":["object","null"],"properties":{"a":{"const":1}},"patternProperties":{"^x":{"type":"null"}},
       "dependentRequired":{"a":["b"]},"if":{"required":["a"],"properties":{"a":{}}},"then":{"minProperties":2},
       "propertyNames":{"maxLength":9},"unevaluatedProperties":false,"minContains":1}
      """#
    #expect(try form(schema, .v31).0 == json(schema))
    // Where a part takes more than it did, what counts on it goes.
    let (looser, _) = try form(
      ##"{"allOf":[{"$ref":"https://example.com/x"}],"unevaluatedProperties":false,"if":{"$dynamicRef":"#x"},"then":false}"##,
      .v31)
    #expect(looser == ["allOf": [[:]]])
  }

  /// Whatever the original takes, the older form takes: for schemas with every kind of keyword.
  @Test func nothingThatIsTakenIsRefusedByTheOlderForm() throws {
    let schemas = [
      #"{"type":["integer","null"],"exclusiveMinimum":0,"maximum":10}"#,
      #"{"type":"array","prefixItems":[{"type":"string"},{"type":["integer","null"]}],"items":{"type":"boolean"},"contains":{"type":"boolean"},"minContains":1}"#,
      #"{"type":"object","properties":{"a":{"const":null},"b":{"type":["string","array"]}},"required":["a","c"],"patternProperties":{"^c":{"type":"integer"}},"additionalProperties":false}"#,
      #"{"oneOf":[{"type":"object","propertyNames":{"maxLength":1}},{"type":"object","minProperties":1}]}"#,
      #"{"not":{"dependentRequired":{"a":["b"]}}}"#,
      #"{"if":{"type":"string"},"then":{"maxLength":1},"else":{"type":"integer"}}"#,
    ]
    let values = [
      "null", "0", "1", "10", "11", "\"\"", "\"aa\"", "[]", "[\"x\",1,true]", "[\"x\",null,true]", "[true]",
      "{}",
      #"{"a":null,"c":1}"#, #"{"a":null,"b":[],"c":1,"cc":2}"#, #"{"a":1}"#, #"{"a":1,"b":2}"#,
      #"{"long":1}"#,
    ]
    let compiler = JSONSchemaCompiler()
    let document = JSONDocument()
    var taken = 0
    for schema in schemas {
      let original = try compiler.compile(json(schema))
      // `nullable` is nobody's keyword in 2020-12: written back as a type.
      let back = try compiler.compile(SchemaFormTests.readable(older(schema)))
      for value in values {
        try document.parse(value.utf8.span)
        guard original.validate(document.root, limit: 1).isEmpty else { continue }
        taken += 1
        #expect(back.validate(document.root, limit: 1).isEmpty, "\(schema) takes \(value)")
      }
    }
    #expect(taken > 15)
  }

  /// An OpenAPI 3.0 schema as 2020-12 reads it.
  static func readable(_ value: JSONValue) -> JSONValue {
    switch value {
    case .array(let items): return .array(items.map(readable))
    case .object(var members):
      if members["nullable"]?.bool == true, let type = members["type"] { members["type"] = [type, "null"] }
      for (flag, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")]
      where members[flag]?.bool == true {
        members[flag] = members.removeValue(forKey: bound)
      }
      return .object(members.mapValues(readable))
    default: return value
    }
  }
}
