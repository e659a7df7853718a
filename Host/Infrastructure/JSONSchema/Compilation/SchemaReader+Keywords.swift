import Kernel

extension SchemaReader {
  /// Keywords that say nothing about validity, and what their values must be all the same.
  mutating func checkAnnotations(_ members: [String: JSONValue], _ location: SchemaLocation) {
    for keyword in [
      "$comment", "title", "description", "contentEncoding", "contentMediaType", "format", "$schema", "$id",
      "$anchor",
      "$dynamicAnchor",
    ] {
      if let value = members[keyword], value.string == nil {
        fail(location.appending(keyword), "not a string")
      }
    }
    for keyword in ["deprecated", "readOnly", "writeOnly"] {
      if let value = members[keyword], value.bool == nil {
        fail(location.appending(keyword), "not a boolean")
      }
    }
    if let value = members["examples"], value.array == nil {
      fail(location.appending("examples"), "not a list")
    }
    for keyword in ["$defs", "definitions"] {
      guard let value = members[keyword] else { continue }
      guard let all = value.object else {
        fail(location.appending(keyword), "not an object")
        continue
      }
      for (name, schema) in all where schema.object == nil && schema.bool == nil {
        fail(location.appending(keyword).appending(name), "a schema is an object or a boolean")
      }
    }
  }

  mutating func readApplicators(_ members: [String: JSONValue], _ node: inout SchemaNode) {
    node.allOf = children("allOf", members, node)
    node.anyOf = children("anyOf", members, node)
    node.oneOf = children("oneOf", members, node)
    node.not = child("not", members, node)
    let then = child("then", members, node)
    let otherwise = child("else", members, node)
    if let condition = child("if", members, node) {
      node.conditional = SchemaNode.Conditional(condition: condition, then: then, otherwise: otherwise)
    }
    node.prefixItems = children("prefixItems", members, node)
    if members["items"]?.array != nil {
      fail(node.location.appending("items"), "a list of schemas is called prefixItems in 2020-12")
    } else {
      node.items = child("items", members, node)
    }
    if let contains = child("contains", members, node) { node.contains = (contains, 1, nil) }
    node.additionalProperties = child("additionalProperties", members, node)
    node.propertyNames = child("propertyNames", members, node)
    readNamedApplicators(members, &node)
  }

  private mutating func readNamedApplicators(_ members: [String: JSONValue], _ node: inout SchemaNode) {
    func place(_ keyword: String, _ name: String) -> SchemaLocation {
      node.location.appending(keyword).appending(name)
    }
    for (name, _) in named("properties", members, node) {
      node.properties[name] = self.node(place("properties", name), in: node.resource)
    }
    for (name, _) in named("patternProperties", members, node) {
      let location = place("patternProperties", name)
      let child = self.node(location, in: node.resource)
      if let pattern = pattern(name, at: location) { node.patternProperties.append((pattern, child)) }
    }
    for (name, _) in named("dependentSchemas", members, node) {
      let child = self.node(place("dependentSchemas", name), in: node.resource)
      node.dependentSchemas.append((name, child))
    }
    // `dependencies` of earlier drafts: the two later keywords in one.
    for (name, value) in named("dependencies", members, node) {
      let location = place("dependencies", name)
      if value.array != nil {
        node.dependentRequired.append((name, names(value, at: location)))
      } else {
        node.dependentSchemas.append((name, self.node(location, in: node.resource)))
      }
    }
  }

