package import Application
package import Kernel
import Synchronization

/// One listener: accepts connections, reads requests strictly, and lets an application answer them.
///
/// The bytes of HTTP and TLS are libmicrohttpd's, on a fixed set of event threads. One more thread, the keeper,
/// accepts connections and ends those that are too slow. Limits and their defaults: ``HTTPServerConfiguration``.
///
/// What the edge refuses by itself goes through ``HTTPApplication/refuse(_:_:)``, with these codes: `http.malformed`,
/// `http.bad_target`, `http.host`, `http.too_many_headers`, `http.head_too_large`, `http.target_too_long`,
/// `http.length_and_coding`, `http.coding_in_http_1_0`, `http.unknown_coding`, `http.duplicate_length`,
/// `http.bad_length`, `http.body_too_large`, `http.content_coding`, `http.expectation`, `http.version`, `http.timeout`,
/// `http.stopping`, `http.answer_head_too_large`. A request whose client closes its side of the connection before a
/// handler that takes its time has answered is abandoned: see ``Exchange/abandonWaiting(until:)``.
package final class HTTPServer: ExchangeTable {
  package let configuration: HTTPServerConfiguration
  package let exchanges: ExchangePool
  let application: any HTTPApplication
  let log: any LogSink
  let peers: PeerLimits
  let deadlines: Deadlines

  /// What the time-outs of connections are measured with.
  let now: @Sendable () -> Instant
  /// Milliseconds of that, as of the keeper's last round.
  let clock: Atomic<Int64>
  /// Connections from accept to close.
  let live = Atomic<Int>(0)
  /// False once the keeper has accepted its last connection.
  let isListening = Atomic<Bool>(true)
  /// Threads that are inside the library to resume a connection.
  let waking = Atomic<Int>(0)
  let isDraining = Atomic<Bool>(false)
  let isStopping = Atomic<Bool>(false)
  /// While the server leaves: until when quiet connections are kept, in milliseconds of the keeper's clock; else 0.
  let keepsQuietUntil = Atomic<Int64>(0)
  let links = Monitor(Links())
  let lastLibraryMessage = Monitor("")
  let rounds: Rounds
  let running = Monitor<Running?>(nil)

  struct Links {
    var all: [Link] = []
    var spare: [Link] = []
  }

  struct Running {
    var daemon: Daemon
    var keeper: Keeper
    var thread: OSThread
  }

  /// `exchanges` is shared by listeners whose requests reach the same plugins; without it the server makes its own.
  /// `now` is the clock of the time-outs; it never goes back.
  package init(
    _ configuration: HTTPServerConfiguration, application: any HTTPApplication, log: any LogSink,
    exchanges: ExchangePool? = nil, now: @escaping @Sendable () -> Instant = { .now }
  ) {
    self.now = now
    clock = Atomic(now().nanoseconds / 1_000_000)
    self.configuration = configuration
    self.application = application
    self.log = log
    self.exchanges =
      exchanges
      ?? ExchangePool(
        capacity: configuration.maxConnections + configuration.exchangeSlack,
        keptBytes: configuration.keptBytes, streams: AnswerStreams(configuration.streams, now: now))
    rounds = Rounds(eventThreads: Daemon.threads(configuration))
    peers = PeerLimits(limit: configuration.maxConnectionsPerAddress)
    deadlines = Deadlines(
      idle: configuration.idleTimeout, head: configuration.headTimeout, body: configuration.bodyTimeout,
      send: configuration.sendTimeout, minimumBytesPerSecond: configuration.minimumBytesPerSecond)
  }

  package func exchange(slot: UInt32) -> Exchange? { exchanges.exchange(slot: slot) }

  package var slotCount: Int { exchanges.slotCount }
}

// MARK: - Life

extension HTTPServer {
  /// Binds, and accepts connections when it returns. Once per server. Throws `http.listen` or `http.tls` (500)
  /// with the cause.
  package func start() throws(Problem) {
    let listener = try Listener(configuration.listener, backlog: configuration.backlog)
    let descriptors = DescriptorLimit.raise(to: configuration.maxConnections + 512)
    if descriptors < configuration.maxConnections + 512 {
      log.log(
        .warning, "http", "The system allows fewer descriptors than connections are configured",
        ["descriptors": .integer(Int64(descriptors))])
    }
    let tls: TLSMaterial?
    if let files = configuration.tls { tls = try TLSMaterial(files) } else { tls = nil }
    let daemon = try Daemon(self, tls: tls)
    let keeper = Keeper(self, daemon: daemon, listener: listener)
    let thread = OSThread("http-keeper") { keeper.run() }
    running.withLock { $0 = Running(daemon: daemon, keeper: keeper, thread: thread) }
  }

  /// The port that is bound; 0 before ``start()`` and for a socket without one.
  package var port: Int { running.withLock { $0?.keeper.port ?? 0 } }

  /// Open connections.
  package var connectionCount: Int { live.load(ordering: .relaxed) }

  /// Whether no connection is open and none will come: a draining server may still be accepting its last ones while the
  /// count is 0.
  package var isDeserted: Bool {
    !isListening.load(ordering: .acquiring) && live.load(ordering: .relaxed) == 0
  }

  /// Accepts no further connection, and lets the open ones end: every answer says `Connection: close`,
  /// a quiet connection is closed. Returns at once.
  package func drain() {
    isDraining.store(true, ordering: .sequentiallyConsistent)
    running.withLock { $0?.keeper.wake() }
  }

