/// Places in JSON text that a parser has found valid: what copies parts of a document byte for byte needs.
///
/// A value is the same bytes before and after, which writing it anew does not promise (numbers, escapes). For text that is
/// not valid JSON the places mean nothing, but lie inside.
package enum JSONText {
  /// One member of an object: the key between its quotes, as it is spelled, and the value.
  package struct Member: Sendable, Equatable {
    package var key: Range<Int>
    package var value: Range<Int>
  }

  /// The outermost value. Empty for text without one.
  package static func root(of text: Span<UInt8>) -> Range<Int> {
    let start = afterSpace(text, 0)
    return start..<end(of: text, at: start)
  }

  /// The members of the object that `value` is; none for another kind.
  package static func members(of value: Range<Int>, in text: Span<UInt8>) -> [Member] {
    guard first(value, text) == UInt8(ascii: "{") else { return [] }
    var members: [Member] = []
    var place = value.lowerBound + 1
    while let member = nextMember(text, &place, value.upperBound) { members.append(member) }
    return members
  }

  /// The elements of the array that `value` is; none for another kind.
  package static func elements(of value: Range<Int>, in text: Span<UInt8>) -> [Range<Int>] {
    guard first(value, text) == UInt8(ascii: "[") else { return [] }
    var elements: [Range<Int>] = []
    var place = value.lowerBound + 1
    while true {
      place = afterSpace(text, place)
      guard place < value.upperBound, text[place] != UInt8(ascii: "]") else { return elements }
      let end = end(of: text, at: place)
      elements.append(place..<end)
      place = afterSpace(text, end)
      guard place < value.upperBound, text[place] == UInt8(ascii: ",") else { return elements }
      place += 1
    }
  }

  /// The kind of a value, by its first byte: `{`, `[`, `"`, `t`, `f`, `n`, `-` or a digit; 0 for none.
  package static func first(_ value: Range<Int>, _ text: Span<UInt8>) -> UInt8 {
    value.isEmpty ? 0 : text[value.lowerBound]
  }

  /// Whether a key, which may be spelled with escapes, is this name.
  package static func key(_ key: Range<Int>, in text: Span<UInt8>, is name: Span<UInt8>) -> Bool {
    let spelled = text.extracting(key)
    if spelled.isEqual(to: name) { return true }
    for index in spelled.indices where spelled[index] == UInt8(ascii: "\\") {
      return string(key.lowerBound - 1..<key.upperBound + 1, in: text).utf8.elementsEqual(String(name).utf8)
    }
    return false
  }

  /// The text of the string that `value` is, quotes included, unescaped.
  package static func string(_ value: Range<Int>, in text: Span<UInt8>) -> String {
    let inner = text.extracting(value.lowerBound + 1..<max(value.lowerBound + 1, value.upperBound - 1))
    for index in inner.indices where inner[index] == UInt8(ascii: "\\") {
      guard case .string(let text)? = try? JSONValue.parse(text.extracting(value)) else { return "" }
      return text
    }
    return String(inner)
  }

  /// Appends a value without the white space between its tokens.
  package static func appendCompact(_ value: Range<Int>, of text: Span<UInt8>, to arena: Arena) {
    var place = value.lowerBound
    while place < value.upperBound {
      let byte = text[place]
      if byte == UInt8(ascii: "\"") {
        let end = endOfString(text, place)
        arena.append(text.extracting(place..<end))
        place = end
      } else {
        if !isSpace(byte) { arena.append(byte) }
        place += 1
      }
    }
  }

  /// Unicode scalars of UTF-8 text.
  package static func scalars(_ text: Span<UInt8>) -> Int {
    var count = 0
    for index in text.indices { count += text[index] & 0xC0 == 0x80 ? 0 : 1 }
    return count
  }

  // MARK: Walking

  private static func nextMember(_ text: Span<UInt8>, _ place: inout Int, _ limit: Int) -> Member? {
    place = afterSpace(text, place)
    if place < limit, text[place] == UInt8(ascii: ",") { place = afterSpace(text, place + 1) }
    guard place < limit, text[place] == UInt8(ascii: "\"") else { return nil }
    let keyEnd = endOfString(text, place)
    let key = place + 1..<max(place + 1, keyEnd - 1)
    var start = afterSpace(text, keyEnd)
    guard start < limit, text[start] == UInt8(ascii: ":") else { return nil }
    start = afterSpace(text, start + 1)
    place = end(of: text, at: start)
    return Member(key: key, value: start..<place)
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
  }

  private static func afterSpace(_ text: Span<UInt8>, _ place: Int) -> Int {
    var place = place
    while place < text.count, isSpace(text[place]) { place += 1 }
    return place
  }

  /// Of a string whose quote stands at `start`.
  private static func endOfString(_ text: Span<UInt8>, _ start: Int) -> Int {
    var place = start + 1
    while place < text.count {
      let byte = text[place]
      if byte == UInt8(ascii: "\"") { return place + 1 }
      place += byte == UInt8(ascii: "\\") ? 2 : 1
    }
    return text.count
  }

  private static func end(of text: Span<UInt8>, at start: Int) -> Int {
    guard start < text.count else { return text.count }
    switch text[start] {
    case UInt8(ascii: "\""): return endOfString(text, start)
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      var depth = 0
      var place = start
      while place < text.count {
        switch text[place] {
        case UInt8(ascii: "\""):
          place = endOfString(text, place)
          continue
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
          depth -= 1
          if depth == 0 { return place + 1 }
        default: break
        }
        place += 1
      }
      return text.count
    default:
      var place = start
      while place < text.count {
        let byte = text[place]
        if byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]")
          || isSpace(byte)
        {
          break
        }
        place += 1
      }
      return place
    }
  }
}
