import Application
import CHTTPEdge
import Domain
import Glibc
import Kernel

/// The target of a request, lent by the library for the length of one call.
@safe
struct TargetText {
  private let start: UnsafePointer<CChar>
  private let count: Int

  init(_ start: UnsafePointer<CChar>) {
    unsafe self.start = start
    // Safe: the library's text ends with a NUL.
    count = unsafe strlen(start)
  }

  func append(to arena: Arena) -> ByteRange {
    // Safe: these bytes were counted above and live until this call's caller returns.
    unsafe start.withMemoryRebound(to: UInt8.self, capacity: count) { bytes in
      unsafe arena.append(bytes, count: count)
    }
  }

  var place: Wire.Target { unsafe Wire.Target(start: start, count: count) }
}

/// One connection of the C library, valid from `opened` to `closed`.
///
/// A wire is used by its event thread; ``resume()`` by any thread while the connection is suspended, because a
/// suspended connection cannot be closed.
@safe
struct Wire: @unchecked Sendable {
  private let connection: OpaquePointer
  let descriptor: Int32

  init(_ connection: OpaquePointer, descriptor: Int32) {
    unsafe self.connection = connection
    self.descriptor = descriptor
  }

  func suspend() {
    // Safe: called from a request or content callback of a live connection.
    unsafe chttpedge_suspend(connection)
  }

  func resume() {
    // Safe: the connection is suspended, hence alive.
    unsafe chttpedge_resume(connection)
  }

  /// Queues the answer that stands in the exchange. Its body must not change until the request is over.
  func answer(_ exchange: Exchange, status: Int, closes: Bool) -> Bool {
    let head = exchange.answerHead
    let body = exchange.answerBody
    return unsafe exchange.answerHeaders.withUnsafeBufferPointer { fields in
      unsafe fields.withMemoryRebound(to: chttpedge_field.self) { fields in
        // Safe: Field has the layout of chttpedge_field (checked at start). Names and values lie in `head` and end
        // with a NUL; the body stays in its arena until the exchange is reset, after `completed`.
        unsafe chttpedge_answer(
          connection, UInt32(status), head.pointer(head.all), fields.baseAddress, fields.count,
          body.pointer(body.all), body.count, closes ? 1 : 0) == 1
      }
    }
  }

  /// Queues an answer whose head stands in the exchange, and whose body the library asks for piece by piece.
  func answerStream(_ exchange: Exchange, status: Int, closes: Bool) -> Bool {
    let head = exchange.answerHead
    return unsafe exchange.answerHeaders.withUnsafeBufferPointer { fields in
      unsafe fields.withMemoryRebound(to: chttpedge_field.self) { fields in
        // Safe: as above; the head is copied by the call.
        unsafe chttpedge_answer_stream(
          connection, UInt32(status), head.pointer(head.all), fields.baseAddress, fields.count,
          exchange.method == .head ? 1 : 0, closes ? 1 : 0) == 1
      }
    }
  }

  /// Sends the answer past the library; see chttpedge_answer_directly.
  func answerDirectly(_ exchange: Exchange, status: Int) -> Bool {
    let head = exchange.answerHead
    let body = exchange.answerBody
    return unsafe exchange.answerHeaders.withUnsafeBufferPointer { fields in
      unsafe fields.withMemoryRebound(to: chttpedge_field.self) { fields in
        // Safe: as above; the call copies everything.
        unsafe chttpedge_answer_directly(
          connection, UInt32(status), head.pointer(head.all), fields.baseAddress, fields.count,
          body.pointer(body.all), body.count) == 1
      }
    }
  }

  /// Sends the answer on a socket that the caller keeps open, past TLS and the library. [any]
  static func answer(_ exchange: Exchange, on descriptor: Int32) -> Bool {
    let head = exchange.answerHead
    let body = exchange.answerBody
    return unsafe exchange.answerHeaders.withUnsafeBufferPointer { fields in
      unsafe fields.withMemoryRebound(to: chttpedge_field.self) { fields in
        // Safe: as above; the call copies everything.
        unsafe chttpedge_answer_socket(
          descriptor, UInt32(exchange.status), head.pointer(head.all), fields.baseAddress, fields.count,
          body.pointer(body.all), body.count) == 1
      }
    }
  }

  /// What ``readHead(_:into:target:maxHeaders:)`` learned.
  struct Head {
    var isHTTP10: Bool
    /// Something else than 100-continue was asked for.
    var expectsOther: Bool
  }

  /// The pieces of the request line, where the library keeps them until the request is over.
  @safe
  struct Line {
    let method: UnsafePointer<CChar>
    let version: UnsafePointer<CChar>

