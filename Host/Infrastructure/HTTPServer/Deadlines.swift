import Kernel

/// What a connection is doing, as far as its deadlines are concerned.
package enum Phase: UInt64, Sendable, CaseIterable {
  case closed
  /// Between requests, or before the first.
  case idle
  /// The request line is there, the headers are not complete.
  case head
  case body
  /// With the application: its own deadline counts.
  case handling
  case sending
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
    case .closed, .handling, .expired: false
    case .idle: lasted >= idleMilliseconds
    case .head: lasted >= headMilliseconds
    case .body: lasted >= bodyMilliseconds + moved * 1000 / bytesPerSecond
    case .sending: lasted >= sendMilliseconds + moved * 1000 / bytesPerSecond
    }
  }
}

/// Tells a connection that waits from one that sends its request line drop by drop: the library says
/// nothing before that line is complete, the kernel counts its bytes.
package struct Drip: Sendable {
  private var idleSince: Int64 = -1
  private var bytes: Int64 = 0
  private var nextLook: Int64 = 0
  private var partialSince: Int64?

  package init() {}

  /// Whether an idle connection has sent a part of a request for longer than `limit`. Asks `received` a few
  /// times per `limit`, for bytes received since the connection began; negative where that is unknown.
  package mutating func isOver(
    idleSince since: Int64, now: Int64, limit: Int64, received: () -> Int64
  ) -> Bool {
    if since != idleSince {
      self = Drip()
      idleSince = since
      bytes = received()
      nextLook = now + max(limit / 4, 1)
      return false
    }
    if let partialSince { return now - partialSince >= limit }
    guard now >= nextLook else { return false }
    nextLook = now + max(limit / 4, 1)
    if received() > bytes { partialSince = now }
    return false
  }
}
