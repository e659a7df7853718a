package import Domain
package import Kernel

/// Which values of recorded traffic are not kept: members by name, at any depth, and whatever reads like a key or confirms
/// a call.
///
/// By name and not by place: a value that is secret in one schema is not to be read through another.
package struct Redaction: Sendable {
  package static let mark = "[redacted]"

  private let names: Set<String>
  /// Values of one exchange that are hidden under their names: where an answer repeats one, in a link or a message,
  /// it is hidden, too. Shorter ones are anywhere by chance.
  private var values: Set<String> = []
  private static let minValueBytes = 4
  private static let maxValues = 256

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

  /// Hides a value wherever it stands from now on.
  package mutating func add(value: String) {
    guard value.utf8.count >= Redaction.minValueBytes, values.count < Redaction.maxValues else { return }
    values.insert(value)
  }

  /// Hides every value that the document has under a hidden name.
  package mutating func add(valuesOf document: JSONValue, isHidden: Bool = false) {
    switch document {
    case .object(let members):
      for (name, member) in members {
        add(valuesOf: member, isHidden: isHidden || hides(name) || Redaction.confirms(name, member.string))
      }
    case .array(let items): for item in items { add(valuesOf: item, isHidden: isHidden) }
    case .string(let text): if isHidden { add(value: text) }
    case .integer, .number: if isHidden { add(value: JSON.text(document)) }
    default: break
    }
  }

  package func hides(_ name: String) -> Bool { names.contains(name.lowercased()) }

  /// Whether a parameter or member is the token that confirms a call. A `confirm` of the route's own is another thing.
  static func confirms(_ name: String, _ value: String?) -> Bool {
    guard let value, name.lowercased() == SafetyWords.Word.confirm.name.description else { return false }
    return Confirmations.isToken(value)
  }

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

  /// The text, unless it holds what reads like a key of this host, or a hidden value, also as an address spells it.
  package func text(_ text: String) -> String {
    if Redaction.holdsKey(text) || holdsValue(text) { return Redaction.mark }
    guard text.utf8.contains(UInt8(ascii: "%")) else { return text }
    let decoded = Redaction.decoded(text)
    return Redaction.holdsKey(decoded) || holdsValue(decoded) ? Redaction.mark : text
  }

  private func holdsValue(_ text: String) -> Bool { values.contains { text.contains($0) } }

  private static func decoded(_ text: String) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), rest.count >= 2,
        let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      {
        bytes.append(code)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

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

  /// Manifests are read with a bounded depth; references are followed from each property.
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

  /// `hops`: references and alternatives that are still followed; they may go in circles.
  private static func marks(_ schema: JSONValue, _ root: JSONValue, hops: Int = 8) -> Bool {
    if schema["writeOnly"]?.bool == true || schema["encrypted"]?.bool == true
      || schema["format"]?.string == "password"
    {
      return true
    }
    guard hops > 0 else { return false }
    if let reference = schema["$ref"]?.string, reference.hasPrefix("#/"),
      let target = JSONPointer(String(reference.dropFirst()))?.value(in: root),
      marks(target, root, hops: hops - 1)
    {
      return true
    }
    return ["allOf", "anyOf", "oneOf"].contains { word in
      schema[word]?.array?.contains { marks($0, root, hops: hops - 1) } ?? false
    }
  }
}
