import Application
import Domain
import Kernel

extension Exchange {
  /// Appends a header of the request and notes where it stands when the host knows it.
  func addRequestHeader(_ field: Field) {
    headers.append(field)
    let head = head
    guard let header = KnownHeader(lowercased: head.span(field.name)) else { return }
    let index = header.rawValue
    if knownCount[index] == 0 { known[index] = field.value }
    if knownCount[index] < .max { knownCount[index] += 1 }
  }

  /// Finds path and query in a target that stands in `head`. False: it is none of origin-form, absolute-form
  /// and `*` (RFC 9112, 3.2), or holds a byte that must be percent-encoded.
  func splitTarget(_ target: ByteRange) -> Bool {
    let head = head
    let bytes = head.span(target)
    var question = bytes.count
    for index in bytes.indices {
      let byte = bytes[index]
      if byte <= 0x20 || byte == 0x7F || byte == UInt8(ascii: "#") { return false }
      if byte == UInt8(ascii: "?"), question == bytes.count { question = index }
    }
    var start = 0
    if bytes.isEmpty { return false }
    if bytes[0] != UInt8(ascii: "/") {
      if bytes.count == 1, bytes[0] == UInt8(ascii: "*") {
        guard method == .options, !methodIsUnknown else { return false }
      } else {
        // scheme "://" authority, then the path.
        guard let authority = Exchange.authority(of: bytes, before: question) else { return false }
        start = authority.end
        if start == question {
          // An empty path is "/": borrowed from the scheme's slashes.
          rawPath = ByteRange(offset: target.start + authority.start - 1, count: 1)
          setQuery(target, question, bytes.count)
          return true
        }
      }
    }
    rawPath = ByteRange(offset: target.start + start, count: question - start)
    setQuery(target, question, bytes.count)
    return true
  }

  private func setQuery(_ target: ByteRange, _ question: Int, _ count: Int) {
    guard question < count else { return }
    rawQuery = ByteRange(offset: target.start + question + 1, count: count - question - 1)
  }

  /// Where the authority of an http or https address starts and ends.
  private static func authority(
    of bytes: borrowing Span<UInt8>, before limit: Int
  ) -> (start: Int, end: Int)? {
    let start: Int
    if limit > 7, bytes.extracting(first: 7).isCaselessly("http://") {
      start = 7
    } else if limit > 8, bytes.extracting(first: 8).isCaselessly("https://") {
      start = 8
    } else {
      return nil
    }
    var end = start
    while end < limit, bytes[end] != UInt8(ascii: "/") { end += 1 }
    return end > start ? (start, end) : nil
  }
}
