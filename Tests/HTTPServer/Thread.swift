import Application
import Kernel

/// A thread of a test.
final class Thread: Sendable {
  private let thread: OSThread

  init(_ body: @escaping @Sendable () -> Void) { thread = OSThread("test", body) }

  func join() { thread.join() }
}

/// Threads that answer exchanges, as the workers of plugins do.
final class Workers: Sendable {
  private struct Queue {
    var exchanges: [(Exchange, UInt64)] = []
    var ended = false
  }

  private let queue = Monitor(Queue())
  private let threads = Monitor<[Thread]>([])

  /// `answer` returns false when it came too late.
  init(_ count: Int, _ answer: @escaping @Sendable (Exchange) -> Bool) {
    for _ in 0..<count {
      let thread = Thread { [queue] in
        while let (exchange, handle) = queue.wait({ queue in
          queue.exchanges.isEmpty ? (queue.ended ? .some(nil) : nil) : .some(queue.exchanges.removeFirst())
        }) ?? nil {
          if exchange.isOpen(handle), answer(exchange) { exchange.deliver() }
          exchange.endHandling()
        }
      }
      threads.withLock { $0.append(thread) }
    }
  }

  @Sendable func give(_ exchange: Exchange) {
    exchange.beginHandling()
    queue.signal { $0.exchanges.append((exchange, exchange.handle)) }
  }

  func end() {
    queue.signal(all: true) { $0.ended = true }
    for thread in threads.withLock({ $0 }) { thread.join() }
  }
}
