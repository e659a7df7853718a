import Kernel

extension ByteScanner {
  // MARK: Hosts

  /// Labels of letters, digits and inner hyphens, up to `end` (RFC 1123; RFC 5890 for `xn--`).
  @_lifetime(self: copy self)
  mutating func hostname(to end: Int) -> Bool {
    guard end > position, end - position <= 253 else { return false }
    while true {
      let start = position
      while position < end,
        isLetter(text[position]) || isDigit(text[position]) || text[position] == UInt8(ascii: "-")
      {
        position += 1
      }
      let count = position - start
      guard count >= 1, count <= 63, text[start] != UInt8(ascii: "-"), text[position - 1] != UInt8(ascii: "-")
      else { return false }
      // Hyphens at the third and fourth place are kept for encoded labels, which need something to encode.
      if count >= 4, text[start + 2] == UInt8(ascii: "-"), text[start + 3] == UInt8(ascii: "-") {
        guard text[start] | 0x20 == UInt8(ascii: "x"), text[start + 1] | 0x20 == UInt8(ascii: "n"), count > 4
        else { return false }
      }
      if position == end { return true }
      guard text[position] == UInt8(ascii: "."), position + 1 < end else { return false }
      position += 1
    }
  }

  /// Four decimal numbers without leading zeros, up to `end`.
  @_lifetime(self: copy self)
  mutating func ipv4(to end: Int) -> Bool {
    for part in 0..<4 {
      if part > 0 {
        guard position < end, skip(UInt8(ascii: ".")) else { return false }
      }
      let start = position
      var value = 0
      while position < end, position - start < 3, isDigit(text[position]) {
        value = value * 10 + Int(text[position] - UInt8(ascii: "0"))
        position += 1
      }
      guard position > start, value <= 255, position - start == 1 || text[start] != UInt8(ascii: "0") else {
        return false
      }
    }
    return position == end
  }

  /// Eight groups, or fewer around one `::`, the last two perhaps as IPv4 (RFC 4291), up to `end`.
  @_lifetime(self: copy self)
  mutating func ipv6(to end: Int) -> Bool {
    var groups = 0
    var isShortened = false
    if position + 1 < end, text[position] == UInt8(ascii: ":") {
      guard text[position + 1] == UInt8(ascii: ":") else { return false }
      position += 2
      isShortened = true
    }
    while position < end {
      let start = position
      while position < end, position - start < 4, Hex.value(of: text[position]) != nil { position += 1 }
      if position < end, text[position] == UInt8(ascii: ".") {
        position = start
        guard groups <= 6, ipv4(to: end) else { return false }
        groups += 2
        break
      }
      guard position > start else { return false }
      groups += 1
      if position == end { break }
      guard text[position] == UInt8(ascii: ":"), position + 1 < end else { return false }
      position += 1
      if text[position] == UInt8(ascii: ":") {
        if isShortened { return false }
        isShortened = true
        position += 1
      }
    }
    return position == end && (isShortened ? groups <= 7 : groups == 8)
  }

  // MARK: Mail (RFC 5321, section 4.1.2)

  @_lifetime(self: copy self)
  mutating func email(international: Bool) -> Bool {
    guard text.count <= 254, localPart(international), position <= 64, skip(UInt8(ascii: "@")) else {
      return false
    }
    if next == UInt8(ascii: "[") {
      let end = text.count - 1
      guard text[end] == UInt8(ascii: "]") else { return false }
      position += 1
      guard follows("IPv6:", to: end) else { return ipv4(to: end) }
      position += 5
      return ipv6(to: end)
    }
    guard international else { return hostname(to: text.count) }
    return internationalHost()
  }

  @_lifetime(self: copy self)
  private mutating func localPart(_ international: Bool) -> Bool {
    if skip(UInt8(ascii: "\"")) {
      while !isAtEnd, next != UInt8(ascii: "\"") {
        if next == UInt8(ascii: "\\") { position += 1 }
        guard isPrintable(next) || (international && next >= 0x80) else { return false }
        position += 1
      }
      return skip(UInt8(ascii: "\""))
    }
    while true {
      let start = position
      while isAtom(next) || (international && next >= 0x80) { position += 1 }
      guard position > start else { return false }
      if !skip(UInt8(ascii: ".")) { return true }
    }
  }

