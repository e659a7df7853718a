import Kernel

/// Percent-encoding (RFC 3986, section 2.1), read away from the request path.
package enum PercentDecoding {
  /// nil for a bad escape, or for bytes that are not UTF-8.
  package static func text(_ encoded: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = encoded.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let high = rest.popFirst().flatMap({ Hex.value(of: $0) }),
        let low = rest.popFirst().flatMap({ Hex.value(of: $0) })
      else { return nil }
      bytes.append(high << 4 | low)
    }
    return String(validating: bytes, as: UTF8.self)
  }
}
