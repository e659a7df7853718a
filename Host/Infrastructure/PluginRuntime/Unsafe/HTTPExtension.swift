import Application
import CCouncil
import Domain
import Kernel

// council.http/1. Every function checks each argument and answers with the status that council.h names.

// MARK: Reading a request

nonisolated func httpGet(
  _ request: council_request, _ field: UInt32, _ name: council_view_v1,
  _ out: UnsafeMutablePointer<council_view_v1>?
) -> council_status {
  guard let out = unsafe out else { return Status.invalid }
  // Safe: the contract says that `out` points to one view.
  unsafe out.pointee = council_view_v1(ptr: nil, len: 0)
  guard let exchange = CurrentRequest.inHandler(request) else { return Status.stale }
  // Safe: the view is lent for this call.
  guard let nameBytes = unsafe name.bytes else { return Status.invalid }
  let key = unsafe Span(_unsafeElements: nameBytes)
  let found: ByteRange
  switch Int(field) {
  case COUNCIL_HTTP_METHOD:
    exchange.method.text.withUTF8Span { text in
      // Safe: a static string's bytes live forever.
      unsafe text.withUnsafeBufferPointer {
        unsafe out.pointee = council_view_v1(ptr: $0.baseAddress, len: $0.count)
      }
    }
    return Status.ok
  case COUNCIL_HTTP_BODY:
    // Safe: nobody appends to the body while a handler runs.
    unsafe out.pointee = council_view_v1(
      ptr: exchange.body.count == 0 ? nil : exchange.body.pointer(exchange.body.all), len: exchange.body.count
    )
    return Status.ok
  case COUNCIL_HTTP_PATH: found = exchange.path
  case COUNCIL_HTTP_QUERY_STRING: found = exchange.rawQuery
  case COUNCIL_HTTP_PRINCIPAL: found = exchange.principal
  case COUNCIL_HTTP_REQUEST_ID: found = exchange.requestID
  case COUNCIL_HTTP_TRACEPARENT: found = exchange.traceparent
  case COUNCIL_HTTP_PATH_PARAMETER:
    guard let value = RequestReading.value(key, exchange.parameters, exchange) else { return Status.notFound }
    found = value
  case COUNCIL_HTTP_QUERY_PARAMETER:
    guard let value = RequestReading.value(key, exchange.query, exchange) else { return Status.notFound }
    found = value
  case COUNCIL_HTTP_HEADER:
    guard let value = RequestReading.header(key, exchange) else { return Status.notFound }
    found = value
  case COUNCIL_HTTP_HEADERS:
    let all = CurrentRequest.scratchCount == 0 ? RequestReading.allHeaders(exchange) : []
    // Safe: the scratch lives until the handler returns.
    guard let bytes = unsafe CurrentRequest.scratch(all.span) else { return Status.internal }
    unsafe out.pointee = council_view_v1(ptr: bytes, len: CurrentRequest.scratchCount)
    return Status.ok
  default: return Status.invalid
  }
  // Safe: nobody appends to the head while a handler runs, so the bytes stay where they are.
  unsafe out.pointee = council_view_v1(
    ptr: found.isEmpty ? nil : exchange.head.pointer(found), len: Int(found.count))
  return Status.ok
}

nonisolated func httpDeadline(
  _ request: council_request, _ remaining: UnsafeMutablePointer<Int64>?
) -> council_status {
  guard let remaining = unsafe remaining else { return Status.invalid }
  // Safe: the contract says that it points to one number.
  unsafe remaining.pointee = 0
  guard let exchange = CurrentRequest.find(request) else { return Status.stale }
  if let stream = exchange.stream(of: request), stream.isOpen {
    unsafe remaining.pointee = max(0, stream.deadline - Instant.now)
    return Status.ok
  }
  guard exchange.isOpen(request) else { return Status.stale }
  let deadline = exchange.deadline
  // The request may have ended while its deadline was read; then the number is another's.
  guard exchange.isOpen(request) else { return Status.stale }
  unsafe remaining.pointee = deadline.nanoseconds == .max ? .max : max(0, deadline - Instant.now)
  return Status.ok
}

// MARK: Answering

