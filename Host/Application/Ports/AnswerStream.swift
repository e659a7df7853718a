package import Kernel
import Synchronization

/// The body of an answer that leaves while it is being written. Made by ``Exchange/beginStream(_:)``.
///
/// What is written waits in a bounded buffer until the client takes it. Any thread writes; the edge takes. An object is
/// of one answer and is never used again: who keeps it longer is told `gone`.
///
/// A stream ends in one of four ways: whoever writes ends or aborts it; the host does, by one of its limits or because it
/// leaves; or the client goes away. ``whenOver(_:)`` tells of each.
package final class AnswerStream: Sendable {
  /// What a stream is made of, as far as the host cares.
  package enum Kind: Sendable {
    /// `text/event-stream`: the host may write comments between events, and end the stream at any time, for its clients
    /// come again by themselves.
    case events
    /// Anything else. Cut short, it must not look whole.
    case bytes
  }

  package enum Write: Sendable, Equatable {
    /// All of it was taken.
    case ok
    /// None of it was taken: the client is slow. Write it again when ``waitForRoom(until:)`` says so.
    case full
    /// More than the buffer holds: it never has room.
    case tooLong
    /// The stream is over.
    case gone
  }

  private enum Phase { case open, ending, broken, over }

  private struct State {
    var phase = Phase.open
    var buffer = Arena(capacity: 512)
    /// Bytes of the buffer that the edge has.
    var taken = 0
    /// The last four bytes that were written.
    var tail: UInt32 = 0x0A0A
    /// The edge waits for bytes.
    var isParked = false
    var wake: (@Sendable () -> Void)?
    /// The last write of who writes.
    var written: Instant
    /// The last bytes that went into an empty buffer or out of it, a comment's among them.
    var moved: Instant
    var isEndedByHost = false
    var translator: (any StreamTranslator)?
    /// Tells whoever ``feed(told:)`` named.
    var feeder: (@Sendable () -> Void)?
    /// An ``AnswerStream/offer(_:)`` was cut short.
    var isFeederWaiting = false
    /// When the host ends the stream at the latest.
    var until: Instant
    var watchers: [@Sendable () -> Void] = []

    var waiting: Int { buffer.count - taken }

    /// Between two events.
    var isAtBoundary: Bool { tail == 0x0D0A_0D0A || tail & 0xFFFF == 0x0A0A || tail & 0xFFFF == 0x0D0D }
  }

  package let kind: Kind
  private let streams: AnswerStreams
  private let began: Instant
  private let state: Monitor<State>
  /// The serial of the generation that writes; 0 where the host itself does.
  private let owner = Atomic<Int>(0)

  init(_ kind: Kind, of streams: AnswerStreams) {
    self.kind = kind
    self.streams = streams
    began = streams.now()
    state = Monitor(State(written: began, moved: began, until: began + streams.limits.longest))
  }
}

// MARK: - Whoever writes

extension AnswerStream {
  /// Appends bytes, all or none. Never blocks. Of a stream of events, whole events at a time let the host write its
  /// comments between them. [any]
  @discardableResult
  package func write(_ bytes: Span<UInt8>) -> Write {
    let (result, wake) = state.withLock { state -> (Write, (@Sendable () -> Void)?) in
      guard state.phase == .open else { return (.gone, nil) }
      guard bytes.count <= streams.limits.bufferBytes else { return (.tooLong, nil) }
      guard state.waiting + bytes.count <= streams.limits.bufferBytes else { return (.full, nil) }
      return (.ok, accept(bytes, &state))
    }
    wake?()
    return result
  }

