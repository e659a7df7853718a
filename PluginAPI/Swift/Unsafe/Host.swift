import CCouncil
import Synchronization

/// The host as one instance sees it: its tables, called with spans and strings instead of pointers.
///
/// A pointer without a reference count: requests are handled on many cores at once, and a count that all of them
/// change would be the one thing they wait for. What it points to stays until the process ends, as the
/// plugin's image does; ``close()`` turns calls that come after destroy into refusals.
// Safe to share: the tables never change, their functions may be called on any thread, and `get` checks by the
// request's name that its handler is still running.
@safe struct Host: @unchecked Sendable {
  /// What `get` reads, in the numbers of council.h.
  enum Part: UInt32 {
    case method = 1
    case path, queryString, body, pathParameter, queryParameter, header, principal, requestID, traceparent
    case headers
  }

  @safe private struct State: ~Copyable {
    let automation: String
    let host: UnsafePointer<council_host_v1>
    let http: council_http_v1
    let records: council_records_v1?
    let logging: council_log_v1?
    let isOpen = Atomic(true)
  }

  private let state: UnsafeMutablePointer<State>

  /// nil when the host lacks `council.http/1`.
  init?(_ host: UnsafePointer<council_host_v1>, automation: String) {
    // Safe: the contract has the host valid until destroy, and its tables as long as the process.
    guard let http: council_http_v1 = unsafe Host.table(host, COUNCIL_HTTP_V1) else { return nil }
    unsafe state = .allocate(capacity: 1)
    unsafe state.initialize(
      to: State(
        automation: automation, host: host, http: http, records: Host.table(host, COUNCIL_RECORDS_V1),
        logging: Host.table(host, COUNCIL_LOG_V1)))
  }

  private static func table<Table>(_ host: UnsafePointer<council_host_v1>, _ id: String) -> Table? {
    // Safe: an extension's id stands for the type of its table, which never changes.
    unsafe host.pointee.get_extension(host, id)?.assumingMemoryBound(to: Table.self).pointee
  }

  /// The automation's id.
  var automation: String { unsafe state.pointee.automation }

  // Safe, all four: the state is never freed.
  private var http: council_http_v1 { unsafe state.pointee.http }
  private var records: council_records_v1? { unsafe isOpen ? state.pointee.records : nil }
  private var logging: council_log_v1? { unsafe isOpen ? state.pointee.logging : nil }
  private var host: UnsafePointer<council_host_v1> { unsafe state.pointee.host }

  private var isOpen: Bool { unsafe state.pointee.isOpen.load(ordering: .acquiring) }

  /// The host is about to be gone: only requests can be named to it, which are stale.
  func close() { unsafe state.pointee.isOpen.store(false, ordering: .releasing) }

  /// The reason of a create or activate that is about to fail.
  func fail(_ text: String) {
    var text = text
    text.withUTF8 { bytes in
      // Safe: the view is borrowed for the call.
      unsafe host.pointee.fail(host, status(COUNCIL_INTERNAL), view(bytes))
    }
  }

  func log(_ request: UInt64, _ level: UInt32, _ text: String) {
    guard let logging = logging else { return }
    var text = text
    text.withUTF8 { bytes in
      // Safe: the view is borrowed for the call.
      unsafe logging.write(host, request, level, view(bytes))
    }
  }
}

// MARK: - Requests

extension Host {
  /// Lends one part of a request; nil when there is none, or when the request's handler has returned.
  func withField<R>(
    _ request: UInt64, _ part: Part, _ name: String, _ read: (Span<UInt8>) throws -> R
  ) rethrows -> R? {
    // Safe: both views live for the call that borrows them; what `get` lends lives until the handler returns.
    let name = name.utf8.span
    return try unsafe name.withUnsafeBufferPointer { name in
      var found = unsafe council_view_v1()
      guard unsafe http.get(request, part.rawValue, view(name), &found) == 0 else { return nil }
      return try unsafe read(UnsafeBufferPointer(start: found.ptr, count: found.len).span)
    }
  }

  func text(_ request: UInt64, _ part: Part, _ name: String = "") -> String? {
    withField(request, part, name) { bytes in
      // Safe: the span is read within the call.
      unsafe bytes.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }
  }

