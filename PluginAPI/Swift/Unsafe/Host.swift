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
    let streams: council_stream_v1?
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
        logging: Host.table(host, COUNCIL_LOG_V1), streams: Host.table(host, COUNCIL_STREAM_V1)))
  }

  private static func table<Table>(_ host: UnsafePointer<council_host_v1>, _ id: String) -> Table? {
    // Safe: an extension's id stands for the type of its table, which never changes.
    unsafe host.pointee.get_extension(host, id)?.assumingMemoryBound(to: Table.self).pointee
  }

  /// The automation's id.
  var automation: String { unsafe state.pointee.automation }

  // Safe, all five: the state is never freed.
  var streams: council_stream_v1? { unsafe state.pointee.streams }
  var http: council_http_v1 { unsafe state.pointee.http }
  var records: council_records_v1? { unsafe isOpen ? state.pointee.records : nil }
  private var logging: council_log_v1? { unsafe isOpen ? state.pointee.logging : nil }
  var host: UnsafePointer<council_host_v1> { unsafe state.pointee.host }

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

// MARK: - Views

/// The constants of a C enum come as Int.
func status(_ constant: Int) -> council_status { council_status(constant) }

func view(_ bytes: UnsafeBufferPointer<UInt8>) -> council_view_v1 {
  unsafe council_view_v1(ptr: bytes.baseAddress, len: bytes.count)
}

func view(_ text: StaticString) -> council_view_v1 {
  unsafe council_view_v1(ptr: text.utf8Start, len: text.utf8CodeUnitCount)
}
