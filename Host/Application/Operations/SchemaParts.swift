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

  /// What the parts of a schema that were added refer to.
  mutating func addDefinitions(of schema: inout MovedSchema) {
    definitions.merge(schema.definitions()) { mine, _ in mine }
  }

  /// True when the body's members became arguments.
  mutating func addBody(_ schema: JSONValue?) -> Bool {
    guard let schema else { return false }
    if let members = schema["properties"]?.object, SchemaParts.isPlain(schema),
      members.keys.allSatisfy({ places[$0] == nil })
    {
      var moved = MovedSchema(schema, "body")
      for name in members.keys.sorted() {
        add(name, moved.part(at: ["properties", name]) ?? true, .member)
      }
      addDefinitions(of: &moved)
      for case .string(let name) in schema["required"]?.array ?? [] { required.append(name) }
      return true
    }
    let name = places["body"] == nil ? "body" : "request_body"
    var moved = MovedSchema(schema, "body", wholeAt: "#/properties/\(name)")
    add(name, moved.whole(), .body)
    addDefinitions(of: &moved)
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
}