  /// Takes bytes in; returns who is to be woken.
  private func accept(_ bytes: Span<UInt8>, _ state: inout State) -> (@Sendable () -> Void)? {
    state.written = streams.now()
    if let translator = state.translator {
      compact(&state)
      let before = state.waiting
      translator.translate(bytes, into: state.buffer)
      noteAppended(&state, wasEmpty: before == 0)
      if !translator.wantsMore {
        let closing = close(&state, .ending, byHost: true)
        return { [self] in
          // Those who wait for room.
          self.state.signal(all: true) { _ in }
          closing?()
        }
      }
    } else {
      append(bytes, &state)
    }
    return unpark(&state)
  }

  @discardableResult
  package func write(_ text: String) -> Write { write(text.utf8.span) }

  /// The answer is complete: what was written still goes out. [any]
  package func end() { close(.ending, byHost: false) }

  /// The answer cannot be completed: what waits is dropped, and the client sees that the answer was cut. [any]
  package func abort() { close(.broken, byHost: false) }

  /// Waits until half of the buffer is free, or the stream is over; false when neither is so by then. For threads that may
  /// block. [not event]
  package func waitForRoom(until deadline: Instant) -> Bool {
    let half = streams.limits.bufferBytes / 2
    return state.wait(until: deadline) { $0.phase != .open || $0.waiting <= half ? true : nil } ?? false
  }

  /// Whether a write can still be taken. [any]
  package var isOpen: Bool { state.withLock { $0.phase == .open } }

  /// When the host ends the stream at the latest.
  package var deadline: Instant { state.withLock { $0.until } }

  /// Calls `body` once, when nothing more of the stream will reach the client; at once, when that is so already. On a
  /// thread that must not block. [any]
  package func whenOver(_ body: @escaping @Sendable () -> Void) {
    let isOver = state.withLock { state in
      if state.phase != .over { state.watchers.append(body) }
      return state.phase == .over
    }
    if isOver { body() }
  }
}

/// Turns what a stream's writer writes into what its client reads, as another protocol wants it.
package protocol StreamTranslator: AnyObject, Sendable {
  /// Appends to `out` what `bytes` become; may keep an incomplete rest for the next time. Under the stream's lock: it calls
  /// nothing of the stream and does not block. [any, one at a time]
  func translate(_ bytes: Span<UInt8>, into out: Arena)
  /// False: its client gets no more, whatever is written, so the host ends the stream. Asked after each ``translate(_:into:)``.
  var wantsMore: Bool { get }
  /// The writer ended well, or the host ended the stream in its place; appends what completes the answer. As above.
  func end(byHost: Bool, into out: Arena)
}

extension StreamTranslator {
  package var wantsMore: Bool { true }
}

extension AnswerStream {
  /// From now on, and for what still waits, `translator` stands between writer and client. Before the edge took anything:
  /// in ``OwnPath`` terms, from `wrap`. `longest` is a shorter time than the host's limit. [event]
  package func translate(by translator: any StreamTranslator, longest: Duration? = nil) {
    let told = state.signal(all: true) { state in
      let written = state.buffer
      let range = ByteRange(offset: state.taken, count: state.waiting)
      state.buffer = Arena(capacity: 512)
      state.taken = 0
      state.translator = translator
      // What it writes are whole events, whatever the writer's are.
      state.tail = 0x0A0A
      if let longest { state.until = min(state.until, began + longest) }
      if !range.isEmpty { translator.translate(written.span(range), into: state.buffer) }
      if state.phase == .ending {
        translator.end(byHost: state.isEndedByHost, into: state.buffer)
      } else if !translator.wantsMore {
        // Nobody waits for bytes before they are taken for the first time.
        _ = close(&state, .ending, byHost: true)
      }
      // What took all the room may have become little.
      state.isFeederWaiting = false
      return state.feeder
    }
    told?()
  }
}

// MARK: - Whoever brings bytes from elsewhere

extension AnswerStream {
  /// From now on `told` is called when an ``offer(_:)`` that was cut short may go on, and when the stream is closed, by
  /// whomever. It does not block. [any]
  package func feed(told: @escaping @Sendable () -> Void) { state.withLock { $0.feeder = told } }

