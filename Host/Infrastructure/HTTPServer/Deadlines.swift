import Kernel

/// What a connection is doing, as far as its deadlines are concerned.
package enum Phase: UInt64, Sendable, CaseIterable {
  case closed
  /// Before the first request.
  case fresh
  /// Between requests.
  case idle
  /// The request line is there, the headers are not complete.
  case head
  case body
  /// With the application: its own deadline counts.
  case handling
  case sending
  /// The answer is a stream, which has limits of its own.
  case streaming
  /// The keeper has shut the connection down; whoever finds this ends it.
  case expired
}

/// A phase and when it began, packed into the one word that event threads write and the keeper reads.
package struct Watch: Sendable, Equatable {
  package var phase: Phase
  /// Milliseconds of the server's coarse clock.
  package var since: Int64

  package init(_ phase: Phase, since: Int64) {
    self.phase = phase
    self.since = since
  }

  package init(word: UInt64) {
    phase = Phase(rawValue: word & 0xFF) ?? .closed
    since = Int64(word >> 8)
  }

  package var word: UInt64 { UInt64(since) << 8 | phase.rawValue }
}

/// How long each phase may last.
package struct Deadlines: Sendable {
  package var idleMilliseconds: Int64
  package var headMilliseconds: Int64
  package var bodyMilliseconds: Int64
  package var sendMilliseconds: Int64
  package var bytesPerSecond: Int64

  package init(
    idle: Duration, head: Duration, body: Duration, send: Duration, minimumBytesPerSecond: Int
  ) {
    idleMilliseconds = idle.nanoseconds / 1_000_000
    headMilliseconds = head.nanoseconds / 1_000_000
    bodyMilliseconds = body.nanoseconds / 1_000_000
    sendMilliseconds = send.nanoseconds / 1_000_000
    bytesPerSecond = Int64(max(minimumBytesPerSecond, 1))
  }

  /// Whether the phase has lasted too long at `now`. `moved` is the bytes received of a body, or the size of an
  /// answer: who moves much may take longer.
  package func areOver(_ watch: Watch, now: Int64, moved: Int64) -> Bool {
    let lasted = now - watch.since
    return switch watch.phase {
    case .closed, .handling, .streaming, .expired: false
    case .fresh, .idle: lasted >= idleMilliseconds
    case .head: lasted >= headMilliseconds
    case .body: lasted >= bodyMilliseconds + moved * 1000 / bytesPerSecond
    case .sending: lasted >= sendMilliseconds + moved * 1000 / bytesPerSecond
    }
  }
}

/// What the kernel tells of an open socket.
package struct SocketSight: Sendable, Equatable {
  /// Bytes that arrived since the connection began.
  package var bytes: Int64
  /// The peer sends no more.
  package var peerClosed: Bool

  package init(bytes: Int64, peerClosed: Bool) {
    self.bytes = bytes
    self.peerClosed = peerClosed
  }
}

/// Tells a connection that waits for a request from one that sends its request line drop by drop, and from
/// one whose peer is gone.
///
/// The library says nothing before the request line is complete, and it misses a close that arrives
/// together with the last bytes (it reads edge-triggered and stops at a short read). The kernel knows both.
package struct Drip: Sendable {
  private var idleSince: Int64 = -1
  private var bytes: Int64?
  private var nextLook: Int64 = 0
  private var partialSince: Int64?
  private var closedAt: Int64?

  package init() {}

  /// Whether a connection that is fresh or idle has sent a part of a request for longer than `limit`, or is
  /// deserted. Looks at the socket every quarter of `limit`, so that a busy connection costs nothing;
  /// `look` answers nil where the kernel does not tell.
  package mutating func isOver(
    _ watch: Watch, now: Int64, limit: Int64, look: () -> SocketSight?
  ) -> Bool {
    if watch.since != idleSince {
      self = Drip()
      idleSince = watch.since
      nextLook = watch.since + max(limit / 4, 1)
    }
    // One round of grace: the bytes before the close may be a request that is read just now.
    if let closedAt, now > closedAt { return true }
    if let partialSince, now - partialSince >= limit { return true }
    guard now >= nextLook else { return false }
    nextLook = now + max(limit / 4, 1)
    guard let sight = look() else { return false }
    if sight.peerClosed { closedAt = now }
    // How many bytes belong to the requests before is known from the first look on; of a fresh connection
    // every byte is a part of the first request (or of the TLS handshake, which counts as one).
    let before = bytes ?? (watch.phase == .fresh ? 0 : sight.bytes)
    bytes = before
    if sight.bytes > before, partialSince == nil {
      partialSince = watch.phase == .fresh ? watch.since : now
    }
    return false
  }
}
