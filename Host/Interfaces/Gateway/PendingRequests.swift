package import Application
import Kernel

// Requests that wait for a handler: their deadlines, and what becomes of them when a generation goes.

extension Gateway {
  /// From now on the host answers if the handler does not. [event]
  func watch(_ exchange: Exchange, _ route: LiveRoute) {
    exchange.beginWaiting(for: route.generation.serial, until: exchange.deadline)
  }
}

/// Looks at the waiting requests of one listener, on a thread of its own, and answers those whose time is up, or whose
/// client is gone.
package final class DeadlineWatch: RequestCanceller {
  private let exchanges: any ExchangeTable
  private let automations: Automations
  private let log: any LogSink
  private let interval: Duration
  private let ended = Monitor(false)
  /// Plugins to tell that an answer is no longer wanted: on a thread of their own, for one that blocks must not
  /// keep others from their deadlines.
  private let cancels = Monitor<[(plugin: any LoadedPlugin, handle: UInt64)]?>([])
  private let maxCancels: Int

  /// `interval` is how late an answer of this may be; `maxCancels`, how many plugins' calls may wait.
  package init(
    _ exchanges: any ExchangeTable, automations: Automations, log: any LogSink,
    interval: Duration = .milliseconds(20), maxCancels: Int = 10_000
  ) {
    self.exchanges = exchanges
    self.automations = automations
    self.log = log
    self.interval = interval
    self.maxCancels = maxCancels
  }

  package func start() {
    OSThread("deadlines") {
      while self.ended.wait(until: .now + self.interval, { $0 ? true : nil }) == nil { self.look() }
    }.leave()
    OSThread("cancels") { self.cancel() }.leave()
  }

  package func end() {
    ended.signal(all: true) { $0 = true }
    cancels.signal(all: true) { $0 = nil }
  }

  private func cancel() {
    while true {
      let next: [(plugin: any LoadedPlugin, handle: UInt64)]?? = cancels.wait { waiting in
        guard let all = waiting else { return .some(nil) }
        if all.isEmpty { return nil }
        waiting = []
        return .some(all)
      }
      guard case .some(.some(let all)) = next else { return }
      for (plugin, handle) in all { plugin.cancel(handle) }
    }
  }

  package func cancelRequests(of generation: Generation, _ reason: Unanswered) {
    visit { handle, exchange in
      if exchange.waiting?.serial == generation.serial {
        answer(exchange, handle, generation.serial, reason)
      }
      if let stream = exchange.stream(of: handle), stream.ownerSerial == generation.serial { stream.stop() }
    }
  }

  private func look() {
    let now = Instant.now
    visit { handle, exchange in
      if let waiting = exchange.waiting, waiting.until <= now {
        answer(
          exchange, handle, waiting.serial, exchange.isAbandoned ? DeadlineWatch.gone : DeadlineWatch.late)
      }
    }
  }

  private static let late = Unanswered(
    504, "handler.timeout", "The handler did not answer in time, and may work on.")
  /// The code that log analysers know for a client that went away; only one that closed no more than its own side, or
  /// took its request back, reads it.
  private static let gone = Unanswered(
    499, "request.abandoned",
    "The client gave the request up, or closed its side of the connection, before the answer was there.")

  private func visit(_ body: (UInt64, Exchange) -> Void) {
    for slot in 0..<exchanges.slotCount {
      // The name is read before the deadline: a claim by it then fails if another request came in between.
      if let exchange = exchanges.exchange(slot: UInt32(slot)) { body(exchange.handle, exchange) }
    }
  }

  private func answer(_ exchange: Exchange, _ handle: UInt64, _ serial: Int, _ reason: Unanswered) {
    guard exchange.claim(handle) else { return }
    let isLate = reason.code == DeadlineWatch.late.code
    if exchange.isAbandoned { exchange.closes = true }
    exchange.endWaiting()
    exchange.answer(reason.problem(of: exchange.method))
    exchange.deliverInPlace()
    let known = automations.entered + automations.retiring
    guard let generation = known.first(where: { $0.serial == serial }) else { return }
    if isLate { generation.account.add(1, to: .overruns) }
    cancel(generation.plugin, handle)
  }

  package func cancel(_ plugin: any LoadedPlugin, _ handle: UInt64) {
    let isFull = cancels.signal { waiting in
      guard let count = waiting?.count, count < maxCancels else { return true }
      waiting?.append((plugin, handle))
      return false
    }
    if isFull { log.log(.error, "deadlines", "a plugin was not told of a cancelled request: too many wait") }
  }
}
