import Kernel

/// Bytes that the host itself serves: the same for everybody who may see them, until something changes.
package final class Document: Sendable {
  package let bytes: [UInt8]
  package let contentType: String
  /// Strong: a hash of the bytes, with its quotes. The same bytes have the same, on every host and over every reload.
  package let tag: String
  /// Names and values; `Vary` and a policy of contents, for example.
  package let headers: [(name: StaticString, value: String)]

  package init(
    _ bytes: [UInt8], _ contentType: String, headers: [(name: StaticString, value: String)] = [],
    digests: any Digests
  ) {
    self.bytes = bytes
    self.contentType = contentType
    self.headers = headers
    tag = "\"" + digests.sha256(bytes.span).hex.prefix(32) + "\""
  }

  /// Writes the document as the answer, or 304 for a client that has it (RFC 9110, section 13.1.2).
  package func answer(_ exchange: Exchange) {
    let head = exchange.head
    let isKnown = exchange.has(.ifNoneMatch) && Document.names(head.span(exchange[.ifNoneMatch]), tag)
    exchange.discardAnswer()
    exchange.status = isKnown ? 304 : 200
    exchange.addHeader("ETag", tag)
    exchange.addHeader("Cache-Control", "no-cache")
    for (name, value) in headers { exchange.addHeader(name, value) }
    if isKnown { return }
    exchange.addHeader("Content-Type", contentType)
    exchange.answerBody.append(bytes)
  }

  /// Whether a list of entity tags has this one, or is `*`. Weak tags compare as if they were strong.
  package static func names(_ list: Span<UInt8>, _ tag: String) -> Bool {
    String(list).split(separator: ",").contains { item in
      let item = item.drop { $0 == " " || $0 == "\t" }
      let plain = item.hasPrefix("W/") ? item.dropFirst(2) : item
      var text = plain
      while text.last == " " || text.last == "\t" { text.removeLast() }
      return text == "*" || text == tag
    }
  }
}
