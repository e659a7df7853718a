import Kernel

/// Puts the schemas of path, query and body together to that of one object.
struct SchemaParts {
  private(set) var places: [String: ArgumentMap.Place] = [:]
  var required: [String] = []
  private var properties: [String: JSONValue] = [:]
  private var definitions: [String: JSONValue] = [:]

  mutating func add(_ name: String, _ schema: JSONValue, _ place: ArgumentMap.Place) {
    properties[name] = schema
    places[name] = place
  }

  /// The schema's definitions under names that say whose they are; ``rebased(_:_:)`` changes who refers to them.
  mutating func addDefinitions(of schema: JSONValue?, _ owner: String) {
    for (name, definition) in schema?["$defs"]?.object ?? [:] {
      definitions["\(owner)_\(name)"] = SchemaParts.rebased(definition, owner)
    }
  }

  /// True when the body's members became arguments.
  mutating func addBody(_ schema: JSONValue?) -> Bool {
    guard let schema else { return false }
    if let members = schema["properties"]?.object, SchemaParts.isPlain(schema),
      members.keys.allSatisfy({ places[$0] == nil })
    {
      for (name, member) in members { add(name, SchemaParts.rebased(member, "body"), .member) }
      addDefinitions(of: schema, "body")
      for case .string(let name) in schema["required"]?.array ?? [] { required.append(name) }
      return true
    }
    let name = places["body"] == nil ? "body" : "request_body"
    add(name, SchemaParts.rebased(schema, "body"), .body)
    addDefinitions(of: schema, "body")
    required.append(name)
    return false
  }

  var schema: JSONValue {
    var all: [String: JSONValue] = [
      "type": "object", "properties": .object(properties), "additionalProperties": false,
    ]
    if !required.isEmpty { all["required"] = .array(required.map(JSONValue.string)) }
    if !definitions.isEmpty { all["$defs"] = .object(definitions) }
    return .object(all)
  }

  /// A closed object, and nothing that ties its members together but their number.
  private static func isPlain(_ schema: JSONValue) -> Bool {
    let plain: Set<String> = [
      "type", "properties", "required", "additionalProperties", "minProperties", "maxProperties", "title",
      "description", "examples", "default", "$defs", "$schema", "$comment",
    ]
    return schema["type"] == "object" && schema["additionalProperties"] == false
      && (schema.object ?? [:]).keys.allSatisfy(plain.contains)
  }

  /// The schema with its references into its own `$defs` led to where ``addDefinitions(of:_:)`` puts them. One with an
  /// `$id` is a document of its own, whose references stay (JSON Schema 2020-12 core, section 8.2.1).
  static func rebased(_ schema: JSONValue, _ owner: String) -> JSONValue {
    switch schema {
    case .object(var members):
      if members["$id"] != nil { return schema }
      for (name, value) in members {
        if name == "$ref", case .string(let reference) = value, reference.hasPrefix("#/$defs/") {
          members[name] = .string("#/$defs/\(owner)_" + reference.dropFirst("#/$defs/".count))
        } else if name == "$defs" {
          members[name] = nil
        } else if !SchemaParts.literal.contains(name) {
          members[name] = rebased(value, owner)
        }
      }
      return .object(members)
    case .array(let items): return .array(items.map { rebased($0, owner) })
    default: return schema
    }
  }

  /// Members that hold values, not schemas.
  private static let literal: Set<String> = ["const", "enum", "default", "examples"]
}