nonisolated func httpRespond(
  _ request: council_request, _ response: UnsafePointer<council_response_v1>?
) -> council_status {
  guard let response = unsafe response?.pointee else { return Status.invalid }
  // Whatever happens, the plugin gets its body back, once. The answer holds a copy.
  defer { if let release = unsafe response.body.release { unsafe release(response.body.ctx) } }
  guard unsafe isSound(response) else {
    CurrentRequest.noteRefusal(request)
    return Status.invalid
  }
  guard let exchange = CurrentRequest.find(request), exchange.claim(request) else { return Status.stale }
  unsafe writeHead(response, to: exchange, usual: "application/json")
  if unsafe response.body.len > 0 {
    // Safe: `isSound` found the pointer, and the plugin keeps the bytes until they are released.
    _ = unsafe exchange.answerBody.append(response.body.ptr!, count: response.body.len)
  }
  finish(request, exchange)
  return Status.ok
}

nonisolated func httpProblem(
  _ request: council_request, _ status: UInt32, _ code: council_view_v1, _ detail: council_view_v1
) -> council_status {
  guard status >= 400, status <= 599, let code = unsafe code.bytes, let detail = unsafe detail.bytes else {
    return Status.invalid
  }
  // Safe: the views are lent for this call.
  let codeText = unsafe Span(_unsafeElements: code)
  let wholeDetail = unsafe Span(_unsafeElements: detail)
  let kept = UTF8Text.cut(wholeDetail, to: AnswerRules.maxDetailBytes)
  let detailText = unsafe Span(_unsafeElements: UnsafeBufferPointer(rebasing: detail.prefix(kept)))
  guard AnswerRules.isCode(codeText), UTF8Text.isValid(detailText) else { return Status.invalid }
  guard let exchange = CurrentRequest.find(request), exchange.claim(request) else { return Status.stale }
  exchange.status = Int(status)
  exchange.addHeader("Content-Type", "application/problem+json")
  exchange.answerBody.append(problem: Int(status), code: codeText, detail: detailText)
  finish(request, exchange)
  return Status.ok
}

/// Status and headers of a response that ``isSound(_:)``; `usual` is the Content-Type of one that names none.
@unsafe
func writeHead(_ response: council_response_v1, to exchange: Exchange, usual: String) {
  exchange.status = unsafe Int(response.status)
  // Safe: `isSound` found every view whole, and they are lent for this call.
  let contentType = unsafe Span(_unsafeElements: response.content_type.bytes!)
  var hasContentType = contentType.count > 0
  if hasContentType { exchange.addHeader("Content-Type", contentType) }
  for index in 0..<(unsafe response.header_count) {
    let header = unsafe response.headers[index]
    let name = unsafe Span(_unsafeElements: header.name.bytes!)
    let value = unsafe Span(_unsafeElements: header.value.bytes!)
    if AnswerRules.isContentType(name) {
      if hasContentType { continue }
      hasContentType = true
    } else if AnswerRules.isHostOwned(name) {
      continue
    }
    exchange.addHeader(name, value)
  }
  if !hasContentType, AnswerRules.mayHaveBody(exchange.status) { exchange.addHeader("Content-Type", usual) }
}

/// The answer is complete: the edge is told, unless the event thread itself waits for the handler to return.
func finish(_ request: UInt64, _ exchange: Exchange) {
  if !CurrentRequest.answeredInline(request) { exchange.deliver() }
}

@unsafe
func isSound(_ response: council_response_v1) -> Bool {
  let status = unsafe Int(response.status)
  let headerCount = unsafe response.header_count
  let bodyCount = unsafe response.body.len
  let isMissing = unsafe bodyCount > 0 && response.body.ptr == nil
  // Safe: the views are lent for the call that this is part of.
  // Swift sees size_t as a signed number: one beyond half of the range is below zero.
  guard status >= 200, status <= 599, headerCount >= 0, headerCount <= AnswerRules.maxHeaders, !isMissing,
    bodyCount >= 0, bodyCount <= AnswerRules.maxBodyBytes, bodyCount == 0 || AnswerRules.mayHaveBody(status),
    let contentType = unsafe response.content_type.bytes,
    AnswerRules.isValue(unsafe Span(_unsafeElements: contentType))
  else { return false }
  var total = contentType.count
  for index in 0..<headerCount {
    guard let header = unsafe response.headers?[index], let name = unsafe header.name.bytes,
      let value = unsafe header.value.bytes
    else { return false }
    total += name.count + value.count
    guard total <= AnswerRules.maxHeaderBytes, AnswerRules.isToken(unsafe Span(_unsafeElements: name)),
      AnswerRules.isValue(unsafe Span(_unsafeElements: value))
    else { return false }
  }
  return true
}
