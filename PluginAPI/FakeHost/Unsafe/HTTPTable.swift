import CCouncil
import CouncilPlugin

// The functions of council.http/1.

func httpGet(
  _ request: council_request, _ field: UInt32, _ name: council_view_v1,
  _ out: UnsafeMutablePointer<council_view_v1>?
) -> council_status {
  guard let out = unsafe out else { return status(COUNCIL_INVALID) }
  unsafe out.pointee = unsafe council_view_v1()
  guard let exchange = Exchanges.find(request), exchange.isHandling else { return status(COUNCIL_STALE) }
  let name = unsafe String(decoding: bytes(name), as: UTF8.self)
  let value: String?
  switch Int(field) {
  case COUNCIL_HTTP_METHOD: value = exchange.method
  case COUNCIL_HTTP_PATH: value = exchange.path
  case COUNCIL_HTTP_QUERY_STRING: value = exchange.queryString
  case COUNCIL_HTTP_BODY:
    unsafe out.pointee = exchange.memory.lend(exchange.body)
    return status(COUNCIL_OK)
  case COUNCIL_HTTP_PATH_PARAMETER: value = exchange.parameters[name]
  case COUNCIL_HTTP_QUERY_PARAMETER: value = exchange.queryValues(name).first
  case COUNCIL_HTTP_HEADER: value = exchange.visibleHeaders.first { $0.name == name.lowercased() }?.value
  case COUNCIL_HTTP_PRINCIPAL: value = exchange.principal
  case COUNCIL_HTTP_REQUEST_ID: value = "request-\(request)"
  case COUNCIL_HTTP_TRACEPARENT: value = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
  case COUNCIL_HTTP_HEADERS:
    value = exchange.visibleHeaders.map { "\($0.name): \($0.value)\r\n" }.joined()
  default: return status(COUNCIL_INVALID)
  }
  guard let value else { return status(COUNCIL_NOT_FOUND) }
  unsafe out.pointee = exchange.memory.lend(Array(value.utf8))
  return status(COUNCIL_OK)
}

extension FakeExchange {
  /// The host keeps credentials to itself.
  fileprivate var visibleHeaders: [Response.Header] {
    headers.filter { $0.name != "authorization" && $0.name != "x-api-key" }
  }
}

func httpDeadline(_ request: council_request, _ out: UnsafeMutablePointer<Int64>?) -> council_status {
  guard let out = unsafe out else { return status(COUNCIL_INVALID) }
  unsafe out.pointee = 0
  guard let remaining = Exchanges.find(request)?.remaining else { return status(COUNCIL_STALE) }
  let (seconds, attoseconds) = remaining.components
  unsafe out.pointee = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
  return status(COUNCIL_OK)
}

func httpRespond(
  _ request: council_request, _ response: UnsafePointer<council_response_v1>?
) -> council_status {
  guard let response = unsafe response?.pointee else { return status(COUNCIL_INVALID) }
  // Safe: the contract has the plugin keep the body until release; it is released once, in every case.
  let body = unsafe Array(UnsafeBufferPointer(start: response.body.ptr, count: response.body.len))
  defer { unsafe response.body.release?(response.body.ctx) }
  guard let exchange = Exchanges.find(request), exchange.isOpen else { return status(COUNCIL_STALE) }
  guard let headers = unsafe headers(response.headers, response.header_count) else {
    return status(COUNCIL_INVALID)
  }
  let type = unsafe String(decoding: bytes(response.content_type), as: UTF8.self)
  let code = unsafe Int(response.status)
  let mayHaveBody = code != 204 && code != 205 && code != 304
  guard (200...599).contains(code), isValue(type), mayHaveBody || body.isEmpty else {
    return status(COUNCIL_INVALID)
  }
  let answer = FakeResponse(
    status: code, contentType: type.isEmpty ? "application/json" : type, headers: headers, body: body)
  return status(exchange.answer(answer) ? COUNCIL_OK : COUNCIL_STALE)
}

func httpProblem(
  _ request: council_request, _ httpStatus: UInt32, _ code: council_view_v1, _ detail: council_view_v1
) -> council_status {
  guard let exchange = Exchanges.find(request), exchange.isOpen else { return status(COUNCIL_STALE) }
  let code = unsafe String(decoding: bytes(code), as: UTF8.self)
  let isCode = code.utf8.allSatisfy {
    switch $0 {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
      UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }
  guard (400...599).contains(httpStatus), isCode, (1...64).contains(code.utf8.count) else {
    return status(COUNCIL_INVALID)
  }
  let text = unsafe String(decoding: bytes(detail), as: UTF8.self)
  return status(exchange.answer(.problem(Int(httpStatus), code, text)) ? COUNCIL_OK : COUNCIL_STALE)
}

/// nil where one of them cannot be sent.
func headers(_ all: UnsafePointer<council_header_v1>?, _ count: Int) -> [Response.Header]? {
  guard (0...32).contains(count) else { return nil }
  var headers: [Response.Header] = []
  for index in 0..<count {
    // Safe: the plugin states how many headers there are.
    guard let header = unsafe all?[index] else { return nil }
    let name = unsafe String(decoding: bytes(header.name), as: UTF8.self)
    let value = unsafe String(decoding: bytes(header.value), as: UTF8.self)
    guard isToken(name), isValue(value) else { return nil }
    headers.append(Response.Header(name, value))
  }
  return headers
}

/// A token of RFC 9110.
private func isToken(_ text: String) -> Bool {
  !text.isEmpty
    && text.unicodeScalars.allSatisfy {
      ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0)
        || "!#$%&'*+-.^_`|~".unicodeScalars.contains($0)
    }
}

func isValue(_ text: String) -> Bool {
  text.unicodeScalars.allSatisfy { $0 == "\t" || ($0.value >= 0x20 && $0.value != 0x7F) }
}
