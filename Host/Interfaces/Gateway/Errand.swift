import Application
import Domain
import Kernel

/// A handler's call in an exchange of its own, for a request whose connection waits in another, or has gone on without.
///
/// The exchange is the errand's from its making until ``end()`` gives it back. Its name and its deadline are like those of any
/// other request: the plugin, the watch and a drain see nothing special.
final class Errand: @unchecked Sendable {
  let exchange: Exchange
  let call: Call
  private let spare: any SpareExchanges
  // Everything else of the errand is written before the call begins.
  private let state = Monitor(State())

  /// What a call becomes that outlasts its client's patience.
  struct Job {
    let id: String
    /// Whose call it was; nil without a key.
    let key: KeyID?
    var end = JobEnd.ended
  }

  private struct State {
    /// Who waits for the answer: an exchange, and the name by which it may be answered.
    var waiter: (exchange: Exchange, name: UInt64)?
    var jobs: Jobs?
    /// Where the answer goes when nobody waits.
    var job: Job?
    var isOver = false
  }

  /// The exchange was taken, opened and filled; `call` is its own. [event]
  init(_ exchange: Exchange, _ call: Call, from spare: any SpareExchanges) {
    self.exchange = exchange
    self.call = call
    self.spare = spare
    exchange.wake = { [self] _ in _ = end() }
  }

  /// Somebody waits for the answer. Before the call begins. [event]
  func answers(_ waiting: Exchange, named name: UInt64, orBecomesJobOf jobs: Jobs? = nil) {
    state.withLock { state in
      state.waiter = (waiting, name)
      state.jobs = jobs
    }
  }

  /// Nobody waits: it is a job from the start. Before the call begins. [event]
  func runs(as job: Job, of jobs: Jobs) {
    state.withLock { state in
      state.job = job
      state.jobs = jobs
    }
  }

  /// Goes on as a job. Returns the exchange that waited, claimed; nil when the answer, or another one, came before. [any]
  func becomeJob(_ job: Job) -> Exchange? {
    state.withLock { state in
      guard !state.isOver, let waiter = state.waiter, waiter.exchange.claim(waiter.name) else { return nil }
      state.waiter = nil
      state.job = job
      return waiter.exchange
    }
  }

  var isOver: Bool { state.withLock { $0.isOver } }
  /// What it became, if it did.
  var job: String? { state.withLock { $0.job?.id } }

  /// The answer is in the exchange: hands it to who waits for it. False: nobody does any more, or another answer came before.
  /// Once. [any]
  func end() -> Bool {
    let state = state.withLock { state in
      state.isOver = true
      return state
    }
    exchange.endWaiting()
    if let job = state.job { state.jobs?.finish(job, self) }
    guard let waiter = state.waiter, waiter.exchange.claim(waiter.name) else {
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

  /// Nobody wants the answer: its time is up. A call with an idempotency key goes on, unless its caller `isAsking` for the
  /// end. [any]
  func abandon(isAsking: Bool = false) {
    state.withLock { state in
      guard !state.isOver else { return }
      state.waiter = nil
      if isAsking { state.job?.end = .cancelled }
      // Not yet given back: `end` takes this lock before.
      _ = exchange.abandonWaiting(until: exchange.deadline, isAsking: isAsking)
    }
  }

  /// The host ends before the call does. [any]
  func lose() {
    state.withLock { state in
      guard !state.isOver, var job = state.job else { return }
      state.job = nil
      job.end = .lost
      // Not yet given back, as above.
      state.jobs?.record(job, self, status: Jobs.lostStatus)
    }
  }
}

extension Gateway {
  /// A call of the same handler for the same request; nil when there is no exchange for it. [event, the request is inside its
  /// generation]
  func errand(for exchange: Exchange, _ route: LiveRoute) -> Errand? {
    guard let spare = ports.exchanges, let own = spare.take() else { return nil }
    own.open()
    own.copyRequest(of: exchange)
    let ownCall = call(of: own)
    ownCall.reset()
    ownCall.route = route
    route.generation.enterBeside()
    ownCall.isInside = true
    return Errand(own, ownCall, from: spare)
  }

  /// Asks the handler for the same page with fewer records, and puts what it answers in the place of the answer that is there.
  ///
  /// The host does not cut the list itself: only the handler knows what cursor stands after a record. [event]
  func callAgain(_ exchange: Exchange, _ call: Call, _ route: LiveRoute, limit: Int) -> Completion {
    let thread = threads.current
    // Its handler has answered: the next call has its place, which may be the only one.
    call.leaveAccount()
    guard let errand = errand(for: exchange, route) else {
      refuse(exchange, AutomationAccount.overloaded)
      return .answered
    }
    errand.exchange.setQuery("limit", String(limit), scratch: thread.scratch)
    errand.answers(exchange, named: exchange.openAgain())
    call.errand = errand
    wait(for: errand, exchange)
    return finish(begin(errand, route, nil, thread) && errand.end(), exchange, call)
  }
}