  private func isAtom(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
      UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "/"),
      UInt8(ascii: "="), UInt8(ascii: "?"), UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"),
      UInt8(ascii: "{"), UInt8(ascii: "|"), UInt8(ascii: "}"), UInt8(ascii: "~"):
      true
    default: isLetter(byte) || isDigit(byte)
    }
  }

  private func isPrintable(_ byte: UInt8) -> Bool { byte >= 0x20 && byte < 0x7F }

  /// Labels as of a host name, with any letters beyond ASCII.
  @_lifetime(self: copy self)
  private mutating func internationalHost() -> Bool {
    while true {
      let start = position
      while isLetter(next) || isDigit(next) || next == UInt8(ascii: "-") || next >= 0x80 { position += 1 }
      guard position > start, text[start] != UInt8(ascii: "-"), text[position - 1] != UInt8(ascii: "-") else {
        return false
      }
      if isAtEnd { return true }
      guard skip(UInt8(ascii: ".")) else { return false }
    }
  }

  func follows(_ word: StaticString, to end: Int) -> Bool {
    guard position + word.utf8CodeUnitCount <= end else { return false }
    return text.extracting(position..<position + word.utf8CodeUnitCount).isEqual(to: word)
  }

  // MARK: URI (RFC 3986) and IRI (RFC 3987)

  @_lifetime(self: copy self)
  mutating func uri(international: Bool, isRelativeAllowed: Bool) -> Bool {
    if !scheme() {
      guard isRelativeAllowed else { return false }
      // The first segment of a relative path has no colon: it would be a scheme.
      var index = 0
      while index < text.count, !isOneOf(text[index], "/?#") {
        if text[index] == UInt8(ascii: ":") { return false }
        index += 1
      }
    }
    if next == UInt8(ascii: "/"), position + 1 < text.count, text[position + 1] == UInt8(ascii: "/") {
      position += 2
      guard authority(international) else { return false }
      guard isAtEnd || isOneOf(next, "/?#") else { return false }
    }
    guard characters(":@/", international) else { return false }
    if skip(UInt8(ascii: "?")), !characters(":@/?", international) { return false }
    if skip(UInt8(ascii: "#")), !characters(":@/?", international) { return false }
    return isAtEnd
  }

  /// Reads a scheme and its colon, or nothing.
  @_lifetime(self: copy self)
  private mutating func scheme() -> Bool {
    guard isLetter(next) else { return false }
    while isLetter(next) || isDigit(next) || isOneOf(next, "+-.") { position += 1 }
    if skip(UInt8(ascii: ":")) { return true }
    position = 0
    return false
  }

  @_lifetime(self: copy self)
  private mutating func authority(_ international: Bool) -> Bool {
    var end = position
    var at = -1
    while end < text.count, !isOneOf(text[end], "/?#") {
      if text[end] == UInt8(ascii: "@") { at = end }
      end += 1
    }
    if at >= 0 {
      guard characters(":", international), position == at else { return false }
      position += 1
    }
    if skip(UInt8(ascii: "[")) {
      var close = position
      while close < end, text[close] != UInt8(ascii: "]") { close += 1 }
      guard close < end, next | 0x20 == UInt8(ascii: "v") ? futureAddress(to: close) : ipv6(to: close) else {
        return false
      }
      position = close + 1
    } else {
      guard characters("", international) else { return false }
    }
    if skip(UInt8(ascii: ":")) { _ = skipDigits() }
    return position == end
  }

  @_lifetime(self: copy self)
  private mutating func futureAddress(to end: Int) -> Bool {
    position += 1
    let start = position
    while Hex.value(of: next) != nil { position += 1 }
    guard position > start, skip(UInt8(ascii: ".")), position < end else { return false }
    while position < end, isUnreserved(next) || isSubDelimiter(next) || next == UInt8(ascii: ":") {
      position += 1
    }
    return position == end
  }

  /// Reads what may stand in a part of a URI: unreserved, sub-delimiters, percent-encoded, and those of `also`.
  /// False when a percent sign is not followed by two digits.
  @_lifetime(self: copy self)
  private mutating func characters(_ also: StaticString, _ international: Bool) -> Bool {
    while !isAtEnd {
      let byte = next
      if byte == UInt8(ascii: "%") {
        position += 1
        guard hexadecimal(2) else { return false }
      } else if isUnreserved(byte) || isSubDelimiter(byte) || isOneOf(byte, also)
        || (international && byte >= 0x80)
      {
        position += 1
      } else {
        return true
      }
    }
    return true
  }

  private func isUnreserved(_ byte: UInt8) -> Bool {
    isLetter(byte) || isDigit(byte) || isOneOf(byte, "-._~")
  }

  private func isSubDelimiter(_ byte: UInt8) -> Bool { isOneOf(byte, "!$&'()*+,;=") }

  private func isOneOf(_ byte: UInt8, _ set: StaticString) -> Bool {
    // `description` of a static string this short lives in registers.
    set.description.utf8.contains(byte)
  }

  // MARK: URI template (RFC 6570)

  @_lifetime(self: copy self)
  mutating func uriTemplate() -> Bool {
    while !isAtEnd {
      let byte = next
      switch byte {
      case UInt8(ascii: "{"):
        position += 1
        guard expression() else { return false }
      case UInt8(ascii: "%"):
        position += 1
        guard hexadecimal(2) else { return false }
      case 0...0x20, 0x7F: return false
      default:
        if isOneOf(byte, "\"'<>\\^`|}") { return false }
        position += 1
      }
    }
    return true
  }

  @_lifetime(self: copy self)
  private mutating func expression() -> Bool {
    if isOneOf(next, "+#./;?&=,!@|") { position += 1 }
    while true {
      let start = position
      while true {
        if next == UInt8(ascii: "%") {
          position += 1
          guard hexadecimal(2) else { return false }
        } else if isLetter(next) || isDigit(next) || next == UInt8(ascii: "_")
          || (next == UInt8(ascii: ".") && position > start)
        {
          position += 1
        } else {
          break
        }
      }
      guard position > start, text[position - 1] != UInt8(ascii: ".") else { return false }
      if skip(UInt8(ascii: ":")) {
        guard next != UInt8(ascii: "0"), (1...4).contains(skipDigits()) else { return false }
      } else {
        _ = skip(UInt8(ascii: "*"))
      }
      if skip(UInt8(ascii: "}")) { return true }
      guard skip(UInt8(ascii: ",")) else { return false }
    }
  }
}
