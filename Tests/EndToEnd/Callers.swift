import Kernel
import Synchronization

/// Clients that call one target over and over, each on a connection that it keeps, until they are told to stop.
final class Callers: Sendable {
  struct Tally: Sendable {
    var answers = 0
    /// Status and start of the body of what was not as wanted; at most ten are kept.
    var failures: [String] = []
    var failureCount = 0
    /// How often each body came.
    var bodies: [String: Int] = [:]
  }

  private let tally = Monitor(Tally())
  private let isOver = Atomic<Bool>(false)
  private let threads: Monitor<[OSThread]>

  init(
    _ count: Int, port: Int, target: String, key: String, pause: Duration = .zero,
    isWanted: @escaping @Sendable (Connection.Answer) -> Bool = { $0.status == 200 }
  ) {
    threads = Monitor([])
    threads.withLock { threads in
      for number in 0..<count {
        threads.append(OSThread("caller-\(number)") { self.run(port, target, key, pause, isWanted) })
      }
    }
  }

  /// Ends the clients and says what they met.
  func stop() -> Tally {
    isOver.store(true, ordering: .relaxed)
    for thread in threads.withLock({ $0 }) { thread.join() }
    threads.withLock { $0 = [] }
    return tally.withLock { $0 }
  }

  var answers: Int { tally.withLock { $0.answers } }
  var failures: Int { tally.withLock { $0.failureCount } }

  private func run(
    _ port: Int, _ target: String, _ key: String, _ pause: Duration, _ isWanted: (Connection.Answer) -> Bool
  ) {
    var connection: Connection?
    while !isOver.load(ordering: .relaxed) {
      if pause > .zero { System.pause(pause) }
      if connection == nil { connection = Connection(port: port) }
      let answer = connection?.request("GET", target, key: key)
      if answer == nil || answer?.headers["connection"] == "close" { connection = nil }
      tally.withLock { tally in
        tally.answers += 1
        if let answer, isWanted(answer) {
          tally.bodies[answer.body, default: 0] += 1
        } else {
          tally.failureCount += 1
          if tally.failures.count < 10 {
            tally.failures.append(answer.map { "\($0.status) \($0.body.prefix(200))" } ?? "no answer")
          }
        }
      }
    }
  }
}