  func bytes(_ request: UInt64, _ part: Part) -> [UInt8]? {
    withField(request, part, "") { bytes in
      // Safe: the span is read within the call.
      unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
    }
  }

  /// Time until the host answers in the plugin's place; nil when the request is over.
  func remaining(_ request: UInt64) -> Duration? {
    var nanoseconds: Int64 = 0
    // Safe: the pointer lives for the call.
    guard unsafe http.deadline(request, &nanoseconds) == 0 else { return nil }
    return .nanoseconds(max(nanoseconds, 0))
  }

  /// Answers with a problem of the standard members.
  func problem(_ request: UInt64, _ httpStatus: UInt32, _ code: String, _ detail: String) {
    let code = code.utf8.span
    let detail = detail.utf8.span
    // Safe: the views are borrowed for the call. A stale request needs no answer.
    unsafe code.withUnsafeBufferPointer { code in
      unsafe detail.withUnsafeBufferPointer { detail in
        guard unsafe http.problem(request, httpStatus, view(code), view(detail)) == status(COUNCIL_INVALID)
        else {
          return
        }
        let text: StaticString = "The plugin made a problem that cannot be sent."
        _ = unsafe http.problem(
          request, 500, view(StaticString("plugin.invalid_problem")), view(text))
      }
    }
  }
}

// MARK: - Answers

extension Host {
  /// Sends an answer; false when it breaks a rule and the request still waits.
  func respond(_ request: UInt64, _ response: Response) -> Bool {
    let sent: council_status
    switch response.payload {
    case .none:
      sent = unsafe respond(request, response, council_owned_v1())
    case .bytes(let bytes):
      let span = bytes.span
      // Safe: without a release the host copies the bytes before the call returns.
      sent = unsafe span.withUnsafeBufferPointer { unsafe respond(request, response, copied($0)) }
    case .text(let text):
      let span = text.utf8.span
      // Safe: as above.
      sent = unsafe span.withUnsafeBufferPointer { unsafe respond(request, response, copied($0)) }
    case .lent(let json):
      sent = unsafe respond(request, response, json.owned.handedOver())
    }
    return sent != status(COUNCIL_INVALID)
  }

  private func respond(_ request: UInt64, _ response: Response, _ body: council_owned_v1) -> council_status {
    let type = response.contentType.utf8.span
    return unsafe type.withUnsafeBufferPointer { type in
      var answer = unsafe council_response_v1(
        status: UInt32(clamping: response.status), content_type: view(type), headers: nil, header_count: 0,
        body: body)
      if response.headers.isEmpty, response.version <= 0 { return unsafe http.respond(request, &answer) }
      return unsafe withHeaders(of: response) { headers in
        // Safe: the headers live for the call.
        unsafe answer.headers = UnsafePointer(headers.baseAddress)
        unsafe answer.header_count = headers.count
        return unsafe http.respond(request, &answer)
      }
    }
  }

  /// Lays names and values out in one stretch of scratch memory, ETag first.
  private func withHeaders<R>(
    of response: Response, _ body: (UnsafeBufferPointer<council_header_v1>) -> R
  ) -> R {
    let hasTag = response.version > 0
    // Quotes and the 19 digits that an Int64 has at most.
    let tagCapacity = 21
    var capacity = hasTag ? tagCapacity : 0
    for header in response.headers { capacity += header.name.utf8.count + header.value.utf8.count }
    let count = response.headers.count + (hasTag ? 1 : 0)
    return unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: max(capacity, 1)) { scratch in
      unsafe withUnsafeTemporaryAllocation(of: council_header_v1.self, capacity: count) { headers in
        var used = 0
        var place = 0
        if hasTag {
          let tag = unsafe write(
            tagOf: response.version, to: UnsafeMutableBufferPointer(rebasing: scratch[..<tagCapacity]))
          unsafe headers.initializeElement(
            at: 0,
            to: council_header_v1(name: view(StaticString("ETag")), value: view(UnsafeBufferPointer(tag))))
          used = tagCapacity
          place = 1
        }
        for header in response.headers {
          // Safe: capacity is the sum of exactly these lengths.
          let name = unsafe copy(header.name, to: scratch, at: &used)
          let value = unsafe copy(header.value, to: scratch, at: &used)
          unsafe headers.initializeElement(at: place, to: council_header_v1(name: name, value: value))
          place += 1
        }
        return unsafe body(UnsafeBufferPointer(headers))
      }
    }
  }

  private func copy(
    _ text: String, to scratch: UnsafeMutableBufferPointer<UInt8>, at used: inout Int
  ) -> council_view_v1 {
    let start = used
    for byte in text.utf8 {
      unsafe scratch.initializeElement(at: used, to: byte)
      used += 1
    }
    return unsafe view(UnsafeBufferPointer(rebasing: scratch[start..<used]))
  }

  /// `"42"`, written from the end of the buffer, which holds every version.
  private func write(
    tagOf version: Int64, to buffer: UnsafeMutableBufferPointer<UInt8>
  ) -> UnsafeMutableBufferPointer<UInt8> {
    var at = buffer.count - 1
    unsafe buffer.initializeElement(at: at, to: UInt8(ascii: "\""))
    var rest = version.magnitude
    repeat {
      at -= 1
      unsafe buffer.initializeElement(at: at, to: UInt8(ascii: "0") + UInt8(rest % 10))
      rest /= 10
    } while rest > 0
    at -= 1
    unsafe buffer.initializeElement(at: at, to: UInt8(ascii: "\""))
    return unsafe UnsafeMutableBufferPointer(rebasing: buffer[at...])
  }
}

