package import Domain
package import Kernel
import Synchronization

/// Headers that the host itself reads: found by a fixed place, not by a search.
package enum KnownHeader: Int, Sendable, CaseIterable {
  case authorization, apiKey, contentType, contentLength, contentEncoding, transferEncoding, traceparent
  case accept, ifMatch, ifNoneMatch, prefer, idempotencyKey, origin, host

  /// Lower case.
  package var name: StaticString {
    switch self {
    case .authorization: "authorization"
    case .apiKey: "x-api-key"
    case .contentType: "content-type"
    case .contentLength: "content-length"
    case .contentEncoding: "content-encoding"
    case .transferEncoding: "transfer-encoding"
    case .traceparent: "traceparent"
    case .accept: "accept"
    case .ifMatch: "if-match"
    case .ifNoneMatch: "if-none-match"
    case .prefer: "prefer"
    case .idempotencyKey: "idempotency-key"
    case .origin: "origin"
    case .host: "host"
    }
  }
}

/// One name and value, as places in an arena.
package struct Field: Sendable, Equatable {
  package var name: ByteRange
  package var value: ByteRange

  package init(name: ByteRange, value: ByteRange) {
    self.name = name
    self.value = value
  }
}

/// What gets the answer of a request in the place of its edge, and hands it on with ``Exchange/send()``.
package protocol AnswerKeeper: AnyObject, Sendable {
  /// The answer is in the exchange, which the caller has claimed. `isInPlace`: it is the host's, and the handler may
  /// work on. [any]
  func take(_ exchange: Exchange, isInPlace: Bool)
}

