package import Application
package import Kernel

/// How a request's body ends (RFC 9112, section 6), decided strictly: what two readers could understand
/// differently is refused.
package enum BodyFraming: Equatable, Sendable {
  case none
  case length(Int)
  case chunked

  package init(of exchange: Exchange, isHTTP10: Bool) throws(Problem) {
    let lengths = exchange.knownCount[KnownHeader.contentLength.rawValue]
    let codings = exchange.knownCount[KnownHeader.transferEncoding.rawValue]
    if lengths == 0, codings == 0 {
      self = .none
      return
    }
    let head = exchange.head
    if codings > 0 {
      guard lengths == 0 else {
        throw Problem(
          400, "http.length_and_coding", "A request has either a Content-Length or a Transfer-Encoding.")
      }
      guard !isHTTP10 else {
        throw Problem(400, "http.coding_in_http_1_0", "HTTP/1.0 has no transfer codings.")
      }
      guard codings == 1, head.span(exchange[.transferEncoding]).isCaselessly("chunked") else {
        throw Problem(
          501, "http.unknown_coding", "The only transfer coding that is understood is chunked.")
      }
      self = .chunked
      return
    }
    guard lengths == 1 else {
      throw Problem(400, "http.duplicate_length", "A request has at most one Content-Length.")
    }
    self = try .length(BodyFraming.number(head.span(exchange[.contentLength])))
  }

  package static func number(_ digits: Span<UInt8>) throws(Problem) -> Int {
    guard !digits.isEmpty else {
      throw Problem(400, "http.bad_length", "The Content-Length is empty.")
    }
    var value = 0
    var tooLarge = false
    for index in digits.indices {
      guard let digit = UInt8(exactly: Int(digits[index]) - 48), digit < 10 else {
        throw Problem(400, "http.bad_length", "The Content-Length is not a number.")
      }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carried) = product.addingReportingOverflow(Int(digit))
      tooLarge = tooLarge || overflow || carried
      value = sum
    }
    guard !tooLarge, digits.count <= 18 else {
      throw Problem(413, "http.body_too_large", "The body is larger than any limit.")
    }
    return value
  }
}

extension Span where Element == UInt8 {
  /// Whether these bytes spell a lower-case text in any case (ASCII).
  package func isCaselessly(_ text: String) -> Bool {
    let other = text.utf8.span
    guard count == other.count else { return false }
    for index in indices {
      let byte = self[index]
      let lower = byte >= 65 && byte <= 90 ? byte | 0x20 : byte
      if lower != other[index] { return false }
    }
    return true
  }
}
