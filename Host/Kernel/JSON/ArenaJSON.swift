/// Writing JSON into an ``Arena``: what the request path uses instead of an encoder.
extension Arena {
  /// Appends a JSON string: quotes, and escapes for what RFC 8259 does not allow raw. `text` is valid UTF-8 and
  /// none of this arena's own bytes.
  package func append(jsonString text: Span<UInt8>) {
    append(UInt8(ascii: "\""))
    // What needs no escape is copied as it stands, up to what does.
    var plain = 0
    for index in text.indices {
      let byte = text[index]
      guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
      if index > plain { append(text.extracting(plain..<index)) }
      plain = index + 1
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        append(UInt8(ascii: "\\"))
        append(byte)
      case 0x0A: append("\\n")
      case 0x0D: append("\\r")
      case 0x09: append("\\t")
      default:
        append("\\u00")
        append(Hex.digit(byte >> 4))
        append(Hex.digit(byte & 15))
      }
    }
    if plain < text.count { append(text.extracting(plain..<text.count)) }
    append(UInt8(ascii: "\""))
  }

  package func append(json value: JSONValue) {
    switch value {
    case .null: append("null")
    case .bool(let flag): append(flag ? "true" : "false")
    case .integer(let number): append(decimal: Int(number))
    case .number(let number): append(number.isFinite ? "\(number)" : "null")
    case .string(let text): append(jsonString: text.utf8.span)
    case .array(let items):
      append(UInt8(ascii: "["))
      for (index, item) in items.enumerated() {
        if index > 0 { append(UInt8(ascii: ",")) }
        append(json: item)
      }
      append(UInt8(ascii: "]"))
    case .object(let members):
      append(UInt8(ascii: "{"))
      for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
        if index > 0 { append(UInt8(ascii: ",")) }
        append(jsonString: member.key.utf8.span)
        append(UInt8(ascii: ":"))
        append(json: member.value)
      }
      append(UInt8(ascii: "}"))
    }
  }

  /// Appends a value of a document as it was read. `value` is of a document over other bytes than this arena's.
  package func append(json value: borrowing JSONElement) {
    switch value.kind {
    case .null: append("null")
    case .bool(let flag): append(flag ? "true" : "false")
    case .integer(let number): append(decimal: Int(number))
    case .unsigned(let number): append("\(number)")
    case .double(let number): append("\(number)")
    case .string: if let text = value.utf8 { append(jsonString: text) }
    case .array:
      append(UInt8(ascii: "["))
      var elements = value.elements
      var isFirst = true
      while elements.next() {
        if !isFirst { append(UInt8(ascii: ",")) }
        isFirst = false
        append(json: elements.value)
      }
      append(UInt8(ascii: "]"))
    case .object:
      append(UInt8(ascii: "{"))
      var members = value.members
      var isFirst = true
      while members.next() {
        if !isFirst { append(UInt8(ascii: ",")) }
        isFirst = false
        append(jsonString: members.key)
        append(UInt8(ascii: ":"))
        append(json: members.value)
      }
      append(UInt8(ascii: "}"))
    }
  }

  /// Appends a text with every byte escaped that is not unreserved (RFC 3986, section 2.3).
  package func append(percentEncoding text: Span<UInt8>) {
    for index in text.indices {
      let byte = text[index]
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        append(byte)
      default:
        append(UInt8(ascii: "%"))
        // Upper case, as section 2.1 asks.
        for digit in [Hex.digit(byte >> 4), Hex.digit(byte & 15)] {
          append(digit >= UInt8(ascii: "a") ? digit - 32 : digit)
        }
      }
    }
  }

  /// Appends a problem document (RFC 9457).
  package func append(problem: Problem) {
    append("{\"type\":\"urn:council:problem:")
    append(problem.code)
    append("\",\"title\":\"")
    append(Problem.title(of: problem.status))
    append("\",\"status\":")
    append(decimal: problem.status)
    append(",\"code\":")
    append(jsonString: problem.code.utf8.span)
    append(",\"detail\":")
    append(jsonString: problem.detail.utf8.span)
    if let seconds = problem.retryAfterSeconds {
      append(",\"retry_after_s\":")
      append(decimal: seconds)
    }
    for name in problem.members.keys.sorted() {
      append(UInt8(ascii: ","))
      append(jsonString: name.utf8.span)
      append(UInt8(ascii: ":"))
      append(json: problem.members[name] ?? .null)
    }
    append(UInt8(ascii: "}"))
  }
}
