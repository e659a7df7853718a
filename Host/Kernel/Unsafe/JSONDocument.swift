import CSimdJSON

/// Why bytes are not a JSON document (RFC 8259).
package enum JSONError: Error, Sendable, Equatable {
  case empty, syntax, invalidUTF8, tooDeep, numberOutOfRange, badString, tooLarge, outOfMemory
}

/// A parser with the document it last parsed. Reused, it allocates nothing for documents of usual size.
///
/// One thread at a time. What ``root`` lends is valid until the next ``parse(_:)``.
@safe
package final class JSONDocument {
  package static let defaultMaxDepth = 64

  private let parser: OpaquePointer
  private let content: UnsafeMutablePointer<JSONTape.Content>

  package init(maxDepth: Int = JSONDocument.defaultMaxDepth) {
    guard let parser = unsafe csimdjson_new(maxDepth) else { preconditionFailure("out of memory") }
    unsafe self.parser = parser
    // Safe: initialised here, before anything can read it, and given back once in deinit.
    unsafe content = .allocate(capacity: 1)
    unsafe content.initialize(to: JSONDocument.nothing)
  }

  deinit {
    unsafe csimdjson_free(parser)
    unsafe content.deallocate()
  }

  // Safe: no word may be read of it.
  private static var nothing: JSONTape.Content {
    unsafe JSONTape.Content(
      words: UnsafePointer(bitPattern: 8)!, wordCount: 0, strings: UnsafePointer(bitPattern: 8)!,
      stringCount: 0)
  }

  /// Parses one whole document: strict UTF-8, at most `maxDepth` levels, numbers that fit Int64, UInt64
  /// or Double. Duplicate keys are kept, for the reader to judge.
  package func parse(_ bytes: Span<UInt8>) throws(JSONError) {
    unsafe content.pointee = JSONDocument.nothing
    var made = unsafe csimdjson_document()
    let status = unsafe bytes.withUnsafeBufferPointer { source in
      // Safe: the shim copies the bytes before it returns.
      unsafe csimdjson_parse(parser, source.baseAddress, source.count, &made)
    }
    switch status {
    case CSIMDJSON_OK:
      // Safe: both buffers belong to the parser, hold what their counts say, and stay as they are until the
      // next parse.
      unsafe content.pointee = JSONTape.Content(
        words: made.tape, wordCount: made.tape_count, strings: made.strings, stringCount: made.strings_count)
    case CSIMDJSON_EMPTY: throw .empty
    case CSIMDJSON_UTF8: throw .invalidUTF8
    case CSIMDJSON_DEPTH: throw .tooDeep
    case CSIMDJSON_NUMBER: throw .numberOutOfRange
    case CSIMDJSON_STRING: throw .badString
    case CSIMDJSON_SIZE: throw .tooLarge
    case CSIMDJSON_MEMORY: throw .outOfMemory
    default: throw .syntax
    }
  }

  /// The document's outermost value. Traps when nothing was parsed.
  package var root: JSONElement {
    @_lifetime(borrow self)
    get {
      precondition(unsafe content.pointee.wordCount > 1, "nothing was parsed")
      // Safe: the content lives as long as this document, which the element borrows.
      let element = unsafe JSONElement(tape: JSONTape(content: content), index: 1)
      return unsafe _overrideLifetime(element, borrowing: self)
    }
  }
}