/// One request and its answer on their way edge → gateway → handler → edge.
///
/// An exchange belongs to its connection and is reused by the requests that follow on it, so that a
/// request allocates nothing. One thread at a time owns it: the event thread, then, for a handler that
/// blocks, a worker, then the event thread again; each hand-over goes through a queue, which orders
/// memory. Any thread may try to answer: ``claim(_:)`` lets exactly one of them.
package final class Exchange: @unchecked Sendable {
  /// The place in the edge's table, the low half of a `council_request`.
  package let slot: UInt32
  /// What each of the four buffers keeps from one request to the next.
  private let kept: Int

  // MARK: The request, written by the edge

  package var method = HTTPMethod.get
  /// Set when the method is none of ``HTTPMethod``; such a request is answered 501 and never routed.
  package var methodIsUnknown = false
  /// Set beside it for TRACE, which is known and which no path takes: 405 (RFC 9110, section 15.5.6). `method` is OPTIONS
  /// then, which no route has either.
  package var methodIsTrace = false
  /// Bytes of the request line and headers, and what the gateway derives from them.
  package let head = Arena(capacity: 2048)
  /// The target as received: path, and the query after the first `?`.
  package var rawPath = ByteRange.empty
  package var rawQuery = ByteRange.empty
  /// Every header in order of arrival, names in lower case.
  package var headers: [Field] = []
  /// The first value of each ``KnownHeader``, and how often it came.
  package var known = [ByteRange](repeating: .empty, count: KnownHeader.allCases.count)
  package var knownCount = [UInt8](repeating: 0, count: KnownHeader.allCases.count)
  package let body = Arena(capacity: 1024)
  /// When the head was complete.
  package var started = Instant(nanoseconds: 0)
  /// The peer: 16 bytes, IPv4 mapped into IPv6 (RFC 4291).
  package var peer: (UInt64, UInt64) = (0, 0)

  // MARK: What the gateway knows, opaque to the edge

  /// Places in `head` of the decoded path below the automation, of all the path's decoded segments, of the path
  /// parameters, and of the decoded query parameters in order of arrival.
  package var path = ByteRange.empty
  package var segments: [ByteRange] = []
  package var parameters: [Field] = []
  package var query: [Field] = []
  package var requestID = ByteRange.empty
  package var traceparent = ByteRange.empty
  package var principal = ByteRange.empty
  /// What makes a write safe to send again, and what confirms it: places in `head`, empty without, wherever in the
  /// request they stood.
  package var idempotencyKey = ByteRange.empty
  package var confirmation = ByteRange.empty
  /// The handler runs for its answer: what it writes into records is undone. Other threads of a plugin ask at any time;
  /// who does not own the request looks whether it is still current afterwards. [any]
  package var isDryRun: Bool {
    get { dryRun.load(ordering: .relaxed) }
    set { dryRun.store(newValue, ordering: .relaxed) }
  }
  private let dryRun = Atomic<Bool>(false)
  /// A write into records succeeded on behalf of this request: whatever it is answered, something was done. [any]
  package var hasWritten: Bool {
    get { written.load(ordering: .relaxed) }
    set { written.store(newValue, ordering: .relaxed) }
  }
  private let written = Atomic<Bool>(false)
  /// By whoever claimed the answer.
  package var source = AnswerSource.handler
  /// Gets the answer before the edge does; set before the request waits, for this request only.
  package private(set) var keeper: (any AnswerKeeper)?
  /// The application's own object for this exchange; kept across requests, so that it is made once.
  package var attachment: AnyObject?
  /// When the host answers in the handler's place. Other threads of a plugin ask for it at any time. [any]
  package var deadline: Instant {
    get { Instant(nanoseconds: deadlineNanoseconds.load(ordering: .relaxed)) }
    set { deadlineNanoseconds.store(newValue.nanoseconds, ordering: .relaxed) }
  }
  private let deadlineNanoseconds = Atomic<Int64>(.max)

  // MARK: The answer, written by whoever claimed it

  package var status = 0
  /// Bytes of the answer's header names and values, each ended by a NUL for the edge's C library.
  package let answerHead = Arena(capacity: 1024)
  package var answerHeaders: [Field] = []
  package let answerBody = Arena(capacity: 2048)
  /// The connection closes after this answer.
  package var closes = false
  /// The body is a stream: `answerBody` is empty. Who may read the answer may read this.
  package private(set) var isStreaming = false
  /// Whether the handler of this request may answer with a stream; set before it runs. [any]
  package var mayStream: Bool {
    get { streamPermit != .denied }
    set { streamPermit = newValue ? .granted : .denied }
  }
  package enum StreamPermit: UInt8 {
    case denied, granted
    /// The route streams, and as many streams are open as may be: somebody else has counted them. See
    /// ``reserveStream(_:)``.
    case busy
  }
  package var streamPermit: StreamPermit {
    get { StreamPermit(rawValue: permit.load(ordering: .relaxed)) ?? .denied }
    set { permit.store(newValue.rawValue, ordering: .relaxed) }
  }
  private let permit = Atomic<UInt8>(StreamPermit.denied.rawValue)
  /// What bounds the streams of this exchange's listeners.
  package let streams: AnswerStreams
  private let currentStream = Monitor<AnswerStream?>(nil)

  // MARK: Who may answer, and who still looks

  private let state = Atomic<UInt64>(0)
  private let rendezvous = Atomic<UInt8>(Rendezvous.running.rawValue)
  private let custody = Atomic<UInt8>(0)
  private let pendingUntil = Atomic<Int64>(0)
  private let pendingFor = Atomic<Int>(0)
  private let isKept = Atomic<Bool>(false)
  /// Set by the edge: resumes the connection of a parked exchange. [any]
  package var wake: (@Sendable (Exchange) -> Void)?
  /// Set by the edge: takes back an exchange that a handler held longer than its connection did. [any]
  package var recycle: (@Sendable (Exchange) -> Void)?

  /// `keptBytes` is what the four buffers keep between two requests; an answer or body that is larger is given
  /// back with its request.
  package init(slot: UInt32, keptBytes: Int = 256 * 1024, streams: AnswerStreams = .unused) {
    self.slot = slot
    self.streams = streams
    kept = keptBytes / 4
  }
}

// MARK: - Claiming the answer