    init(method: UnsafePointer<CChar>, version: UnsafePointer<CChar>) {
      unsafe self.method = method
      unsafe self.version = version
    }
  }

  /// Where the target of the request stood when it was complete.
  @safe
  struct Target {
    var start: UnsafePointer<CChar>?
    var count = 0
  }

  enum HeadFault { case malformed, tooMany }

  /// Copies method and headers into the exchange.
  func readHead(
    _ line: Line, into exchange: Exchange, target: Target, maxHeaders: Int
  ) -> Result<Head, HeadFaultError> {
    var out = chttpedge_head()
    // Nearly every request: the table of fields fits where it costs no allocation.
    var status = readFields(line, into: exchange, target, min(maxHeaders, Wire.fieldsOnStack), &out)
    if status == CHTTPEDGE_HEAD_TOO_MANY, maxHeaders > Wire.fieldsOnStack {
      status = readFields(line, into: exchange, target, maxHeaders, &out)
    }
    guard status == CHTTPEDGE_HEAD_OK else {
      return .failure(HeadFaultError(fault: status == CHTTPEDGE_HEAD_TOO_MANY ? .tooMany : .malformed))
    }
    // Safe: the method is NUL-terminated and this long.
    let method = unsafe UnsafeRawBufferPointer(start: line.method, count: out.method_count)
    if let known = HTTPMethod(bytes: unsafe method.bytes) {
      exchange.method = known
    } else {
      exchange.methodIsUnknown = true
      // Safe: as above.
      if unsafe method.elementsEqual("TRACE".utf8) {
        exchange.methodIsTrace = true
        exchange.method = .options
      }
    }
    return .success(
      Head(isHTTP10: out.version_1_0 != 0, expectsOther: out.expect == 2))
  }

  /// What `withUnsafeTemporaryAllocation` takes from the stack: 1,024 bytes.
  private static let fieldsOnStack = 1024 / MemoryLayout<chttpedge_field>.stride

  /// Reads the head with room for `capacity` headers; on any status but OK the exchange is as it was.
  private func readFields(
    _ line: Line, into exchange: Exchange, _ target: Target, _ capacity: Int, _ out: inout chttpedge_head
  ) -> Int32 {
    guard let targetStart = unsafe target.start else { return Int32(CHTTPEDGE_HEAD_MALFORMED) }
    let arena = exchange.head
    let base = arena.count
    var status = Int32(CHTTPEDGE_HEAD_MALFORMED)
    // Safe: the pieces are those of this request; the arena offers the room that the call asks for; the
    // fields are read only up to the count that the call wrote.
    unsafe withUnsafeTemporaryAllocation(of: chttpedge_field.self, capacity: capacity) { fields in
      unsafe arena.append(upTo: chttpedge_head_bytes(connection)) { bytes in
        unsafe status = chttpedge_read_head(
          connection, line.method, line.version, targetStart, target.count, bytes, base, fields.baseAddress,
          capacity, &out)
        return status == CHTTPEDGE_HEAD_OK ? out.byte_count : 0
      }
      guard status == CHTTPEDGE_HEAD_OK else { return }
      for index in 0..<out.field_count {
        let field = unsafe fields[index]
        exchange.addRequestHeader(
          Field(
            name: ByteRange(offset: Int(field.name.offset), count: Int(field.name.count)),
            value: ByteRange(offset: Int(field.value.offset), count: Int(field.value.count))))
      }
    }
    return status
  }

  /// Bytes of the request line and the headers, once they are complete.
  var headBytes: Int {
    // Safe: called for a live connection.
    unsafe chttpedge_head_bytes(connection)
  }

  struct HeadFaultError: Error { var fault: HeadFault }
}

extension HTTPMethod {
  /// The method that the bytes spell; methods are case-sensitive (RFC 9110, 9.1).
  fileprivate init?(bytes: RawSpan) {
    func spells(_ text: StaticString) -> Bool {
      guard bytes.byteCount == text.utf8CodeUnitCount else { return false }
      for index in 0..<bytes.byteCount {
        // Safe: the index is below both counts.
        if unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self) != text.utf8Start[index] {
          return false
        }
      }
      return true
    }
    if spells("GET") {
      self = .get
    } else if spells("POST") {
      self = .post
    } else if spells("HEAD") {
      self = .head
    } else if spells("PUT") {
      self = .put
    } else if spells("PATCH") {
      self = .patch
    } else if spells("DELETE") {
      self = .delete
    } else if spells("OPTIONS") {
      self = .options
    } else {
      return nil
    }
  }
}
