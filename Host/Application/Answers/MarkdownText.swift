package import Kernel

/// JSON answers as Markdown, for models that read: lists and objects as tables (GitHub Flavored Markdown), problems as a
/// few lines. `text` is valid JSON.
package enum MarkdownText {
  /// The records of a list, a row each; returns the size of each row. The columns stand in the order in which members
  /// first occur, which for records is that of their declaration.
  package static func writeTable(_ items: [Range<Int>], of text: Span<UInt8>, to arena: Arena)
    -> [AnswerBudget.Size]
  {
    guard !items.isEmpty else {
      arena.append("No records.\n")
      return []
    }
    let rows = items.map { JSONText.members(of: $0, in: text) }
    var columns = Columns()
    for row in rows { columns.add(row, text) }
    guard !columns.names.isEmpty else { return writeColumn(items, of: text, to: arena) }
    for name in columns.names {
      arena.append("| ")
      appendCell(name, to: arena)
      arena.append(" ")
    }
    arena.append("|\n")
    for _ in columns.names { arena.append("| --- ") }
    arena.append("|\n")
    return rows.indices.map { index in
      measured(arena) {
        var values = [Range<Int>?](repeating: nil, count: columns.names.count)
        for member in rows[index] { values[columns.place(member.key, text)] = member.value }
        for value in values {
          arena.append("| ")
          if let value {
            appendCell(value, of: text, to: arena)
            arena.append(" ")
          }
        }
        arena.append("|\n")
      }
    }
  }

  /// One object, a row for each member; any other value as it is.
  package static func writeObject(_ value: Range<Int>, of text: Span<UInt8>, to arena: Arena) {
    let members = JSONText.members(of: value, in: text)
    guard !members.isEmpty else {
      appendCell(value, of: text, to: arena)
      arena.append("\n")
      return
    }
    arena.append("| Field | Value |\n| --- | --- |\n")
    for member in members {
      arena.append("| ")
      appendCell(name(member.key, text), to: arena)
      arena.append(" | ")
      appendCell(member.value, of: text, to: arena)
      arena.append(" |\n")
    }
  }

  /// A problem (RFC 9457): its status and detail first, the rest below.
  package static func writeProblem(_ value: Range<Int>, of text: Span<UInt8>, status: Int, to arena: Arena) {
    let members = JSONText.members(of: value, in: text)
    let known = Dictionary(members.map { (name($0.key, text), $0.value) }) { first, _ in first }
    arena.append("**")
    arena.append(decimal: status)
    arena.append(" ")
    if let title = known["title"] {
      appendCell(title, of: text, to: arena)
    } else {
      arena.append(Problem.title(of: status))
    }
    arena.append("**")
    if let detail = known["detail"] {
      arena.append(": ")
      appendCell(detail, of: text, to: arena)
    }
    arena.append("\n")
    var isFirst = true
    for member in members {
      let name = name(member.key, text)
      if ["type", "title", "status", "detail"].contains(name) { continue }
      arena.append(isFirst ? "\n- " : "- ")
      isFirst = false
      appendCell(name, to: arena)
      arena.append(": ")
      appendCell(member.value, of: text, to: arena)
      arena.append("\n")
    }
  }

  // MARK: Parts

  private struct Columns {
    var names: [String] = []
    private var places: [String: Int] = [:]

    mutating func add(_ row: [JSONText.Member], _ text: Span<UInt8>) {
      for member in row {
        let name = MarkdownText.name(member.key, text)
        if places[name] == nil {
          places[name] = names.count
          names.append(name)
        }
      }
    }

    func place(_ key: Range<Int>, _ text: Span<UInt8>) -> Int {
      places[MarkdownText.name(key, text)] ?? 0
    }
  }

  /// Values that are no objects: a table of one column.
  private static func writeColumn(_ items: [Range<Int>], of text: Span<UInt8>, to arena: Arena)
    -> [AnswerBudget.Size]
  {
    arena.append("| Value |\n| --- |\n")
    return items.map { item in
      measured(arena) {
        arena.append("| ")
        appendCell(item, of: text, to: arena)
        arena.append(" |\n")
      }
    }
  }

  private static func measured(_ arena: Arena, _ write: () -> Void) -> AnswerBudget.Size {
    let start = arena.count
    write()
    return AnswerBudget.Size(arena.span(ByteRange(offset: start, count: arena.count - start)))
  }

  private static func name(_ key: Range<Int>, _ text: Span<UInt8>) -> String {
    JSONText.string(key.lowerBound - 1..<key.upperBound + 1, in: text)
  }

  /// Text as it reads, null as nothing, what is nested as compact JSON.
  private static func appendCell(_ value: Range<Int>, of text: Span<UInt8>, to arena: Arena) {
    switch JSONText.first(value, text) {
    case UInt8(ascii: "\""): appendCell(JSONText.string(value, in: text), to: arena)
    case UInt8(ascii: "n"): break
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      let compact = Arena(capacity: value.count + 1)
      JSONText.appendCompact(value, of: text, to: compact)
      appendCell(String(compact.span(compact.all)), to: arena)
    default: arena.append(text.extracting(value))
    }
  }

  /// A bar would end the cell, a line end the row, and `<` begin HTML.
  private static func appendCell(_ text: String, to arena: Arena) {
    var isAfterReturn = false
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "|"), UInt8(ascii: "\\"):
        arena.append(UInt8(ascii: "\\"))
        arena.append(byte)
      case UInt8(ascii: "<"): arena.append("&lt;")
      case 0x0D: arena.append("<br>")
      case 0x0A: if !isAfterReturn { arena.append("<br>") }
      case 0..<0x20, 0x7F: arena.append(UInt8(ascii: " "))
      default: arena.append(byte)
      }
      isAfterReturn = byte == 0x0D
    }
  }
}
