import Kernel

/// Which keywords hold schemas, and how.
enum SchemaKeywords {
  static let single = [
    "items", "contains", "additionalProperties", "propertyNames", "unevaluatedItems", "unevaluatedProperties",
    "not", "if", "then", "else", "contentSchema",
  ]
  static let lists = ["allOf", "anyOf", "oneOf", "prefixItems"]
  // The last two are the names of earlier drafts, which schemas still use.
  static let maps = [
    "properties", "patternProperties", "dependentSchemas", "$defs", "definitions", "dependencies",
  ]

  static func subschemas(of members: [String: JSONValue]) -> [(path: [String], schema: JSONValue)] {
    var found: [(path: [String], schema: JSONValue)] = []
    for keyword in single {
      if let schema = members[keyword] { found.append(([keyword], schema)) }
    }
    for keyword in lists {
      for (index, schema) in (members[keyword]?.array ?? []).enumerated() {
        found.append(([keyword, String(index)], schema))
      }
    }
    for keyword in maps {
      let all = members[keyword]?.object ?? [:]
      for name in all.keys.sorted() { found.append(([keyword, name], all[name]!)) }
    }
    return found
  }
}
