/// What simdjson made of one document: 64-bit words, and the strings they refer to (simdjson, doc/tape.md).
///
/// A tape reads what its ``JSONDocument`` holds now. Each read is checked against that, so that even one that
/// comes after the next parse stays inside; only ``JSONElement``, which cannot outlive the document, has one.
@safe
public struct JSONTape {
  @unsafe @usableFromInline struct Content {
    @usableFromInline var words: UnsafePointer<UInt64>
    @usableFromInline var wordCount: Int
    @usableFromInline var strings: UnsafePointer<UInt8>
    @usableFromInline var stringCount: Int

    @usableFromInline
    init(words: UnsafePointer<UInt64>, wordCount: Int, strings: UnsafePointer<UInt8>, stringCount: Int) {
      unsafe self.words = unsafe words
      unsafe self.wordCount = wordCount
      unsafe self.strings = unsafe strings
      unsafe self.stringCount = stringCount
    }
  }

  @usableFromInline let content: UnsafePointer<Content>

  /// `content` must live as long as the tape.
  @unsafe
  init(content: UnsafePointer<Content>) { unsafe self.content = unsafe content }

  @inlinable @inline(__always)
  func word(_ index: Int) -> UInt64 {
    // Safe: the bound was checked against what is there.
    precondition(unsafe UInt(bitPattern: index) < UInt(bitPattern: content.pointee.wordCount))
    return unsafe content.pointee.words[index]
  }

  /// Where the string of a word starts, after its length, and that length: 4 bytes in front of the text.
  @inlinable @inline(__always)
  func string(_ word: UInt64) -> (start: Int, count: Int) {
    let offset = Int(truncatingIfNeeded: word & 0x00FF_FFFF_FFFF_FFFF)
    let limit = unsafe content.pointee.stringCount
    precondition(offset + 4 <= limit)
    // Safe: the four bytes lie inside, and so does the text, as the second check shows.
    let count = unsafe Int(
      UnsafeRawPointer(content.pointee.strings).loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    precondition(offset + 4 + count <= limit)
    return (offset + 4, count)
  }

  /// The length of a word's string and its first four bytes, in one word: different for most strings that differ.
  @inlinable @inline(__always)
  func digest(_ word: UInt64) -> UInt64 {
    let (start, count) = string(word)
    precondition(unsafe start + 4 <= content.pointee.stringCount)
    // Safe: eight bytes from the length on lie inside. What follows a shorter string does not count.
    let bytes = unsafe UnsafeRawPointer(content.pointee.strings).loadUnaligned(
      fromByteOffset: start - 4, as: UInt64.self)
    return count >= 4 ? bytes : bytes & (1 << UInt64(32 + 8 * count) - 1)
  }
}

extension JSONElement {
  /// The text of the string at `index`, unescaped.
  @inlinable @inline(__always)
  @_lifetime(copy self)
  func text(at index: Int) -> Span<UInt8> {
    let (start, count) = tape.string(tape.word(index))
    // Safe: the range lies inside the strings, which stay as they are as long as this element may be used.
    let span = unsafe Span(_unsafeStart: tape.content.pointee.strings + start, count: count)
    return unsafe _overrideLifetime(span, copying: self)
  }
}
