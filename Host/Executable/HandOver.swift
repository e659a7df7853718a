import Application
import Domain
import Kernel
import Supervision

/// The host's part in a hand-over: keeps acts of administration out while another host takes over, and tells whoever
/// asked for it how it went.
final class HandOver: HostControl {
  private struct State {
    var isAsked = false
    /// Another host serves: this one has nothing to hand over any more.
    var isOver = false
    var outcome: Result<Void, Problem>?
  }

  private let link: SupervisorLink
  private let gate = ActGate()
  private let state = Monitor(State())
  private let patience: Duration

  init(_ link: SupervisorLink, patience: Duration) {
    self.link = link
    self.patience = patience
  }

  func beginAct() throws(Problem) { try gate.enter() }
  func endAct() { gate.leave() }

  func handOver(_ cause: String) throws(Problem) -> HandOverReport {
    let began = Instant.now
    let isFirst = try state.withLock { state throws(Problem) in
      // Its connection came to this host, which was about to stop accepting.
      if state.isOver { throw ActGate.handingOver }
      defer { state.isAsked = true }
      if !state.isAsked { state.outcome = nil }
      return !state.isAsked
    }
    guard isFirst else {
      throw Problem(409, "host.handing_over", "A hand-over is under way.", retryAfterSeconds: 1)
    }
    link.say(.wantsHandOver, cause: cause)
    let outcome = state.wait(until: began + patience) { $0.outcome }
    state.withLock { $0.isAsked = false }
    guard let outcome else {
      throw Problem(504, "host.hand_over_failed", "The supervisor does not say how the hand-over went.")
    }
    try outcome.get()
    return HandOverReport(milliseconds: Double((Instant.now - began) / 1000) / 1000)
  }

  /// Lets nobody change anything from now on, and says so, or why not.
  func freeze(within limit: Duration) {
    if gate.freeze(until: .now + limit) {
      link.say(.frozen)
    } else {
      link.say(.busy, cause: "an act of administration does not end")
    }
  }

  func failed(_ cause: String) {
    gate.open()
    finish(.failure(Problem(409, "host.hand_over_failed", "No hand-over: \(cause). This host goes on.")))
  }

  /// Another host serves; the gate stays closed.
  func succeeded() {
    state.withLock { $0.isOver = true }
    finish(.success(()))
  }

  private func finish(_ outcome: Result<Void, Problem>) {
    state.signal(all: true) { $0.outcome = outcome }
  }
}
