package import Application
import Kernel

extension KnownHeader {
  /// The header with this lower-case name: two comparisons at most, chosen by the length.
  package init?(lowercased name: Span<UInt8>) {
    let first: KnownHeader
    let second: KnownHeader?
    switch name.count {
    case 4: (first, second) = (.host, nil)
    case 6: (first, second) = name[0] == UInt8(ascii: "a") ? (.accept, nil) : (.prefer, .origin)
    case 8: (first, second) = (.ifMatch, nil)
    case 9: (first, second) = (.apiKey, nil)
    case 11: (first, second) = (.traceparent, nil)
    case 12: (first, second) = (.contentType, nil)
    case 13: (first, second) = name[0] == UInt8(ascii: "a") ? (.authorization, nil) : (.ifNoneMatch, nil)
    case 14: (first, second) = (.contentLength, nil)
    case 15: (first, second) = (.idempotencyKey, nil)
    case 16: (first, second) = (.contentEncoding, nil)
    case 17: (first, second) = (.transferEncoding, nil)
    default: return nil
    }
    if name.isEqual(to: first.name) {
      self = first
    } else if let second, name.isEqual(to: second.name) {
      self = second
    } else {
      return nil
    }
  }
}
