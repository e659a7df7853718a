import CCouncil

extension Host {
  /// Sends an answer; false when it breaks a rule and the request still waits.
  func respond(_ request: UInt64, _ response: Response) -> Bool {
    let sent: council_status
    switch response.payload {
    case .none:
      sent = unsafe respond(request, response, council_owned_v1())
    case .bytes(let bytes):
      let span = bytes.span
      // Safe: without a release the host copies the bytes before the call returns.
      sent = unsafe span.withUnsafeBufferPointer { unsafe respond(request, response, copied($0)) }
    case .text(let text):
      let span = text.utf8.span
      // Safe: as above.
      sent = unsafe span.withUnsafeBufferPointer { unsafe respond(request, response, copied($0)) }
    case .lent(let json):
      sent = unsafe respond(request, response, json.owned.handedOver())
    }
    return sent != status(COUNCIL_INVALID)
  }

  private func respond(_ request: UInt64, _ response: Response, _ body: council_owned_v1) -> council_status {
    let type = response.contentType.utf8.span
    return unsafe type.withUnsafeBufferPointer { type in
      var answer = unsafe council_response_v1(
        status: UInt32(clamping: response.status), content_type: view(type), headers: nil, header_count: 0,
        body: body)
      if response.headers.isEmpty, response.version <= 0 { return unsafe http.respond(request, &answer) }
      return unsafe withHeaders(of: response) { headers in
        // Safe: the headers live for the call.
        unsafe answer.headers = UnsafePointer(headers.baseAddress)
        unsafe answer.header_count = headers.count
        return unsafe http.respond(request, &answer)
      }
    }
  }

  /// Lays names and values out in one stretch of scratch memory, ETag first.
  func withHeaders<R>(
    of response: Response, _ body: (UnsafeBufferPointer<council_header_v1>) -> R
  ) -> R {
    let hasTag = response.version > 0
    // Quotes and the 19 digits that an Int64 has at most.
    let tagCapacity = 21
    var capacity = hasTag ? tagCapacity : 0
    for header in response.headers { capacity += header.name.utf8.count + header.value.utf8.count }
    let count = response.headers.count + (hasTag ? 1 : 0)
    return unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: max(capacity, 1)) { scratch in
      unsafe withUnsafeTemporaryAllocation(of: council_header_v1.self, capacity: count) { headers in
        var used = 0
        var place = 0
        if hasTag {
          let tag = unsafe write(
            tagOf: response.version, to: UnsafeMutableBufferPointer(rebasing: scratch[..<tagCapacity]))
          unsafe headers.initializeElement(
            at: 0,
            to: council_header_v1(name: view(StaticString("ETag")), value: view(UnsafeBufferPointer(tag))))
          used = tagCapacity
          place = 1
        }
        for header in response.headers {
          // Safe: capacity is the sum of exactly these lengths.
          let name = unsafe copy(header.name, to: scratch, at: &used)
          let value = unsafe copy(header.value, to: scratch, at: &used)
          unsafe headers.initializeElement(at: place, to: council_header_v1(name: name, value: value))
          place += 1
        }
        return unsafe body(UnsafeBufferPointer(headers))
      }
    }
  }

  private func copy(
    _ text: String, to scratch: UnsafeMutableBufferPointer<UInt8>, at used: inout Int
  ) -> council_view_v1 {
    let start = used
    for byte in text.utf8 {
      unsafe scratch.initializeElement(at: used, to: byte)
      used += 1
    }
    return unsafe view(UnsafeBufferPointer(rebasing: scratch[start..<used]))
  }

  /// `"42"`, written from the end of the buffer, which holds every version.
  private func write(
    tagOf version: Int64, to buffer: UnsafeMutableBufferPointer<UInt8>
  ) -> UnsafeMutableBufferPointer<UInt8> {
    var at = buffer.count - 1
    unsafe buffer.initializeElement(at: at, to: UInt8(ascii: "\""))
    var rest = version.magnitude
    repeat {
      at -= 1
      unsafe buffer.initializeElement(at: at, to: UInt8(ascii: "0") + UInt8(rest % 10))
      rest /= 10
    } while rest > 0
    at -= 1
    unsafe buffer.initializeElement(at: at, to: UInt8(ascii: "\""))
    return unsafe UnsafeMutableBufferPointer(rebasing: buffer[at...])
  }
}

private func copied(_ bytes: UnsafeBufferPointer<UInt8>) -> council_owned_v1 {
  unsafe council_owned_v1(ptr: bytes.baseAddress, len: bytes.count, release: nil, ctx: nil)
}
