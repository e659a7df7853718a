import Kernel

extension Exchange {
  /// Says of the body what its sender said of another.
  func frameBody() {
    let head = head
    func forget(_ header: KnownHeader) {
      guard has(header) else { return }
      headers.removeAll { head.span($0.name).isEqual(to: header.name) }
      known[header.rawValue] = .empty
      knownCount[header.rawValue] = 0
    }
    forget(.transferEncoding)
    guard body.count > 0 else {
      forget(.contentLength)
      return forget(.contentType)
    }
    guard has(.contentLength) else { return }
    let length = head.append(decimal: body.count)
    known[KnownHeader.contentLength.rawValue] = length
    for index in headers.indices
    where head.span(headers[index].name).isEqual(to: KnownHeader.contentLength.name) {
      headers[index].value = length
    }
  }
}
