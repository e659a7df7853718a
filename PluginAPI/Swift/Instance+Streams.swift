extension Instance {
  /// Begins the stream of a request, runs its body, and ends it.
  func stream(_ name: UInt64, _ stream: EventStream) async {
    switch host.beginStream(name, stream) {
    case .ok: break
    case .busy:
      return answer(
        name, ProblemError(503, "plugin.too_many_streams", "Too many streams are open. Try again later."))
    case .stale: return
    case .refused:
      host.log(name, 3, "The handler's stream breaks a rule of council.stream/1: status \(stream.status).")
      return answer(
        name, ProblemError(500, "plugin.invalid_response", "The plugin made a response that cannot be sent."))
    }
    let events = Events(name, of: host)
    do {
      if let retry = stream.retry { try await events.send(bytes: ServerEvent.bytes(retry: retry)) }
      try await stream.body(events)
    } catch is CancellationError {
      // Nobody listens, or the plugin stops: whoever follows comes again.
    } catch {
      // Status and headers are out: the last event says what went wrong.
      let problem = String(decoding: problem(name, of: error), as: UTF8.self)
      try? await events.send(ServerEvent(event: "error", data: problem))
    }
    host.endStream(name)
  }

  private func problem(_ name: UInt64, of error: any Error) -> [UInt8] {
    switch error {
    case let error as ProblemError: return error.document
    case let error as RecordsError: return error.json.array
    default:
      // The text of an unknown error may hold what no caller should see.
      host.log(name, 3, "The stream failed: \(error)")
      return ProblemError(500, "plugin.failed", "The plugin failed in the middle of this stream.").document
    }
  }
}
