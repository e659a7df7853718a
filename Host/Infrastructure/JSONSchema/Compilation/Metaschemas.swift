import Kernel

/// The draft's own schemas of schemas, so that a `$ref` to them needs no network. What they assert, not their prose
/// (JSON Schema Core and Validation 2020-12).
enum Metaschemas {
  static let documents: [String: JSONValue] = {
    var all: [String: JSONValue] = [:]
    for (name, vocabularies, body) in [
      ("schema", standard, schema), ("meta/core", ["core"], core),
      ("meta/applicator", ["applicator"], applicator),
      ("meta/unevaluated", ["unevaluated"], unevaluated), ("meta/validation", ["validation"], validation),
      ("meta/meta-data", ["meta-data"], metadata), ("meta/content", ["content"], content),
      ("meta/format-annotation", ["format-annotation"], format),
      ("meta/format-assertion", ["format-assertion"], format),
    ] as [(String, [String], [String: JSONValue])] {
      let uri = base + name
      var members = body
      members["$schema"] = .string(Dialect.standardURI)
      members["$id"] = .string(uri)
      members["$dynamicAnchor"] = "meta"
      members["$vocabulary"] = .object(
        Dictionary(uniqueKeysWithValues: vocabularies.map { (Dialect.vocabularies + $0, true) }))
      members["type"] = ["object", "boolean"]
      all[uri] = .object(members)
    }
    return all
  }()

  private static let base = "https://json-schema.org/draft/2020-12/"
  private static let standard = [
    "core", "applicator", "unevaluated", "validation", "meta-data", "format-annotation", "content",
  ]

  private static let any: JSONValue = ["$dynamicRef": "#meta"]
  private static let anyList: JSONValue = ["$ref": "#/$defs/schemaArray"]
  private static let anyMap: JSONValue = ["type": "object", "additionalProperties": any]
  private static let schemaArray: JSONValue = ["type": "array", "minItems": 1, "items": any]
  private static let names: JSONValue = [
    "type": "array", "items": ["type": "string"], "uniqueItems": true,
  ]
  private static let text: JSONValue = ["type": "string"]
  private static let flag: JSONValue = ["type": "boolean"]
  private static let number: JSONValue = ["type": "number"]
  private static let count: JSONValue = ["type": "integer", "minimum": 0]

  private static let schema: [String: JSONValue] = [
    "allOf": .array(standard.map { ["$ref": .string("meta/" + $0)] }),
    "properties": [
      "definitions": anyMap,
      "dependencies": ["type": "object", "additionalProperties": ["anyOf": [any, names]]],
      "$recursiveAnchor": ["$ref": "meta/core#/$defs/anchorString"],
      "$recursiveRef": ["$ref": "meta/core#/$defs/uriReferenceString"],
    ],
  ]

  private static let core: [String: JSONValue] = [
    "properties": [
      "$id": ["$ref": "#/$defs/uriReferenceString", "pattern": "^[^#]*#?$"],
      "$schema": ["$ref": "#/$defs/uriString"],
      "$ref": ["$ref": "#/$defs/uriReferenceString"],
      "$anchor": ["$ref": "#/$defs/anchorString"],
      "$dynamicRef": ["$ref": "#/$defs/uriReferenceString"],
      "$dynamicAnchor": ["$ref": "#/$defs/anchorString"],
      "$vocabulary": [
        "type": "object", "propertyNames": ["$ref": "#/$defs/uriString"], "additionalProperties": flag,
      ],
      "$comment": text,
      "$defs": anyMap,
    ],
    "$defs": [
      "anchorString": ["type": "string", "pattern": "^[A-Za-z_][-A-Za-z0-9._]*$"],
      "uriString": ["type": "string", "format": "uri"],
      "uriReferenceString": ["type": "string", "format": "uri-reference"],
    ],
  ]

  private static let applicator: [String: JSONValue] = [
    "properties": [
      "prefixItems": anyList, "items": any, "contains": any, "additionalProperties": any,
      "properties": anyMap,
      "patternProperties": [
        "type": "object", "additionalProperties": any, "propertyNames": ["format": "regex"],
      ],
      "dependentSchemas": anyMap, "propertyNames": any, "if": any, "then": any, "else": any,
      "allOf": anyList, "anyOf": anyList, "oneOf": anyList, "not": any,
    ],
    "$defs": ["schemaArray": schemaArray],
  ]

  private static let unevaluated: [String: JSONValue] = [
    "properties": ["unevaluatedItems": any, "unevaluatedProperties": any]
  ]

  private static let validation: [String: JSONValue] = [
    "properties": [
      "type": [
        "anyOf": [
          ["$ref": "#/$defs/simpleTypes"],
          ["type": "array", "items": ["$ref": "#/$defs/simpleTypes"], "minItems": 1, "uniqueItems": true],
        ]
      ],
      "const": true,
      "enum": ["type": "array", "items": true],
      "multipleOf": ["type": "number", "exclusiveMinimum": 0],
      "maximum": number, "exclusiveMaximum": number, "minimum": number, "exclusiveMinimum": number,
      "maxLength": count, "minLength": count,
      "pattern": ["type": "string", "format": "regex"],
      "maxItems": count, "minItems": count, "uniqueItems": flag, "maxContains": count, "minContains": count,
      "maxProperties": count, "minProperties": count, "required": names,
      "dependentRequired": ["type": "object", "additionalProperties": names],
    ],
    "$defs": [
      "simpleTypes": ["enum": ["array", "boolean", "integer", "null", "number", "object", "string"]]
    ],
  ]

  private static let metadata: [String: JSONValue] = [
    "properties": [
      "title": text, "description": text, "default": true, "deprecated": flag, "readOnly": flag,
      "writeOnly": flag, "examples": ["type": "array", "items": true],
    ]
  ]

  private static let content: [String: JSONValue] = [
    "properties": ["contentEncoding": text, "contentMediaType": text, "contentSchema": any]
  ]

  private static let format: [String: JSONValue] = ["properties": ["format": text]]
}
