package import Domain
package import Kernel

/// Which values of recorded traffic are not kept: members by name, at any depth, and whatever reads like a key.
///
/// By name and not by place: a value that is secret in one schema is not to be read through another.
package struct Redaction: Sendable {
  package static let mark = "[redacted]"

  private let names: Set<String>

  /// `names` beside encrypted fields of records and what the manifest's schemas mark `writeOnly`, `encrypted` or
  /// `format: password`.
  package init(_ manifest: Manifest, _ names: [String]) {
    var all = Set(names.map { $0.lowercased() })
    for collection in manifest.collections {
      for field in collection.fields where field.encrypted { all.insert(field.name.lowercased()) }
    }
    for route in manifest.routes {
      for schema in [route.pathSchema, route.querySchema, route.bodySchema, route.responseSchema] {
        if let schema { Redaction.collect(schema, root: schema, depth: 0, into: &all) }
      }
    }
    self.names = all
  }

  package func hides(_ name: String) -> Bool { names.contains(name.lowercased()) }

  package func apply(_ value: JSONValue) -> JSONValue {
    switch value {
    case .object(let members):
      var kept: [String: JSONValue] = [:]
      for (name, member) in members {
        kept[text(name)] = hides(name) ? .string(Redaction.mark) : apply(member)
      }
      return .object(kept)
    case .array(let items): return .array(items.map(apply))
    case .string(let text): return .string(self.text(text))
    default: return value
    }
  }

  /// The text, unless it holds what reads like a key of this host.
  package func text(_ text: String) -> String { Redaction.holdsKey(text) ? Redaction.mark : text }

  /// `ck_` and twelve letters or digits, anywhere: keys begin so.
  private static func holdsKey(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    guard bytes.count >= 15 else { return false }
    for start in 0...(bytes.count - 15) where bytes[start] == UInt8(ascii: "c") {
      guard bytes[start + 1] == UInt8(ascii: "k"), bytes[start + 2] == UInt8(ascii: "_") else { continue }
      let id = bytes[(start + 3)..<(start + 15)]
      if id.allSatisfy({ ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7A || $0 >= 0x30 && $0 <= 0x39 }) {
        return true
      }
    }
    return false
  }

  // MARK: Schemas

  /// Manifests are read with a bounded depth; references are followed once.
  private static func collect(
    _ schema: JSONValue, root: JSONValue, depth: Int, into names: inout Set<String>
  ) {
    guard depth < 64 else { return }
    switch schema {
    case .object(let members):
      for (name, property) in members["properties"]?.object ?? [:] where marks(property, root) {
        names.insert(name.lowercased())
      }
      for (_, member) in members { collect(member, root: root, depth: depth + 1, into: &names) }
    case .array(let items): for item in items { collect(item, root: root, depth: depth + 1, into: &names) }
    default: break
    }
  }

  private static func marks(_ schema: JSONValue, _ root: JSONValue) -> Bool {
    func isMarked(_ schema: JSONValue) -> Bool {
      schema["writeOnly"]?.bool == true || schema["encrypted"]?.bool == true
        || schema["format"]?.string == "password"
    }
    if isMarked(schema) { return true }
    if let reference = schema["$ref"]?.string, reference.hasPrefix("#/"),
      let target = JSONPointer(String(reference.dropFirst()))?.value(in: root)
    {
      return isMarked(target)
    }
    return ["allOf", "anyOf", "oneOf"].contains { word in
      schema[word]?.array?.contains(where: isMarked) ?? false
    }
  }
}
