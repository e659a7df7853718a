import Application
import CCouncil
import Glibc
import Kernel

// council.records/1.

nonisolated func recordsCollection(
  _ host: UnsafePointer<council_host_v1>?, _ name: council_view_v1, _ out: UnsafeMutablePointer<UInt32>?
) -> council_status {
  guard let out = unsafe out else { return Status.invalid }
  // Safe: the contract says that `out` points to one number, and the view is lent for this call.
  unsafe out.pointee = 0
  guard let context = unsafe HostContext.of(host), let bytes = unsafe name.bytes else {
    return Status.invalid
  }
  guard context.gate.enter() else { return Status.stale }
  defer { context.gate.leave() }
  let text = unsafe String(decoding: bytes, as: UTF8.self)
  guard let number = context.records?.collection(named: text) else { return Status.denied }
  unsafe out.pointee = UInt32(number)
  return Status.ok
}

nonisolated func recordsCall(
  _ host: UnsafePointer<council_host_v1>?, _ request: council_request, _ collection: UInt32,
  _ operation: UInt32, _ key: council_view_v1, _ input: council_view_v1, _ expectedVersion: Int64,
  _ out: UnsafeMutablePointer<council_records_result_v1>?
) -> council_status {
  guard let out = unsafe out else { return Status.invalid }
  // Safe: the contract says that `out` points to one result.
  unsafe out.pointee = council_records_result_v1()
  guard let context = unsafe HostContext.of(host) else { return Status.invalid }
  guard context.gate.enter() else {
    unsafe write(RecordsCall.stale, to: out)
    return Status.stale
  }
  let began = Instant.now
  defer {
    context.account.addAnywhere(UInt64(max(0, Instant.now - began)), to: .storeTime)
    context.gate.leave()
  }
  // Safe: both views are lent for this call.
  guard let keyBytes = unsafe key.bytes, let inputBytes = unsafe input.bytes else {
    unsafe write(RecordsCall.invalid("A view names bytes that it does not have."), to: out)
    return Status.invalid
  }
  do throws(Problem) {
    var isDryRun = CurrentRequest.isDryRun
    if request != 0 {
      guard let exchange = CurrentRequest.find(request) else { throw RecordsCall.stale }
      isDryRun = isDryRun || exchange.isDryRun
      // After the look at it: it may have gone on to another request.
      guard exchange.isCurrent(request) else { throw RecordsCall.stale }
    }
    let result = try RecordsCall.run(
      context, collection, operation, unsafe Span(_unsafeElements: keyBytes),
      unsafe Span(_unsafeElements: inputBytes), expectedVersion, isInline: CurrentRequest.isInline,
      isDryRun: isDryRun)
    unsafe out.pointee.version = result.version
    guard unsafe write(result.json.span, to: out) else { return Status.internal }
    return Status.ok
  } catch {
    unsafe write(error, to: out)
    return RecordsCall.status(of: error)
  }
}

/// Gives the plugin a copy that `free` releases. False when there is no memory; the result is then empty.
@unsafe @discardableResult
private func write(_ json: Span<UInt8>, to out: UnsafeMutablePointer<council_records_result_v1>) -> Bool {
  guard json.count > 0 else { return true }
  guard let copy = unsafe malloc(json.count) else { return false }
  unsafe json.withUnsafeBytes { unsafe _ = memcpy(copy, $0.baseAddress!, $0.count) }
  unsafe out.pointee.json = council_owned_v1(
    ptr: copy.assumingMemoryBound(to: UInt8.self), len: json.count, release: releaseCopy, ctx: copy)
  return true
}

@unsafe
private func write(_ problem: Problem, to out: UnsafeMutablePointer<council_records_result_v1>) {
  let text = Arena()
  text.append(problem: problem)
  unsafe write(text.span(text.all), to: out)
  unsafe out.pointee.problem_status = UInt32(clamping: problem.status)
}

private nonisolated func releaseCopy(_ copy: UnsafeMutableRawPointer?) {
  // Safe: the pointer is the one from malloc that went out as `ctx`.
  unsafe free(copy)
}
