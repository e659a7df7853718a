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

extension Span where Element == UInt8 {
  /// Whether the bytes start with ASCII `prefix`, which is lower case, in any case.
  package func hasPrefix(ignoringCase prefix: StaticString) -> Bool {
    guard count >= prefix.utf8CodeUnitCount else { return false }
    for index in 0..<prefix.utf8CodeUnitCount {
      let byte = self[index]
      let lower = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
      // Safe: the index is below the static string's count.
      if unsafe lower != prefix.utf8Start[index] { return false }
    }
    return true
  }
}

extension Array where Element == UInt8 {
  package init(_ span: Span<UInt8>) {
    // The empty array is shared by all threads, and the initialiser below writes its count: the thread
    // sanitizer takes that for a race.
    guard span.count > 0 else {
      self = []
      return
    }
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
