import CCouncil
import CouncilPlugin

/// The `council_host_v1` of one fake host, and how the C functions find their way back from it.
// Safe to share: the struct is written once, before the plugin sees it.
@safe final class HostMemory: @unchecked Sendable {
  let pointer: UnsafePointer<council_host_v1>
  private static let cores = Guarded<[UInt: FakeCore]>([:])

  init() {
    let memory = UnsafeMutablePointer<council_host_v1>.allocate(capacity: 1)
    unsafe memory.initialize(
      to: council_host_v1(
        abi_major: COUNCIL_ABI_MAJOR, abi_minor: COUNCIL_ABI_MINOR, get_extension: getExtension, fail: fail))
    unsafe pointer = UnsafePointer(memory)
  }

  deinit { unsafe pointer.deallocate() }

  func register(_ core: FakeCore) {
    let address = unsafe UInt(bitPattern: pointer)
    HostMemory.cores.withLock { $0[address] = core }
  }

  func unregister() {
    let address = unsafe UInt(bitPattern: pointer)
    _ = HostMemory.cores.withLock { $0.removeValue(forKey: address) }
  }

  static func core(_ pointer: UnsafePointer<council_host_v1>?) -> FakeCore? {
    let address = UInt(bitPattern: pointer)
    return cores.withLock { $0[address] }
  }
}

/// Tables that live as long as the process.
@safe private struct Tables: @unchecked Sendable {
  let http = UnsafeMutablePointer<council_http_v1>.allocate(capacity: 1)
  let records = UnsafeMutablePointer<council_records_v1>.allocate(capacity: 1)
  let logging = UnsafeMutablePointer<council_log_v1>.allocate(capacity: 1)
  let streams = UnsafeMutablePointer<council_stream_v1>.allocate(capacity: 1)

  init() {
    unsafe http.initialize(
      to: council_http_v1(get: httpGet, deadline: httpDeadline, respond: httpRespond, problem: httpProblem))
    unsafe records.initialize(to: council_records_v1(collection: recordsCollection, call: recordsCall))
    unsafe logging.initialize(to: council_log_v1(write: logWrite))
    unsafe streams.initialize(
      to: council_stream_v1(
        begin: streamBegin, write: streamWrite, wait: streamWait, end: streamEnd, abort: streamAbort))
  }
}

private let tables = Tables()

private func getExtension(
  _ host: UnsafePointer<council_host_v1>?, _ id: UnsafePointer<CChar>?
) -> UnsafeRawPointer? {
  guard let id = unsafe id else { return nil }
  return switch unsafe String(cString: id) {
  case COUNCIL_HTTP_V1: unsafe UnsafeRawPointer(tables.http)
  case COUNCIL_RECORDS_V1: unsafe UnsafeRawPointer(tables.records)
  case COUNCIL_STREAM_V1: unsafe UnsafeRawPointer(tables.streams)
  case COUNCIL_LOG_V1: unsafe UnsafeRawPointer(tables.logging)
  default: nil
  }
}

private func fail(_ host: UnsafePointer<council_host_v1>?, _ status: council_status, _ text: council_view_v1)
{
  unsafe HostMemory.core(host)?.failure = String(decoding: bytes(text), as: UTF8.self)
}

private func logWrite(
  _ host: UnsafePointer<council_host_v1>?, _ request: council_request, _ level: UInt32,
  _ text: council_view_v1
) {
  let line = FakeHost.LogLine(
    FakeHost.LogLine.Level(rawValue: level) ?? .critical, unsafe String(decoding: bytes(text), as: UTF8.self),
    path: Exchanges.find(request)?.path)
  unsafe HostMemory.core(host)?.write(line)
}

/// A copy of what a plugin lends.
func bytes(_ view: council_view_v1) -> [UInt8] {
  // Safe: the contract has the plugin keep the bytes for the time of the call.
  unsafe Array(UnsafeBufferPointer(start: view.ptr, count: view.len))
}

func status(_ constant: Int) -> council_status { council_status(constant) }