extension Exchange {
  /// What an exchange can be in; packed with its tag into one word.
  package enum Phase: UInt64, Sendable {
    /// Between requests.
    case idle
    /// A handler may answer.
    case open
    /// Somebody answers, or has answered.
    case claimed
  }

  /// A new request: a new tag, so that names of the request before are stale. [event]
  package func open() {
    let tag = (state.load(ordering: .relaxed) >> 8) &+ 1
    rendezvous.store(Rendezvous.running.rawValue, ordering: .relaxed)
    custody.store(0, ordering: .relaxed)
    state.store((tag & 0xFFFF_FFFF) << 8 | Phase.open.rawValue, ordering: .releasing)
  }

  /// The answer in the exchange is not the one to send: somebody may write another, by a new name of the request. Whoever
  /// answered may still be inside, and sees its request as answered. [event]
  package func openAgain() -> UInt64 {
    let tag = (state.load(ordering: .relaxed) >> 8) &+ 1
    rendezvous.store(Rendezvous.running.rawValue, ordering: .relaxed)
    state.store((tag & 0xFFFF_FFFF) << 8 | Phase.open.rawValue, ordering: .releasing)
    return handle
  }

  /// The name of this request, a `council_request`: tag above, slot below; never 0. Who reads it from another thread, to
  /// claim it later, sees what came before the request was opened.
  package var handle: UInt64 {
    (state.load(ordering: .acquiring) >> 8) << 32 | UInt64(slot) + 1
  }

  /// Takes the right to answer the request that `handle` names; false when it is over or somebody else has it.
  package func claim(_ handle: UInt64) -> Bool {
    let tag = handle >> 32
    return state.compareExchange(
      expected: tag << 8 | Phase.open.rawValue, desired: tag << 8 | Phase.claimed.rawValue,
      ordering: .acquiringAndReleasing
    ).exchanged
  }

  package func isCurrent(_ handle: UInt64) -> Bool {
    state.load(ordering: .acquiring) >> 8 == handle >> 32
  }

  package func isOpen(_ handle: UInt64) -> Bool {
    state.load(ordering: .acquiring) == (handle >> 32) << 8 | Phase.open.rawValue
  }

  /// The request is over: nobody can answer it. [event]
  package func close() {
    let tag = state.load(ordering: .relaxed) >> 8
    state.store(tag << 8 | Phase.idle.rawValue, ordering: .releasing)
  }
}

// MARK: - Meeting the answer

extension Exchange {
  private enum Rendezvous: UInt8 {
    /// On its event thread, or with a handler that the edge does not wait for yet.
    case running
    /// The edge has suspended the connection.
    case parked
    case answered
  }

  /// The answer is complete: wakes the connection if it waits. Once per request, by whoever claimed it. [any]
  package func deliver() {
    if let keeper { return keeper.take(self, isInPlace: false) }
    send()
  }

  /// As ``deliver()``, of an answer in the place of a handler that may work on. [any]
  package func deliverInPlace() {
    if let keeper { return keeper.take(self, isInPlace: true) }
    send()
  }

  /// Hands the answer to the edge: ``deliver()``, past the keeper. [any]
  package func send() {
    if rendezvous.exchange(Rendezvous.answered.rawValue, ordering: .acquiringAndReleasing)
      == Rendezvous.parked.rawValue
    {
      wake?(self)
    }
  }

  /// The edge has suspended the connection. False: the answer came in between, and nobody will wake it. [event]
  package func park() -> Bool {
    rendezvous.exchange(Rendezvous.parked.rawValue, ordering: .acquiringAndReleasing)
      == Rendezvous.running.rawValue
  }

  private static let handlerInside: UInt8 = 1
  private static let abandoned: UInt8 = 2
  /// On its way to a handler, or back from one: see ``keep(by:)``.
  private static let held: UInt8 = 4

