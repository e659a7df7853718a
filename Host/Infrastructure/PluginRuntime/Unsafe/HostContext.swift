import Application
import CCouncil
import CCrashPage
import Kernel

/// One generation's host: what stands behind the `council_host_v1` that its plugin holds.
///
/// The C struct and this object are never freed: a thread that a plugin left behind may hold the pointer as
/// long as the process lives, and gets `COUNCIL_STALE`. What is large, the record store, is let go at the end.
@safe
final class HostContext: @unchecked Sendable {
  static let maxFailureBytes = 1024

  let automation: String
  let generation: Int
  let log: any LogSink
  let account: AutomationAccount
  /// In a probe, records can be named and not called.
  let isProbe: Bool
  /// What the crash page calls this generation.
  private let crashEntry: UInt32
  /// Open from create to the end of stop.
  let gate = CallGate()
  /// Written before the gate lets the first call in; cleared when it is closed and empty.
  private(set) var records: (any RecordStore)?
  private let failure = Monitor<(listens: Bool, text: String?)>((false, nil))
  private let cell: UnsafeMutableRawPointer

  init(_ services: PluginServices, crashEntry: UInt32 = 0, isProbe: Bool = false) {
    self.crashEntry = crashEntry
    automation = services.automation
    generation = services.generation
    log = services.log
    account = services.account
    records = services.records
    self.isProbe = isProbe
    // Safe: the table comes first, the object's address behind it; `of` reads the same places.
    unsafe cell = .allocate(byteCount: HostContext.offset + 8, alignment: 8)
    unsafe cell.initializeMemory(
      as: council_host_v1.self,
      to: council_host_v1(
        abi_major: COUNCIL_ABI_MAJOR, abi_minor: COUNCIL_ABI_MINOR, get_extension: hostGetExtension,
        fail: hostFail))
    let own = unsafe Unmanaged.passRetained(self).toOpaque()
    unsafe cell.storeBytes(of: own, toByteOffset: HostContext.offset, as: UnsafeMutableRawPointer.self)
  }

  private static let offset = MemoryLayout<council_host_v1>.stride

  /// The pointer that the plugin gets.
  @unsafe
  var table: UnsafePointer<council_host_v1> {
    unsafe UnsafePointer(cell.assumingMemoryBound(to: council_host_v1.self))
  }

  /// The generation behind a pointer that a plugin passed back.
  static func of(_ host: UnsafePointer<council_host_v1>?) -> HostContext? {
    guard let host = unsafe host else { return nil }
    // Safe: the only pointers of this type come from `table`, whose memory is never freed.
    let own = unsafe UnsafeRawPointer(host).load(fromByteOffset: offset, as: UnsafeRawPointer.self)
    let context = unsafe Unmanaged<HostContext>.fromOpaque(own).takeUnretainedValue()
    // A thread that the plugin started is known by its first call.
    if context.crashEntry != 0 { ccrash_see(context.crashEntry) }
    return context
  }

  /// The generation is over: from now on its calls are stale.
  func end() {
    gate.close()
    // A call that is still inside keeps the store: the plugin broke its promise, and gets no crash for it.
    if gate.isEmpty { records = nil }
  }

  // MARK: Why create or activate fails

  func listen() { failure.withLock { $0 = (true, nil) } }

  /// The text of the last `fail` since ``listen()``.
  func heard() -> String? {
    failure.withLock { state in
      defer { state = (false, nil) }
      return state.text
    }
  }

  func fail(_ text: String) { failure.withLock { if $0.listens { $0.text = text } } }
}

/// The extensions of this host. The tables live as long as the process.
@safe
enum HostExtensions {
  static let ids = ["council.http/1", "council.log/1", "council.records/1", "council.stream/1"]

  // Written once, before the first plugin is created, and never freed: safe to read from any thread.
  nonisolated(unsafe) static let http: UnsafeMutablePointer<council_http_v1> = unsafe keep(
    council_http_v1(get: httpGet, deadline: httpDeadline, respond: httpRespond, problem: httpProblem))
  nonisolated(unsafe) static let records: UnsafeMutablePointer<council_records_v1> = unsafe keep(
    council_records_v1(collection: recordsCollection, call: recordsCall))
  nonisolated(unsafe) static let stream: UnsafeMutablePointer<council_stream_v1> = unsafe keep(
    council_stream_v1(
      begin: streamBegin, write: streamWrite, wait: streamWait, end: streamEnd, abort: streamAbort))
  nonisolated(unsafe) static let log: UnsafeMutablePointer<council_log_v1> = unsafe keep(
    council_log_v1(write: logWrite))

  private static func keep<Table>(_ table: Table) -> UnsafeMutablePointer<Table> {
    let place = UnsafeMutablePointer<Table>.allocate(capacity: 1)
    unsafe place.initialize(to: table)
    return unsafe place
  }
}

private nonisolated func hostGetExtension(
  _ host: UnsafePointer<council_host_v1>?, _ id: UnsafePointer<CChar>?
) -> UnsafeRawPointer? {
  guard let id = unsafe id else { return nil }
  // Safe: the contract says that the id ends with a NUL.
  switch unsafe String(cString: id) {
  case "council.http/1": return unsafe UnsafeRawPointer(HostExtensions.http)
  case "council.records/1": return unsafe UnsafeRawPointer(HostExtensions.records)
  case "council.stream/1": return unsafe UnsafeRawPointer(HostExtensions.stream)
  case "council.log/1": return unsafe UnsafeRawPointer(HostExtensions.log)
  default: return nil
  }
}

private nonisolated func hostFail(
  _ host: UnsafePointer<council_host_v1>?, _ status: council_status, _ text: council_view_v1
) {
  // Safe: the view is lent for this call.
  guard let context = unsafe HostContext.of(host), let bytes = unsafe text.bytes else { return }
  let span = unsafe Span(_unsafeElements: bytes)
  let kept = UTF8Text.cut(span, to: HostContext.maxFailureBytes)
  context.fail(unsafe String(decoding: bytes.prefix(kept), as: UTF8.self))
}