  mutating func readAssertions(_ members: [String: JSONValue], _ node: inout SchemaNode) {
    readType(members, &node)
    readChoices(members, &node)
    readNumbers(members, &node)
    node.minLength = count("minLength", members, node)
    node.maxLength = count("maxLength", members, node)
    if let value = members["pattern"] {
      let location = node.location.appending("pattern")
      if let text = value.string {
        node.pattern = pattern(text, at: location)
      } else {
        fail(location, "not a string")
      }
    }
    node.minItems = count("minItems", members, node)
    node.maxItems = count("maxItems", members, node)
    if let value = members["uniqueItems"] {
      if let flag = value.bool {
        node.uniqueItems = flag
      } else {
        fail(node.location.appending("uniqueItems"), "not a boolean")
      }
    }
    let minContains = count("minContains", members, node)
    let maxContains = count("maxContains", members, node)
    if let contains = node.contains { node.contains = (contains.node, minContains ?? 1, maxContains) }
    node.minProperties = count("minProperties", members, node)
    node.maxProperties = count("maxProperties", members, node)
    if let value = members["required"] {
      node.required = names(value, at: node.location.appending("required"))
    }
    for (name, value) in named("dependentRequired", members, node) {
      let location = node.location.appending("dependentRequired").appending(name)
      node.dependentRequired.append((name, names(value, at: location)))
    }
  }

  mutating func readFormat(_ members: [String: JSONValue], _ node: inout SchemaNode) {
    guard let name = members["format"]?.string else { return }
    switch Format.named(name) {
    case .known(let format): node.format = format
    case .unsupported:
      refuse(node.location.appending("format"), "the format \(name) is not checked here")
    case .unknown: break
    }
  }

  // MARK: Values

  private mutating func readType(_ members: [String: JSONValue], _ node: inout SchemaNode) {
    guard let value = members["type"] else { return }
    let location = node.location.appending("type")
    let names = value.string.map { [$0] } ?? (value.array?.compactMap(\.string) ?? [])
    guard !names.isEmpty, names.count == value.array?.count ?? 1, Set(names).count == names.count else {
      fail(location, "not a type's name, and not a list of different ones")
      return
    }
    node.kinds = []
    for name in names {
      guard let kinds = KindSet(named: name) else {
        fail(location, "\(name) is not object, array, string, number, integer, boolean or null")
        return
      }
      node.kinds.formUnion(kinds)
    }
  }

  private mutating func readChoices(_ members: [String: JSONValue], _ node: inout SchemaNode) {
    if let value = members["const"], countConstants(value, at: node.location) {
      node.choices = ([value], .const)
    }
    guard let value = members["enum"] else { return }
    let location = node.location.appending("enum")
    guard let values = value.array else {
      fail(location, "not a list")
      return
    }
    guard countConstants(value, at: location) else { return }
    if node.choices == nil { node.choices = (values, .enum) } else { node.moreChoices = (values, .enum) }
  }

  private mutating func readNumbers(_ members: [String: JSONValue], _ node: inout SchemaNode) {
    var rules = NumberRules()
    var isUsed = false
    for (keyword, rule) in [
      ("minimum", \NumberRules.minimum), ("maximum", \.maximum), ("exclusiveMinimum", \.exclusiveMinimum),
      ("exclusiveMaximum", \.exclusiveMaximum),
    ] {
      guard let value = members[keyword] else { continue }
      isUsed = true
      rules[keyPath: rule] = JSONNumber(value)
      if JSONNumber(value) == nil { fail(node.location.appending(keyword), "not a number") }
    }
    if let value = members["multipleOf"] {
      isUsed = true
      rules.multipleOf = JSONNumber(value).flatMap(Divisor.init)
      if rules.multipleOf == nil { fail(node.location.appending("multipleOf"), "not a number above 0") }
    }
    if isUsed { node.numbers = rules }
  }

  private mutating func count(_ keyword: String, _ members: [String: JSONValue], _ node: SchemaNode) -> Int? {
    guard let value = members[keyword] else { return nil }
    switch JSONNumber(value) {
    case .integer(let number) where number >= 0: return Int(number)
    // Beyond Int64 no document reaches it.
    case .double(let number) where number >= 0x1p63: return Int.max
    default:
      fail(node.location.appending(keyword), "not a whole number from 0 on")
      return nil
    }
  }

  private mutating func names(_ value: JSONValue, at location: SchemaLocation) -> [String] {
    let names = value.array?.compactMap(\.string) ?? []
    guard let list = value.array, names.count == list.count, Set(names).count == names.count else {
      fail(location, "not a list of different strings")
      return []
    }
    return names
  }
}
