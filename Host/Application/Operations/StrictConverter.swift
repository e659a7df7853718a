import Kernel

/// Walks a schema and builds the strict one, collecting every obstacle instead of stopping at the first.
struct StrictConverter {
  /// A part that was converted.
  private struct Part {
    var schema: [String: JSONValue]
    /// Whether the original takes null.
    var takesNull = false
    /// Whether the original says that absent means null.
    var defaultsToNull = false
  }

  private typealias Members = [String: JSONValue]

  private let document: JSONValue
  private let limits: StrictSchema.Limits
  private(set) var obstacles: [StrictSchema.Obstacle] = []
  private var nodes = 0
  private var properties = 0
  private var enumValues = 0

  init(_ document: JSONValue, _ limits: StrictSchema.Limits) {
    self.document = document
    self.limits = limits
  }

  /// The whole schema, which must be an object.
  mutating func root() -> JSONValue? {
    guard let part = convert(document, "", 1, []) else { return nil }
    guard part.schema["type"] == "object" else {
      fail("", "is not an object: a function's arguments are one")
      return nil
    }
    let schema = JSONValue.object(part.schema)
    let characters = JSON.text(schema).unicodeScalars.count
    if characters > limits.characters {
      fail("", "has \(characters) characters; \(limits.characters) are taken", .size)
    }
    return schema
  }

  private mutating func fail(
    _ at: String, _ reason: String, _ kind: StrictSchema.Obstacle.Kind = .meaning
  ) {
    let obstacle = StrictSchema.Obstacle(kind: kind, pointer: at, reason: reason)
    // A definition that two places refer to is looked at twice.
    if obstacles.count < limits.obstacles, !obstacles.contains(obstacle) { obstacles.append(obstacle) }
  }

  // MARK: One part

  private mutating func convert(_ node: JSONValue, _ at: String, _ depth: Int, _ references: [String])
    -> Part?
  {
    nodes += 1
    guard nodes <= limits.nodes else {
      if nodes == limits.nodes + 1 { fail("", "is too large: more than \(limits.nodes) parts", .size) }
      return nil
    }
    guard case .object(let own) = node else {
      fail(at, "takes \(node == false ? "nothing" : "any value"); say its type")
      return nil
    }
    var (references, at) = (references, at)
    guard let members = flattened(own, &at, &references) else { return nil }
    for keyword in StrictConverter.refused where members[keyword] != nil {
      fail(at + "/" + keyword, "strict mode has no '\(keyword)'")
      return nil
    }
    if members["anyOf"] != nil || members["oneOf"] != nil { return union(members, at, depth, references) }
    return typed(members, at, depth, references)
  }

  /// Keywords that change what is valid and that no description can stand for.
  private static let refused = [
    "allOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies",
    "patternProperties", "prefixItems", "unevaluatedItems", "contains", "minContains", "maxContains",
    "$dynamicRef", "propertyNames",
  ]

  private static let annotations: Set<String> = [
    "description", "title", "default", "examples", "example", "deprecated", "readOnly", "writeOnly",
    "$comment", "$id", "$schema", "$defs", "definitions", "$anchor",
  ]

  /// The part with its `$ref`, and an `allOf` of one, put in their places; `at` becomes the place of what it refers to.
  private mutating func flattened(_ own: Members, _ at: inout String, _ references: inout [String])
    -> Members?
  {
    var members = own
    while true {
      let (target, place): (JSONValue, String)
      if let reference = members.removeValue(forKey: "$ref") {
        let name = reference.string ?? ""
        guard !references.contains(name), name != "#" else {
          fail(at, "refers to itself: strict mode takes \(limits.depth) levels")
          return nil
        }
        guard references.count < limits.references,
          let found = SchemaReference.resolve(name, in: document)
        else {
          fail(at, "refers to '\(name)', which is no part of this schema")
          return nil
        }
        references.append(name)
        (target, place) = (found, String(name.dropFirst()))
      } else if let all = members["allOf"]?.array, all.count == 1 {
        members["allOf"] = nil
        (target, place) = (all[0], at + "/allOf/0")
      } else {
        return members
      }
      guard case .object(let more) = target else {
        fail(place, "takes any value; say its type")
        return nil
      }
      at = place
      for (name, value) in more {
        if let mine = members[name], mine != value, !StrictConverter.annotations.contains(name) {
          fail(at, "says '\(name)' beside a reference that says it too")
          return nil
        }
        if members[name] == nil { members[name] = value }
      }
    }
  }

  // MARK: Alternatives

