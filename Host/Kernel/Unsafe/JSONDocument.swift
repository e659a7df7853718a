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
  private var document = unsafe csimdjson_document()

  package init(maxDepth: Int = JSONDocument.defaultMaxDepth) {
    guard let parser = unsafe csimdjson_new(maxDepth) else { preconditionFailure("out of memory") }
    unsafe self.parser = parser
  }

  deinit { unsafe csimdjson_free(parser) }

  /// Parses one whole document: strict UTF-8, at most `maxDepth` levels, numbers that fit Int64, UInt64
  /// or Double. Duplicate keys are kept, for the reader to judge.
  package func parse(_ bytes: Span<UInt8>) throws(JSONError) {
    let status = unsafe bytes.withUnsafeBufferPointer { source in
      // Safe: the shim copies the bytes before it returns.
      unsafe csimdjson_parse(parser, source.baseAddress, source.count, &document)
    }
    switch status {
    case CSIMDJSON_OK: return
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
      precondition(unsafe document.tape_count > 1, "nothing was parsed")
      // Safe: both buffers belong to the parser, hold what their counts say, and stay as they are until the
      // next parse.
      let tape = unsafe Span(_unsafeStart: document.tape, count: document.tape_count)
      let strings = unsafe Span(_unsafeStart: document.strings, count: document.strings_count)
      let element = JSONElement(tape: tape, strings: strings, index: 1)
      return unsafe _overrideLifetime(element, borrowing: self)
    }
  }
}
