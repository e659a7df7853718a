package import Kernel

/// The arguments of a call as a strict caller gives them, as the route's schema wants them.
package enum StrictArguments {
  /// Whether ``write(_:for:to:)`` may have anything to do: most calls hold no null, and need not be copied.
  package static func hasNull(_ value: borrowing JSONElement) -> Bool {
    switch value.kind {
    case .null: return true
    case .array:
      var elements = value.elements
      while elements.next() { if hasNull(elements.value) { return true } }
      return false
    case .object:
      var members = value.members
      while members.next() { if hasNull(members.value) { return true } }
      return false
    default: return false
    }
  }

  /// Appends the arguments without every member that is null, not required and not allowed to be null: so a strict
  /// caller, who has to name every property, says "absent". A null that the schema takes stays, and so does whatever the
  /// schema does not describe: that is for the validation to refuse.
  package static func write(_ arguments: borrowing JSONElement, for schema: JSONValue, to out: Arena) {
    write(arguments, schema, in: schema, out)
  }

  /// References and alternatives that are followed to one part.
  private static let maxSteps = 32

  private static func write(
    _ value: borrowing JSONElement, _ schema: JSONValue?, in root: JSONValue, _ out: Arena
  ) {
    switch value.kind {
    case .object:
      let shape = schema.flatMap { object(value, $0, in: root) }
      let required = shape?["required"]?.array ?? []
      out.append(UInt8(ascii: "{"))
      var isFirst = true
      var members = value.members
      while members.next() {
        let property = shape?["properties"]?[String(members.key)]
        if members.value.kind == .null, let property, !required.contains(.string(String(members.key))),
          !takesNull(property, in: root)
        {
          continue
        }
        if !isFirst { out.append(UInt8(ascii: ",")) }
        isFirst = false
        out.append(jsonString: members.key)
        out.append(UInt8(ascii: ":"))
        write(members.value, property, in: root, out)
      }
      out.append(UInt8(ascii: "}"))
    case .array:
      let element = schema.flatMap { list($0, in: root) }
      out.append(UInt8(ascii: "["))
      var isFirst = true
      var elements = value.elements
      while elements.next() {
        if !isFirst { out.append(UInt8(ascii: ",")) }
        isFirst = false
        write(elements.value, element, in: root, out)
      }
      out.append(UInt8(ascii: "]"))
    default: out.append(json: value)
    }
  }

  // MARK: The part of the schema that a value is of

  /// The part, then what it refers to and what it is made of, near things first.
  private static func parts(_ schema: JSONValue, in root: JSONValue) -> [JSONValue] {
    var parts = [schema]
    var next = 0
    while next < parts.count, parts.count < maxSteps {
      let part = parts[next]
      if let reference = part["$ref"]?.string, let found = SchemaReference.resolve(reference, in: root) {
        parts.append(found)
      }
      for keyword in ["allOf", "anyOf", "oneOf"] { parts += part[keyword]?.array ?? [] }
      next += 1
    }
    return Array(parts.prefix(maxSteps))
  }

  /// The object schema that a value is of: of alternatives that know all its members, the one whose constants it has,
  /// else the first.
  private static func object(
    _ value: borrowing JSONElement, _ schema: JSONValue, in root: JSONValue
  ) -> JSONValue? {
    var first: JSONValue?
    for part in parts(schema, in: root) {
      guard let declared = part["properties"]?.object else { continue }
      var (knowsAll, fits) = (true, true)
      var members = value.members
      while members.next() {
        guard let property = declared[String(members.key)] else {
          knowsAll = false
          break
        }
        guard fits, let only = property["const"].map({ [$0] }) ?? property["enum"]?.array else { continue }
        let member = JSONValue(members.value)
        fits = member == .null || only.contains(member)
      }
      if knowsAll, fits { return part }
      if knowsAll, first == nil { first = part }
    }
    // Members that nothing knows: the validation will say so, by the schema as it stands.
    return first ?? (schema["properties"] == nil ? nil : schema)
  }

  private static func list(_ schema: JSONValue, in root: JSONValue) -> JSONValue? {
    for part in parts(schema, in: root) { if let items = part["items"] { return items } }
    return nil
  }

  private static func takesNull(_ schema: JSONValue, in root: JSONValue) -> Bool {
    parts(schema, in: root).contains { part in
      if part == true || part == [:] { return true }
      if let values = part["const"].map({ [$0] }) ?? part["enum"]?.array { return values.contains(.null) }
      switch part["type"] {
      case .string(let type): return type == "null"
      case .array(let types): return types.contains("null")
      // Says no type, and leads nowhere that does: any value.
      default:
        return !["$ref", "allOf", "anyOf", "oneOf", "properties", "items"].contains { part[$0] != nil }
      }
    }
  }
}
