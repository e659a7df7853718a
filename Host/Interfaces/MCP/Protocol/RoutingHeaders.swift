import Application
import Kernel

/// The headers in which a client repeats what its message says, so that proxies can route it unread.
struct RoutingHeaders: Equatable {
  /// Places in the request's head; empty for a header that did not come.
  var version = ByteRange.empty
  var method = ByteRange.empty
  var name = ByteRange.empty
  var hasVersion = false
  /// One of them came twice: who reads the first and who reads the last would not agree.
  var isRepeated = false

  init(_ exchange: Exchange) {
    let head = exchange.head
    var (methods, names, versions) = (0, 0, 0)
    for field in exchange.headers {
      let text = head.span(field.name)
      guard text.count >= 8, text[0] == UInt8(ascii: "m"), text[3] == UInt8(ascii: "-") else { continue }
      if text.isEqual(to: "mcp-protocol-version") {
        version = field.value
        versions += 1
      } else if text.isEqual(to: "mcp-method") {
        method = field.value
        methods += 1
      } else if text.isEqual(to: "mcp-name") {
        name = field.value
        names += 1
      }
    }
    hasVersion = versions > 0
    isRepeated = max(methods, names, versions) > 1
  }

  /// Whether the Mcp-Name header is `text`: plain, or between `=?base64?` and `?=` where it could not be.
  static func isName(_ header: Span<UInt8>, _ text: Span<UInt8>) -> Bool {
    let open: StaticString = "=?base64?"
    let start = open.utf8CodeUnitCount
    let end = header.count - 2
    guard end >= start, header.extracting(0..<start).isEqual(to: open),
      header.extracting(end..<header.count).isEqual(to: "?=")
    else { return header.isEqual(to: text) }
    guard let decoded = Base64.decode(header.extracting(start..<end)) else { return false }
    return decoded.span.isEqual(to: text)
  }
}
