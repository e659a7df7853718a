import Kernel

// OpenAPI 3.0: https://spec.openapis.org/oas/v3.0.3#schema-object

extension SchemaForm {
  private static let kept: Set<String> = [
    "title", "description", "default", "readOnly", "writeOnly", "deprecated", "format", "pattern",
    "multipleOf",
    "maximum", "minimum", "maxLength", "minLength", "maxItems", "minItems", "uniqueItems", "maxProperties",
    "minProperties", "example",
  ]
  /// What 3.0 has no words for, and what takes more without them.
  private static let lost: Set<String> = [
    "$dynamicRef", "patternProperties", "propertyNames", "contains", "minContains", "maxContains", "if",
    "unevaluatedItems", "unevaluatedProperties", "dependentSchemas", "dependentRequired", "dependencies",
  ]

  mutating func older(_ members: [String: JSONValue], _ steps: [String]) -> Part {
    var out: [String: JSONValue] = [:]
    var isExact = true
    var also: [JSONValue] = []
    for (keyword, value) in members {
      if SchemaForm.kept.contains(keyword) || keyword.hasPrefix("x-") { out[keyword] = value }
      if SchemaForm.lost.contains(keyword) { isExact = false }
    }
    if out["example"] == nil, let first = members["examples"]?.array?.first { out["example"] = first }
    if let text = members["$ref"]?.string {
      // Whether its target is exact is known only when that is converted: nothing may depend on it.
      isExact = false
      if let target = reference(text, from: steps) { also.append(["$ref": target]) }
    }
    bounds(members, &out)
    values(members, &out, &also)
    types(members, &out, &also)
    items(members, steps, &out, &isExact)
    properties(members, steps, &out, &isExact)
    for keyword in ["allOf", "anyOf"] {
      guard let list = members[keyword]?.array, !list.isEmpty else { continue }
      let (schemas, same) = convert(list, steps + [keyword])
      isExact = isExact && same
      if keyword == "allOf" { also += schemas } else { out[keyword] = .array(schemas) }
    }
    excluding(members, steps, &out, &isExact)
    if let moved = out.removeValue(forKey: "allOf")?.array { also += moved }
    declareRequired(members, steps, &out, &isExact)
    if also.count == 1, out.isEmpty { return Part(schema: also[0], isExact: isExact) }
    if !also.isEmpty { out["allOf"] = .array(also) }
    return Part(schema: .object(out), isExact: isExact)
  }

  /// A bound of its own becomes a flag of the bound beside it; of two, the stricter one counts.
  private func bounds(_ members: [String: JSONValue], _ out: inout [String: JSONValue]) {
    for (exclusive, bound, isStricter) in [
      ("exclusiveMinimum", "minimum", { $0 >= $1 } as (Double, Double) -> Bool),
      ("exclusiveMaximum", "maximum", { $0 <= $1 }),
    ] {
      guard let value = members[exclusive], let number = SchemaForm.number(value) else { continue }
      if let other = members[bound].flatMap(SchemaForm.number), !isStricter(number, other) { continue }
      out[bound] = value
      out[exclusive] = true
    }
  }

  static func number(_ value: JSONValue) -> Double? {
    switch value {
    case .integer(let number): Double(number)
    case .number(let number): number
    default: nil
    }
  }

  private func values(
    _ members: [String: JSONValue], _ out: inout [String: JSONValue], _ also: inout [JSONValue]
  ) {
    if let choices = members["enum"]?.array {
      // An `enum` has at least one value here; one without any takes nothing.
      if choices.isEmpty { also.append(["not": [:]]) } else { out["enum"] = .array(choices) }
    }
    guard let constant = members["const"] else { return }
    if out["enum"] == nil { out["enum"] = [constant] } else { also.append(["enum": [constant]]) }
  }

  private func types(
    _ members: [String: JSONValue], _ out: inout [String: JSONValue], _ also: inout [JSONValue]
  ) {
    var names: [String] = []
    switch members["type"] {
    case .string(let name): names = [name]
    case .array(let all): names = all.compactMap(\.string)
    default: return
    }
    let takesNull = names.contains("null")
    names.removeAll { $0 == "null" }
    func typed(_ name: String) -> [String: JSONValue] {
      var schema: [String: JSONValue] = ["type": .string(name)]
      if takesNull { schema["nullable"] = true }
      if name == "array" { schema["items"] = [:] }
      return schema
    }
    switch names.count {
    // `nullable` says something only beside a type.
    case 0: also.append(["type": "string", "nullable": true, "enum": [.null]])
    case 1:
      out.merge(typed(names[0])) { $1 }
      if takesNull, let choices = out["enum"]?.array, !choices.contains(.null) { out["nullable"] = nil }
    default: also.append(["anyOf": .array(names.map { .object(typed($0)) })])
    }
  }

  private mutating func items(
    _ members: [String: JSONValue], _ steps: [String], _ out: inout [String: JSONValue], _ isExact: inout Bool
  ) {
    guard let prefix = members["prefixItems"]?.array, !prefix.isEmpty else {
      guard let value = members["items"] else { return }
      let part = convert(value, steps + ["items"])
      out["items"] = part.schema
      isExact = isExact && part.isExact
      return
    }
    // Each place has a schema of its own there; here an item may be any of them.
    isExact = false
    var choices = convert(prefix, steps + ["prefixItems"]).schemas
    switch members["items"] {
    case .bool(false):
      let most = Int64(prefix.count)
      out["maxItems"] = .integer(min(most, members["maxItems"]?.integer ?? most))
    case .some(.object(let rest)): choices.append(convert(.object(rest), steps + ["items"]).schema)
    default: choices = []
    }
    out["items"] = choices.isEmpty ? [:] : ["anyOf": .array(choices)]
  }

  private mutating func properties(
    _ members: [String: JSONValue], _ steps: [String], _ out: inout [String: JSONValue], _ isExact: inout Bool
  ) {
    if let all = members["properties"]?.object {
      let (schemas, same) = convert(all, steps + ["properties"])
      out["properties"] = .object(schemas)
      isExact = isExact && same
    }
    if let names = members["required"]?.array, !names.isEmpty { out["required"] = .array(names) }
    // Without the patterns, names that they cover would be further ones.
    guard let more = members["additionalProperties"], members["patternProperties"] == nil else { return }
    guard more.bool == nil else { return out["additionalProperties"] = more }
    let part = convert(more, steps + ["additionalProperties"])
    out["additionalProperties"] = part.schema
    isExact = isExact && part.isExact
  }
}
