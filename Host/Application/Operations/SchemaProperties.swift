package import Kernel

/// A member that a schema of an object declares.
package struct SchemaProperty: Sendable, Equatable {
  /// Where in the schema it stands.
  package var place: [String]
  package var isRequired: Bool
}

package enum SchemaProperties {
  private static let maxDepth = 8

  /// The members by name, through `$ref` and `allOf`: one that stands nearer goes before one further away.
  package static func of(_ schema: JSONValue) -> [String: SchemaProperty] {
    var found: [String: SchemaProperty] = [:]
    var required: Set<String> = []
    var seen: Set<[String]> = []
    func look(_ steps: [String], _ depth: Int) {
      guard depth < maxDepth, seen.insert(steps).inserted,
        let value = JSONPointer(steps: steps).value(in: schema)?.object
      else { return }
      for name in value["required"]?.array?.compactMap(\.string) ?? [] { required.insert(name) }
      for name in value["properties"]?.object?.keys ?? [:].keys where found[name] == nil {
        found[name] = SchemaProperty(place: steps + ["properties", name], isRequired: false)
      }
      for index in (value["allOf"]?.array ?? []).indices {
        look(steps + ["allOf", String(index)], depth + 1)
      }
      if let target = value["$ref"]?.string.flatMap(SchemaReference.steps) { look(target, depth + 1) }
    }
    look([], 0)
    for name in required { found[name]?.isRequired = true }
    return found
  }
}