  /// Another server has the listening socket: accepts no further connection, and lets every request of the open ones be
  /// answered with `Connection: close`. A quiet connection is kept for `idle`, for its client may send at this moment and
  /// would take a close for a failure. Returns at once.
  package func leave(idle: Duration) {
    let until = Instant.now.nanoseconds / 1_000_000 + idle.nanoseconds / 1_000_000
    keepsQuietUntil.store(max(until, 1), ordering: .sequentiallyConsistent)
    drain()
  }

  /// Drains, and ends every thread of the server. Waits up to `grace` for open connections; requests that are
  /// unanswered by then get 503 `http.stopping`. False: a handler on an event thread does not return within `patience`
  /// more, so that the threads had to be left behind. [not event] once
  @discardableResult
  package func stop(within grace: Duration = .seconds(5), patience: Duration = .seconds(2)) -> Bool {
    guard let running = running.withLock({ running in running.take() }) else { return true }
    rounds.end()
    isDraining.store(true, ordering: .sequentiallyConsistent)
    keepsQuietUntil.store(0, ordering: .sequentiallyConsistent)
    running.keeper.wake()
    wait(until: .now + grace) { isDeserted }
    isStopping.store(true, ordering: .sequentiallyConsistent)
    // A client that does not take the end of its stream is not waited for.
    let hurry = Instant.now + patience / 2
    let quiet = wait(until: .now + patience) { forceParked(isLate: Instant.now >= hurry) }
    running.keeper.end()
    running.thread.join()
    guard quiet else {
      log.log(.critical, "http", "A handler does not return: its event thread is left behind")
      return false
    }
    running.daemon.stop()
    // A socket that no event thread had taken over yet was closed without a word.
    live.store(0, ordering: .relaxed)
    links.withLock { $0 = Links() }
    return true
  }

  /// Answers parked requests in their handlers' place; true when no request is with a handler or on its way out.
  private func forceParked(isLate: Bool) -> Bool {
    var quiet = true
    for link in links.withLock({ $0.all }) {
      switch Watch(word: link.watch.load(ordering: .sequentiallyConsistent)).phase {
      case .sending: quiet = false
      case .streaming:
        quiet = false
        if isLate { link.cutStream() } else { link.streaming.withLock { $0 }?.stop() }
      case .handling:
        quiet = false
        // By the request's name: the exchange may be another connection's by now, of another listener even.
        let name = link.parked.load(ordering: .acquiring)
        guard let exchange = exchanges.exchange(named: name), exchange.claim(name) else { continue }
        application.refuse(exchange, HTTPServer.unanswered.problem(of: exchange.method))
        exchange.deliverInPlace()
      case .closed, .fresh, .idle, .head, .body, .expired: break
      }
    }
    return quiet && waking.load(ordering: .sequentiallyConsistent) == 0
  }

  @discardableResult
  private func wait(until deadline: Instant, _ condition: () -> Bool) -> Bool {
    let pause = Monitor(0)
    while !condition() {
      guard Instant.now < deadline else { return false }
      _ = pause.wait(until: .now + .milliseconds(2)) { _ in nil as Int? }
    }
    return true
  }
}

// MARK: - Connections

extension HTTPServer {
  /// A link for a new connection. [event]
  func takeLink() -> Link {
    links.withLock { links in
      if let link = links.spare.popLast() { return link }
      let link = Link(server: self)
      links.all.append(link)
      return link
    }
  }

  /// The connection of a link is closed. [event]
  func giveBack(_ link: Link) {
    left(link.peer)
    links.withLock { $0.spare.append(link) }
  }

  /// One connection fewer. [any]
  func left(_ peer: (UInt64, UInt64)) {
    peers.leave(peer)
    let before = live.subtract(1, ordering: .relaxed).oldValue
    if before >= configuration.maxConnections { running.withLock { $0?.keeper.wake() } }
  }

  /// A line of the library's log: mostly what clients did wrong, and at the start why it fails. [any]
  func libraryLogged(_ line: String) {
    lastLibraryMessage.withLock { $0 = line }
    log.log(.debug, "http", line)
  }

  /// Keeps a closing socket for a moment, so that its last answer is not lost to a reset. [event]
  func linger(_ descriptor: Int32) { running.withLock { $0?.keeper.linger(descriptor) } }
}

// MARK: - What the edge refuses

extension HTTPServer {
  /// To a request that no handler has seen.
  static let stopping = Problem(
    503, "http.stopping", "The server is stopping: send the request again.", retryAfterSeconds: 1)

  /// To one that is with its handler.
  static let unanswered = Unanswered(
    503, "http.stopping", "The server stopped before this request was answered.")

  static let timedOut = Problem(
    408, "http.timeout", "The request came too slowly. Send it again, on another connection.")

  static let answerHeadTooLarge = Problem(
    500, "http.answer_head_too_large", "The headers of the answer are larger than the server can send.")

  static func bodyTooLarge(_ limit: Int) -> Problem {
    Problem(
      413, "http.body_too_large", "The body is larger than \(limit) bytes.",
      members: ["limit_bytes": .integer(Int64(limit))])
  }

  /// A refusal of the library's own, by its status.
  static func fault(status: Int) -> Problem {
    switch status {
    case 413: Problem(413, "http.body_too_large", "A chunk of the body is larger than any limit.")
    case 414: Problem(414, "http.target_too_long", "The request target is too long.")
    case 431: Problem(431, "http.head_too_large", "The request's headers are too large.")
    case 505: Problem(505, "http.version", "The versions of HTTP that are understood are 1.0 and 1.1.")
    // The library has a fixed amount of memory for the head and the chunk lines of a request.
    case 500...599: Problem(431, "http.head_too_large", "The request's headers or chunk lines are too large.")
    default: Problem(400, "http.malformed", "The request line, a header or a chunk is malformed.")
    }
  }
}
