import Application
import HTTPServer
import Kernel
import Patience
import Synchronization
import Testing

/// Stops that meet requests in every phase.
@Suite struct StopTests {
  private static func server(_ workers: Workers, _ pool: ExchangePool) throws(Problem) -> HTTPServer {
    let server = HTTPServer(
      settings(), application: Scripted(pending: workers.give), log: SilentLog(), exchanges: pool)
    try server.start()
    return server
  }

  /// One connection after the other, requests that wait and requests that do not, until the server is gone or `isOver`.
  /// Returns the answers that are not the request's own. `mayStop`: 503 is one of them.
  private static func ask(_ port: Int, mayStop: Bool, until isOver: () -> Bool) -> [String] {
    var surprises: [String] = []
    var number = 0
    while !isOver(), let peer = try? Peer(port: port) {
      for _ in 0..<50 where !isOver() {
        number += 1
        let path = number % 3 == 0 ? "query" : "pending"
        peer.send("GET /\(path)?\(number) HTTP/1.1\r\nHost: a\r\n\r\n")
        guard let answer = peer.answer() else { break }
        let isOwn = answer.status == 200 && answer.body == "\(number)"
        let isStop = mayStop && answer.status == 503 && answer.body.contains("\"code\":\"http.stopping\"")
        if !isOwn && !isStop { surprises.append("\(path) \(answer.status) \(answer.body)") }
        if answer.headers["connection"] == "close" { break }
      }
      peer.close()
    }
    return surprises
  }

  /// Exchanges wander between the listeners that share them. A listener that stops must give up its own requests only,
  /// and each request has one answer: its own, or that of the stop.
  @Test func aStopUnderLoadTouchesNoOtherListener() throws {
    let workers = Workers(3) { reply($0, text($0, $0.rawQuery)) }
    let pool = ExchangePool(capacity: 64)
    let steady = try Self.server(workers, pool)
    let port = steady.port
    let isOver = Atomic<Bool>(false)
    let surprises = Monitor<[String]>([])
    let others = (0..<3).map { _ in
      Thread {
        let found = Self.ask(port, mayStop: false) { isOver.load(ordering: .relaxed) }
        surprises.withLock { $0 += found }
      }
    }
    for _ in 0..<40 {
      let one = try Self.server(workers, pool)
      let onePort = one.port
      let started = Atomic<Int>(0)
      let clients = (0..<4).map { _ in
        Thread {
          let found = Self.ask(onePort, mayStop: true) {
            started.add(1, ordering: .relaxed)
            return false
          }
          surprises.withLock { $0 += found }
        }
      }
      #expect(eventually { started.load(ordering: .relaxed) > 100 })
      #expect(one.stop(within: .zero, patience: .seconds(60)))
      for client in clients { client.join() }
      #expect(one.connectionCount == 0)
    }
    isOver.store(true, ordering: .relaxed)
    for other in others { other.join() }
    #expect(steady.stop(within: .zero, patience: .seconds(60)))
    workers.end()
    #expect(surprises.withLock { $0 } == [])
    #expect(eventually { pool.inUse == 0 })
  }
}
