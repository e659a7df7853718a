import Application
import Kernel

/// A value for a schema: what the schema itself gives as an example, else one made by its keywords and then judged by the
/// compiled schema. The same schema gives the same value.
struct SchemaExample {
  private static let maxDepth = 10
  private static let maxText = 200
  /// Members that are not required are made down to here: a schema that refers to itself has no end.
  private static let maxOptionalDepth = 3
  /// Schemas that one value looks at: those that refer to themselves in many places would multiply.
  private static let maxSchemas = 2000

  /// How boldly a value is made.
  private enum Manner: CaseIterable {
    /// Every member, texts as people write them.
    case plain
    /// Texts by their patterns.
    case byPattern
    /// By their patterns, and only members that are required.
    case least
  }

  let root: JSONValue
  private var manner = Manner.plain
  private var schemas = 0
  private var random = SeededNumbers(1)

  private init(_ root: JSONValue) { self.root = root }

  /// nil where none was found, or nothing can judge one that was made.
  static func of(_ schema: JSONValue, _ compiled: (any CompiledSchema)?) -> JSONValue? {
    if let given = given(schema) { return given }
    guard let compiled else { return nil }
    let (document, text) = (JSONDocument(), Arena(capacity: 512))
    for manner in Manner.allCases {
      var maker = SchemaExample(schema)
      maker.manner = manner
      guard let value = maker.make(schema, named: "", 0) else { continue }
      text.removeAll()
      text.append(json: value)
      do throws(JSONError) { try document.parse(text.span(text.all)) } catch { continue }
      if compiled.validate(document.root, limit: 1).isEmpty { return value }
    }
    return nil
  }

  /// What a schema says itself.
  static func given(_ schema: JSONValue) -> JSONValue? {
    schema["examples"]?.array?.first ?? schema["example"] ?? schema["const"] ?? schema["default"]
      ?? schema["enum"]?.array?.first
  }

  private mutating func make(_ schema: JSONValue, named name: String, _ depth: Int) -> JSONValue? {
    schemas += 1
    guard depth < SchemaExample.maxDepth, schemas < SchemaExample.maxSchemas else { return nil }
    if schema.bool == true { return .string("any") }
    guard let members = schema.object else { return nil }
    if let given = SchemaExample.given(schema) { return given }
    let all = flattened(members, 0)
    if let given = SchemaExample.given(.object(all)) { return given }
    switch type(all) {
    case "null": return .null
    case "boolean": return true
    case "integer", "number": return number(all)
    case "array": return array(all, name, depth)
    case "object": return object(all, depth)
    default: return text(all, named: name).map(JSONValue.string)
    }
  }

  /// `$ref`, `allOf` and the first branch of `anyOf` and `oneOf` put into the schema that has them.
  private mutating func flattened(_ members: [String: JSONValue], _ depth: Int) -> [String: JSONValue] {
    schemas += 1
    guard depth < SchemaExample.maxDepth, schemas < SchemaExample.maxSchemas else { return members }
    var all = members
    var parts: [JSONValue] = []
    if let reference = all.removeValue(forKey: "$ref")?.string,
      let target = SchemaReference.resolve(reference, in: root)
    {
      parts.append(target)
    }
    parts += all.removeValue(forKey: "allOf")?.array ?? []
    for keyword in ["anyOf", "oneOf"] {
      if let first = all.removeValue(forKey: keyword)?.array?.first { parts.append(first) }
    }
    for part in parts {
      guard let more = part.object else { continue }
      all.merge(flattened(more, depth + 1)) { mine, other in
        guard case (.object(let a), .object(let b)) = (mine, other) else { return mine }
        return .object(a.merging(b) { first, _ in first })
      }
    }
    return all
  }

  private func type(_ members: [String: JSONValue]) -> String {
    switch members["type"] {
    case .string(let name): return name
    case .array(let names):
      let all = names.compactMap(\.string)
      return all.first { $0 != "null" } ?? all.first ?? "string"
    default: break
    }
    if members["properties"] != nil || members["required"] != nil { return "object" }
    if members["items"] != nil || members["prefixItems"] != nil { return "array" }
    if members["minimum"] != nil || members["maximum"] != nil || members["multipleOf"] != nil {
      return "number"
    }
    return "string"
  }

