package import Application
package import Kernel

// Requests that wait for a handler: their deadlines, and what becomes of them when a generation goes.

extension Gateway {
  /// From now on the host answers if the handler does not. [event]
  func watch(_ exchange: Exchange, _ route: LiveRoute) {
    exchange.beginWaiting(for: route.generation.serial, until: exchange.deadline)
  }
}

/// Looks at the waiting requests of one listener, on a thread of its own, and answers those whose time is up.
package final class DeadlineWatch: RequestCanceller {
  private let exchanges: any ExchangeTable
  private let automations: Automations
  private let log: any LogSink
  private let interval: Duration
  private let ended = Monitor(false)

  /// `interval` is how late an answer of this may be.
  package init(
    _ exchanges: any ExchangeTable, automations: Automations, log: any LogSink,
    interval: Duration = .milliseconds(20)
  ) {
    self.exchanges = exchanges
    self.automations = automations
    self.log = log
    self.interval = interval
  }

  package func start() {
    OSThread("deadlines") {
      while self.ended.wait(until: .now + self.interval, { $0 ? true : nil }) == nil { self.look() }
    }.leave()
  }

  package func end() { ended.signal(all: true) { $0 = true } }

  package func cancelRequests(of generation: Generation, _ problem: Problem) {
    visit { handle, exchange in
      if exchange.waiting?.serial == generation.serial {
        answer(exchange, handle, generation.serial, problem)
      }
    }
  }

  private func look() {
    let now = Instant.now
    visit { handle, exchange in
      if let waiting = exchange.waiting, waiting.until <= now {
        answer(
          exchange, handle, waiting.serial,
          Problem(
            504, "handler.timeout", "The handler did not answer in time.",
            retryAfterSeconds: 1))
      }
    }
  }

  private func visit(_ body: (UInt64, Exchange) -> Void) {
    for slot in 0..<exchanges.slotCount {
      // The name is read before the deadline: a claim by it then fails if another request came in between.
      if let exchange = exchanges.exchange(slot: UInt32(slot)) { body(exchange.handle, exchange) }
    }
  }

  private func answer(_ exchange: Exchange, _ handle: UInt64, _ serial: Int, _ problem: Problem) {
    guard exchange.claim(handle) else { return }
    exchange.endWaiting()
    exchange.answer(problem)
    exchange.deliver()
    let known = automations.live.map(\.generation) + automations.retiring
    known.first { $0.serial == serial }?.plugin.cancel(handle)
  }
}
