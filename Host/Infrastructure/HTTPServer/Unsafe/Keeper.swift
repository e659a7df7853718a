import Application
import CHTTPEdge
import Glibc
import Kernel
import Synchronization

/// The thread beside the event threads: accepts connections, ends those that are too slow, and keeps closing
/// sockets until the peer has read its last answer.
@safe
final class Keeper: @unchecked Sendable {
  // Immutable, or the keeper thread's alone, but for `inbox` and the descriptor of `bell`.
  private let server: HTTPServer
  private let daemon: Daemon
  private let listener: Listener
  private let bell: Int32
  private let tick: Int64
  private let inbox = Monitor(Inbox())
  private var lingering: [Lingering] = []
  private var acceptsAfter: Int64 = 0
  private var nextSweep: Int64 = 0
  private var listens = true
  /// For answers to connections that have no exchange yet; in no table.
  private let own = Exchange(slot: .max)
  private var waiting: [Waiting] = []
  /// When the thread saw that the server drains.
  private var drainBegan: Int64?

  private struct Inbox {
    var ended = false
    var isAskedRound = false
    var sockets: [Int32] = []
  }

  /// Somebody who waits for bytes that the library does not send now.
  private struct Waiting {
    var descriptor: Int32
    var left: Left
  }

  /// What ends when that client has left.
  private enum Left {
    /// A request that waits for its handler.
    case request(Exchange, until: Instant)
    /// A stream, and what its link was doing.
    case stream(AnswerStream, Link, UInt64)
  }

  private struct Lingering {
    var descriptor: Int32
    var until: Int64
  }

  init(_ server: HTTPServer, daemon: Daemon, listener: Listener) {
    self.server = server
    self.daemon = daemon
    self.listener = listener
    bell = chttpedge_bell()
    precondition(bell >= 0, "no descriptor for the keeper (errno \(errno))")
    let deadlines = server.deadlines
    let shortest = min(
      deadlines.idleMilliseconds, deadlines.headMilliseconds, deadlines.bodyMilliseconds,
      deadlines.sendMilliseconds, server.exchanges.streams.limits.shortest.nanoseconds / 1_000_000)
    tick = min(max(shortest / 8, 5), 250)
  }

  deinit { Glibc.close(bell) }

  var port: Int { listener.port }

  /// Makes the thread look around. [any]
  func wake() {
    var one: UInt64 = 1
    // Safe: eight bytes, as an eventfd takes.
    _ = unsafe write(bell, &one, 8)
  }

  /// Makes the thread tell ``Rounds`` that it comes round. [any]
  func askRound() {
    inbox.withLock { $0.isAskedRound = true }
    wake()
  }

  /// Ends the thread after its round. [any]
  func end() {
    inbox.withLock { $0.ended = true }
    wake()
  }

  /// Takes a second descriptor of a socket that the library is about to close. [event]
  func linger(_ descriptor: Int32) {
    let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
    guard copy >= 0 else { return }
    let taken = inbox.withLock { inbox in
      guard inbox.sockets.count < server.configuration.maxLingering else { return false }
      inbox.sockets.append(copy)
      return true
    }
    if taken { wake() } else { Glibc.close(copy) }
  }
}

// MARK: - The thread

extension Keeper {
  func run() {
    while true {
      let now = readClock()
      let (ended, isAsked, sockets) = inbox.withLock { inbox in
        defer {
          inbox.sockets.removeAll(keepingCapacity: true)
          inbox.isAskedRound = false
        }
        return (inbox.ended, inbox.isAskedRound, inbox.sockets)
      }
      if isAsked { server.rounds.came(server.rounds.keeper) }
      for socket in sockets { admitLingering(socket, now) }
      if listens, ended || server.isDraining.load(ordering: .sequentiallyConsistent) {
        listens = false
        drainBegan = now
        server.isListening.store(false, ordering: .releasing)
        listener.closeIfOwned()
      }
      if ended { break }
      if now >= nextSweep {
        sweep(now)
        nextSweep = now + tick
      }
      waitForEvents(now)
    }
    for one in lingering { Glibc.close(one.descriptor) }
    lingering.removeAll()
  }

  private func readClock() -> Int64 {
    let now = server.now().nanoseconds / 1_000_000
    server.clock.store(now, ordering: .relaxed)
    return now
  }

  private var accepts: Bool {
    listens && !server.isDraining.load(ordering: .relaxed)
      && server.live.load(ordering: .relaxed) < server.configuration.maxConnections
  }

