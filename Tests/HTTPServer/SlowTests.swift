import Kernel
import Patience
import Synchronization
import Testing

@testable import HTTPServer

/// Peers that are too slow. The clock of the time-outs stands until a test moves it, so that a slow machine is none.
@Suite struct SlowTests {
  private let clock = StoppedClock()

  private func patient(_ configuration: inout HTTPServerConfiguration) {
    configuration.idleTimeout = .seconds(86_400)
    configuration.headTimeout = .seconds(86_400)
    configuration.bodyTimeout = .seconds(86_400)
    configuration.sendTimeout = .seconds(86_400)
    configuration.minimumBytesPerSecond = 1 << 30
  }

  /// Moves the clock by so much, and waits until the server has noticed.
  private func pass(_ time: Duration, on server: HTTPServer) -> Bool {
    clock.advance(by: time)
    return eventually { server.clock.load(ordering: .relaxed) == clock.now.nanoseconds / 1_000_000 }
  }

  private func isIdle(_ server: HTTPServer) -> Bool {
    let links = server.links.withLock { $0.all }
    return links.count == 1 && Watch(word: links[0].watch.load(ordering: .acquiring)).phase == .idle
  }

  @Test func aHeadThatDoesNotEndIsAnswered408() throws {
    let application = Scripted()
    try withServer(
      application,
      with: settings {
        patient(&$0)
        $0.headTimeout = .milliseconds(100)
      }, on: clock
    ) { server, port in
      let peer = try Peer(port: port)
      peer.send("GET / HTTP/1.1\r\nHost: a\r\nX: ")
      #expect(clock.advances { peer.hasAnswer })
      let answer = try #require(peer.answer())
      #expect(answer.status == 408)
      #expect(answer.headers["content-type"] == "application/problem+json")
      #expect(answer.body.contains("\"code\":\"http.timeout\""))
      #expect(answer.body.hasSuffix("}"))
      #expect(answer.headers["x-concluded"] == "yes" && answer.headers["date"] != nil)
      #expect(peer.receiveAll().isEmpty)
      #expect(eventually { server.connectionCount == 0 })
    }
    #expect(application.seen == [.concluded(408), .finished(sent: true)])
  }

  @Test func aHeadThatKeepsDrippingIsAnswered408() throws {
    try withServer(
      with: settings {
        patient(&$0)
        $0.headTimeout = .milliseconds(100)
      }, on: clock
    ) { _, port in
      let peer = try Peer(port: port)
      peer.send("GET / HTTP/1.1\r\n")
      let dripper = Thread {
        for _ in 0..<10_000 where !peer.hasAnswer { peer.send("X: y\r\n") }
      }
      // The drops stop when the answer is there, or are more than a head may have.
      #expect(clock.advances { peer.hasAnswer })
      dripper.join()
      let status = try #require(peer.answer()).status
      #expect(status == 408 || status == 431)
    }
  }

  @Test func aRequestLineThatDoesNotEndIsAnswered408() throws {
    try withServer(
      with: settings {
        patient(&$0)
        $0.headTimeout = .milliseconds(100)
      }, on: clock
    ) { server, port in
      let peer = try Peer(port: port)
      peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try #require(peer.answer()).status == 200)
      #expect(eventually { isIdle(server) })
      // What the keeper's first look at an idle connection finds belongs to the requests before. It comes in the round after
      // the one that sees the clock, at the latest.
      for time in [Duration.seconds(3), .milliseconds(1), .milliseconds(1)] {
        #expect(pass(time, on: server))
      }
      #expect(!peer.hears(within: .milliseconds(100)))
      peer.send("GET /")
      #expect(clock.advances { peer.hasAnswer })
      let answer = try #require(peer.answer())
      #expect(answer.status == 408 && answer.headers["x-concluded"] == "yes")
      #expect(peer.receiveAll().isEmpty)
    }
  }

