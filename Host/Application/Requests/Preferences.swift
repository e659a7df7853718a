import Kernel

/// What a request prefers: the header `Prefer` (RFC 7240).
package enum Preferences {
  /// The value of a preference, "" for one without a value; nil when it was not sent. The first one counts. `name` is
  /// lower case.
  package static func value(_ name: StaticString, of exchange: Exchange) -> String? {
    guard exchange.has(.prefer) else { return nil }
    let head = exchange.head
    for field in exchange.headers where head.span(field.name).isEqual(to: KnownHeader.prefer.name) {
      if let value = value(name, in: head.span(field.value)) { return value }
    }
    return nil
  }

  /// As above, of one header. Commas and semicolons inside of quotes separate nothing.
  static func value(_ name: StaticString, in header: Span<UInt8>) -> String? {
    var place = 0
    while place < header.count {
      let end = next(UInt8(ascii: ","), in: header, from: place, to: header.count)
      // Parameters of a preference follow its semicolons; none that is known has any.
      let own = next(UInt8(ascii: ";"), in: header, from: place, to: end)
      let equals = next(UInt8(ascii: "="), in: header, from: place, to: own)
      if trimmed(header.extracting(place..<equals)).lowercased() == name.description {
        guard equals < own else { return "" }
        let value = trimmed(header.extracting(equals + 1..<own))
        return value.utf8.count > 1 && value.hasPrefix("\"") && value.hasSuffix("\"")
          ? String(value.dropFirst().dropLast()) : value
      }
      place = end + 1
    }
    return nil
  }

  /// Where a byte stands first outside of quotes; `end` where it does not.
  private static func next(_ byte: UInt8, in text: Span<UInt8>, from start: Int, to end: Int) -> Int {
    var (place, isQuoted) = (start, false)
    while place < end {
      if text[place] == byte, !isQuoted { return place }
      if text[place] == UInt8(ascii: "\"") { isQuoted.toggle() }
      place += isQuoted && text[place] == UInt8(ascii: "\\") ? 2 : 1
    }
    return end
  }

  private static func trimmed(_ text: Span<UInt8>) -> String {
    var (start, end) = (0, text.count)
    while start < end, text[start] == 0x20 || text[start] == 0x09 { start += 1 }
    while end > start, text[end - 1] == 0x20 || text[end - 1] == 0x09 { end -= 1 }
    return String(text.extracting(start..<end))
  }
}