  private func waitForEvents(_ now: Int64) {
    var set = [pollfd(fd: bell, events: Int16(POLLIN), revents: 0)]
    let listening = accepts && now >= acceptsAfter
    if listening { set.append(pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0)) }
    let first = set.count
    for one in lingering { set.append(pollfd(fd: one.descriptor, events: Int16(POLLIN), revents: 0)) }
    let patience = Int32(clamping: max(nextSweep - now, 1))
    // Safe: the array has as many entries as are passed.
    let ready = unsafe set.withUnsafeMutableBufferPointer {
      unsafe poll($0.baseAddress, nfds_t($0.count), patience)
    }
    guard ready > 0 else { return }
    let after = readClock()
    if set[0].revents != 0 {
      var count: UInt64 = 0
      // Safe: eight bytes, as an eventfd gives.
      _ = unsafe read(bell, &count, 8)
    }
    if listening, set[1].revents != 0 { acceptSome(after) }
    lingering = zip(lingering, set[first...]).compactMap { one, polled in
      polled.revents != 0 && isDone(one.descriptor) ? nil : one
    }
  }
}

// MARK: - Accepting

extension Keeper {
  private func acceptSome(_ now: Int64) {
    for _ in 0..<64 where accepts {
      switch listener.accept() {
      case .connection(let accepted): hand(accepted)
      case .again: continue
      case .none: return
      case .exhausted(let number):
        server.log.log(.warning, "http", "Cannot accept connections: \(Failure.text(number))")
        acceptsAfter = now + 100
        return
      }
    }
  }

  private func hand(_ accepted: Accepted) {
    guard server.peers.admit(accepted.peer) else {
      Glibc.close(accepted.descriptor)
      return
    }
    server.live.add(1, ordering: .relaxed)
    if !daemon.add(accepted) { server.left(accepted.peer) }
  }
}

// MARK: - Deadlines

extension Keeper {
  private func sweep(_ now: Int64) {
    let drains =
      server.isDraining.load(ordering: .relaxed)
      && now >= server.keepsQuietUntil.load(ordering: .relaxed)
    let drainIdle = server.configuration.drainIdle.nanoseconds / 1_000_000
    let endsStreams =
      drainBegan.map { now - $0 >= server.exchanges.streams.limits.drain.nanoseconds / 1_000_000 } ?? false
    for link in server.links.withLock({ $0.all }) {
      let word = link.watch.load(ordering: .acquiring)
      let watch = Watch(word: word)
      let moved = Int64(link.moved.load(ordering: .relaxed))
      if watch.phase == .handling { noteWaiting(link) }
      if watch.phase == .streaming { tend(link, word, ends: endsStreams) }
      if server.deadlines.areOver(watch, now: now, moved: moved) {
        expire(link, word, watch.phase == .head || watch.phase == .body ? .answeredByThread : .silent)
      } else if watch.phase == .idle || watch.phase == .fresh {
        if drains, now - watch.since >= drainIdle {
          expire(link, word, .silent)
        } else if isDripping(link, watch, now) {
          expire(link, word, .answered)
        }
      }
    }
    lookForDeserted()
    lingering = lingering.filter { one in
      guard now >= one.until else { return true }
      Glibc.close(one.descriptor)
      return false
    }
  }

  private func isDripping(_ link: Link, _ watch: Watch, _ now: Int64) -> Bool {
    link.drip.isOver(
      watch, now: now, limit: server.deadlines.headMilliseconds,
      look: {
        link.descriptor.withLock { descriptor in
          descriptor >= 0 ? SocketSight.of(descriptor) : nil
        }
      })
  }

  /// How a connection that took too long ends.
  private enum Ending {
    /// Part of an answer may be out.
    case silent
    /// The event thread has the request, and says 408 when it finds the connection expired.
    case answeredByThread
    /// Nobody but the keeper knows of the request: it is not even a request line.
    case answered
  }

  /// Ends a connection, unless it moved on since `word` was read.
  private func expire(_ link: Link, _ word: UInt64, _ ending: Ending) {
    link.descriptor.withLock { descriptor in
      // The lock keeps the socket open; the word keeps the event thread from answering as well.
      guard descriptor >= 0 else { return }
      let expired = Watch(.expired, since: Watch(word: word).since).word
      guard
        link.watch.compareExchange(
          expected: word, desired: expired, ordering: .sequentiallyConsistent
        ).exchanged
      else { return }
      if case .answered = ending, server.configuration.tls == nil { answerTimeout(on: descriptor) }
      if case .answeredByThread = ending {
        // The library reads the end, and gives the request up: see Link.finish.
        shutdown(descriptor, Int32(SHUT_RD))
      } else {
        shutdown(descriptor, Int32(SHUT_RDWR))
      }
    }
  }

