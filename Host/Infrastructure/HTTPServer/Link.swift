import Application
import Glibc
import Kernel
import Synchronization

/// One connection and the turns of its requests.
///
/// The connection's event thread owns everything here but what says otherwise. Links are reused, never freed while
/// the server lives.
final class Link: @unchecked Sendable {
  let server: HTTPServer
  let application: any HTTPApplication

  // MARK: Read by the keeper

  /// ``Watch/word``.
  let watch = Atomic<UInt64>(Watch(.closed, since: 0).word)
  /// Bytes of the body that came, or of the answer that goes: see ``Deadlines``.
  let moved = Atomic<Int>(0)
  /// The socket while it is open, else -1; the lock keeps the keeper from a descriptor that another
  /// connection has by now.
  let descriptor = Monitor<Int32>(-1)
  /// The name of the request that was parked last, 0 for none: whoever claims it has the exchange for itself, for the
  /// event thread does not look at a parked one until it is woken. How a stopping server finds them.
  let parked = Atomic<UInt64>(0)
  /// The answer while it is a stream.
  let streaming = Monitor<AnswerStream?>(nil)
  /// The keeper's alone.
  var drip = Drip()

  // MARK: The connection

  private var wire: Wire?
  private(set) var peer: (UInt64, UInt64) = (0, 0)
  private var exchange: Exchange?
  private var wake: (@Sendable (Exchange) -> Void)?

  // MARK: The request

  private enum Stage {
    /// No request, or one whose head is incomplete.
    case head
    /// Head complete, no body: the library calls once more, and only then an answer keeps the connection.
    case ready
    /// As `ready`, with the answer in the exchange already.
    case answered
    case body
    /// Suspended, or resumed and not yet called.
    case parked
    /// The answer is with the library, or there will be none.
    case over
  }

  private var stage = Stage.head
  /// `begin` was called: `finished` is due.
  private var begun = false
  private var target = Wire.Target()
  private var targetRange = ByteRange.empty
  private var bodyLimit = 0
  /// What the head and its bookkeeping take of the connection's memory.
  private var headBytes = 0
  private var sink: (any BodySink)?
  /// Bytes of the request may be unread when the connection closes.
  private var lingers = false
  private var sentDirectly = false
  /// The library ends such a request as a failed one, sent or not.
  private var isFault = false

  init(server: HTTPServer) {
    self.server = server
    application = server.application
    wake = { [unowned self] _ in self.resume() }
  }
}

// MARK: - The connection's life

extension Link {
  func open(_ wire: Wire, peer: (UInt64, UInt64)) {
    self.wire = wire
    self.peer = peer
    descriptor.withLock { $0 = wire.descriptor }
    mark(.fresh)
  }

  /// The socket is about to be closed.
  func close() {
    // A request that the library refused before it had a target is not reported as completed.
    finish(sent: stage == .over)
    descriptor.withLock { $0 = -1 }
    mark(.closed)
    wire = nil
    if let exchange { server.exchanges.give(exchange) }
    exchange = nil
  }

  private func mark(_ phase: Phase) {
    watch.store(Watch(phase, since: server.clock.load(ordering: .relaxed)).word, ordering: .releasing)
  }

  /// Enters a phase; false when the keeper has ended the connection meanwhile.
  private func enter(_ phase: Phase) -> Bool {
    let next = Watch(phase, since: server.clock.load(ordering: .relaxed)).word
    let before = watch.exchange(next, ordering: .sequentiallyConsistent)
    guard Watch(word: before).phase != .expired else {
      watch.store(before, ordering: .releasing)
      return false
    }
    return true
  }