  private func number(_ members: [String: JSONValue]) -> JSONValue? {
    func bound(_ name: String) -> Double? { members[name].flatMap(SchemaForm.number) }
    var low = bound("minimum") ?? -.infinity
    if let edge = bound("exclusiveMinimum"), edge >= low { low = edge + 1 }
    var high = bound("maximum") ?? .infinity
    if let edge = bound("exclusiveMaximum"), edge <= high { high = edge - 1 }
    var value = Swift.max(low, Swift.min(high, 1))
    if let step = bound("multipleOf"), step > 0 { value = (value / step).rounded(.up) * step }
    return Int64(exactly: value).map(JSONValue.integer) ?? (value.isFinite ? .number(value) : nil)
  }

  private mutating func text(_ members: [String: JSONValue], named name: String) -> String? {
    let least = Int(clamping: members["minLength"]?.integer ?? 0)
    let most = Int(clamping: members["maxLength"]?.integer ?? .max)
    guard least <= most, least <= SchemaExample.maxText else { return nil }
    if let text = members["format"]?.string.flatMap({ SchemaExample.formats[$0] }) { return text }
    if manner == .plain {
      let text = SchemaExample.usual.first { name.hasSuffix($0.name) }?.text ?? "text"
      if text.count <= most, text.count >= least { return text }
    } else if let pattern = members["pattern"]?.string {
      return PatternSampler(pattern)?.sample(&random)
    }
    let usual = "text"
    return String(
      (usual + String(repeating: "x", count: least)).prefix(Swift.max(least, Swift.min(most, usual.count))))
  }

  private static let usual: [(name: String, text: String)] = [
    ("email", "ada@example.com"), ("currency", "EUR"), ("country", "DE"), ("language", "en"), ("name", "Ada"),
    ("url", "https://example.com/"), ("phone", "+4930123456"),
  ]
  private static let formats: [String: String] = [
    "date-time": "2026-01-31T12:00:00Z", "date": "2026-01-31", "time": "12:00:00Z", "duration": "PT5M",
    "email": "ada@example.com", "idn-email": "ada@example.com", "hostname": "example.com",
    "idn-hostname": "example.com", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "uri": "https://example.com/",
    "iri": "https://example.com/", "uri-reference": "/example", "iri-reference": "/example",
    "uuid": "01890a5d-ac96-774b-bcce-b302099a8057", "json-pointer": "/example", "regex": "^[a-z]+$",
  ]

  private mutating func array(_ members: [String: JSONValue], _ name: String, _ depth: Int) -> JSONValue? {
    let least = Int(clamping: members["minItems"]?.integer ?? 0)
    let most = Int(clamping: members["maxItems"]?.integer ?? .max)
    let prefix = members["prefixItems"]?.array ?? []
    guard least <= 20, least <= most else { return nil }
    var items: [JSONValue] = []
    let wanted = manner == .least ? least : Swift.min(most, Swift.max(least, Swift.max(1, prefix.count)))
    for index in 0..<wanted {
      let schema = index < prefix.count ? prefix[index] : members["items"] ?? members["contains"] ?? true
      guard let item = make(schema, named: name, depth + 1) else {
        return items.count < least ? nil : .array(items)
      }
      items.append(item)
    }
    return .array(items)
  }

  private mutating func object(_ members: [String: JSONValue], _ depth: Int) -> JSONValue? {
    let properties = members["properties"]?.object ?? [:]
    let required = Set(members["required"]?.array?.compactMap(\.string) ?? [])
    var made: [String: JSONValue] = [:]
    for name in Set(properties.keys).union(required).sorted() {
      let isOptionalHere = manner != .least && depth < SchemaExample.maxOptionalDepth
      guard isOptionalHere || required.contains(name) else { continue }
      if let value = make(properties[name] ?? true, named: name, depth + 1) {
        made[name] = value
      } else if required.contains(name) {
        return nil
      }
    }
    return .object(made)
  }
}