  @Test func aBodyThatDoesNotEndIsAnswered408() throws {
    let application = Scripted()
    try withServer(
      application,
      with: settings {
        patient(&$0)
        $0.bodyTimeout = .milliseconds(100)
      }, on: clock
    ) { _, port in
      let peer = try Peer(port: port)
      peer.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nbody")
      #expect(clock.advances { peer.hasAnswer })
      #expect(try #require(peer.answer()).status == 408)
      #expect(peer.receiveAll().isEmpty)
      #expect(application.hasSeen(.finished(sent: true)))
    }
    #expect(application.seen == [.begun("/echo"), .concluded(408), .finished(sent: true)])
  }

  @Test func anIdleConnectionIsClosed() throws {
    try withServer(
      with: settings {
        patient(&$0)
        $0.idleTimeout = .milliseconds(100)
      }, on: clock
    ) { server, port in
      let fresh = try Peer(port: port)
      let used = try Peer(port: port)
      used.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try #require(used.answer()).status == 200)
      #expect(eventually { server.connectionCount == 2 })
      #expect(clock.advances { server.connectionCount == 0 })
      #expect(fresh.receiveAll().isEmpty)
      #expect(used.receiveAll().isEmpty)
    }
  }

  @Test func anIdleConnectionOutlivesTheTimeOutsOfRequests() throws {
    try withServer(
      with: settings {
        patient(&$0)
        $0.headTimeout = .milliseconds(20)
        $0.bodyTimeout = .milliseconds(20)
      }, on: clock
    ) { server, port in
      let peer = try Peer(port: port)
      for _ in 0..<3 {
        peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try #require(peer.answer()).status == 200)
        #expect(pass(.seconds(10), on: server))
        #expect(!peer.hears(within: .milliseconds(100)))
      }
    }
  }

  @Test func aHandlerMayTakeLongerThanEveryTimeOut() throws {
    let gate = Monitor(false)
    let inside = Monitor(false)
    let workers = Workers(1) { exchange in
      inside.signal(all: true) { $0 = true }
      _ = gate.wait { $0 ? () : nil }
      return reply(exchange, "late")
    }
    try withServer(
      Scripted(pending: workers.give),
      with: settings {
        $0.idleTimeout = .milliseconds(50)
        $0.headTimeout = .milliseconds(50)
        $0.bodyTimeout = .milliseconds(50)
        $0.sendTimeout = .milliseconds(50)
      }, on: clock
    ) { server, port in
      let peer = try Peer(port: port)
      peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(inside.eventually { $0 ? true : nil } == true)
      #expect(pass(.seconds(3600), on: server))
      #expect(!peer.hears(within: .milliseconds(100)))
      gate.signal(all: true) { $0 = true }
      #expect(try #require(peer.answer()).body == "late")
    }
    workers.end()
  }

  @Test func aReaderThatDoesNotReadIsClosed() throws {
    let application = Scripted()
    try withServer(
      application,
      with: settings {
        patient(&$0)
        $0.sendTimeout = .milliseconds(100)
      }, on: clock
    ) { server, port in
      let peer = try Peer(port: port, receiveBuffer: 4096)
      peer.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(application.hasSeen(.concluded(200)))
      #expect(clock.advances { server.connectionCount == 0 })
      #expect(application.hasSeen(.finished(sent: false)))
      #expect(peer.receiveAll().utf8.count < 8_000_000)
    }
  }

  @Test func aPeerThatLeavesWithItsLastBytesIsNoticed() throws {
    try withServer(
      with: settings {
        patient(&$0)
        $0.headTimeout = .milliseconds(400)
      }, on: clock
    ) { server, port in
      for _ in 0..<20 {
        let peer = try Peer(port: port)
        peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        peer.close()
      }
      #expect(clock.advances { server.connectionCount == 0 })
    }
  }
}

@Suite struct DeadlineTests {
  private let deadlines = Deadlines(
    idle: .milliseconds(10), head: .milliseconds(20), body: .milliseconds(30), send: .milliseconds(40),
    minimumBytesPerSecond: 1000)

