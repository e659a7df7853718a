/// An answer that leaves while it is written: server-sent events (`text/event-stream`).
///
/// ```swift
/// GET("/{id}/events", "Follow an account") { request in
///   let id = try request.parameter("id")
///   return EventStream { events in
///     for await change in changes(of: id) { try await events.send(.init(event: "change", data: change)) }
///   }
/// }
/// ```
///
/// What the handler throws before it returns is an ordinary answer. Then status and headers are sent and `body` runs, in the
/// request's task: until it returns, or throws; a `ProblemError` becomes a last event named `error`. The task is cancelled
/// when the client leaves, when the host ends the stream, and when the plugin stops.
public struct EventStream: Sendable {
  /// 200 to 599, but not 204, 205 and 304, which have no body.
  public var status: Int
  /// At most 31.
  public var headers: [Response.Header]
  /// After how long a client that lost the stream comes again; nil leaves it to the client.
  public var retry: Duration?
  let body: @Sendable (Events) async throws -> Void

  public init(
    status: Int = 200, headers: [Response.Header] = [], retry: Duration? = nil,
    _ body: @escaping @Sendable (Events) async throws -> Void
  ) {
    self.status = status
    self.headers = headers
    self.retry = retry
    self.body = body
  }
}

/// Where the body of an ``EventStream`` writes. Of any task.
public struct Events: Sendable {
  private let name: UInt64
  private let host: Host

  init(_ name: UInt64, of host: Host) {
    self.name = name
    self.host = host
  }

  /// Sends one event, and waits while the client is slower. Throws `CancellationError` when nobody listens any more, and a
  /// `ProblemError` for an event that cannot be sent: of more than 64 KiB, or with a line break in its name or id.
  public func send(_ event: ServerEvent) async throws { try await send(bytes: try event.bytes()) }

  /// Sends a comment, which clients pass over.
  public func comment(_ text: String) async throws { try await send(bytes: ServerEvent.bytes(comment: text)) }

  /// Whether nobody listens any more.
  public var isOver: Bool { host.remaining(name) == nil }

  /// The host tells nobody that there is room: this asks again, at first soon.
  func send(bytes: [UInt8]) async throws {
    var pause = Duration.milliseconds(2)
    while true {
      try Task.checkCancellation()
      switch host.writeStream(name, bytes) {
      case .ok: return
      case .full: try await Task.sleep(for: pause)
      case .stale: throw CancellationError()
      case .refused: throw ProblemError(500, "plugin.event_too_long", "An event is longer than 64 KiB.")
      }
      pause = min(pause * 2, .milliseconds(100))
    }
  }
}