  private func answerTimeout(on descriptor: Int32) {
    let application = server.application
    own.reset()
    own.open()
    own.started = .now
    application.refuse(own, HTTPServer.timedOut)
    own.closes = true
    application.conclude(own)
    let sent = Wire.answer(own, on: descriptor)
    own.close()
    application.finished(own, sent: sent)
  }
}

// MARK: - Requests and streams whose client left

extension Keeper {
  /// A suspended connection is out of the library's sight: nobody would read its end.
  private func noteWaiting(_ link: Link) {
    let name = link.parked.load(ordering: .acquiring)
    guard name != 0, let exchange = server.exchanges.exchange(named: name), exchange.isOpen(name),
      let until = exchange.waiting?.until, until.nanoseconds > 0
    else { return }
    let descriptor = link.descriptor.withLock { $0 }
    if descriptor >= 0 {
      waiting.append(Waiting(descriptor: descriptor, left: .request(exchange, until: until)))
    }
  }

  /// Keeps a stream alive, or ends it.
  private func tend(_ link: Link, _ word: UInt64, ends: Bool) {
    guard let stream = link.streaming.withLock({ $0 }) else { return }
    if ends { stream.stop() }
    // A server that ends does not wait as long for a client that takes the end of its stream, or leaves, when it likes.
    let linger = drainBegan == nil ? nil : server.configuration.lingerTime
    if stream.look(sendLimit: server.configuration.sendTimeout, lingerLimit: linger) == .stalled {
      return cut(stream, link, word)
    }
    let descriptor = link.descriptor.withLock { $0 }
    if descriptor >= 0 {
      waiting.append(Waiting(descriptor: descriptor, left: .stream(stream, link, word)))
    }
  }

  /// Ends a stream and its connection, whether that is suspended or waits for the socket.
  private func cut(_ stream: AnswerStream, _ link: Link, _ word: UInt64) {
    expire(link, word, .silent)
    stream.fail()
  }

  /// One call for each 1024 requests that wait, at each round; none when none waits. Should a descriptor belong to
  /// another connection by now, the request is over, and its exchange does not wait until that instant any more; nor does the
  /// link of a stream do what it did.
  private func lookForDeserted() {
    let batch = Int(CHTTPEDGE_LOOKS)
    guard !waiting.isEmpty else { return }
    var gone = [UInt8](repeating: 0, count: min(waiting.count, batch))
    for start in stride(from: 0, to: waiting.count, by: batch) {
      let some = waiting[start..<min(start + batch, waiting.count)]
      let descriptors = some.map { $0.descriptor }
      // Safe: both arrays have room for `count` entries.
      guard unsafe chttpedge_deserted(descriptors, descriptors.count, &gone) > 0 else { continue }
      for (index, one) in some.enumerated() where gone[index] != 0 {
        switch one.left {
        case .request(let exchange, let until): _ = exchange.abandonWaiting(until: until)
        case .stream(let stream, let link, let word): cut(stream, link, word)
        }
      }
    }
    waiting.removeAll(keepingCapacity: true)
  }
}

// MARK: - Lingering

extension Keeper {
  private func admitLingering(_ socket: Int32, _ now: Int64) {
    if lingering.count < server.configuration.maxLingering {
      let milliseconds = server.configuration.lingerTime.nanoseconds / 1_000_000
      lingering.append(Lingering(descriptor: socket, until: now + milliseconds))
    } else {
      Glibc.close(socket)
    }
  }

  /// Discards what came; closes the socket when the peer is done.
  private func isDone(_ socket: Int32) -> Bool {
    for _ in 0..<16 {
      // Safe: with MSG_TRUNC a TCP socket discards the bytes without writing them.
      let count = recv(socket, nil, 1 << 20, Int32(MSG_TRUNC) | Int32(MSG_DONTWAIT))
      if count > 0 { continue }
      if count < 0, errno == EAGAIN || errno == EINTR { return false }
      Glibc.close(socket)
      return true
    }
    return false
  }
}
