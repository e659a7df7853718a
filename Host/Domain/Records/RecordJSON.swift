package import Kernel

/// JSON as records keep it: compact, in document order, exact.
package enum RecordJSON {
  /// Appends a value of a parsed document. Throws for what would not come back as it went in: a key that
  /// repeats, an integer beyond Int64.
  package static func append(
    _ element: borrowing JSONElement, to bytes: inout [UInt8]
  ) throws(RecordIssue) {
    switch element.kind {
    case .null: bytes += Array("null".utf8)
    case .bool(let flag): bytes += Array((flag ? "true" : "false").utf8)
    case .integer(let number): bytes += Array(String(number).utf8)
    case .unsigned: throw RecordIssue("", "must not hold an integer above 9223372036854775807")
    case .double(let number): bytes += Array(number.description.utf8)
    case .string:
      if let text = element.utf8 { appendString(text, to: &bytes) }
    case .array:
      bytes.append(UInt8(ascii: "["))
      var elements = element.elements
      var index = 0
      while elements.next() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        do { try append(elements.value, to: &bytes) } catch { throw error.below(index) }
        index += 1
      }
      bytes.append(UInt8(ascii: "]"))
    case .object:
      bytes.append(UInt8(ascii: "{"))
      var members = element.members
      var seen: Set<[UInt8]> = []
      while members.next() {
        guard seen.insert([UInt8](members.key)).inserted else {
          throw RecordIssue("", "appears twice").below(String(members.key))
        }
        if seen.count > 1 { bytes.append(UInt8(ascii: ",")) }
        appendString(members.key, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        do { try append(members.value, to: &bytes) } catch { throw error.below(String(members.key)) }
      }
      bytes.append(UInt8(ascii: "}"))
    }
  }

  package static func append(_ value: JSONValue, to bytes: inout [UInt8]) {
    switch value {
    case .null: bytes += Array("null".utf8)
    case .bool(let flag): bytes += Array((flag ? "true" : "false").utf8)
    case .integer(let number): bytes += Array(String(number).utf8)
    case .number(let number):
      // JSON has no infinity and no NaN; neither comes out of a parser.
      bytes += Array((number.isFinite ? number.description : "null").utf8)
    case .string(let text): appendString(text.utf8.span, to: &bytes)
    case .array(let items):
      bytes.append(UInt8(ascii: "["))
      for (index, item) in items.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        append(item, to: &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    case .object(let members):
      bytes.append(UInt8(ascii: "{"))
      for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        appendString(member.key.utf8.span, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        append(member.value, to: &bytes)
      }
      bytes.append(UInt8(ascii: "}"))
    }
  }

  package static func appendString(_ text: Span<UInt8>, to bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    for index in text.indices {
      switch text[index] {
      case UInt8(ascii: "\""): bytes += [UInt8(ascii: "\\"), UInt8(ascii: "\"")]
      case UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), UInt8(ascii: "\\")]
      case 0x0A: bytes += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
      case 0x0D: bytes += [UInt8(ascii: "\\"), UInt8(ascii: "r")]
      case 0x09: bytes += [UInt8(ascii: "\\"), UInt8(ascii: "t")]
      case 0..<0x20:
        bytes += Array("\\u00".utf8) + [Hex.digit(text[index] >> 4), Hex.digit(text[index] & 15)]
      default: bytes.append(text[index])
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
