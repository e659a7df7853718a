/// What a `Content-Type` says.
package enum MediaType {
  /// `application/json`, or a type that ends in `+json`, whatever its parameters.
  package static func isJSON(_ type: Span<UInt8>) -> Bool {
    var end = 0
    while end < type.count, type[end] != UInt8(ascii: ";"), type[end] != UInt8(ascii: " ") { end += 1 }
    return ends(type, end, "application/json") && end == 16 || ends(type, end, "+json")
  }

  private static func ends(_ text: Span<UInt8>, _ end: Int, _ suffix: String) -> Bool {
    let suffix = suffix.utf8.span
    guard end >= suffix.count else { return false }
    for index in suffix.indices where text[end - suffix.count + index] | 0x20 != suffix[index] | 0x20 {
      return false
    }
    return true
  }
}
