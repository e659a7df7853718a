import Application
import HTTPServer
import Patience
import Testing

@Suite struct LimitTests {
  @Test func aConnectionBeyondTheLimitWaitsForRoom() throws {
    try withServer(with: settings { $0.maxConnections = 2 }) { server, port in
      let first = try Peer(port: port)
      let second = try Peer(port: port)
      #expect(eventually { server.connectionCount == 2 })
      let third = try Peer(port: port)
      third.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      second.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try #require(second.answer()).status == 200)
      #expect(!third.hears(within: .milliseconds(100)))
      #expect(server.connectionCount == 2)
      first.close()
      #expect(try #require(third.answer()).status == 200)
    }
  }

  @Test func aConnectionBeyondItsAddressesLimitIsClosed() throws {
    // Loopback peers are exempt: the machine's own other address is not loopback.
    guard let address = ownAddress() else { return }
    var configuration = HTTPServerConfiguration(.address("0.0.0.0", port: 0))
    configuration.maxConnectionsPerAddress = 2
    let server = HTTPServer(configuration, application: Scripted(), log: SilentLog())
    try server.start()
    defer { server.stop(within: .zero) }
    let peers = try (0..<2).map { _ in try Peer(port: server.port, to: address) }
    for peer in peers {
      peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try #require(peer.answer()).status == 200)
    }
    #expect(try Peer(port: server.port, to: address).receiveAll().isEmpty)
    let local = try Peer(port: server.port)
    local.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(try #require(local.answer()).status == 200)
    peers[0].close()
    #expect(eventually { server.connectionCount == 2 })
    let next = try Peer(port: server.port, to: address)
    next.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(try #require(next.answer()).status == 200)
  }

  @Test func countsAddressesApart() {
    let limits = PeerLimits(limit: 2)
    let (one, two): ((UInt64, UInt64), (UInt64, UInt64)) = ((1, 1), (1, 2))
    #expect(limits.admit(one) && limits.admit(one) && !limits.admit(one))
    #expect(limits.admit(two))
    limits.leave(one)
    #expect(limits.admit(one) && !limits.admit(one))
  }

  @Test(arguments: [(0, 1), (0, 0xFFFF_7F00_0001), (0, 0xFFFF_7FFF_FFFF)] as [(UInt64, UInt64)])
  func loopbackIsExempt(_ high: UInt64, _ low: UInt64) {
    let limits = PeerLimits(limit: 1)
    #expect(limits.admit((high, low)) && limits.admit((high, low)))
  }

  @Test(arguments: [(0, 2), (0, 0xFFFF_7E00_0001), (0, 0xFFFF_8000_0001), (1, 1)] as [(UInt64, UInt64)])
  func nobodyElseIsExempt(_ high: UInt64, _ low: UInt64) {
    let limits = PeerLimits(limit: 1)
    #expect(limits.admit((high, low)) && !limits.admit((high, low)))
  }

  @Test func noLimitAdmitsEverybody() {
    let limits = PeerLimits(limit: 0)
    for _ in 0..<100 { #expect(limits.admit((1, 1))) }
    limits.leave((1, 1))
  }

  @Test func tenThousandIdleConnectionsAreHeldWhileOthersAreServed() throws {
    let application = Scripted()
    try withServer(application) { server, port in
      let crowd = try Crowd(10_000, port: port)
      #expect(eventually { server.connectionCount == 10_000 })
      #expect(application.hasSeen(.finished(sent: true), times: 1000))
      let busy = try Peer(port: port)
      for _ in 0..<1000 {
        busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(busy.answer()?.status == 200)
      }
      #expect(server.connectionCount == 10_001)
      crowd.leave()
      #expect(eventually { server.connectionCount == 1 })
    }
  }

  @Test func exchangesAreMadeWhenNeededAndGivenBack() throws {
    try withServer { server, port in
      let peers = try (0..<5).map { _ in try Peer(port: port) }
      #expect(eventually { server.connectionCount == 5 })
      #expect(server.exchanges.inUse == 0)
      for peer in peers {
        peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(peer.answer()?.status == 200)
      }
      #expect(server.exchanges.inUse == 5)
      #expect(server.slotCount == 5)
      #expect(server.exchange(slot: 4)?.slot == 4)
      #expect(server.exchange(slot: 5) == nil)
      #expect(server.exchange(slot: .max) == nil)
      for peer in peers { peer.close() }
      #expect(eventually { server.exchanges.inUse == 0 })
    }
  }

  @Test func aPoolHasNoMoreThanItsCapacity() {
    let pool = ExchangePool(capacity: 2)
    let first = pool.take()
    #expect(first != nil && pool.take() != nil && pool.take() == nil)
    if let first { pool.give(first) }
    #expect(pool.take() === first)
  }
}