// MARK: - Records

extension Host {
  /// The number of a declared collection; nil when the host does not have it.
  func collection(_ name: String) -> UInt32? {
    guard let records = records else { return nil }
    let name = name.utf8.span
    // Safe: the view and the pointer live for the call.
    return unsafe name.withUnsafeBufferPointer { name in
      var number: UInt32 = 0
      return unsafe records.collection(host, view(name), &number) == 0 ? number : nil
    }
  }

  /// Runs one operation on records.
  func call(
    _ operation: RecordsOperation, _ collection: UInt32, _ key: String, _ input: Span<UInt8>,
    expecting version: Int64 = 0, for request: UInt64
  ) throws -> (json: JSONBytes, version: Int64) {
    guard let records = records else {
      throw ProblemError(500, "plugin.no_records", "The host has no council.records/1.")
    }
    var result = unsafe council_records_result_v1()
    let key = key.utf8.span
    // Safe: the views live for the call; the host writes the result whole, and its bytes are ours to release.
    let outcome = unsafe key.withUnsafeBufferPointer { key in
      unsafe input.withUnsafeBufferPointer { input in
        unsafe records.call(
          host, request, collection, operation.rawValue, view(key), view(input), version, &result)
      }
    }
    let json = unsafe JSONBytes(owned: OwnedBytes(result.json))
    guard outcome == 0 else {
      let httpStatus = unsafe result.problem_status
      throw RecordsError(
        kind: RecordsError.Kind(outcome), status: httpStatus == 0 ? 500 : Int(httpStatus), json: json)
    }
    return unsafe (json, result.version)
  }
}

extension RecordsError.Kind {
  fileprivate init(_ outcome: council_status) {
    switch outcome {
    case status(COUNCIL_NOT_FOUND): self = .notFound
    case status(COUNCIL_CONFLICT): self = .conflict
    case status(COUNCIL_PRECONDITION): self = .precondition
    case status(COUNCIL_INVALID): self = .invalid
    case status(COUNCIL_BUSY), status(COUNCIL_TIMEOUT): self = .unavailable
    case status(COUNCIL_DENIED): self = .denied
    case status(COUNCIL_UNSUPPORTED): self = .unsupported
    case status(COUNCIL_STALE), status(COUNCIL_CANCELLED): self = .stale
    default: self = .other
    }
  }
}

// MARK: - Views

/// The constants of a C enum come as Int.
func status(_ constant: Int) -> council_status { council_status(constant) }

private func view(_ bytes: UnsafeBufferPointer<UInt8>) -> council_view_v1 {
  unsafe council_view_v1(ptr: bytes.baseAddress, len: bytes.count)
}

private func view(_ text: StaticString) -> council_view_v1 {
  unsafe council_view_v1(ptr: text.utf8Start, len: text.utf8CodeUnitCount)
}

private func copied(_ bytes: UnsafeBufferPointer<UInt8>) -> council_owned_v1 {
  unsafe council_owned_v1(ptr: bytes.baseAddress, len: bytes.count, release: nil, ctx: nil)
}
