extension Span where Element == UInt8 {
  package func isEqual(to other: Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    for index in indices where self[index] != other[index] { return false }
    return true
  }

  package func isEqual(to text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount else { return false }
    // Safe: a static string's bytes live forever.
    return unsafe isEqual(to: Span(_unsafeStart: text.utf8Start, count: text.utf8CodeUnitCount))
  }
}

extension Array where Element == UInt8 {
  package init(_ span: Span<UInt8>) {
    // Safe: `update` writes exactly the `count` bytes that are declared initialised.
    unsafe self.init(unsafeUninitializedCapacity: span.count) { buffer, count in
      unsafe span.withUnsafeBufferPointer { source in
        if source.count > 0 { unsafe _ = buffer.update(fromContentsOf: source) }
      }
      count = span.count
    }
  }
}

extension String {
  /// The text that the bytes spell, with invalid UTF-8 replaced.
  package init(_ span: Span<UInt8>) {
    self = unsafe span.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
  }
}
