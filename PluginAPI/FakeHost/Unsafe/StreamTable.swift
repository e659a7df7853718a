import CCouncil
import CouncilPlugin

// The functions of council.stream/1. The client of a fake host takes everything at once.

func streamBegin(
  _ request: council_request, _ httpStatus: UInt32, _ contentType: council_view_v1,
  _ fields: UnsafePointer<council_header_v1>?, _ count: Int
) -> council_status {
  guard let exchange = Exchanges.find(request), exchange.isOpen else { return status(COUNCIL_STALE) }
  // Safe: the views are lent for the call, and copied.
  let type = unsafe String(decoding: bytes(contentType), as: UTF8.self)
  guard let headers = unsafe headers(fields, count), isValue(type), (200...599).contains(httpStatus),
    ![204, 205, 304].contains(httpStatus)
  else { return status(COUNCIL_INVALID) }
  guard exchange.route?.streams == true else { return status(COUNCIL_DENIED) }
  let head = FakeResponse(
    status: Int(httpStatus), contentType: type.isEmpty ? "text/event-stream" : type, headers: headers)
  return status(exchange.begin(head) ? COUNCIL_OK : COUNCIL_STALE)
}

func streamWrite(_ request: council_request, _ text: council_view_v1) -> council_status {
  guard unsafe text.len <= Int(COUNCIL_STREAM_WRITE_MAX) else { return status(COUNCIL_INVALID) }
  let taken = Exchanges.find(request)?.write(unsafe bytes(text)) == true
  return status(taken ? COUNCIL_OK : COUNCIL_STALE)
}

func streamWait(_ request: council_request, _ timeout: Int64) -> council_status {
  if ThreadMark.event.isCurrent { return status(COUNCIL_DENIED) }
  return status(Exchanges.find(request)?.isStreaming == true ? COUNCIL_OK : COUNCIL_STALE)
}

func streamEnd(_ request: council_request) -> council_status {
  status(Exchanges.find(request)?.end() == true ? COUNCIL_OK : COUNCIL_STALE)
}

func streamAbort(_ request: council_request) -> council_status {
  status(Exchanges.find(request)?.end(cut: true) == true ? COUNCIL_OK : COUNCIL_STALE)
}