  /// Appends as much as there is room for, from the front, and says how much; nil when the stream is over. [any]
  package func offer(_ bytes: Span<UInt8>) -> Int? {
    let (taken, wake) = state.withLock { state -> (Int?, (@Sendable () -> Void)?) in
      guard state.phase == .open else { return (nil, nil) }
      let count = min(bytes.count, max(0, streams.limits.bufferBytes - state.waiting))
      if count < bytes.count { state.isFeederWaiting = true }
      return (count, count > 0 ? accept(bytes.extracting(0..<count), &state) : nil)
    }
    wake?()
    return taken
  }
}

// MARK: - The host

extension AnswerStream {
  /// The generation whose handler writes. [event]
  package var ownerSerial: Int {
    get { owner.load(ordering: .acquiring) }
    set { owner.store(newValue, ordering: .releasing) }
  }

  /// Ends the stream in its writer's place: well where the client comes again by itself, or a translator tells it what
  /// happened; else visibly cut. [any]
  package func stop() {
    let isEnded = kind == .events || state.withLock { $0.translator != nil }
    close(isEnded ? .ending : .broken, byHost: true)
  }

  /// The client is gone, or takes nothing. [any]
  package func fail() { close(.broken, byHost: true) }

  /// The writer has not ended the stream, and is to be told. Once it is over. [any]
  package var isEndedByHost: Bool { state.withLock { $0.isEndedByHost } }

  private func close(_ phase: Phase, byHost: Bool) {
    state.signal(all: true) { close(&$0, phase, byHost: byHost) }?()
  }

  /// Returns what is to be called once the lock is free. Whoever waits for room is to be signalled.
  private func close(_ state: inout State, _ phase: Phase, byHost: Bool) -> (@Sendable () -> Void)? {
    // What ends already may still break.
    guard state.phase == .open || (state.phase == .ending && phase == .broken) else { return nil }
    if state.phase == .open { state.isEndedByHost = byHost }
    state.phase = phase
    state.moved = streams.now()
    if phase == .broken {
      state.buffer.removeAll(retaining: 0)
      state.taken = 0
    } else if let translator = state.translator {
      translator.end(byHost: byHost, into: state.buffer)
    }
    let wake = unpark(&state)
    guard let told = state.feeder else { return wake }
    return {
      wake?()
      told()
    }
  }

  /// What the keeper does next.
  package enum Look: Sendable, Equatable {
    case fine
    /// The client takes nothing: its connection is to be ended.
    case stalled
  }

  /// Writes a comment into a quiet stream of events, and ends a stream that a limit ends. `sendLimit` is how long bytes may
  /// wait for the client; `lingerLimit`, how long the last ones of a stream that has ended may, the same without. [keeper]
  package func look(sendLimit: Duration, lingerLimit: Duration? = nil) -> Look {
    let now = streams.now()
    let limits = streams.limits
    let (look, isOld, wake) = state.withLock { state -> (Look, Bool, (@Sendable () -> Void)?) in
      if state.phase == .over { return (.fine, false, nil) }
      let isPending = state.phase != .open || state.waiting > 0
      let limit = state.phase == .open ? sendLimit : min(lingerLimit ?? sendLimit, sendLimit)
      if isPending, now - state.moved >= limit.nanoseconds { return (.stalled, false, nil) }
      guard state.phase == .open else { return (.fine, false, nil) }
      if now >= state.until || now - state.written >= limits.idle.nanoseconds {
        return (.fine, true, nil)
      }
      guard kind == .events || state.translator != nil, state.waiting == 0, state.isAtBoundary,
        now - state.moved >= limits.heartbeat.nanoseconds
      else { return (.fine, false, nil) }
      append(AnswerStream.comment.utf8.span, &state)
      return (.fine, false, unpark(&state))
    }
    wake?()
    if isOld { stop() }
    return look
  }

  /// Keeps proxies and clients from taking a quiet stream for a dead one.
  private static let comment = ": keep-alive\n\n"
}

