import Kernel

/// What a request accepts: the header `Accept` (RFC 9110, section 12.5.1).
package enum AcceptedTypes {
  /// Whether Markdown is preferred to JSON, which is what there is otherwise, equal weights included. [event]
  @inline(__always)
  package static func prefersMarkdown(_ exchange: Exchange) -> Bool {
    let range = exchange[.accept]
    // `*/*`, and no header: what most send.
    guard range.count >= 6 else { return false }
    return examine(exchange, range)
  }

  private static func examine(_ exchange: Exchange, _ range: ByteRange) -> Bool {
    let head = exchange.head
    if head.span(range).isEqual(to: "application/json") { return false }
    var markdown = Weight()
    var json = Weight()
    for field in exchange.headers where head.span(field.name).isEqual(to: KnownHeader.accept.name) {
      let value = head.span(field.value)
      var start = 0
      while start < value.count {
        var end = start
        while end < value.count, value[end] != UInt8(ascii: ",") { end += 1 }
        let part = value.extracting(start..<end)
        let (type, quality) = split(part)
        switch type {
        case "text/markdown": markdown.take(quality, precision: 3)
        case "text/*": markdown.take(quality, precision: 2)
        case "application/json", "application/problem+json": json.take(quality, precision: 3)
        case "application/*": json.take(quality, precision: 2)
        case "*/*":
          markdown.take(quality, precision: 1)
          json.take(quality, precision: 1)
        default: break
        }
        start = end + 1
      }
    }
    return markdown.quality > json.quality
  }

  /// What the most precise range that fits says.
  private struct Weight {
    var quality = 0
    var precision = 0

    mutating func take(_ quality: Int, precision: Int) {
      guard precision >= self.precision else { return }
      self.quality = precision == self.precision ? max(self.quality, quality) : quality
      self.precision = precision
    }
  }

  /// The media range in lower case, and its weight in thousandths; other parameters say nothing here.
  private static func split(_ part: Span<UInt8>) -> (type: String, quality: Int) {
    let parts = String(part).split(separator: ";", omittingEmptySubsequences: false)
    let type = String((parts.first ?? "").filter { $0 != " " && $0 != "\t" }).lowercased()
    for parameter in parts.dropFirst() {
      let text = String(parameter.filter { $0 != " " && $0 != "\t" }).lowercased()
      if text.hasPrefix("q=") { return (type, thousandths(text.dropFirst(2))) }
    }
    return (type, 1000)
  }

  /// `0.5` is 500. What is no weight is none at all.
  private static func thousandths(_ text: Substring) -> Int {
    guard text.utf8.count <= 5, let value = Double(text), value >= 0, value <= 1 else { return 0 }
    return Int((value * 1000).rounded())
  }
}
