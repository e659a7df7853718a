import Application
import Domain
import Kernel

/// A handler's call in an exchange of its own, for a request whose connection waits in another.
///
/// The exchange belongs to the errand from its making until ``end()`` gives it back. Its name and its deadline are like those of any
/// other request: the plugin, the watch and a drain see nothing special.
final class Errand: @unchecked Sendable {
  let exchange: Exchange
  let call: Call
  private let spare: any SpareExchanges
  // Everything else of the errand is written before the call begins.
  private let state = Monitor(State())

  private struct State {
    /// Who waits for the answer: an exchange, and the name by which it may be answered.
    var waiter: (exchange: Exchange, name: UInt64)?
    var isOver = false
  }

  /// The exchange was taken, opened and filled; `call` is its own. [event]
  init(_ exchange: Exchange, _ call: Call, from spare: any SpareExchanges) {
    self.exchange = exchange
    self.call = call
    self.spare = spare
  }

  /// Before the call begins. [event]
  func answers(_ waiting: Exchange, named name: UInt64) {
    state.withLock { $0.waiter = (waiting, name) }
    exchange.wake = { [self] _ in _ = end() }
  }

  /// The answer is in the exchange: hands it to who waits for it. False: nobody does any more, or another answer came before.
  /// Once. [any]
  func end() -> Bool {
    let waiter = state.withLock { state in
      state.isOver = true
      return state.waiter
    }
    exchange.endWaiting()
    guard let waiter, waiter.exchange.claim(waiter.name) else {
      release()
      return false
    }
    waiter.exchange.takeAnswer(of: exchange)
    release()
    waiter.exchange.deliver()
    return true
  }

  private func release() {
    call.leave()
    exchange.close()
    // A handler that is still inside gives it back when it returns.
    if exchange.relinquish() {
      exchange.reset()
      spare.give(exchange)
    }
  }

  /// Nobody wants the answer: its time is up. [any]
  func abandon() {
    state.withLock { state in
      guard !state.isOver else { return }
      state.waiter = nil
      // Not yet given back: `end` takes this lock before.
      _ = exchange.abandonWaiting(until: exchange.deadline)
    }
  }
}

extension Gateway {
  /// A call of the same handler for the same request; nil when there is no exchange for it. [event, the request is inside its generation]
  func errand(for exchange: Exchange, _ route: LiveRoute) -> Errand? {
    guard let own = ports.exchanges.take() else { return nil }
    own.open()
    own.copyRequest(of: exchange)
    let ownCall = call(of: own)
    ownCall.reset()
    ownCall.route = route
    route.generation.enterBeside()
    ownCall.isInside = true
    return Errand(own, ownCall, from: ports.exchanges)
  }

  /// Asks the handler for the same page with fewer records, and puts what it answers in the place of the answer that is there.
  ///
  /// The host does not cut the list itself: only the handler knows what cursor stands after a record. [event]
  func callAgain(_ exchange: Exchange, _ call: Call, _ route: LiveRoute, limit: Int) -> Completion {
    let thread = threads.current
    guard let errand = errand(for: exchange, route) else {
      refuse(exchange, AutomationAccount.overloaded)
      return .answered
    }
    errand.exchange.setQuery("limit", String(limit), scratch: thread.scratch)
    let name = exchange.openAgain()
    errand.answers(exchange, named: name)
    call.errand = errand
    exchange.beginWaiting(for: route.generation.serial, until: exchange.deadline)
    let isThere: Bool =
      switch run(errand.exchange, errand.call, route, began: .now, thread) {
      case .answered: errand.end()
      case .pending: errand.exchange.park() ? false : errand.end()
      }
    guard isThere else { return .pending }
    call.errand = nil
    exchange.endWaiting()
    return .answered
  }
}
