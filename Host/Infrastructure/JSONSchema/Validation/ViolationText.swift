import Kernel

/// Sentences about violations, for people and models: what to send instead. They never quote the document's
/// values, which may be secrets; names of properties they do.
enum ViolationText {
  private static let maxListed = 12
  private static let maxBytes = 64

  static func type(_ allowed: KindSet, _ kind: JSONElement.Kind) -> String {
    "must be \(allowed.text), is \(name(of: kind, where: allowed))"
  }

  private static func name(of kind: JSONElement.Kind, where allowed: KindSet) -> String {
    switch kind {
    case .object: "object"
    case .array: "array"
    case .string: "string"
    case .null: "null"
    case .bool: "boolean"
    case .integer, .unsigned: "integer"
    case .double: allowed.contains(.integer) ? "a number with a fraction" : "number"
    }
  }

  static func length(atLeast limit: Int, _ length: Int) -> String {
    "must have at least \(limit) characters, has \(length)"
  }

  static func length(atMost limit: Int, _ length: Int) -> String {
    "must have at most \(limit) characters, has \(length)"
  }

  static func count(atLeast limit: Int, _ count: Int, _ what: String) -> String {
    "must have at least \(limit) \(what), has \(count)"
  }

  static func count(atMost limit: Int, _ count: Int, _ what: String) -> String {
    "must have at most \(limit) \(what), has \(count)"
  }

  static func unknown(_ name: String, known: [String]) -> String {
    if known.isEmpty { return "the property \(name) is not allowed; no named one is" }
    let listed = known.prefix(maxListed).map(quoted).joined(separator: ", ")
    let more = known.count > maxListed ? " and \(known.count - maxListed) more" : ""
    return "the property \(name) is not allowed; known are \(listed)\(more)"
  }

  /// The values of an `enum`, as JSON.
  static func list(_ values: [JSONValue]) -> String {
    let listed = values.prefix(maxListed).map { shortened(JSON.text($0)) }.joined(separator: ", ")
    return values.count > maxListed ? "\(listed) and \(values.count - maxListed) more" : listed
  }

  static func quoted(_ name: JSONElement) -> String { quoted(name.string ?? "") }

  static func quoted(_ name: String) -> String { shortened(JSON.text(.string(name))) }

  private static func shortened(_ text: String) -> String {
    guard text.utf8.count > maxBytes else { return text }
    var kept = ""
    for scalar in text.unicodeScalars {
      guard kept.utf8.count + 4 <= maxBytes else { break }
      kept.unicodeScalars.append(scalar)
    }
    return kept + "…"
  }
}