// MARK: - The edge

extension AnswerStream {
  package enum Next: Sendable, Equatable {
    case bytes(Int)
    /// Nothing yet: `wake` comes once.
    case wait
    case end
    case broken
  }

  /// From now on the edge takes. `wake` is called, once for each ``Next/wait``, when there is something to take. [event]
  package func connect(wake: @escaping @Sendable () -> Void) { state.withLock { $0.wake = wake } }

  /// Gives at most `room` bytes to `copy`. Before it returns ``Next/wait`` it calls `pause`, ahead of any `wake`. [event]
  package func take(upTo room: Int, pause: () -> Void, _ copy: (Span<UInt8>) -> Void) -> Next {
    // Whoever waits for room is told at half of the buffer, not at each byte.
    let half = streams.limits.bufferBytes / 2
    var isRoom = false
    var told: (@Sendable () -> Void)?
    let next = state.withLock { state -> Next in
      if state.phase == .broken || state.phase == .over { return .broken }
      let count = min(room, state.waiting)
      guard count > 0 else {
        if state.phase == .ending { return .end }
        state.isParked = true
        pause()
        return .wait
      }
      let range = ByteRange(offset: state.taken, count: count)
      let buffer = state.buffer
      copy(buffer.span(range))
      isRoom = state.waiting > half && state.waiting - count <= half
      state.taken += count
      state.moved = streams.now()
      if state.isFeederWaiting, state.waiting <= half {
        state.isFeederWaiting = false
        told = state.feeder
      }
      if state.waiting == 0 {
        state.buffer.removeAll(retaining: 4096)
        state.taken = 0
      }
      return .bytes(count)
    }
    if isRoom { state.signal(all: true) { _ in } }
    told?()
    return next
  }

  /// Nothing more of it will reach the client: tells whoever wants to know. [event]
  package func finish() {
    let watchers = state.signal(all: true) { state -> [@Sendable () -> Void]? in
      if state.phase == .over { return nil }
      if let told = state.feeder { state.watchers.append(told) }
      if state.phase == .open { state.isEndedByHost = true }
      state.phase = .over
      state.buffer = Arena(capacity: 16)
      state.taken = 0
      state.wake = nil
      state.feeder = nil
      state.translator = nil
      defer { state.watchers = [] }
      return state.watchers
    }
    guard let watchers else { return }
    streams.leave()
    for watcher in watchers { watcher() }
  }
}

// MARK: - The buffer

extension AnswerStream {
  private func unpark(_ state: inout State) -> (@Sendable () -> Void)? {
    guard state.isParked, state.phase != .open || state.waiting > 0 else { return nil }
    state.isParked = false
    return state.wake
  }

  private func append(_ bytes: Span<UInt8>, _ state: inout State) {
    guard bytes.count > 0 else { return }
    compact(&state)
    let wasEmpty = state.waiting == 0
    state.buffer.append(bytes)
    noteAppended(&state, wasEmpty: wasEmpty)
  }

  /// A buffer that is never empty would grow for ever.
  private func compact(_ state: inout State) {
    guard state.taken >= streams.limits.bufferBytes else { return }
    let fresh = Arena(capacity: max(state.waiting, 512))
    let old = state.buffer
    fresh.append(old.span(ByteRange(offset: state.taken, count: state.waiting)))
    state.buffer = fresh
    state.taken = 0
  }

  /// An empty line ends an event, and a line ends in LF, CR or both (WHATWG HTML, 9.2.5): the last four bytes tell.
  private func noteAppended(_ state: inout State, wasEmpty: Bool) {
    guard state.waiting > 0 else { return }
    if wasEmpty { state.moved = streams.now() }
    for place in max(state.taken, state.buffer.count - 4)..<state.buffer.count {
      state.tail = state.tail << 8 | UInt32(state.buffer[place])
    }
  }
}
