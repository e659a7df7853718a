import Domain
import Kernel

/// The rules of the linter that look at one schema.
struct LintSchema {
  /// Parts of a schema that are looked at.
  private static let maxParts = 2000
  private static let maxNamed = 8

  private let schema: JSONValue
  private let at: String

  init(_ schema: JSONValue, _ at: String) {
    self.schema = schema
    self.at = at
  }

  /// Of what a caller fills in: every property says what it is, and there is an example.
  func lookAtInput(_ report: inout LintReport) {
    var unclear: [String] = []
    walk { name, property, place in
      let text = description(of: property)
      if text.isEmpty {
        report.add(
          .warning, "description_missing", place,
          "'\(name)' has no description: say what it means, in which unit or form.")
      } else if text.unicodeScalars.count > LintManifest.maxParameter {
        report.add(
          .warning, "description_long", place + "/description",
          "The description of '\(name)' has \(text.unicodeScalars.count) characters; a GPT takes "
            + "\(LintManifest.maxParameter).")
      }
      if !speaksForItself(property) { unclear.append(name) }
    }
    if !unclear.isEmpty, !hasExample(schema) {
      report.add(
        .warning, "example_missing", at,
        "Nothing shows what \(LintSchema.listed(unclear)) look like: give the properties 'examples', or this schema."
      )
    }
  }

  /// Of what a caller gets: one finding for all that says nothing.
  func lookAtOutput(_ report: inout LintReport) {
    var silent: [String] = []
    walk { name, property, _ in if description(of: property).isEmpty { silent.append(name) } }
    if !silent.isEmpty {
      report.add(
        .warning, "response_undescribed", at,
        "The answer does not say what \(LintSchema.listed(silent)) mean: give them descriptions.")
    }
  }

  private static func listed(_ names: [String]) -> String {
    let shown = names.prefix(maxNamed).map { "'\($0.prefix(64))'" }.joined(separator: ", ")
    return names.count > maxNamed ? "\(shown) and \(names.count - maxNamed) more" : shown
  }

  // MARK: Walking

  /// Every property of the schema and of what is inside it, in order, with its JSON Pointer. Definitions are looked at
  /// where they stand, so a reference is not followed.
  private func walk(_ visit: (_ name: String, _ property: JSONValue, _ at: String) -> Void) {
    var pending: [(JSONValue, String)] = [(schema, at)]
    var parts = 0
    while let (part, place) = pending.popLast() {
      parts += 1
      guard parts <= LintSchema.maxParts, case .object(let members) = part else { continue }
      var inside: [(JSONValue, String)] = []
      for (name, property) in LintSchema.sorted(members["properties"]) where property != false {
        let here = place + "/properties" + SchemaReference.step(name)
        visit(name, property, here)
        inside.append((property, here))
      }
      for keyword in ["items", "additionalProperties"] {
        if let more = members[keyword] { inside.append((more, "\(place)/\(keyword)")) }
      }
      for keyword in ["anyOf", "oneOf", "allOf", "prefixItems"] {
        for (index, more) in (members[keyword]?.array ?? []).enumerated() {
          inside.append((more, "\(place)/\(keyword)/\(index)"))
        }
      }
      for (name, more) in LintSchema.sorted(members["$defs"]) {
        inside.append((more, place + "/$defs" + SchemaReference.step(name)))
      }
      pending += inside.reversed()
    }
  }

  private static func sorted(_ value: JSONValue?) -> [(String, JSONValue)] {
    (value?.object ?? [:]).sorted { $0.key < $1.key }
  }

  // MARK: One property

  /// Its own, or that of what it refers to.
  private func description(of property: JSONValue) -> String {
    var part = property
    for _ in 0..<8 {
      if let text = part["description"]?.string ?? part["title"]?.string, !text.isEmpty { return text }
      guard let next = target(of: part) else { return "" }
      part = next
    }
    return ""
  }

  private func target(of part: JSONValue) -> JSONValue? {
    if let reference = part["$ref"]?.string { return SchemaReference.resolve(reference, in: schema) }
    if let all = part["allOf"]?.array, all.count == 1 { return all[0] }
    return nil
  }

  private func hasExample(_ part: JSONValue) -> Bool {
    part["examples"]?.array?.isEmpty == false || part["example"] != nil
  }

  /// Whether its schema already shows what a value looks like: only texts and free values do not.
  private func speaksForItself(_ property: JSONValue) -> Bool {
    var part = property
    for _ in 0..<8 {
      for keyword in ["enum", "const", "default", "format"] where part[keyword] != nil { return true }
      if hasExample(part) { return true }
      // What is inside it is looked at by itself.
      for keyword in ["properties", "items", "anyOf", "oneOf"] where part[keyword] != nil { return true }
      let types = part["type"]?.array?.compactMap(\.string) ?? part["type"]?.string.map { [$0] } ?? []
      if !types.isEmpty {
        return !types.contains("string") && !types.contains("object") && !types.contains("array")
      }
      guard let next = target(of: part) else { return false }
      part = next
    }
    return false
  }
}