  /// A handler is about to run: what it borrows must stay until ``endHandling()``.
  /// Once is enough: a runner does it before anybody can learn that the handler is about to run.
  package func beginHandling() {
    let now = custody.load(ordering: .relaxed)
    if now & Exchange.handlerInside != 0 { return }
    if now == 0 {
      custody.store(Exchange.handlerInside, ordering: .releasing)
    } else {
      // A held one may be abandoned meanwhile.
      custody.bitwiseOr(Exchange.handlerInside, ordering: .acquiringAndReleasing)
    }
  }

  /// The handler returned; an exchange that its connection could not wait for goes back to the edge. [any]
  package func endHandling() { leave(Exchange.handlerInside) }

  /// Hands what becomes of the request to `keeper`: it gets the answer first. Until ``letGo()`` the exchange is this request's,
  /// though its connection may have been answered and gone on. [event]
  package func keep(by keeper: any AnswerKeeper) {
    self.keeper = keeper
    isKept.store(true, ordering: .relaxed)
    custody.bitwiseOr(Exchange.held, ordering: .acquiringAndReleasing)
  }

  /// The keeper has passed the request on. The exchange may belong to another one from here on. [any]
  package func letGo() { leave(Exchange.held) }

  private func leave(_ part: UInt8) {
    let before = custody.bitwiseAnd(~part, ordering: .acquiringAndReleasing).oldValue
    if before & ~part == Exchange.abandoned { recycle?(self) }
  }

  /// The connection is done with this exchange. False: a handler is still inside (the host answered in its
  /// place), so the connection takes another exchange and this one comes back through `recycle`. [event]
  package func relinquish() -> Bool {
    let before = custody.bitwiseOr(Exchange.abandoned, ordering: .acquiringAndReleasing).oldValue
    guard before & (Exchange.handlerInside | Exchange.held) == 0 else { return false }
    custody.store(0, ordering: .releasing)
    return true
  }
}

// MARK: - Waiting for a handler

extension Exchange {
  /// The request waits for a handler of this generation; when `deadline` passes, the host answers. [event]
  package func beginWaiting(for serial: Int, until deadline: Instant) {
    pendingFor.store(serial, ordering: .relaxed)
    pendingUntil.store(deadline.nanoseconds, ordering: .releasing)
  }

  package func endWaiting() { pendingUntil.store(0, ordering: .releasing) }

  /// The client of the request that waits until then is gone: its time is up now. False: no request waits so any more, or
  /// its answer is kept for when the client comes back, unless that client `isAsking` for the end itself. [any]
  package func abandonWaiting(until deadline: Instant, isAsking: Bool = false) -> Bool {
    if isKept.load(ordering: .relaxed), !isAsking { return false }
    return pendingUntil.compareExchange(
      expected: deadline.nanoseconds, desired: Exchange.isDeserted, ordering: .acquiringAndReleasing
    ).exchanged
  }

  /// Whether ``abandonWaiting(until:)`` ended the wait. [any]
  package var isAbandoned: Bool { pendingUntil.load(ordering: .acquiring) == Exchange.isDeserted }

  /// Earlier than every deadline.
  private static let isDeserted: Int64 = -1

  /// The deadline, and the serial of the generation waited for; nil when the request does not wait. [any]
  package var waiting: (until: Instant, serial: Int)? {
    let until = pendingUntil.load(ordering: .acquiring)
    return until == 0 ? nil : (Instant(nanoseconds: until), pendingFor.load(ordering: .relaxed))
  }
}

// MARK: - Reading and writing

extension Exchange {
  /// Where in ``head`` the first value of a header stands that the host knows; empty when it did not come.
  package subscript(_ header: KnownHeader) -> ByteRange { known[header.rawValue] }

  package func has(_ known: KnownHeader) -> Bool { knownCount[known.rawValue] > 0 }

