import Application
import HTTPServer
import Kernel
import Patience
import Synchronization
import Testing

/// Answers that come later, from other threads.
@Suite struct PendingTests {
  @Test func answersRaceWithParking() throws {
    let workers = Workers(3) { reply($0, text($0, $0.rawQuery)) }
    let application = Scripted(pending: workers.give)
    try withServer(application) { _, port in
      let clients = (0..<4).map { client in
        Thread {
          guard let peer = try? Peer(port: port) else { return }
          for number in 0..<1000 {
            peer.send("GET /pending?\(client)-\(number) HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = peer.answer()
            #expect(answer?.status == 200)
            #expect(answer?.body == "\(client)-\(number)")
          }
        }
      }
      for client in clients { client.join() }
      #expect(application.hasSeen(.finished(sent: true), times: 4000))
    }
    workers.end()
  }

  @Test func anAnswerThatIsThereBeforeParkingIsSent() throws {
    let application = Scripted(pending: { exchange in
      reply(exchange, "now")
      exchange.deliver()
    })
    try withServer(application) { _, port in
      let peer = try Peer(port: port)
      for _ in 0..<100 {
        peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try #require(peer.answer()).body == "now")
      }
    }
  }

  @Test func aClientThatLeavesMeanwhileIsReportedAsFinished() throws {
    let held = Monitor<[Held]>([])
    let application = Scripted(pending: { exchange in held.withLock { $0.append(Held(exchange)) } })
    try withServer(application) { server, port in
      let peer = try Peer(port: port)
      peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(eventually { held.withLock { $0.count } == 1 })
      peer.reset()
      let one = held.withLock { $0[0] }
      #expect(one.exchange.isOpen(one.handle))
      reply(one.exchange, "too late")
      one.exchange.deliver()
      #expect(eventually { server.connectionCount == 0 })
      #expect(application.hasSeen(.finished(sent: false)))
      #expect(!one.exchange.isOpen(one.handle))
    }
    #expect(application.seen.last == .finished(sent: false))
  }

  @Test(arguments: [false, true]) func aClientThatLeavesARequestThatWaitsIsNoticed(resets: Bool) throws {
    let held = Monitor<[Held]>([])
    let application = Scripted(pending: { exchange in
      exchange.beginWaiting(for: 1, until: .now + .seconds(3600))
      held.withLock { $0.append(Held(exchange)) }
    })
    try withServer(application) { server, port in
      let (peer, other) = (try Peer(port: port), try Peer(port: port))
      for one in [peer, other] { one.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n") }
      #expect(eventually { held.withLock { $0.count } == 2 })
      if resets { peer.reset() } else { peer.close() }
      #expect(eventually { held.withLock { $0.contains { $0.exchange.isAbandoned } } })
      let (left, stayed) = held.withLock { all in
        (all.first { $0.exchange.isAbandoned }, all.first { !$0.exchange.isAbandoned })
      }
      for one in [left, stayed].compactMap({ $0?.exchange }) {
        one.endWaiting()
        reply(one, "too late")
        one.deliver()
      }
      #expect(try #require(other.answer()).body == "too late")
      #expect(eventually { server.connectionCount == 1 })
    }
  }

  @Test func aClientThatLeavesARequestWithoutADeadlineIsLeftAlone() throws {
    let held = Monitor<[Held]>([])
    let application = Scripted(pending: { exchange in held.withLock { $0.append(Held(exchange)) } })
    try withServer(application) { _, port in
      let peer = try Peer(port: port)
      peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(eventually { held.withLock { $0.count } == 1 })
      peer.closeWriting()
      #expect(!peer.hears(within: .milliseconds(600)))
      let one = held.withLock { $0[0].exchange }
      reply(one, "now")
      one.deliver()
      #expect(try #require(peer.answer()).body == "now")
    }
  }

  @Test func aNameOfAnEarlierRequestIsStale() throws {
    let held = Monitor<[Held]>([])
    let application = Scripted(pending: { exchange in
      held.withLock { $0.append(Held(exchange)) }
      reply(exchange, "now")
      exchange.deliver()
    })
    try withServer(application) { server, port in
      let peer = try Peer(port: port)
      for _ in 0..<3 {
        peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(peer.answer() != nil)
      }
      let names = held.withLock { $0.map(\.handle) }
      #expect(Set(names).count == 3)
      for name in names {
        let slot = UInt32(truncatingIfNeeded: name) - 1
        let exchange = try #require(server.exchange(slot: slot))
        #expect(!exchange.claim(name))
        #expect(!exchange.isOpen(name))
      }
    }
  }

  @Test func onlyOneOfManyAnswersCounts() throws {
    let winners = Atomic<Int>(0)
    let threads = Monitor<[Thread]>([])
    let application = Scripted(pending: { exchange in
      let handle = exchange.handle
      let racers = (0..<4).map { number in
        Thread {
          guard exchange.claim(handle) else { return }
          winners.add(1, ordering: .sequentiallyConsistent)
          exchange.status = 200
          exchange.answerBody.append("\(number)")
          exchange.deliver()
        }
      }
      threads.withLock { $0 += racers }
    })
    try withServer(application) { _, port in
      let peer = try Peer(port: port)
      for _ in 0..<50 {
        peer.send("GET /pending HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try #require(peer.answer()).status == 200)
      }
      for thread in threads.withLock({ $0 }) { thread.join() }
      #expect(winners.load(ordering: .sequentiallyConsistent) == 50)
    }
  }

  @Test func anExchangeThatAHandlerStillReadsIsNotReused() throws {
    let held = Monitor<[Held]>([])
    let application = Scripted(pending: { exchange in
      exchange.beginHandling()
      held.withLock { $0.append(Held(exchange)) }
      // The host answers in the handler's place.
      reply(exchange, "timed out")
      exchange.deliver()
    })
    try withServer(application) { server, port in
      let peer = try Peer(port: port)
      for number in 1...3 {
        peer.send("GET /pending?stuck\(number) HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try #require(peer.answer()).body == "timed out")
        #expect(application.hasSeen(.finished(sent: true), times: number))
      }
      let all = held.withLock { $0 }
      #expect(Set(all.map { $0.exchange.slot }).count == 3)
      for (number, one) in all.enumerated() {
        #expect(text(one.exchange, one.exchange.rawQuery) == "stuck\(number + 1)")
        #expect(!one.exchange.claim(one.handle))
      }
      peer.close()
      #expect(eventually { server.connectionCount == 0 })
      #expect(server.exchanges.inUse == 3)
      for one in all { one.exchange.endHandling() }
      #expect(server.exchanges.inUse == 0)
      let next = try Peer(port: port)
      next.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try #require(next.answer()).status == 200)
      #expect(server.slotCount == 3)
    }
  }

  @Test func withoutExchangesAConnectionEnds() throws {
    let held = Monitor<[Held]>([])
    let application = Scripted(pending: { exchange in
      exchange.beginHandling()
      held.withLock { $0.append(Held(exchange)) }
      reply(exchange, "timed out")
      exchange.deliver()
    })
    let pool = ExchangePool(capacity: 2)
    let server = HTTPServer(
      HTTPServerConfiguration(.address("127.0.0.1", port: 0)), application: application, log: SilentLog(),
      exchanges: pool)
    try server.start()
    defer { server.stop(within: .zero) }
    for _ in 0..<2 {
      let peer = try Peer(port: server.port)
      peer.send("GET /pending HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      #expect(peer.receiveAll().hasSuffix("timed out"))
    }
    let third = try Peer(port: server.port)
    third.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(third.receiveAll().isEmpty)
    held.withLock { $0[0] }.exchange.endHandling()
    let fourth = try Peer(port: server.port)
    fourth.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(try #require(fourth.answer()).status == 200)
    held.withLock { $0[1] }.exchange.endHandling()
  }
}

/// An exchange and the name its request had.
struct Held: Sendable {
  let exchange: Exchange
  let handle: UInt64

  init(_ exchange: Exchange) {
    self.exchange = exchange
    handle = exchange.handle
  }
}
