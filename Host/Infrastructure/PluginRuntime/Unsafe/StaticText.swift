extension StaticString {
  /// Lends the bytes.
  func withUTF8Span<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
    // Safe: a static string's bytes live forever.
    body(unsafe Span(_unsafeStart: utf8Start, count: utf8CodeUnitCount))
  }
}
