package import Kernel

/// Splits the request target into decoded segments and query parameters: percent-decoding happens here, once.
///
/// RFC 3986 and, for the query, the form encoding that agents send (`+` is a space).
package enum RequestTarget {
  package static let maxSegments = 32
  package static let maxQueryParameters = 256

  /// Fills `segments` and `query` of the exchange. Returns the problem of a target that is malformed.
  package static func split(_ exchange: Exchange) -> Problem? {
    splitPath(exchange) ?? splitQuery(exchange)
  }

  private static func splitPath(_ exchange: Exchange) -> Problem? {
    let head = exchange.head
    let raw = exchange.rawPath
    guard raw.count > 0, head[raw.start] == UInt8(ascii: "/") else {
      return Problem(400, "request.target_invalid", "The request target must start with '/'.")
    }
    var start = raw.start + 1
    while start <= raw.end {
      var end = start
      var isPlain = true
      while end < raw.end {
        let byte = head[end]
        if byte == UInt8(ascii: "/") { break }
        if byte <= 0x20 || byte >= 0x7F || byte == UInt8(ascii: "\\") { return badPath }
        if byte == UInt8(ascii: "%") { isPlain = false }
        end += 1
      }
      // A trailing slash says nothing: the segment after it is empty and last.
      if end == start, end == raw.end { break }
      if exchange.segments.count == maxSegments {
        return Problem(
          400, "request.path_too_deep", "The path has more than \(maxSegments) segments.")
      }
      var segment = ByteRange(offset: start, count: end - start)
      if !isPlain {
        guard let decoded = decode(segment, in: head, plusIsSpace: false) else { return badPath }
        segment = decoded
      }
      if isDots(segment, in: head) { return badPath }
      exchange.segments.append(segment)
      start = end + 1
    }
    return nil
  }

  private static var badPath: Problem {
    Problem(
      400, "request.path_invalid",
      "The path must be percent-encoded UTF-8 without control characters, '.' or '..' segments.")
  }

  private static func splitQuery(_ exchange: Exchange) -> Problem? {
    let raw = exchange.rawQuery
    guard raw.count > 0 else { return nil }
    let head = exchange.head
    var start = raw.start
    while start < raw.end {
      var end = start
      var equals = -1
      while end < raw.end, head[end] != UInt8(ascii: "&") {
        if equals < 0, head[end] == UInt8(ascii: "=") { equals = end }
        end += 1
      }
      if end > start {
        let nameEnd = equals < 0 ? end : equals
        let valueStart = equals < 0 ? end : equals + 1
        guard
          let name = decode(
            ByteRange(offset: start, count: nameEnd - start), in: head, plusIsSpace: true),
          let value = decode(
            ByteRange(offset: valueStart, count: end - valueStart), in: head, plusIsSpace: true)
        else {
          return Problem(
            400, "request.query_invalid",
            "The query must be percent-encoded UTF-8 without control characters.")
        }
        if exchange.query.count == maxQueryParameters {
          return Problem(
            400, "request.query_too_long", "The query has more than \(maxQueryParameters) parameters.")
        }
        exchange.query.append(Field(name: name, value: value))
      }
      start = end + 1
    }
    return nil
  }

  /// Decodes one component; nil for a bad escape, a control character or bytes that are not UTF-8.
  private static func decode(_ range: ByteRange, in head: Arena, plusIsSpace: Bool) -> ByteRange? {
    let start = head.count
    var place = range.start
    var isASCII = true
    var changed = false
    while place < range.end {
      var byte = head[place]
      place += 1
      if byte == UInt8(ascii: "%") {
        guard place + 1 < range.end, let high = Hex.value(of: head[place]),
          let low = Hex.value(of: head[place + 1])
        else { return nil }
        byte = high << 4 | low
        place += 2
        changed = true
      } else if byte <= 0x20 || byte >= 0x7F {
        return nil
      } else if plusIsSpace, byte == UInt8(ascii: "+") {
        byte = UInt8(ascii: " ")
        changed = true
      }
      if byte < 0x20 || byte == 0x7F { return nil }
      if byte >= 0x80 { isASCII = false }
      head.append(byte)
    }
    if !changed {
      head.truncate(to: start)
      return range
    }
    let decoded = ByteRange(offset: start, count: head.count - start)
    if !isASCII, (try? UTF8Span(validating: head.span(decoded))) == nil { return nil }
    return decoded
  }

  private static func isDots(_ segment: ByteRange, in head: Arena) -> Bool {
    guard segment.count == 1 || segment.count == 2 else { return false }
    for place in segment.start..<segment.end where head[place] != UInt8(ascii: ".") { return false }
    return true
  }
}