  /// Ends the connection of a stream whose client does not take its end; nobody else's while the server stops. [any]
  func cutStream() {
    guard let stream = streaming.withLock({ $0 }) else { return }
    descriptor.withLock { descriptor in
      if descriptor >= 0 { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
    stream.fail()
  }

  /// Resumes the parked connection. [any]
  private func resume() {
    guard let wire else { return }
    server.waking.add(1, ordering: .sequentiallyConsistent)
    wire.resume()
    server.waking.subtract(1, ordering: .sequentiallyConsistent)
  }
}

// MARK: - The turns of a request

extension Link {
  /// The request line is complete.
  func targeted(_ text: TargetText) {
    _ = enter(.head)
    guard let exchange = ensureExchange() else { return }
    targetRange = text.append(to: exchange.head)
    target = text.place
  }

  /// The library calls: returns false to end the connection without an answer.
  func turn(_ line: Wire.Line, bytes: borrowing Span<UInt8>) -> Bool {
    switch stage {
    case .head: arrived(line)
    case .ready: complete()
    case .answered, .parked: transmit()
    case .body: bytes.isEmpty ? complete() : received(bytes)
    case .over: false
    }
  }

  private func ensureExchange() -> Exchange? {
    if let exchange { return exchange }
    guard let taken = server.exchanges.take() else { return nil }
    taken.wake = wake
    exchange = taken
    return taken
  }

  private func arrived(_ line: Wire.Line) -> Bool {
    guard enter(.handling), let exchange, let wire else { return false }
    exchange.started = .now
    exchange.peer = peer
    exchange.open()
    begun = true
    let framing: BodyFraming
    do {
      framing = try readHead(wire, line, exchange)
    } catch {
      return refuseEarly(error)
    }
    guard !server.isStopping.load(ordering: .sequentiallyConsistent) else {
      return refuseEarly(HTTPServer.stopping)
    }
    switch application.begin(exchange) {
    case .answer:
      if framing == .none || framing == .length(0) {
        stage = .answered
        return true
      }
      lingers = true
      return transmit()
    case .readBody(let maxBytes):
      return expectBody(framing, maxBytes, nil)
    case .stream(let sink, let maxBytes):
      return expectBody(framing, maxBytes, sink)
    }
  }

  private func readHead(
    _ wire: Wire, _ line: Wire.Line, _ exchange: Exchange
  ) throws(Problem) -> BodyFraming {
    let limit = server.configuration.maxHeadBytes
    headBytes = wire.headBytes
    guard headBytes <= limit else { throw HTTPServer.fault(status: 431) }
    let head: Wire.Head
    switch wire.readHead(line, into: exchange, target: target, maxHeaders: server.configuration.maxHeaders) {
    case .success(let read): head = read
    case .failure(let failure):
      switch failure.fault {
      case .malformed:
        throw Problem(
          400, "http.malformed",
          "The request line or a header is malformed: a control character, a folded line, or blanks where none belong."
        )
      case .tooMany:
        throw Problem(431, "http.too_many_headers", "The request has too many headers.")
      }
    }
    headBytes += exchange.headers.count * HTTPServerConfiguration.bytesPerHeader
    guard headBytes <= limit + HTTPServerConfiguration.bookkeeping else {
      throw HTTPServer.fault(status: 431)
    }
    guard exchange.splitTarget(targetRange) else {
      throw Problem(400, "http.bad_target", "The request target is malformed.")
    }
    let hosts = exchange.knownCount[KnownHeader.host.rawValue]
    guard hosts == 1 || (hosts == 0 && head.isHTTP10) else {
      throw Problem(400, "http.host", "A request has exactly one Host header.")
    }
    let framing = try BodyFraming(of: exchange, isHTTP10: head.isHTTP10)
    try refuseCoded(exchange, framing)
    guard !head.expectsOther else {
      throw Problem(417, "http.expectation", "The only expectation that is met is 100-continue.")
    }
    return framing
  }

  /// A coded body would be read as what it is not (RFC 9110, section 8.4).
  private func refuseCoded(_ exchange: Exchange, _ framing: BodyFraming) throws(Problem) {
    guard exchange.has(.contentEncoding), framing != .none, framing != .length(0) else { return }
    let head = exchange.head
    let isPlain =
      exchange.knownCount[KnownHeader.contentEncoding.rawValue] == 1
      && head.span(exchange[.contentEncoding]).isCaselessly("identity")
    if !isPlain {
      throw Problem(
        415, "http.content_coding", "No Content-Encoding of a request is understood: send the body as it is.")
    }
  }

  private func expectBody(_ framing: BodyFraming, _ maxBytes: Int, _ sink: (any BodySink)?) -> Bool {
    bodyLimit = maxBytes
    self.sink = sink
    switch framing {
    case .none, .length(0):
      stage = .ready
      return true
    case .length(let count) where count > maxBytes:
      return refuseEarly(HTTPServer.bodyTooLarge(maxBytes))
    case .length, .chunked:
      stage = .body
      moved.store(0, ordering: .relaxed)
      return enter(.body)
    }
  }

  private func received(_ bytes: borrowing Span<UInt8>) -> Bool {
    guard let exchange else { return false }
    let total = moved.load(ordering: .relaxed) + bytes.count
    moved.store(total, ordering: .relaxed)
    guard total <= bodyLimit else { return refuseMidway(HTTPServer.bodyTooLarge(bodyLimit)) }
    guard let sink else {
      exchange.body.append(bytes)
      return true
    }
    do {
      try sink.write(bytes)
      return true
    } catch {
      return refuseMidway(error)
    }
  }

  private func complete() -> Bool {
    if stage == .body {
      guard enter(.handling) else { return false }
    }
    guard let exchange, let wire else { return false }
    guard !server.isStopping.load(ordering: .sequentiallyConsistent) else {
      application.refuse(exchange, HTTPServer.stopping)
      return transmit()
    }
    switch application.handle(exchange) {
    case .answered: return transmit()
    case .pending:
      stage = .parked
      wire.suspend()
      if exchange.park() { parked.store(exchange.handle, ordering: .releasing) } else { resume() }
      return true
    }
  }
}

// MARK: - Answers

extension Link {
  /// Room for what the library adds to an answer's head.
  private static let statusLineAndDate = 256

  /// Hands the answer in the exchange to the library.
  private func transmit() -> Bool {
    guard let exchange, let wire else { return false }
    stage = .over
    application.conclude(exchange)
    if exchange.answerHead.count + exchange.answerHeaders.count * 4 + Link.statusLineAndDate
      > server.configuration.connectionMemory - headBytes
    {
      // The library has no room for such a head, and would close the connection without a word.
      exchange.answer(HTTPServer.answerHeadTooLarge)
    }
    exchange.close()
    let status = (200...599).contains(exchange.status) ? exchange.status : 500
    let closes = exchange.closes || server.isDraining.load(ordering: .relaxed)
    if let stream = exchange.stream {
      stream.connect { [unowned self] in resume() }
      streaming.withLock { $0 = stream }
      mark(.streaming)
      return wire.answerStream(exchange, status: status, closes: closes)
    }
    moved.store(exchange.answerBody.count, ordering: .relaxed)
    mark(.sending)
    return wire.answer(exchange, status: status, closes: closes)
  }

  /// The next bytes of a stream.
  func next(upTo room: Int, _ copy: (Span<UInt8>) -> Void) -> AnswerStream.Next {
    guard let stream = exchange?.stream, let wire else { return .broken }
    return stream.take(upTo: room, pause: { wire.suspend() }, copy)
  }

  /// Refuses a request before its body: the library closes the connection after the answer.
  private func refuseEarly(_ problem: Problem) -> Bool {
    guard let exchange else { return false }
    lingers = true
    application.refuse(exchange, problem)
    exchange.closes = true
    return transmit()
  }

  /// Refuses a request in the middle of its body, where the library takes no answer.
  private func refuseMidway(_ problem: Problem) -> Bool {
    guard let exchange, let wire else { return false }
    lingers = true
    stage = .over
    exchange.discardAnswer()
    application.refuse(exchange, problem)
    exchange.closes = true
    application.conclude(exchange)
    exchange.close()
    sentDirectly = wire.answerDirectly(exchange, status: exchange.status)
    return false
  }

  /// The library refuses the request by itself: answers in its place. False leaves it to the library.
  func faulted(status: Int) -> Bool {
    guard let exchange = ensureExchange(), stage != .over else { return false }
    lingers = true
    isFault = true
    beginFaulty(exchange)
    exchange.discardAnswer()
    application.refuse(exchange, HTTPServer.fault(status: status))
    exchange.closes = true
    return transmit()
  }

  /// The keeper has ended a request that came too slowly. The socket still takes an answer.
  private func answerTimeout(_ exchange: Exchange) {
    // Who has left is told nothing, and counted as such.
    guard let wire, SocketSight.of(wire.descriptor)?.peerClosed != true else { return }
    beginFaulty(exchange)
    exchange.discardAnswer()
    application.refuse(exchange, HTTPServer.timedOut)
    exchange.closes = true
    application.conclude(exchange)
    stage = .over
    lingers = true
    sentDirectly = wire.answerDirectly(exchange, status: exchange.status)
  }

  /// A request that the application has not seen, and whose answer it is to complete.
  private func beginFaulty(_ exchange: Exchange) {
    guard !begun else { return }
    exchange.started = .now
    exchange.peer = peer
    exchange.open()
    begun = true
  }

  /// The request is over: its answer was sent, or its connection died.
  func finish(sent: Bool) {
    guard let exchange else { return }
    if stage == .head || stage == .body, Watch(word: watch.load(ordering: .acquiring)).phase == .expired {
      answerTimeout(exchange)
    }
    if lingers, let wire { server.linger(wire.descriptor) }
    if let stream = exchange.stream {
      streaming.withLock { $0 = nil }
      stream.finish()
    }
    if begun {
      exchange.close()
      application.finished(exchange, sent: stage == .over && (sent || sentDirectly || isFault))
    }
    stage = .head
    begun = false
    lingers = false
    sentDirectly = false
    isFault = false
    sink = nil
    headBytes = 0
    target = Wire.Target()
    mark(.idle)
    if exchange.relinquish() {
      exchange.reset()
    } else {
      self.exchange = nil
    }
  }
}