  @Test(arguments: [(.fresh, 10), (.idle, 10), (.head, 20), (.body, 30), (.sending, 40)] as [(Phase, Int64)])
  func aPhaseIsOverAtItsLimit(_ phase: Phase, _ limit: Int64) {
    let watch = Watch(phase, since: 100)
    #expect(!deadlines.areOver(watch, now: 100 + limit - 1, moved: 0))
    #expect(deadlines.areOver(watch, now: 100 + limit, moved: 0))
  }

  @Test(arguments: [(.body, 30), (.sending, 40)] as [(Phase, Int64)])
  func bytesThatMovedTakeTheirTime(_ phase: Phase, _ limit: Int64) {
    let watch = Watch(phase, since: 0)
    #expect(!deadlines.areOver(watch, now: limit + 4, moved: 5))
    #expect(deadlines.areOver(watch, now: limit + 5, moved: 5))
  }

  @Test(arguments: [Phase.closed, .handling, .expired])
  func otherPhasesLastForever(_ phase: Phase) {
    #expect(!deadlines.areOver(Watch(phase, since: 0), now: 1 << 50, moved: 0))
  }

  @Test(arguments: Phase.allCases)
  func aWatchFitsItsWord(_ phase: Phase) {
    let watch = Watch(phase, since: 1 << 54)
    #expect(Watch(word: watch.word) == watch)
  }

  private func sight(_ bytes: Int64, closed: Bool = false) -> SocketSight {
    SocketSight(bytes: bytes, peerClosed: closed)
  }

  @Test(arguments: [(.idle, 50), (.fresh, 0)] as [(Phase, Int64)])
  func aSilentConnectionNeverDrips(_ phase: Phase, _ bytes: Int64) {
    var drip = Drip()
    for now in stride(from: 0, through: 10_000, by: 7) {
      #expect(!drip.isOver(Watch(phase, since: 0), now: Int64(now), limit: 100) { sight(bytes) })
    }
  }

  @Test func aConnectionThatIsUsedIsNotLookedAt() {
    var drip = Drip()
    for now in stride(from: Int64(0), through: 10_000, by: 24) {
      #expect(
        !drip.isOver(Watch(.idle, since: now), now: now + 24, limit: 100) {
          Issue.record("looked")
          return nil
        })
    }
  }

  @Test func aPartOfALaterRequestHasItsLimitFromWhenItWasSeen() {
    var drip = Drip()
    let watch = Watch(.idle, since: 10)
    #expect(!drip.isOver(watch, now: 35, limit: 100) { sight(7) })
    #expect(!drip.isOver(watch, now: 60, limit: 100) { sight(8) })
    #expect(!drip.isOver(watch, now: 159, limit: 100) { sight(9) })
    #expect(drip.isOver(watch, now: 160, limit: 100) { sight(9) })
  }

  @Test func aPartOfTheFirstRequestHasItsLimitFromTheConnection() {
    var drip = Drip()
    let watch = Watch(.fresh, since: 10)
    #expect(!drip.isOver(watch, now: 35, limit: 100) { sight(1) })
    #expect(!drip.isOver(watch, now: 109, limit: 100) { sight(1) })
    #expect(drip.isOver(watch, now: 110, limit: 100) { sight(1) })
  }

  @Test func aNewIdleTimeStartsAnew() {
    var drip = Drip()
    #expect(!drip.isOver(Watch(.idle, since: 10), now: 35, limit: 100) { sight(0) })
    #expect(!drip.isOver(Watch(.idle, since: 10), now: 60, limit: 100) { sight(1) })
    #expect(!drip.isOver(Watch(.idle, since: 61), now: 161, limit: 100) { sight(2) })
    #expect(!drip.isOver(Watch(.idle, since: 61), now: 300, limit: 100) { sight(2) })
  }

  @Test func aPeerThatIsGoneHasOneRoundOfGrace() {
    var drip = Drip()
    let watch = Watch(.idle, since: 0)
    #expect(!drip.isOver(watch, now: 25, limit: 100) { sight(9, closed: true) })
    #expect(drip.isOver(watch, now: 26, limit: 100) { sight(9, closed: true) })
  }
}
