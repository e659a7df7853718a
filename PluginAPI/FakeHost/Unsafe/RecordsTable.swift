import CCouncil
import CouncilPlugin
import Glibc

// The functions of council.records/1.

func recordsCollection(
  _ host: UnsafePointer<council_host_v1>?, _ name: council_view_v1, _ out: UnsafeMutablePointer<UInt32>?
) -> council_status {
  guard let core = unsafe HostMemory.core(host), let out = unsafe out else { return status(COUNCIL_INVALID) }
  unsafe out.pointee = 0
  guard let number = core.collection(unsafe String(decoding: bytes(name), as: UTF8.self)) else {
    return status(COUNCIL_DENIED)
  }
  unsafe out.pointee = UInt32(number)
  return status(COUNCIL_OK)
}

func recordsCall(
  _ host: UnsafePointer<council_host_v1>?, _ request: council_request, _ collection: UInt32,
  _ operation: UInt32,
  _ key: council_view_v1, _ input: council_view_v1, _ expected: Int64,
  _ out: UnsafeMutablePointer<council_records_result_v1>?
) -> council_status {
  guard let core = unsafe HostMemory.core(host), let out = unsafe out else { return status(COUNCIL_INVALID) }
  let outcome: Result<(json: JSON?, version: Int64), RecordsFault>
  if request != 0, Exchanges.find(request)?.isOpen != true {
    outcome = .failure(.stale)
  } else if FakeCore.writes(operation), ThreadMark.event.isCurrent {
    outcome = .failure(.deniedWrite)
  } else {
    outcome = core.call(
      operation, collection: Int(collection), key: unsafe String(decoding: bytes(key), as: UTF8.self),
      input: unsafe bytes(input), expected: expected,
      isDryRun: ThreadMark.dryRun.isCurrent || Exchanges.find(request)?.isDryRun == true)
  }
  switch outcome {
  case .success(let result):
    let json = unsafe owned(result.json?.bytes ?? [], core)
    unsafe out.pointee = council_records_result_v1(json: json, version: result.version, problem_status: 0)
    return status(COUNCIL_OK)
  case .failure(let fault):
    let json = unsafe owned(fault.problem.bytes, core)
    unsafe out.pointee = council_records_result_v1(
      json: json, version: 0, problem_status: UInt32(fault.status))
    return fault.kind.status
  }
}

extension RecordsFault.Kind {
  fileprivate var status: council_status {
    switch self {
    case .notFound: council_status(COUNCIL_NOT_FOUND)
    case .conflict: council_status(COUNCIL_CONFLICT)
    case .precondition: council_status(COUNCIL_PRECONDITION)
    case .invalid: council_status(COUNCIL_INVALID)
    case .denied: council_status(COUNCIL_DENIED)
    case .unsupported: council_status(COUNCIL_UNSUPPORTED)
    case .stale: council_status(COUNCIL_STALE)
    }
  }
}

/// Bytes for the plugin to release, which is counted.
private func owned(_ bytes: [UInt8], _ core: FakeCore) -> council_owned_v1 {
  let result = OwnedResult(bytes, core)
  core.count(released: -1)
  return unsafe council_owned_v1(
    ptr: UnsafePointer(result.bytes.baseAddress), len: result.bytes.count, release: releaseResult,
    ctx: Unmanaged.passRetained(result).toOpaque())
}

@safe private final class OwnedResult {
  let bytes: UnsafeMutableBufferPointer<UInt8>
  let core: FakeCore

  init(_ bytes: [UInt8], _ core: FakeCore) {
    let memory = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(bytes.count, 1))
    _ = unsafe memory.initialize(from: bytes)
    unsafe self.bytes = UnsafeMutableBufferPointer(rebasing: memory[..<bytes.count])
    self.core = core
  }

  deinit { unsafe bytes.deallocate() }
}

private func releaseResult(_ context: UnsafeMutableRawPointer?) {
  guard let context = unsafe context else { return }
  // Safe: the pointer is what `owned` retained; releasing twice is the plugin's error and shows as a crash here.
  let result = unsafe Unmanaged<OwnedResult>.fromOpaque(context).takeRetainedValue()
  result.core.count(released: 1)
}

/// Which threads are inside of a handler of one kind.
final class ThreadMark: Sendable {
  /// Inline ones: there a real host runs its event loop.
  static let event = ThreadMark()
  /// Those of dry runs.
  static let dryRun = ThreadMark()

  private let inside = Guarded<Set<UInt>>([])

  var isCurrent: Bool {
    let thread = UInt(pthread_self())
    return inside.withLock { $0.contains(thread) }
  }

  func run<R>(_ body: () -> R) -> R {
    let thread = UInt(pthread_self())
    inside.withLock { _ = $0.insert(thread) }
    defer { inside.withLock { _ = $0.remove(thread) } }
    return body()
  }
}
