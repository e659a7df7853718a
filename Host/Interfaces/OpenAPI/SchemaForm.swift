import Application
import Kernel

/// Which OpenAPI a document is in.
package enum OpenAPIVersion: String, Sendable, Hashable {
  /// Schemas are JSON Schema 2020-12.
  case v31 = "3.1"
  /// Schemas are what OpenAPI made of an early draft: no `null`, no `const`, no lists of types.
  case v30 = "3.0"

  /// As the member `openapi` spells it.
  package var number: String { self == .v31 ? "3.1.0" : "3.0.3" }
}

/// One schema of a manifest as part of an OpenAPI document.
///
/// In a manifest `#/$defs/x` counts from the schema's own root; in a document from the document's. So what is referred to
/// becomes a component of its own, and each reference names its component. What a version cannot say is left out in the
/// direction of taking more: a schema here may take what the host refuses, and never refuses what the host takes.
struct SchemaForm {
  let version: OpenAPIVersion
  /// Begins the names of the components.
  let name: String
  let root: JSONValue
  /// Components by the place in `root` that they stand for, in the order in which they were named.
  private var names: [String: String] = [:]
  private var taken: Set<String> = []
  private var waiting: [JSONPointer] = []
  private var index: Index?

  /// A schema that takes less than, or something else than, the original cannot come out of a conversion: `isExact`
  /// says whether it takes the same.
  struct Part {
    var schema: JSONValue
    var isExact: Bool
  }

  init(_ root: JSONValue, _ version: OpenAPIVersion, name: String) {
    self.root = root
    self.version = version
    self.name = name
  }

  /// The schema at a place of the root.
  mutating func schema(at steps: [String] = []) -> JSONValue {
    guard let value = JSONPointer(steps: steps).value(in: root) else { return [:] }
    return convert(value, steps).schema
  }

  /// The components that the schemas handed out so far refer to, each once.
  mutating func components() -> [(name: String, schema: JSONValue)] {
    var all: [(name: String, schema: JSONValue)] = []
    while let place = waiting.popLast() {
      guard let value = place.value(in: root), let name = names[JSONPointer.text(place.steps)] else {
        continue
      }
      all.append((name, convert(value, place.steps).schema))
    }
    return all
  }

  mutating func convert(_ value: JSONValue, _ steps: [String]) -> Part {
    switch value {
    case .object(let members): version == .v31 ? current(members, steps) : older(members, steps)
    case .bool(let takesAll):
      version == .v31
        ? Part(schema: value, isExact: true) : Part(schema: takesAll ? [:] : ["not": [:]], isExact: true)
    default: Part(schema: [:], isExact: false)
    }
  }

  mutating func convert(_ items: [JSONValue], _ steps: [String]) -> (schemas: [JSONValue], isExact: Bool) {
    var isExact = true
    var schemas: [JSONValue] = []
    for (number, item) in items.enumerated() {
      let part = convert(item, steps + [String(number)])
      schemas.append(part.schema)
      isExact = isExact && part.isExact
    }
    return (schemas, isExact)
  }

  mutating func convert(
    _ schemas: [String: JSONValue], _ steps: [String]
  ) -> (schemas: [String: JSONValue], isExact: Bool) {
    var isExact = true
    var all: [String: JSONValue] = [:]
    // In order: components are named in the order in which they are met.
    for (name, schema) in schemas.sorted(by: { $0.key < $1.key }) {
      let part = convert(schema, steps + [name])
      all[name] = part.schema
      isExact = isExact && part.isExact
    }
    return (all, isExact)
  }
}

// MARK: - 3.1

extension SchemaForm {
  /// Of one schema: what further references name is not described.
  private static let maxComponents = 1000

  /// Names of places, which components replace, and what OpenAPI reads in a way of its own.
  static let dropped: Set<String> = [
    "$schema", "$id", "$anchor", "$dynamicAnchor", "$defs", "definitions", "$vocabulary", "$comment",
    "discriminator", "xml", "externalDocs",
  ]
  private static let single: Set<String> = [
    "items", "contains", "additionalProperties", "propertyNames", "unevaluatedItems", "unevaluatedProperties",
    "contentSchema",
  ]

  private mutating func current(_ members: [String: JSONValue], _ steps: [String]) -> Part {
    var out: [String: JSONValue] = [:]
    var isExact = true
    for (keyword, value) in members.sorted(by: { $0.key < $1.key })
    where !SchemaForm.dropped.contains(keyword) {
      let here = steps + [keyword]
      switch keyword {
      case "$ref":
        if let target = reference(value.string ?? "", from: steps) {
          out[keyword] = target
        } else {
          isExact = false
        }
      case "$dynamicRef": isExact = false
      case "allOf", "anyOf", "prefixItems":
        let (schemas, same) = convert(value.array ?? [], here)
        if !schemas.isEmpty { out[keyword] = .array(schemas) }
        isExact = isExact && same
      case "properties", "patternProperties", "dependentSchemas":
        let (schemas, same) = convert(value.object ?? [:], here)
        out[keyword] = .object(schemas)
        isExact = isExact && same
      case _ where SchemaForm.single.contains(keyword):
        let part = convert(value, here)
        out[keyword] = part.schema
        isExact = isExact && part.isExact
      case "not", "if", "then", "else", "oneOf": break
      default: out[keyword] = value
      }
    }
    branches(members, steps, &out, &isExact)
    if !isExact {
      // What is left out evaluates nothing, and counts nothing.
      for keyword in ["unevaluatedItems", "unevaluatedProperties", "maxContains"] { out[keyword] = nil }
    }
    declareRequired(members, steps, &out, &isExact)
    return Part(schema: .object(out), isExact: isExact)
  }

