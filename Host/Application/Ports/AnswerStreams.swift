package import Kernel
import Synchronization

/// The streams that are open, and what bounds them. One for the listeners that share exchanges.
package final class AnswerStreams: Sendable {
  package struct Limits: Sendable {
    /// Open at a time: a further one is refused.
    package var streams: Int
    /// What one stream holds for a client that is slow.
    package var bufferBytes: Int
    /// From begin to end.
    package var longest: Duration
    /// Without a write of whoever writes; the host's comments do not count.
    package var idle: Duration
    /// After so long without bytes, a stream of events gets a comment.
    package var heartbeat: Duration
    /// How long streams go on while their listener drains.
    package var drain: Duration

    package init(
      streams: Int = 1024, bufferBytes: Int = 64 * 1024, longest: Duration = .seconds(3600),
      idle: Duration = .seconds(900), heartbeat: Duration = .seconds(15), drain: Duration = .seconds(5)
    ) {
      self.streams = streams
      self.bufferBytes = bufferBytes
      self.longest = longest
      self.idle = idle
      self.heartbeat = heartbeat
      self.drain = drain
    }

    /// How often somebody has to look.
    package var shortest: Duration { min(longest, idle, heartbeat, max(drain, .milliseconds(100))) }
  }

  package let limits: Limits
  let now: @Sendable () -> Instant
  private let count = Atomic<Int>(0)

  /// `now` never goes back.
  package init(_ limits: Limits = Limits(), now: @escaping @Sendable () -> Instant = { .now }) {
    self.limits = limits
    self.now = now
  }

  /// Streams that are open. [any]
  package var openCount: Int { count.load(ordering: .relaxed) }

  /// nil: as many are open as may be.
  func make(_ kind: AnswerStream.Kind) -> AnswerStream? { hold() ? makeHeld(kind) : nil }

  /// Counts a stream that somebody may begin later: ``makeHeld(_:)`` or ``leave()`` follows, once. False: as many are open
  /// as may be. [any]
  package func hold() -> Bool {
    guard count.add(1, ordering: .relaxed).newValue <= limits.streams else {
      count.subtract(1, ordering: .relaxed)
      return false
    }
    return true
  }

  /// A stream that ``hold()`` has counted. [any]
  package func makeHeld(_ kind: AnswerStream.Kind) -> AnswerStream { AnswerStream(kind, of: self) }

  /// A stream that was counted is over, or will not be. [any]
  package func leave() { count.subtract(1, ordering: .relaxed) }

  /// Of exchanges that no edge made: tests', and those of listeners without streams.
  package static let unused = AnswerStreams()

  static let tooMany = Problem(
    503, "stream.too_many", "As many streams are open as this host allows. Try again later.",
    retryAfterSeconds: 10)
}

extension Exchange {
  /// Makes the answer a stream: status and headers stand in the exchange by now, and leave as soon as the answer is
  /// delivered; the body follows as it is written. Adds what keeps proxies from holding it back. By whoever claimed the
  /// answer, once. Throws `stream.too_many` (503).
  package func beginStream(_ kind: AnswerStream.Kind) throws(Problem) -> AnswerStream {
    guard let stream = reserveStream(kind) else { throw AnswerStreams.tooMany }
    beginStream(stream)
    return stream
  }

  /// A stream that counts already, for ``beginStream(_:)``, or for ``AnswerStream/finish()`` where the answer cannot be
  /// claimed; nil when as many are open as may be. [any]
  package func reserveStream(_ kind: AnswerStream.Kind) -> AnswerStream? {
    streamPermit == .busy ? nil : streams.make(kind)
  }

  /// As ``beginStream(_:)``, with a stream that was reserved.
  package func beginStream(_ stream: AnswerStream) {
    precondition(!isStreaming, "an answer is one stream")
    if !answers("cache-control") { addHeader("Cache-Control", "no-cache") }
    if !answers("x-accel-buffering") { addHeader("X-Accel-Buffering", "no") }
    begin(stream)
  }

  private func answers(_ name: StaticString) -> Bool {
    let head = answerHead
    return answerHeaders.contains {
      $0.name.count == name.utf8CodeUnitCount && head.span($0.name).hasPrefix(ignoringCase: name)
    }
  }
}
