package import Kernel

/// The arguments of a call as a strict caller gives them, as the route's schema wants them.
package enum StrictArguments {
  /// Leaves out every member that is null, not required and not allowed to be null: so a strict caller, who has to name
  /// every property, says "absent". A null that the schema takes stays, and so does whatever the schema does not
  /// describe: that is for the validation to refuse.
  package static func restored(_ arguments: JSONValue, for schema: JSONValue) -> JSONValue {
    // Most calls have none, and cost nothing more.
    guard hasNull(arguments) else { return arguments }
    return restore(arguments, schema, in: schema)
  }

  /// References and alternatives that are followed to one part.
  private static let maxSteps = 32

  private static func hasNull(_ value: JSONValue) -> Bool {
    switch value {
    case .null: true
    case .array(let items): items.contains(where: hasNull)
    case .object(let members): members.values.contains(where: hasNull)
    default: false
    }
  }

  private static func restore(_ value: JSONValue, _ schema: JSONValue, in root: JSONValue) -> JSONValue {
    switch value {
    case .object(let members):
      guard let shape = object(members, schema, in: root, maxSteps) else { return value }
      let required = Set(shape["required"]?.array?.compactMap(\.string) ?? [])
      let declared = shape["properties"]?.object ?? [:]
      var kept: [String: JSONValue] = [:]
      for (name, member) in members {
        guard let property = declared[name] else {
          kept[name] = member
          continue
        }
        if member == .null, !required.contains(name), !takesNull(property, in: root, maxSteps) { continue }
        kept[name] = restore(member, property, in: root)
      }
      return .object(kept)
    case .array(let items):
      guard let element = list(schema, in: root, maxSteps) else { return value }
      return .array(items.map { restore($0, element, in: root) })
    default: return value
    }
  }

  /// What the part says itself, and where it leads: its reference, its parts, its alternatives.
  private static func targets(_ schema: JSONValue, in root: JSONValue) -> [JSONValue] {
    var targets: [JSONValue] = []
    if let reference = schema["$ref"]?.string, let found = SchemaReference.resolve(reference, in: root) {
      targets.append(found)
    }
    for keyword in ["allOf", "anyOf", "oneOf"] { targets += schema[keyword]?.array ?? [] }
    return targets
  }

  /// The object schema that these members are of: of alternatives, the one that knows all of them and whose constants
  /// they have; else the first that knows all of them.
  private static func object(
    _ members: [String: JSONValue], _ schema: JSONValue, in root: JSONValue, _ steps: Int
  ) -> JSONValue? {
    var steps = steps
    var open = [schema]
    var candidates: [JSONValue] = []
    while let next = open.popLast(), steps > 0 {
      steps -= 1
      if let declared = next["properties"]?.object, members.keys.allSatisfy({ declared[$0] != nil }) {
        candidates.append(next)
      }
      open += targets(next, in: root).reversed()
    }
    let fitting = candidates.first { candidate in
      members.allSatisfy { name, value in
        guard let property = candidate["properties"]?[name] else { return false }
        if let only = property["const"], only != value { return false }
        if let some = property["enum"]?.array, value != .null, !some.contains(value) { return false }
        return true
      }
    }
    // Members that no alternative knows: the validation will say so, by the schema as it stands.
    return fitting ?? candidates.first ?? (schema["properties"] == nil ? nil : schema)
  }

  private static func list(_ schema: JSONValue, in root: JSONValue, _ steps: Int) -> JSONValue? {
    var steps = steps
    var open = [schema]
    while let next = open.popLast(), steps > 0 {
      steps -= 1
      if let items = next["items"] { return items }
      open += targets(next, in: root).reversed()
    }
    return nil
  }

  private static func takesNull(_ schema: JSONValue, in root: JSONValue, _ steps: Int) -> Bool {
    var steps = steps
    var open = [schema]
    while let next = open.popLast(), steps > 0 {
      steps -= 1
      if next == true || next == [:] { return true }
      let targets = targets(next, in: root)
      if let values = next["enum"]?.array ?? next["const"].map({ [$0] }) {
        if values.contains(.null) { return true }
        continue
      }
      switch next["type"] {
      case .string(let type): if type == "null" { return true }
      case .array(let types): if types.contains("null") { return true }
      // Says no type of its own, and nothing else does: any value.
      default: if targets.isEmpty, next["properties"] == nil, next["items"] == nil { return true }
      }
      open += targets
    }
    return false
  }
}
