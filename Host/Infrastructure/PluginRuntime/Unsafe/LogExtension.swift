import Application
import CCouncil
import Kernel

// council.log/1.

private let maxLineBytes = 8 * 1024

nonisolated func logWrite(
  _ host: UnsafePointer<council_host_v1>?, _ request: council_request, _ level: UInt32,
  _ text: council_view_v1
) {
  // Safe: the view is lent for this call.
  guard let context = unsafe HostContext.of(host), let bytes = unsafe text.bytes,
    let level = LogLevel(rawValue: Int(level)), level >= context.log.level
  else { return }
  let span = unsafe Span(_unsafeElements: bytes)
  let kept = UTF8Text.cut(span, to: maxLineBytes)
  let line = unsafe String(decoding: bytes.prefix(kept), as: UTF8.self)
  var fields = context.logFields
  // What a request is called stands in memory that is lent while its handler runs, so only that thread may look.
  if let exchange = CurrentRequest.inHandler(request), !exchange.requestID.isEmpty {
    let head = exchange.head
    fields["request_id"] = .string(String(head.span(exchange.requestID)))
  }
  context.log.write(level, "plugin", line, fields)
}

extension HostContext {
  var logFields: [String: JSONValue] {
    ["automation": .string(automation), "generation": .integer(Int64(generation))]
  }
}