  /// The keywords under which taking more means taking less.
  private mutating func branches(
    _ members: [String: JSONValue], _ steps: [String], _ out: inout [String: JSONValue], _ isExact: inout Bool
  ) {
    excluding(members, steps, &out, &isExact)
    guard let condition = members["if"] else { return }
    let part = convert(condition, steps + ["if"])
    guard part.isExact else { return isExact = false }
    out["if"] = part.schema
    for keyword in ["then", "else"] {
      guard let value = members[keyword] else { continue }
      let branch = convert(value, steps + [keyword])
      out[keyword] = branch.schema
      isExact = isExact && branch.isExact
    }
  }

  /// `not`, and `oneOf`: as it is where every branch is exact, else `anyOf`, which takes no less.
  mutating func excluding(
    _ members: [String: JSONValue], _ steps: [String], _ out: inout [String: JSONValue], _ isExact: inout Bool
  ) {
    if let value = members["not"] {
      let part = convert(value, steps + ["not"])
      if part.isExact { out["not"] = part.schema } else { isExact = false }
    }
    guard let choices = members["oneOf"]?.array, !choices.isEmpty else { return }
    let (schemas, same) = convert(choices, steps + ["oneOf"])
    if same {
      out["oneOf"] = .array(schemas)
    } else if out["anyOf"] == nil {
      out["anyOf"] = .array(schemas)
    } else {
      out["allOf"] = .array((out["allOf"]?.array ?? []) + [["anyOf": .array(schemas)]])
    }
    isExact = isExact && same
  }

  /// Validators of OpenAPI want every required name among the properties.
  mutating func declareRequired(
    _ members: [String: JSONValue], _ steps: [String], _ out: inout [String: JSONValue], _ isExact: inout Bool
  ) {
    guard let names = out["required"]?.array?.compactMap(\.string), !names.isEmpty else { return }
    var properties = out["properties"]?.object ?? [:]
    let missing = names.filter { properties[$0] == nil }
    guard !missing.isEmpty else { return }
    var usual: JSONValue = [:]
    if let other = members["additionalProperties"] {
      if members["patternProperties"] != nil {
        // A pattern may cover the name.
        isExact = false
      } else if other.object?.isEmpty == false {
        // By reference: spelled out for each name, at each level of such schemas, it would multiply.
        usual = component(at: JSONPointer(steps: steps + ["additionalProperties"])) ?? [:]
        if version == .v30 { isExact = false }
      } else {
        usual = convert(other, steps + ["additionalProperties"]).schema
      }
    }
    for name in missing { properties[name] = usual }
    out["properties"] = .object(properties)
  }
}

// MARK: - References

extension SchemaForm {
  /// What names and anchors the root has, read once it is asked for.
  private struct Index {
    /// Places with an `$id`: references in them count from there.
    var resources: [(id: String, steps: [String])] = []
    var anchors: [String: [String]] = [:]

    init(_ root: JSONValue) { visit(root, []) }

    private mutating func visit(_ value: JSONValue, _ steps: [String]) {
      switch value {
      case .object(let members):
        if let id = members["$id"]?.string { resources.append((id, steps)) }
        for keyword in ["$anchor", "$dynamicAnchor"] {
          if let name = members[keyword]?.string { anchors[name] = steps }
        }
        for (name, member) in members.sorted(by: { $0.key < $1.key })
        where name != "enum" && name != "const" && name != "examples" {
          visit(member, steps + [name])
        }
      case .array(let items):
        for (number, item) in items.enumerated() { visit(item, steps + [String(number)]) }
      default: break
      }
    }

    func base(of steps: [String]) -> [String] {
      resources.filter { steps.starts(with: $0.steps) }.max { $0.steps.count < $1.steps.count }?.steps ?? []
    }
  }

  /// The reference in the document; nil for one whose target is not in the root.
  mutating func reference(_ text: String, from steps: [String]) -> JSONValue? {
    guard let place = target(of: text, from: steps), place.value(in: root) != nil else { return nil }
    return component(at: place).flatMap { $0["$ref"] }
  }

  /// A reference to the component that stands for a place; nil where there are too many.
  private mutating func component(at place: JSONPointer) -> JSONValue? {
    let key = JSONPointer.text(place.steps)
    if let known = names[key] { return ["$ref": .string("#/components/schemas/\(known)")] }
    guard names.count < SchemaForm.maxComponents else { return nil }
    let last = place.steps.last.map(SchemaForm.plain) ?? ""
    var component = last.isEmpty ? name : "\(name).\(last)"
    while !taken.insert(component).inserted { component += ".\(names.count)" }
    names[key] = component
    waiting.append(place)
    return ["$ref": .string("#/components/schemas/\(component)")]
  }

  private mutating func target(of text: String, from steps: [String]) -> JSONPointer? {
    if index == nil { index = Index(root) }
    guard let index else { return nil }
    let parts = text.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
    let document = parts.first.map(String.init) ?? ""
    let fragment = parts.count > 1 ? PercentDecoding.text(parts[1]) ?? "" : ""
    var base = index.base(of: steps)
    if !document.isEmpty {
      guard let resource = index.resources.first(where: { $0.id == document }) else { return nil }
      base = resource.steps
    }
    if fragment.isEmpty { return JSONPointer(steps: base) }
    guard fragment.hasPrefix("/") else { return index.anchors[fragment].map { JSONPointer(steps: $0) } }
    return JSONPointer(fragment).map { JSONPointer(steps: base + $0.steps) }
  }

  /// What the name of a component may hold.
  static func plain(_ text: String) -> String {
    String(
      text.map { character in
        character.isASCII
          && (character.isLetter || character.isNumber || character == "_" || character == "-")
          ? character : "_"
      })
  }
}