  private mutating func union(_ members: Members, _ at: String, _ depth: Int, _ references: [String])
    -> Part?
  {
    let keyword = members["anyOf"] != nil ? "anyOf" : "oneOf"
    let others = members.keys.filter { $0 != keyword && !StrictConverter.annotations.contains($0) }
    guard others.isEmpty, let choices = members[keyword]?.array, !choices.isEmpty else {
      fail(
        at, "has '\(others.sorted().first ?? "nothing")' beside '\(keyword)': put it into each alternative")
      return nil
    }
    var parts: [Part] = []
    for (index, choice) in choices.enumerated() {
      guard let part = convert(choice, "\(at)/\(keyword)/\(index)", depth, references) else { return nil }
      parts.append(part)
    }
    var (described, notes) = (members, [String]())
    if parts.count == 1 {
      if described["description"] == nil { described["description"] = parts[0].schema["description"] }
      var part = parts[0]
      describe(&part.schema, described, &notes)
      return part
    }
    return join(parts, members, at)
  }

  /// An `anyOf` of what each part became.
  private mutating func join(_ parts: [Part], _ members: Members, _ at: String) -> Part? {
    // An alternative that is itself one is spelled out.
    let choices = parts.flatMap { part in part.schema["anyOf"]?.array ?? [.object(part.schema)] }
    let first = choices.filter { $0["type"] == "object" }.map { StrictConverter.firstName($0["properties"]) }
    guard Set(first).count == first.count else {
      fail(at, "has two alternatives that begin with the same property: strict mode cannot tell them apart")
      return nil
    }
    var (schema, notes) = (["anyOf": JSONValue.array(choices)], [String]())
    describe(&schema, members, &notes)
    return Part(
      schema: schema, takesNull: parts.contains(where: \.takesNull),
      defaultsToNull: members["default"] == .null)
  }

  /// The property that stands first where the schema is written.
  private static func firstName(_ properties: JSONValue?) -> String? {
    let document = JSONDocument()
    guard let properties, (try? document.parse(JSON.encode(properties).span)) != nil else { return nil }
    var members = document.root.members
    return members.next() ? String(members.key) : nil
  }

  // MARK: By type

  private mutating func typed(_ members: Members, _ at: String, _ depth: Int, _ references: [String])
    -> Part?
  {
    let values = members["const"].map { [$0] } ?? members["enum"]?.array
    guard let types = types(of: members, values, at) else { return nil }
    var parts: [Part] = []
    for type in types where type != "null" {
      guard let part = part(type, members, values, at, depth, references) else { return nil }
      parts.append(part)
    }
    let takesNull = types.contains("null") && (values?.contains(.null) ?? true)
    if parts.isEmpty {
      var (schema, notes) = ([String: JSONValue](), [String]())
      schema["type"] = "null"
      describe(&schema, members, &notes)
      return Part(schema: schema, takesNull: true, defaultsToNull: true)
    }
    let defaultsToNull = members["default"] == .null
    if parts.count == 1 {
      let schema = takesNull ? StrictConverter.withNull(parts[0].schema) : parts[0].schema
      return Part(schema: schema, takesNull: takesNull, defaultsToNull: defaultsToNull)
    }
    // What is said of the whole is said once.
    for index in parts.indices { parts[index].schema["description"] = nil }
    if takesNull { parts.append(Part(schema: ["type": "null"], takesNull: true)) }
    return join(parts, members, at)
  }

  /// The types that the part says, or that its other keywords mean.
  private mutating func types(of members: Members, _ values: [JSONValue]?, _ at: String) -> [String]? {
    let known: Set<String> = ["string", "integer", "number", "boolean", "object", "array", "null"]
    var types: [String]
    switch members["type"] {
    case .string(let type): types = [type]
    case .array(let list): types = list.compactMap(\.string)
    default:
      if let values {
        types = Array(Set(values.map(StrictConverter.type))).sorted()
      } else if members["properties"] != nil {
        types = ["object"]
      } else if members["items"] != nil {
        types = ["array"]
      } else {
        types = []
      }
    }
    if let values { types = types.filter { type in values.contains { StrictConverter.fits($0, type) } } }
    // Every integer is a number.
    if types.contains("number") { types.removeAll { $0 == "integer" } }
    guard !types.isEmpty, types.allSatisfy(known.contains) else {
      fail(at, "takes any value; say its type")
      return nil
    }
    return types
  }

  private static func type(of value: JSONValue) -> String {
    switch value {
    case .null: "null"
    case .bool: "boolean"
    case .integer: "integer"
    case .number: "number"
    case .string: "string"
    case .array: "array"
    case .object: "object"
    }
  }

  private static func fits(_ value: JSONValue, _ type: String) -> Bool {
    let own = StrictConverter.type(of: value)
    return own == type || own == "integer" && type == "number"
  }