  /// Forgets the request and its answer; keeps the memory. [event]
  package func reset() {
    methodIsUnknown = false
    methodIsTrace = false
    head.removeAll(retaining: kept)
    rawPath = .empty
    rawQuery = .empty
    headers.removeAll(keepingCapacity: true)
    for index in known.indices {
      known[index] = .empty
      knownCount[index] = 0
    }
    body.removeAll(retaining: kept)
    forgetTarget()
    requestID = .empty
    traceparent = .empty
    principal = .empty
    idempotencyKey = .empty
    confirmation = .empty
    if isDryRun { isDryRun = false }
    if hasWritten { hasWritten = false }
    source = .handler
    if keeper != nil {
      keeper = nil
      isKept.store(false, ordering: .relaxed)
    }
    deadline = Instant(nanoseconds: .max)
    mayStream = false
    discardAnswer()
  }

  /// Becomes the request that a call by name stands for. Its headers stay, but for those that speak of the body; none of
  /// the spans is of this exchange. [event]
  package func become(_ method: HTTPMethod, target: Span<UInt8>, body bytes: Span<UInt8>) {
    self.method = method
    let whole = head.append(target)
    var path = 0
    while path < target.count, target[path] != UInt8(ascii: "?") { path += 1 }
    rawPath = ByteRange(offset: whole.start, count: path)
    let rest = max(0, target.count - path - 1)
    rawQuery = rest == 0 ? .empty : ByteRange(offset: whole.start + path + 1, count: rest)
    forgetTarget()
    body.removeAll(retaining: kept)
    body.append(bytes)
    frameBody()
  }

  /// Forgets what was read out of the target.
  private func forgetTarget() {
    path = .empty
    segments.removeAll(keepingCapacity: true)
    parameters.removeAll(keepingCapacity: true)
    query.removeAll(keepingCapacity: true)
  }

  /// Forgets what was written of an answer, to write another.
  package func discardAnswer() {
    status = 0
    answerHead.removeAll(retaining: kept)
    answerHeaders.removeAll(keepingCapacity: true)
    answerBody.removeAll(retaining: kept)
    closes = false
    if isStreaming { endStream() }
  }

  /// Adds a header to the answer. The caller has checked that neither part holds a control character.
  package func addHeader(_ name: StaticString, _ value: Span<UInt8>) {
    let nameRange = answerHead.append(name)
    answerHead.append(0)
    let valueRange = answerHead.append(value)
    answerHead.append(0)
    answerHeaders.append(Field(name: nameRange, value: valueRange))
  }

  package func addHeader(_ name: StaticString, _ value: String) {
    addHeader(name, value.utf8.span)
  }

  /// Adds a header from a plugin; the caller has checked both parts.
  package func addHeader(_ name: Span<UInt8>, _ value: Span<UInt8>) {
    let nameRange = answerHead.append(name)
    answerHead.append(0)
    let valueRange = answerHead.append(value)
    answerHead.append(0)
    answerHeaders.append(Field(name: nameRange, value: valueRange))
  }
}

// MARK: - Streams

extension Exchange {
  /// Of ``beginStream(_:)``.
  func begin(_ stream: AnswerStream) {
    currentStream.withLock { $0 = stream }
    isStreaming = true
  }

  /// The stream that answers the request that `handle` names; nil when none does, or the request is over. [any]
  package func stream(of handle: UInt64) -> AnswerStream? {
    // The name is read under the lock that ``endStream()`` takes before another request can have it.
    currentStream.withLock { isCurrent(handle) ? $0 : nil }
  }

  /// The stream, to whoever may read the answer.
  package var stream: AnswerStream? { isStreaming ? currentStream.withLock { $0 } : nil }

  /// The answer is no stream any more: nothing more of it will reach the client.
  private func endStream() {
    isStreaming = false
    let stream = currentStream.withLock { current in
      defer { current = nil }
      return current
    }
    stream?.finish()
  }
}

extension Exchange {
  /// Writes a problem (RFC 9457) as the answer, in place of what was written before.
  package func answer(_ problem: Problem) {
    let closes = closes
    discardAnswer()
    self.closes = closes
    status = problem.status
    addHeader("Content-Type", "application/problem+json")
    if let seconds = problem.retryAfterSeconds { addHeader("Retry-After", String(seconds)) }
    answerBody.append(problem: problem)
  }
}
