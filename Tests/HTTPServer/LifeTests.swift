import Application
import HTTPServer
import Kernel
import Patience
import Synchronization
import Testing

@Suite struct LifeTests {
  private func server(
    _ application: Scripted, _ listener: HTTPServerConfiguration.Listener = .address("127.0.0.1", port: 0)
  ) -> HTTPServer {
    HTTPServer(HTTPServerConfiguration(listener), application: application, log: SilentLog())
  }

  @Test func bindsAFreePortAndGivesItBack() throws {
    let first = server(Scripted())
    #expect(first.port == 0)
    try first.start()
    let port = first.port
    #expect(port > 0)
    #expect(throws: Problem.self) { try server(Scripted(), .address("127.0.0.1", port: port)).start() }
    let peer = try Peer(port: port)
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(peer.answer()?.status == 200)
    #expect(first.stop(within: .zero, patience: .seconds(60)))
    #expect(peer.receiveAll().isEmpty)
    let second = server(Scripted(), .address("127.0.0.1", port: port))
    try second.start()
    #expect(second.port == port)
    second.stop()
  }

  @Test(arguments: [
    ("localhost", 0), ("1.2.3", 0), ("127.0.0.1", 65_536), ("127.0.0.1", -1), ("203.0.113.1", 0),
  ])
  func anAddressThatCannotBeBoundIsAProblem(_ address: String, _ port: Int) {
    #expect {
      try server(Scripted(), .address(address, port: port)).start()
    } throws: {
      ($0 as? Problem)?.code == "http.listen"
    }
  }

  @Test func listensOnBothFamilies() throws {
    let both = server(Scripted(), .address("::", port: 0))
    try both.start()
    defer { both.stop(within: .zero) }
    let peer = try Peer(port: both.port)
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(peer.answer()?.status == 200)
  }

  @Test func aGivenSocketOutlivesTheServer() throws {
    let socket = try Listening()
    for _ in 0..<3 {
      let application = Scripted()
      let one = server(application, .descriptor(socket.descriptor))
      try one.start()
      #expect(one.port == socket.port)
      let peer = try Peer(port: socket.port)
      peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(peer.answer()?.status == 200)
      peer.close()
      one.stop()
    }
    // Connects while nobody accepts, is served by the next server.
    let waiting = try Peer(port: socket.port)
    waiting.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    let last = server(Scripted(), .descriptor(socket.descriptor))
    try last.start()
    #expect(waiting.answer()?.status == 200)
    last.stop(within: .zero)
  }

  @Test func somethingThatIsNoDescriptorIsAProblem() {
    #expect(throws: Problem.self) { try server(Scripted(), .descriptor(-1)).start() }
  }

  @Test func drainingAnswersWhatIsInFlightAndCloses() throws {
    let held = Monitor<[Held]>([])
    let application = Scripted(pending: { exchange in held.withLock { $0.append(Held(exchange)) } })
    let one = server(application)
    try one.start()
    let port = one.port
    let idle = try Peer(port: port)
    idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(idle.answer()?.headers["connection"] == nil)
    let waiting = try Peer(port: port)
    waiting.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(eventually { held.withLock { $0.count } == 1 })
    one.drain()
    #expect(idle.receiveAll().isEmpty)
    #expect(throws: Peer.Failure.self) { try Peer(port: port) }
    #expect(eventually { one.connectionCount == 1 })
    reply(held.withLock { $0[0] }.exchange, "at last")
    held.withLock { $0[0] }.exchange.deliver()
    let answer = try #require(waiting.answer())
    #expect(answer.body == "at last")
    #expect(answer.headers["connection"] == "close")
    #expect(one.stop())
    #expect(application.seen.count { $0 == .finished(sent: true) } == 2)
  }

  @Test func stoppingWaitsForAnswers() throws {
    let held = Monitor<[Held]>([])
    let application = Scripted(pending: { exchange in held.withLock { $0.append(Held(exchange)) } })
    let one = server(application)
    try one.start()
    let waiting = try Peer(port: one.port)
    waiting.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(eventually { held.withLock { $0.count } == 1 })
    let stopper = Thread { one.stop(within: .seconds(60)) }
    reply(held.withLock { $0[0] }.exchange, "at last")
    held.withLock { $0[0] }.exchange.deliver()
    #expect(try #require(waiting.answer()).body == "at last")
    stopper.join()
  }

  /// What a handler may have done is not to be sent again unread.
  @Test(arguments: [("GET", "1"), ("POST", nil)])
  func stoppingAnswersInTheHandlersPlaceWhenTimeIsUp(method: String, retryAfter: String?) throws {
    let held = Monitor<[Held]>([])
    let application = Scripted(pending: { exchange in held.withLock { $0.append(Held(exchange)) } })
    let one = server(application)
    try one.start()
    let peers = try (0..<3).map { _ in try Peer(port: one.port) }
    for peer in peers { peer.send("\(method) /pending HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n") }
    #expect(eventually { held.withLock { $0.count } == 3 })
    #expect(one.stop(within: .milliseconds(50), patience: .seconds(60)))
    for peer in peers {
      let answer = try #require(peer.answer())
      #expect(answer.status == 503)
      #expect(answer.headers["retry-after"] == retryAfter)
      #expect(answer.body.contains("\"code\":\"http.stopping\""))
      #expect(answer.body.contains("may have been carried out") == (retryAfter == nil))
      #expect(peer.receiveAll().isEmpty)
    }
    for one in held.withLock({ $0 }) { #expect(!one.exchange.claim(one.handle)) }
  }

  @Test func stopsUnderLoad() throws {
    let workers = Workers(2) { reply($0, "{}") }
    for round in 0..<5 {
      let one = server(Scripted(pending: workers.give))
      try one.start()
      let port = one.port
      let answers = Atomic<Int>(0)
      let clients = (0..<4).map { client in
        Thread {
          while let peer = try? Peer(port: port) {
            for _ in 0..<50 {
              peer.send("GET /\(client % 2 == 0 ? "pending" : "") HTTP/1.1\r\nHost: a\r\n\r\n")
              guard let answer = peer.answer() else { break }
              answers.add(1, ordering: .relaxed)
              if answer.headers["connection"] == "close" { break }
            }
          }
        }
      }
      #expect(eventually { answers.load(ordering: .relaxed) > 200 })
      #expect(one.stop(within: round % 2 == 0 ? .zero : .seconds(5), patience: .seconds(60)))
      for client in clients { client.join() }
      #expect(one.connectionCount == 0)
    }
    workers.end()
  }

  /// A stop answers in the place of a handler that is away, not of one whose event thread is in it.
  @Test func aHandlerOnItsEventThreadKeepsItsAnswerInAForcedStop() throws {
    let gate = Monitor(false)
    let inside = Atomic<Bool>(false)
    let application = Scripted(pending: { exchange in
      inside.store(true, ordering: .sequentiallyConsistent)
      _ = gate.wait { $0 ? () : nil }
      if reply(exchange, "own") { exchange.deliver() }
    })
    let one = server(application)
    try one.start()
    let peer = try Peer(port: one.port)
    peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(eventually { inside.load(ordering: .sequentiallyConsistent) })
    let stopped = Monitor<Bool?>(nil)
    let stopper = Thread { stopped.signal { $0 = one.stop(within: .zero, patience: .seconds(60)) } }
    // Long enough for the stop to come round.
    #expect(!peer.hears(within: .milliseconds(200)))
    gate.signal(all: true) { $0 = true }
    #expect(peer.answer()?.body == "own")
    stopper.join()
    #expect(stopped.withLock { $0 } == true)
  }

  @Test func aHandlerThatDoesNotReturnIsLeftBehind() throws {
    let gate = Monitor(false)
    let inside = Atomic<Bool>(false)
    let application = Scripted(pending: { exchange in
      inside.store(true, ordering: .sequentiallyConsistent)
      _ = gate.wait { $0 ? () : nil }
      if reply(exchange, "woken") { exchange.deliver() }
    })
    let one = server(application)
    try one.start()
    let peer = try Peer(port: one.port)
    peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(eventually { inside.load(ordering: .sequentiallyConsistent) })
    #expect(!one.stop(within: .zero, patience: .milliseconds(200)))
    // Only what waits off its event thread is answered in the handler's place: what comes back here has its own answer.
    gate.signal(all: true) { $0 = true }
    #expect(application.hasSeen(.concluded(200)))
  }

  @Test func stoppingTwiceIsHarmless() throws {
    let one = server(Scripted())
    #expect(one.stop())
    try one.start()
    #expect(one.stop())
    #expect(one.stop())
  }

  @Test func listenersMayShareTheirExchanges() throws {
    let pool = ExchangePool(capacity: 10)
    let servers = (0..<2).map { _ in
      HTTPServer(
        HTTPServerConfiguration(.address("127.0.0.1", port: 0)), application: Scripted(), log: SilentLog(),
        exchanges: pool)
    }
    let peers = try servers.map { server in
      try server.start()
      let peer = try Peer(port: server.port)
      peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(peer.answer()?.status == 200)
      return peer
    }
    #expect(pool.inUse == 2)
    #expect(servers[0].exchange(slot: 1) === servers[1].exchange(slot: 1))
    for server in servers { server.stop(within: .zero) }
    _ = peers
  }
}
