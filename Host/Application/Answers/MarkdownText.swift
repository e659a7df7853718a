package import Kernel

/// JSON answers as Markdown, for models that read: lists and objects as tables (GitHub Flavored Markdown), problems as a
/// few lines. `text` is valid JSON.
package enum MarkdownText {
  /// Records whose members have more names are no table: the others share one column.
  package static let maxColumns = 64

  /// The records of a list, a row each; returns the size of each row. The columns stand in the order in which members
  /// first occur, which for records is that of their declaration. The row with which the arena has more than `limit`
  /// bytes is the last one.
  package static func writeTable(
    _ items: [Range<Int>], of text: Span<UInt8>, to arena: Arena, upTo limit: Int = .max
  ) -> [AnswerBudget.Size] {
    guard !items.isEmpty else {
      arena.append("No records.\n")
      return []
    }
    var columns = Columns()
    for item in items { columns.add(JSONText.members(of: item, in: text), text) }
    guard !columns.names.isEmpty else { return writeColumn(items, of: text, to: arena, upTo: limit) }
    for name in columns.names + (columns.hasMore ? ["…"] : []) {
      arena.append("| ")
      appendCell(name, to: arena)
      arena.append(" ")
    }
    arena.append("|\n")
    for _ in 0..<columns.names.count + (columns.hasMore ? 1 : 0) { arena.append("| --- ") }
    arena.append("|\n")
    var sizes: [AnswerBudget.Size] = []
    for item in items where arena.count <= limit {
      sizes.append(measured(arena) { writeRow(item, columns, of: text, to: arena) })
    }
    return sizes
  }

  private static func writeRow(
    _ item: Range<Int>, _ columns: Columns, of text: Span<UInt8>, to arena: Arena
  ) {
    var values = [Range<Int>?](repeating: nil, count: columns.names.count)
    var others: [JSONText.Member] = []
    for member in JSONText.members(of: item, in: text) {
      if let place = columns.place(member.key, text) {
        values[place] = member.value
      } else {
        others.append(member)
      }
    }
    for value in values {
      arena.append("| ")
      if let value {
        appendCell(value, of: text, to: arena)
        arena.append(" ")
      }
    }
    if columns.hasMore {
      arena.append("| ")
      if !others.isEmpty {
        appendCell(object(others, of: text), to: arena)
        arena.append(" ")
      }
    }
    arena.append("|\n")
  }

  /// Compact JSON of some members.
  private static func object(_ members: [JSONText.Member], of text: Span<UInt8>) -> String {
    let compact = Arena(capacity: 256)
    for (index, member) in members.enumerated() {
      compact.append(UInt8(ascii: index == 0 ? "{" : ","))
      compact.append(text.extracting(member.key.lowerBound - 1..<member.key.upperBound + 1))
      compact.append(UInt8(ascii: ":"))
      JSONText.appendCompact(member.value, of: text, to: compact)
    }
    compact.append(UInt8(ascii: "}"))
    return String(compact.span(compact.all))
  }

  /// One object, a row for each member, the last one that with which the arena has more than `limit` bytes; any other value
  /// as it is.
  package static func writeObject(
    _ value: Range<Int>, of text: Span<UInt8>, to arena: Arena, upTo limit: Int = .max
  ) {
    let members = JSONText.members(of: value, in: text)
    guard !members.isEmpty else {
      appendCell(value, of: text, to: arena)
      arena.append("\n")
      return
    }
    arena.append("| Field | Value |\n| --- | --- |\n")
    for member in members where arena.count <= limit {
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
    private(set) var names: [String] = []
    /// There are names that have no column of their own.
    private(set) var hasMore = false
    private var places: [String: Int] = [:]

    mutating func add(_ row: [JSONText.Member], _ text: Span<UInt8>) {
      for member in row {
        let name = MarkdownText.name(member.key, text)
        if places[name] != nil { continue }
        guard names.count < MarkdownText.maxColumns else {
          hasMore = true
          return
        }
        places[name] = names.count
        names.append(name)
      }
    }

    func place(_ key: Range<Int>, _ text: Span<UInt8>) -> Int? { places[MarkdownText.name(key, text)] }
  }

  /// Values that are no objects: a table of one column.
  private static func writeColumn(
    _ items: [Range<Int>], of text: Span<UInt8>, to arena: Arena, upTo limit: Int
  ) -> [AnswerBudget.Size] {
    arena.append("| Value |\n| --- |\n")
    var sizes: [AnswerBudget.Size] = []
    for item in items where arena.count <= limit {
      sizes.append(
        measured(arena) {
          arena.append("| ")
          appendCell(item, of: text, to: arena)
          arena.append(" |\n")
        })
    }
    return sizes
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
