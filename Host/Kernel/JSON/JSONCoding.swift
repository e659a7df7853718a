/// JSON documents as bytes and text, for cold paths: the members of an object in the order of their names.
package enum JSON {
  /// `pretty` is for people: a line for each member and item.
  package static func encode(_ value: JSONValue, pretty: Bool = false) -> [UInt8] {
    let arena = Arena()
    if pretty { arena.append(prettyJSON: value) } else { arena.append(json: value) }
    return [UInt8](arena.span(arena.all))
  }

  package static func text(_ value: JSONValue, pretty: Bool = false) -> String {
    String(decoding: encode(value, pretty: pretty), as: UTF8.self)
  }
}

extension Arena {
  /// Appends a value with two blanks for each level.
  fileprivate func append(prettyJSON value: JSONValue, level: Int = 0) {
    func line(_ level: Int) {
      append(UInt8(ascii: "\n"))
      for _ in 0..<level { append("  ") }
    }
    switch value {
    case .array(let items) where !items.isEmpty:
      for (index, item) in items.enumerated() {
        append(UInt8(ascii: index == 0 ? "[" : ","))
        line(level + 1)
        append(prettyJSON: item, level: level + 1)
      }
      line(level)
      append(UInt8(ascii: "]"))
    case .object(let members) where !members.isEmpty:
      for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
        append(UInt8(ascii: index == 0 ? "{" : ","))
        line(level + 1)
        append(jsonString: member.key.utf8.span)
        append(": ")
        append(prettyJSON: member.value, level: level + 1)
      }
      line(level)
      append(UInt8(ascii: "}"))
    default: append(json: value)
    }
  }
}
