package import Kernel

/// Lets acts of administration in until another host is about to take over.
package final class ActGate: Sendable {
  private struct State {
    var inside = 0
    var isFrozen = false
  }

  private let state = Monitor(State())

  package init() {}

  package func enter() throws(Problem) {
    let isFrozen = state.withLock { state in
      if !state.isFrozen { state.inside += 1 }
      return state.isFrozen
    }
    if isFrozen { throw ActGate.handingOver }
  }

  package static let handingOver = Problem(
    503, "host.handing_over",
    "Another host process takes over at this moment; nothing was done. Send the request again.",
    retryAfterSeconds: 1)

  package func leave() { state.signal(all: true) { $0.inside -= 1 } }

  /// Lets nobody in any more and waits for those inside; false when some still are at the deadline: the gate is open then.
  package func freeze(until deadline: Instant) -> Bool {
    state.withLock { $0.isFrozen = true }
    let isQuiet = state.wait(until: deadline) { $0.inside == 0 ? true : nil } ?? false
    if !isQuiet { open() }
    return isQuiet
  }

  package func open() { state.withLock { $0.isFrozen = false } }
}