  private mutating func part(
    _ type: String, _ members: Members, _ values: [JSONValue]?, _ at: String, _ depth: Int,
    _ references: [String]
  ) -> Part? {
    var schema: Members = ["type": .string(type)]
    var notes: [String] = []
    if let values {
      guard choose(values.filter { StrictConverter.fits($0, type) }, type, at, &schema) else { return nil }
    } else {
      switch type {
      case "string": text(members, &schema, &notes)
      case "integer", "number":
        for keyword in ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"] {
          schema[keyword] = members[keyword]
        }
      case "array":
        guard array(members, at, depth, references, &schema, &notes) else { return nil }
      case "object":
        guard object(members, at, depth, references, &schema, &notes) else { return nil }
      default: break
      }
    }
    describe(&schema, members, &notes)
    return Part(schema: schema)
  }

  private mutating func choose(_ values: [JSONValue], _ type: String, _ at: String, _ schema: inout Members)
    -> Bool
  {
    guard type != "object", type != "array" else {
      fail(at, "has an enum of objects or lists: strict mode takes texts, numbers and booleans")
      return false
    }
    let characters = values.reduce(0) { $0 + ($1.string?.unicodeScalars.count ?? 0) }
    if values.count > limits.largeEnum, characters > limits.largeEnumCharacters {
      fail(
        at,
        "has an enum of \(values.count) values with \(characters) characters; beyond \(limits.largeEnum) values, "
          + "\(limits.largeEnumCharacters) characters are taken", .size)
      return false
    }
    let before = enumValues
    enumValues += values.count
    if enumValues > limits.enumValues, before <= limits.enumValues {
      fail(at, "brings the values of all enums beyond \(limits.enumValues)", .size)
    }
    schema["enum"] = .array(values)
    return true
  }

  // MARK: Objects and lists

  private mutating func object(
    _ members: Members, _ at: String, _ depth: Int, _ references: [String], _ schema: inout Members,
    _ notes: inout [String]
  ) -> Bool {
    guard isWithin(depth, at) else { return false }
    let declared = members["properties"]?.object ?? [:]
    let isClosed = members["additionalProperties"] == false || members["unevaluatedProperties"] == false
    let isOpen = [members["additionalProperties"], members["unevaluatedProperties"]].contains { rule in
      rule != nil && rule != false
    }
    guard !isOpen, isClosed || !declared.isEmpty else {
      fail(at, "takes members of any name; declare them as properties, or take a list of pairs")
      return false
    }
    let required = Set(members["required"]?.array?.compactMap(\.string) ?? [])
    for name in required.sorted() where declared[name] == nil || declared[name] == false {
      fail(at, "requires '\(name)', which it does not describe")
      return false
    }
    let before = properties
    properties += declared.count
    if properties > limits.properties {
      if before <= limits.properties {
        fail(at, "brings the properties beyond \(limits.properties)", .size)
      }
      return false
    }
    var converted: Members = [:]
    // In order, so that obstacles always come in the same one.
    for (name, property) in declared.sorted(by: { $0.key < $1.key }) where property != false {
      let place = at + "/properties" + SchemaReference.step(name)
      guard let part = convert(property, place, depth + 1, references) else { continue }
      if required.contains(name) {
        converted[name] = .object(part.schema)
      } else if part.takesNull, !part.defaultsToNull {
        fail(
          place,
          "may be absent and may be null, and a strict caller cannot say which: require it, do not take null, or "
            + "declare \"default\": null when both mean the same")
      } else {
        converted[name] = .object(StrictConverter.withNull(part.schema))
      }
    }
    schema["properties"] = .object(converted)
    schema["required"] = .array(converted.keys.sorted().map(JSONValue.string))
    schema["additionalProperties"] = false
    if let least = members["minProperties"]?.integer, least > required.count {
      notes.append("At least \(least) of its members must not be null.")
    }
    if let most = members["maxProperties"]?.integer, most < declared.count {
      notes.append("At most \(most) of its members may be other than null.")
    }
    return true
  }

  private mutating func array(
    _ members: Members, _ at: String, _ depth: Int, _ references: [String], _ schema: inout Members,
    _ notes: inout [String]
  ) -> Bool {
    guard isWithin(depth, at) else { return false }
    guard let items = members["items"] else {
      fail(at, "does not say what its elements are: give it 'items'")
      return false
    }
    guard let part = convert(items, at + "/items", depth + 1, references) else { return false }
    schema["items"] = .object(part.schema)
    for keyword in ["minItems", "maxItems"] { schema[keyword] = members[keyword] }
    if members["uniqueItems"] == true { notes.append("No element twice.") }
    return true
  }

  private mutating func isWithin(_ depth: Int, _ at: String) -> Bool {
    if depth > limits.depth {
      fail(
        at, "is level \(depth) of objects and lists; strict mode takes \(limits.depth): make it flatter",
        .depth)
    }
    return depth <= limits.depth
  }

  /// The same, or null.
  private static func withNull(_ schema: Members) -> Members {
    var schema = schema
    if let choices = schema["anyOf"]?.array {
      if !choices.contains(where: { $0["type"] == "null" }) {
        schema["anyOf"] = .array(choices + [["type": "null"]])
      }
    } else if case .string(let type)? = schema["type"], type != "null" {
      // A list of types beside an object's properties is not in the documents; an anyOf is.
      if type == "object" || type == "array" {
        return ["anyOf": [.object(schema), ["type": "null"]]]
      }
      schema["type"] = [.string(type), "null"]
      if let values = schema["enum"]?.array { schema["enum"] = .array(values + [.null]) }
    }
    return schema
  }
}
