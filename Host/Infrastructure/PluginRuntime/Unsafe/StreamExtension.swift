import Application
import CCouncil
import Kernel

// council.stream/1. Every function checks each argument and answers with the status that council.h names.

nonisolated func streamBegin(
  _ request: council_request, _ status: UInt32, _ contentType: council_view_v1,
  _ headers: UnsafePointer<council_header_v1>?, _ headerCount: Int
) -> council_status {
  let head = unsafe council_response_v1(
    status: status, content_type: contentType, headers: headers, header_count: headerCount,
    body: council_owned_v1())
  guard unsafe isSound(head), AnswerRules.mayHaveBody(Int(status)) else {
    CurrentRequest.noteRefusal(request)
    return Status.invalid
  }
  guard let exchange = CurrentRequest.find(request), exchange.isOpen(request) else { return Status.stale }
  guard exchange.mayStream else { return Status.denied }
  // Safe: `isSound` found the view whole.
  let type = unsafe Span(_unsafeElements: contentType.bytes!)
  let isEvents = type.count == 0 || type.hasPrefix(ignoringCase: AnswerRules.events)
  guard let stream = exchange.reserveStream(isEvents ? .events : .bytes) else { return Status.busy }
  guard exchange.claim(request) else {
    stream.finish()
    return Status.stale
  }
  unsafe writeHead(head, to: exchange, usual: "text/event-stream")
  exchange.beginStream(stream)
  finish(request, exchange)
  return Status.ok
}

nonisolated func streamWrite(_ request: council_request, _ bytes: council_view_v1) -> council_status {
  // Safe: the view is lent for this call.
  guard let bytes = unsafe bytes.bytes, bytes.count <= AnswerRules.maxWriteBytes else {
    return Status.invalid
  }
  guard let stream = stream(of: request) else { return Status.stale }
  return switch stream.write(unsafe Span(_unsafeElements: bytes)) {
  case .ok: Status.ok
  case .full: Status.again
  case .tooLong: Status.invalid
  case .gone: Status.stale
  }
}

nonisolated func streamWait(_ request: council_request, _ timeout: Int64) -> council_status {
  if CurrentRequest.isInline { return Status.denied }
  guard let stream = stream(of: request), stream.isOpen else { return Status.stale }
  // Bounded, so that the sum is a time.
  let hour: Int64 = 3_600_000_000_000
  let hasRoom = stream.waitForRoom(until: .now + .nanoseconds(min(max(timeout, 0), hour)))
  return hasRoom ? (stream.isOpen ? Status.ok : Status.stale) : Status.timeout
}

nonisolated func streamEnd(_ request: council_request) -> council_status {
  guard let stream = stream(of: request), stream.isOpen else { return Status.stale }
  stream.end()
  return Status.ok
}

nonisolated func streamAbort(_ request: council_request) -> council_status {
  guard let stream = stream(of: request), stream.isOpen else { return Status.stale }
  stream.abort()
  return Status.ok
}

private func stream(of request: UInt64) -> AnswerStream? {
  CurrentRequest.find(request)?.stream(of: request)
}
