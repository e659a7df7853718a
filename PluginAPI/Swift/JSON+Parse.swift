extension JSON {
  /// Why a text is not JSON, and where.
  public struct SyntaxError: Error, Sendable, Equatable, CustomStringConvertible {
    public var offset: Int
    public var reason: String
    public var description: String { "not JSON at byte \(offset): \(reason)" }
  }

  /// How deep arrays and objects may nest.
  public static let maxDepth = 64

  /// Reads one JSON document (RFC 8259). Whole numbers that fit become ``integer(_:)``; a member that repeats
  /// keeps its last value.
  public init(parsing text: Span<UInt8>) throws(SyntaxError) {
    var reader = JSONReader(at: 0)
    self = try reader.document(text)
  }

  public init(parsing text: [UInt8]) throws(SyntaxError) { try self.init(parsing: text.span) }

  public init(parsing text: String) throws(SyntaxError) { try self.init(parsing: Array(text.utf8).span) }
}

/// A place in a JSON text; reads values and skips them.
struct JSONReader {
  var at: Int

  mutating func document(_ text: Span<UInt8>) throws(JSON.SyntaxError) -> JSON {
    let value = try value(text, depth: 0)
    skipSpace(text)
    if at < text.count { throw fault("text after the document") }
    return value
  }

  private mutating func value(_ text: Span<UInt8>, depth: Int) throws(JSON.SyntaxError) -> JSON {
    skipSpace(text)
    guard at < text.count else { throw fault("the text ends where a value is due") }
    switch text[at] {
    case UInt8(ascii: "{"): return try object(text, depth: depth + 1)
    case UInt8(ascii: "["): return try array(text, depth: depth + 1)
    case UInt8(ascii: "\""): return .string(try string(text))
    case UInt8(ascii: "t"):
      try word("true", text)
      return .bool(true)
    case UInt8(ascii: "f"):
      try word("false", text)
      return .bool(false)
    case UInt8(ascii: "n"):
      try word("null", text)
      return .null
    default: return try number(text)
    }
  }

  private mutating func object(_ text: Span<UInt8>, depth: Int) throws(JSON.SyntaxError) -> JSON {
    if depth > JSON.maxDepth { throw fault("nested deeper than \(JSON.maxDepth)") }
    at += 1
    var members: [JSON.Member] = []
    skipSpace(text)
    if take(UInt8(ascii: "}"), text) { return .object([]) }
    while true {
      skipSpace(text)
      guard at < text.count, text[at] == UInt8(ascii: "\"") else { throw fault("a member's name is due") }
      let name = try string(text)
      skipSpace(text)
      guard take(UInt8(ascii: ":"), text) else { throw fault("':' is due") }
      let value = try value(text, depth: depth)
      if let place = members.firstIndex(where: { $0.name == name }) {
        members[place].value = value
      } else {
        members.append(JSON.Member(name, value))
      }
      skipSpace(text)
      if take(UInt8(ascii: "}"), text) { return .object(members) }
      guard take(UInt8(ascii: ","), text) else { throw fault("',' or '}' is due") }
    }
  }

  private mutating func array(_ text: Span<UInt8>, depth: Int) throws(JSON.SyntaxError) -> JSON {
    if depth > JSON.maxDepth { throw fault("nested deeper than \(JSON.maxDepth)") }
    at += 1
    var items: [JSON] = []
    skipSpace(text)
    if take(UInt8(ascii: "]"), text) { return .array([]) }
    while true {
      items.append(try value(text, depth: depth))
      skipSpace(text)
      if take(UInt8(ascii: "]"), text) { return .array(items) }
      guard take(UInt8(ascii: ","), text) else { throw fault("',' or ']' is due") }
    }
  }

  private mutating func string(_ text: Span<UInt8>) throws(JSON.SyntaxError) -> String {
    at += 1
    var bytes: [UInt8] = []
    while at < text.count {
      let byte = text[at]
      at += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let value = String(validating: bytes, as: UTF8.self) else { throw fault("not UTF-8") }
        return value
      case UInt8(ascii: "\\"): bytes += try escape(text)
      case 0..<0x20: throw fault("a control character in a string")
      default: bytes.append(byte)
      }
    }
    throw fault("a string does not end")
  }

  private mutating func escape(_ text: Span<UInt8>) throws(JSON.SyntaxError) -> [UInt8] {
    guard at < text.count else { throw fault("a string does not end") }
    let byte = text[at]
    at += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [8]
    case UInt8(ascii: "f"): return [12]
    case UInt8(ascii: "n"): return [10]
    case UInt8(ascii: "r"): return [13]
    case UInt8(ascii: "t"): return [9]
    case UInt8(ascii: "u"):
      var code = UInt32(try codeUnit(text))
      if (0xD800..<0xDC00).contains(code) {
        guard take(UInt8(ascii: "\\"), text), take(UInt8(ascii: "u"), text) else {
          throw fault("half a surrogate pair")
        }
        let low = UInt32(try codeUnit(text))
        guard (0xDC00..<0xE000).contains(low) else { throw fault("half a surrogate pair") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw fault("half a surrogate pair") }
      return Array(String(Character(scalar)).utf8)
    default: throw fault("an unknown escape")
    }
  }

  private mutating func codeUnit(_ text: Span<UInt8>) throws(JSON.SyntaxError) -> UInt16 {
    var value: UInt16 = 0
    for _ in 0..<4 {
      guard at < text.count, let digit = Character(Unicode.Scalar(text[at])).hexDigitValue else {
        throw fault("four hexadecimal digits are due")
      }
      value = value << 4 | UInt16(digit)
      at += 1
    }
    return value
  }

  private mutating func number(_ text: Span<UInt8>) throws(JSON.SyntaxError) -> JSON {
    let start = at
    _ = take(UInt8(ascii: "-"), text)
    let whole = digits(text)
    guard whole > 0 else { throw fault("a value is due") }
    if whole > 1, text[at - whole] == UInt8(ascii: "0") { throw fault("a number starts with 0") }
    var isWhole = true
    if take(UInt8(ascii: "."), text) {
      isWhole = false
      if digits(text) == 0 { throw fault("digits are due") }
    }
    if take(UInt8(ascii: "e"), text) || take(UInt8(ascii: "E"), text) {
      isWhole = false
      if !take(UInt8(ascii: "+"), text) { _ = take(UInt8(ascii: "-"), text) }
      if digits(text) == 0 { throw fault("digits are due") }
    }
    var spelled: [UInt8] = []
    for index in start..<at { spelled.append(text[index]) }
    let literal = String(decoding: spelled, as: UTF8.self)
    if isWhole, let value = Int64(literal) { return .integer(value) }
    guard let value = Double(literal), value.isFinite else { throw fault("a number out of range") }
    return .number(value)
  }

  private mutating func digits(_ text: Span<UInt8>) -> Int {
    let start = at
    while at < text.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[at]) { at += 1 }
    return at - start
  }

  private mutating func word(_ word: StaticString, _ text: Span<UInt8>) throws(JSON.SyntaxError) {
    for byte in "\(word)".utf8 where !take(byte, text) { throw fault("'\(word)' is due") }
  }

  private mutating func take(_ byte: UInt8, _ text: Span<UInt8>) -> Bool {
    guard at < text.count, text[at] == byte else { return false }
    at += 1
    return true
  }

  private mutating func skipSpace(_ text: Span<UInt8>) {
    while at < text.count {
      switch text[at] {
      case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): at += 1
      default: return
      }
    }
  }

  private func fault(_ reason: String) -> JSON.SyntaxError { JSON.SyntaxError(offset: at, reason: reason) }
}
