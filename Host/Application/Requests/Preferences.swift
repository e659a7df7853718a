import Kernel

/// What a request prefers: the header `Prefer` (RFC 7240).
package enum Preferences {
  /// The value of a preference, "" for one without a value; nil when it was not sent. The first one counts. `name` is
  /// lower case.
  package static func value(_ name: StaticString, of exchange: Exchange) -> String? {
    guard exchange.has(.prefer) else { return nil }
    let head = exchange.head
    for field in exchange.headers where head.span(field.name).isEqual(to: KnownHeader.prefer.name) {
      for part in String(head.span(field.value)).split(separator: ",") {
        // Parameters of a preference are separated by semicolons; none that is known has any.
        let pair = part.prefix { $0 != ";" }.split(
          separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = pair.first, trimmed(first).lowercased() == name.description else { continue }
        guard pair.count > 1 else { return "" }
        let value = trimmed(pair[1])
        return value.count > 1 && value.first == "\"" && value.last == "\""
          ? String(value.dropFirst().dropLast()) : value
      }
    }
    return nil
  }

  private static func trimmed(_ text: Substring) -> String {
    var text = text
    while let first = text.first, first == " " || first == "\t" { text = text.dropFirst() }
    while let last = text.last, last == " " || last == "\t" { text = text.dropLast() }
    return String(text)
  }
}
