import Kernel

/// Colours, where they are wanted.
struct Style: Sendable {
  enum Tone: String {
    case good = "32"
    case bad = "31"
    case warn = "33"
    case dim = "2"
    case bold = "1"
  }

  var hasColour: Bool

  func paint(_ text: String, _ tone: Tone) -> String {
    hasColour && !text.isEmpty ? "\u{1B}[\(tone.rawValue)m\(text)\u{1B}[0m" : text
  }

  /// The tone of a state's name, as lists show it.
  func state(_ name: String) -> String {
    switch name {
    case "active", "ready", "live": paint(name, .good)
    case "stuck", "revoked", "not_ready": paint(name, .bad)
    case "draining", "expired", "starting": paint(name, .warn)
    default: paint(name, .dim)
    }
  }
}

/// Rows under headings, aligned; the last column runs on.
struct Table {
  private let headings: [String]
  private var rows: [[String]] = []

  init(_ headings: [String]) { self.headings = headings }

  mutating func add(_ row: [String]) { rows.append(row.map(Table.printable)) }

  /// `paint` colours a cell after its width was measured.
  func text(_ style: Style, _ paint: (_ column: Int, _ text: String) -> String = { $1 }) -> String {
    let widths = headings.indices.map { column in
      ([headings] + rows).map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    var lines = [line(headings, widths) { style.paint($1, .dim) }]
    lines += rows.map { line($0, widths, paint) }
    return lines.joined(separator: "\n")
  }

  private func line(_ row: [String], _ widths: [Int], _ paint: (Int, String) -> String) -> String {
    let cells = row.enumerated().map { column, text in
      column == row.count - 1
        ? paint(column, text)
        : paint(column, text) + String(repeating: " ", count: widths[column] - text.count)
    }
    return cells.joined(separator: "  ")
  }

  /// Text from a host may hold control characters, which a terminal would obey.
  static func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    var clean = ""
    for scalar in text.unicodeScalars { clean.unicodeScalars.append(isControl(scalar) ? "\u{FFFD}" : scalar) }
    return clean
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
  }
}

extension JSONValue {
  /// As a cell of a table: no quotes, `-` for what is not there.
  var cell: String {
    switch self {
    case .null: "-"
    case .string(let text): text.isEmpty ? "-" : text
    case .integer(let number): String(number)
    case .number(let number): String(number)
    case .bool(let flag): flag ? "yes" : "no"
    case .array(let items): items.isEmpty ? "-" : items.map(\.cell).joined(separator: ",")
    case .object: JSON.text(self)
    }
  }

  func cell(_ name: String) -> String { (self[name] ?? .null).cell }

  var items: [JSONValue] { self["items"]?.array ?? [] }
}
