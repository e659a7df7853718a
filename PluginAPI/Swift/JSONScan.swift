/// Finds one member of a JSON object without decoding the others. The text comes from the host and is well formed; on any
/// other text the scan ends early and finds nothing.
struct JSONScan {
  var at: Int

  /// The value of a member of the outermost object.
  mutating func member(_ name: String, of text: Span<UInt8>) -> JSON? {
    skipSpace(text)
    guard at < text.count, text[at] == UInt8(ascii: "{") else { return nil }
    at += 1
    while true {
      skipSpace(text)
      let start = at
      guard skipString(text) else { return nil }
      let found = matches(name, text, start + 1, at - 1)
      skipSpace(text)
      guard at < text.count, text[at] == UInt8(ascii: ":") else { return nil }
      at += 1
      skipSpace(text)
      let valueStart = at
      guard skipValue(text) else { return nil }
      if found { return try? JSON(parsing: text.extracting(valueStart..<at)) }
      skipSpace(text)
      guard at < text.count, text[at] == UInt8(ascii: ",") else { return nil }
      at += 1
    }
  }

  private func matches(_ name: String, _ text: Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
    let wanted = name.utf8.span
    guard end - start == wanted.count else { return false }
    for offset in 0..<wanted.count where text[start + offset] != wanted[offset] { return false }
    return true
  }

  private mutating func skipValue(_ text: Span<UInt8>) -> Bool {
    guard at < text.count else { return false }
    switch text[at] {
    case UInt8(ascii: "\""): return skipString(text)
    case UInt8(ascii: "{"), UInt8(ascii: "["): return skipNested(text)
    default:
      while at < text.count, !isEnd(text[at]) { at += 1 }
      return true
    }
  }

  private mutating func skipNested(_ text: Span<UInt8>) -> Bool {
    var depth = 0
    while at < text.count {
      switch text[at] {
      case UInt8(ascii: "\""):
        guard skipString(text) else { return false }
        continue
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
      default: break
      }
      at += 1
      if depth == 0 { return true }
    }
    return false
  }

  private mutating func skipString(_ text: Span<UInt8>) -> Bool {
    guard at < text.count, text[at] == UInt8(ascii: "\"") else { return false }
    at += 1
    while at < text.count {
      switch text[at] {
      case UInt8(ascii: "\\"): at += 2
      case UInt8(ascii: "\""):
        at += 1
        return true
      default: at += 1
      }
    }
    return false
  }

  private func isEnd(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"), UInt8(ascii: " "), UInt8(ascii: "\n"),
      UInt8(ascii: "\r"), UInt8(ascii: "\t"):
      true
    default: false
    }
  }

  private mutating func skipSpace(_ text: Span<UInt8>) {
    while at < text.count {
      switch text[at] {
      case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): at += 1
      default: return
      }
    }
  }
}
