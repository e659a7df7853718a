import CouncilPlugin

/// The part of JSON Schema 2020-12 that declarations use: type, enum, const, properties, required, additionalProperties,
/// minProperties, items, minItems, maxItems, lengths, bounds, pattern. The host knows all of it; other keywords pass here.
struct SchemaCheck: Sendable {
  struct Fault: Sendable, Equatable {
    var pointer: String
    var keyword: String
    var reason: String
  }

  private let schema: JSON

  init(_ schema: JSON) { self.schema = schema }

  /// The first violation.
  func fault(in value: JSON) -> Fault? { SchemaCheck.fault(value, schema, "") }

  /// A path or query parameter as the type that its schema asks for.
  func coerced(_ name: String, _ texts: [String]) -> JSON {
    let property = schema["properties"]?[name]
    let type = property?["type"]?.string
    if type == "array" {
      let item = property?["items"]?["type"]?.string
      return .array(texts.map { SchemaCheck.coerced($0, item) })
    }
    return SchemaCheck.coerced(texts.first ?? "", type)
  }

  private static func coerced(_ text: String, _ type: String?) -> JSON {
    switch type {
    case "integer": Int64(text).map(JSON.integer) ?? .string(text)
    case "number": Double(text).map(JSON.number) ?? .string(text)
    case "boolean": text == "true" ? true : text == "false" ? false : .string(text)
    default: .string(text)
    }
  }

  private static func fault(_ value: JSON, _ schema: JSON, _ at: String) -> Fault? {
    if case .bool(let passes) = schema {
      return passes ? nil : Fault(pointer: at, keyword: "false", reason: "nothing is allowed here")
    }
    if let type = schema["type"] {
      let types = type.array?.compactMap(\.string) ?? [type.string ?? ""]
      if !types.contains(where: { isOf($0, value) }) {
        return Fault(pointer: at, keyword: "type", reason: "must be \(types.joined(separator: " or "))")
      }
    }
    if let allowed = schema["enum"]?.array, !allowed.contains(value) {
      return Fault(pointer: at, keyword: "enum", reason: "must be one of \(JSON.array(allowed))")
    }
    if let constant = schema["const"], constant != value {
      return Fault(pointer: at, keyword: "const", reason: "must be \(constant)")
    }
    return switch value {
    case .string(let text): textFault(text, schema, at)
    case .integer, .number: numberFault(value.number ?? 0, schema, at)
    case .object(let members): objectFault(members, schema, at)
    case .array(let items): arrayFault(items, schema, at)
    case .null, .bool: nil
    }
  }

  private static func isOf(_ type: String, _ value: JSON) -> Bool {
    switch (type, value) {
    case ("null", .null), ("boolean", .bool), ("string", .string), ("array", .array), ("object", .object):
      true
    case ("integer", _): value.integer != nil
    case ("number", .integer), ("number", .number): true
    default: false
    }
  }

  private static func textFault(_ text: String, _ schema: JSON, _ at: String) -> Fault? {
    let count = Int64(text.unicodeScalars.count)
    if let least = schema["minLength"]?.integer, count < least {
      return Fault(pointer: at, keyword: "minLength", reason: "must have \(least) characters or more")
    }
    if let most = schema["maxLength"]?.integer, count > most {
      return Fault(pointer: at, keyword: "maxLength", reason: "must have \(most) characters or fewer")
    }
    if let pattern = schema["pattern"]?.string {
      guard let regex = try? Regex(pattern) else {
        return Fault(pointer: at, keyword: "pattern", reason: "the pattern '\(pattern)' cannot be compiled")
      }
      if text.firstMatch(of: regex) == nil {
        return Fault(pointer: at, keyword: "pattern", reason: "must match \(pattern)")
      }
    }
    return nil
  }

  private static func numberFault(_ number: Double, _ schema: JSON, _ at: String) -> Fault? {
    if let least = schema["minimum"]?.number, number < least {
      return Fault(pointer: at, keyword: "minimum", reason: "must be \(least) or more")
    }
    if let most = schema["maximum"]?.number, number > most {
      return Fault(pointer: at, keyword: "maximum", reason: "must be \(most) or less")
    }
    return nil
  }

  private static func objectFault(_ members: [JSON.Member], _ schema: JSON, _ at: String) -> Fault? {
    if let least = schema["minProperties"]?.integer, members.count < least {
      return Fault(pointer: at, keyword: "minProperties", reason: "must have \(least) members or more")
    }
    for name in (schema["required"]?.array ?? []).compactMap(\.string) {
      if !members.contains(where: { $0.name == name }) {
        // Of the object, which breaks the schema; a value that is not there has no place (JSON Schema, instanceLocation).
        return Fault(pointer: at, keyword: "required", reason: "needs the property \(JSON.string(name))")
      }
    }
    for member in members {
      let here = "\(at)/\(member.name)"
      if let property = schema["properties"]?[member.name] {
        if let fault = fault(member.value, property, here) { return fault }
      } else if let others = schema["additionalProperties"], fault(member.value, others, here) != nil {
        return Fault(pointer: here, keyword: "additionalProperties", reason: "is not known here")
      }
    }
    return nil
  }

  private static func arrayFault(_ items: [JSON], _ schema: JSON, _ at: String) -> Fault? {
    if let least = schema["minItems"]?.integer, items.count < least {
      return Fault(pointer: at, keyword: "minItems", reason: "must have \(least) items or more")
    }
    if let most = schema["maxItems"]?.integer, items.count > most {
      return Fault(pointer: at, keyword: "maxItems", reason: "must have \(most) items or fewer")
    }
    guard let each = schema["items"] else { return nil }
    for (index, item) in items.enumerated() {
      if let fault = fault(item, each, "\(at)/\(index)") { return fault }
    }
    return nil
  }
}
