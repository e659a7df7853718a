import CCouncil

extension Host {
  enum StreamOutcome {
    case ok
    /// As many streams are open as may be.
    case busy
    case stale
    /// A rule is broken, or the host has no streams.
    case refused
  }

  /// Sends status and headers.
  func beginStream(_ request: UInt64, _ stream: EventStream) -> StreamOutcome {
    guard let streams else { return .refused }
    var head = Response(stream.status, .none)
    head.headers = stream.headers
    let sent = unsafe withHeaders(of: head) { headers in
      // Safe: the headers live for the call.
      unsafe streams.begin(
        request, UInt32(clamping: stream.status), council_view_v1(), headers.baseAddress, headers.count)
    }
    switch sent {
    case status(COUNCIL_OK): return .ok
    case status(COUNCIL_BUSY): return .busy
    case status(COUNCIL_STALE): return .stale
    default: return .refused
    }
  }

  enum WriteOutcome { case ok, full, stale, refused }

  func writeStream(_ request: UInt64, _ bytes: [UInt8]) -> WriteOutcome {
    guard let streams else { return .stale }
    let span = bytes.span
    // Safe: the view is borrowed for the call.
    let taken = unsafe span.withUnsafeBufferPointer { unsafe streams.write(request, view($0)) }
    switch taken {
    case status(COUNCIL_OK): return .ok
    case status(COUNCIL_AGAIN): return .full
    case status(COUNCIL_STALE): return .stale
    default: return .refused
    }
  }

  /// Of one that is over: does nothing.
  func endStream(_ request: UInt64) {
    guard let streams else { return }
    _ = streams.end(request)
  }
}
