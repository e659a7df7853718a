import Kernel

// What strict mode does not enforce, said in words.

extension StrictConverter {
  /// Formats that strict mode knows.
  private static let formats: Set<String> = [
    "date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid",
  ]

  private static let maxExample = 200

  func text(_ members: [String: JSONValue], _ schema: inout [String: JSONValue], _ notes: inout [String]) {
    if let format = members["format"]?.string {
      if StrictConverter.formats.contains(format) {
        schema["format"] = .string(format)
      } else {
        notes.append("Format: \(format).")
      }
    }
    if let pattern = members["pattern"]?.string {
      if StrictConverter.isPlain(pattern) {
        schema["pattern"] = .string(pattern)
      } else {
        notes.append("Pattern: \(pattern) .")
      }
    }
    switch (members["minLength"]?.integer ?? 0, members["maxLength"]?.integer) {
    case (0, nil): break
    case (let least, nil): notes.append("At least \(least) character\(least == 1 ? "" : "s").")
    case (0, let most?): notes.append("At most \(most) characters.")
    case (let least, let most?):
      notes.append(least == most ? "\(least) characters." : "\(least) to \(most) characters.")
    }
    if let encoding = members["contentEncoding"]?.string { notes.append("Encoding: \(encoding).") }
    if let type = members["contentMediaType"]?.string { notes.append("Media type: \(type).") }
  }

  /// Whether a pattern is a regular expression in the narrow sense: no look-around, no back reference, no Unicode
  /// property, no word boundary.
  static func isPlain(_ pattern: String) -> Bool {
    var bytes = pattern.utf8[...]
    while let byte = bytes.popFirst() {
      switch byte {
      case UInt8(ascii: "\\"):
        guard let escaped = bytes.popFirst() else { return false }
        if (UInt8(ascii: "1")...UInt8(ascii: "9")).contains(escaped) || "bBkpP".utf8.contains(escaped) {
          return false
        }
      case UInt8(ascii: "(") where bytes.first == UInt8(ascii: "?"):
        guard bytes.dropFirst().first == UInt8(ascii: ":") else { return false }
      default: break
      }
    }
    return true
  }

  /// Writes the description: the author's words, then what was not kept as a keyword.
  func describe(
    _ schema: inout [String: JSONValue], _ members: [String: JSONValue], _ notes: inout [String]
  ) {
    let own = members["description"]?.string ?? members["title"]?.string ?? ""
    if let value = members["default"], value != .null { notes.append("Default: \(JSON.text(value)).") }
    if let example = members["examples"]?.array?.first ?? members["example"] {
      let text = JSON.text(example)
      if text.unicodeScalars.count <= StrictConverter.maxExample { notes.append("Example: \(text).") }
    }
    if members["deprecated"] == true { notes.append("Deprecated.") }
    guard !own.isEmpty || !notes.isEmpty else { return }
    let isSentence = own.isEmpty || own.last.map { ".!?:;".contains($0) } ?? true
    let said = notes.isEmpty || isSentence ? own : own + "."
    schema["description"] = .string(([said] + notes).filter { !$0.isEmpty }.joined(separator: " "))
  }
}
