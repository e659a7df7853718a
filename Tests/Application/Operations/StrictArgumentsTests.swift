import Application
import Kernel
import Testing

/// Null that means "absent", and null that means null.
struct StrictArgumentsTests {
  private let schema: JSONValue = [
    "type": "object", "additionalProperties": false, "required": ["name", "note"],
    "properties": [
      "name": ["type": "string"], "note": ["type": ["string", "null"]], "age": ["type": "integer"],
      "removed": ["type": ["string", "null"]], "free": true, "choice": ["enum": ["a", .null]],
      "address": ["$ref": "#/$defs/Address"],
      "lines": ["type": "array", "items": ["$ref": "#/$defs/Address"]],
      "pet": ["anyOf": [["$ref": "#/$defs/Cat"], ["$ref": "#/$defs/Dog"]]],
    ],
    "$defs": [
      "Address": [
        "type": "object", "properties": ["city": ["type": "string"], "zip": ["type": "string"]],
        "required": ["city"],
      ],
      "Cat": [
        "type": "object", "properties": ["kind": ["const": "cat"], "lives": ["type": ["integer", "null"]]],
      ],
      "Dog": ["type": "object", "properties": ["kind": ["const": "dog"], "lives": ["type": "integer"]]],
    ],
  ]

  private func restored(_ given: JSONValue, for schema: JSONValue) throws -> JSONValue {
    let document = JSONDocument()
    try document.parse(JSON.encode(given).span)
    let out = Arena(capacity: 64)
    StrictArguments.write(document.root, for: schema, to: out)
    return try JSONValue.parse(out.span(out.all))
  }

  @Test(
    arguments: [
      // Optional, and not null by its schema: absent.
      (["name": "n", "note": "x", "age": .null], ["name": "n", "note": "x"]),
      // Null is a value here.
      (["name": "n", "note": .null], ["name": "n", "note": .null]),
      (
        ["removed": .null, "free": .null, "choice": .null],
        ["removed": .null, "free": .null, "choice": .null]
      ),
      // Required: the validation says that null is none.
      (["name": .null], ["name": .null]),
      // Not described: the validation says so.
      (["other": .null, "name": "n"], ["other": .null, "name": "n"]),
      (["address": ["city": "c", "zip": .null]], ["address": ["city": "c"]]),
      (["address": .null], [:]),
      (
        ["lines": [["city": "c", "zip": .null], ["city": .null, "zip": "z"]]],
        ["lines": [["city": "c"], ["city": .null, "zip": "z"]]]
      ),
      // Of two alternatives, the one whose constant it has.
      (["pet": ["kind": "cat", "lives": .null]], ["pet": ["kind": "cat", "lives": .null]]),
      (["pet": ["kind": "dog", "lives": .null]], ["pet": ["kind": "dog"]]),
      (["pet": ["kind": "bird", "lives": 2]], ["pet": ["kind": "bird", "lives": 2]]),
      ([.null, 1], [.null, 1]), (.null, .null),
    ] as [(JSONValue, JSONValue)])
  func restores(_ given: JSONValue, _ wanted: JSONValue) throws {
    #expect(try restored(given, for: schema) == wanted)
  }

  @Test func keepsWhatAParserWouldChange() throws {
    let document = JSONDocument()
    try document.parse(#"{"name":"a","name":null,"free":18446744073709551615,"age":null}"#.utf8.span)
    let out = Arena(capacity: 64)
    StrictArguments.write(document.root, for: schema, to: out)
    #expect(String(out.span(out.all)) == #"{"name":"a","name":null,"free":18446744073709551615}"#)
  }

  @Test(arguments: [("{}", false), (#"{"a":[1,{"b":null}]}"#, true), ("null", true), (#"["null"]"#, false)])
  func knowsWhereNullIs(_ text: String, _ hasNull: Bool) throws {
    let document = JSONDocument()
    try document.parse(text.utf8.span)
    #expect(StrictArguments.hasNull(document.root) == hasNull)
  }

  @Test func endsWhereReferencesGoInCircles() throws {
    let circle: JSONValue = [
      "type": "object", "properties": ["p": ["$ref": "#/$defs/a"]],
      "$defs": ["a": ["$ref": "#/$defs/b"], "b": ["anyOf": [["$ref": "#/$defs/a"], ["$ref": "#/$defs/b"]]]],
    ]
    #expect(try restored(["p": .null], for: circle) == [:])
    #expect(try restored(["p": ["q": .null]], for: circle) == ["p": ["q": .null]])
  }

  /// Whatever a strict schema takes becomes what the original takes.
  @Test func undoesWhatStrictSchemaDoes() throws {
    let original: JSONValue = [
      "type": "object", "additionalProperties": false, "required": ["a"],
      "properties": [
        "a": ["type": "string"], "b": ["type": "integer", "default": 3],
        "c": [
          "type": "object", "additionalProperties": false, "properties": ["d": ["type": "boolean"]],
        ],
      ],
    ]
    let strict = try #require(StrictSchema(original).schema)
    #expect(strict["required"] == ["a", "b", "c"])
    #expect(
      try restored(["a": "x", "b": .null, "c": ["d": .null]], for: original) == [
        "a": "x", "c": [:],
      ])
  }
}
