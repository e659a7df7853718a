import Kernel
import Synchronization

/// Looks after the stores on a thread of its own, so that ``Health/ready`` only reads what was found.
///
/// A check may block; one that does not return is itself a fault once it is overdue. [any]
package final class HealthWatch: Sendable {
  private struct State {
    var faults: [String: String] = [:]
    var lastRound: Instant
    var isEnded = false
  }

  private let interval: Duration
  private let log: any LogSink
  private let checks: [(name: String, check: Health.Check)]
  private let state: Monitor<State>
  /// A round that takes so much longer than its interval does not return.
  package static let patience = Duration.seconds(10)

  /// `checks` are looked at one after the other, with `interval` between two rounds.
  package init(
    _ checks: [(name: String, check: Health.Check)], interval: Duration, log: any LogSink
  ) {
    self.checks = checks
    self.interval = interval
    self.log = log
    state = Monitor(State(lastRound: .now))
  }

  /// Looks once, then goes on by itself. [not event]
  package func start(reportingTo health: Health) {
    look()
    for (name, _) in checks { health.add(name) { self.fault(name, at: .now) } }
    OSThread("health") {
      while self.state.wait(until: .now + self.interval, { $0.isEnded ? true : nil }) == nil { self.look() }
    }.leave()
  }

  package func end() { state.signal(all: true) { $0.isEnded = true } }

  /// What is known of one check; nil when all is well.
  func fault(_ name: String, at now: Instant) -> String? {
    state.withLock { state in
      if state.lastRound + interval + HealthWatch.patience < now { return "it was not looked at in time" }
      return state.faults[name]
    }
  }

  private func look() {
    let before = state.withLock { $0.faults }
    var faults: [String: String] = [:]
    for (name, check) in checks {
      faults[name] = check()
      guard faults[name] != before[name] else { continue }
      if let fault = faults[name] {
        log.log(.error, "health", "\(name): \(fault)")
      } else {
        log.log(.info, "health", "\(name) is well again")
      }
    }
    state.withLock { state in
      state.faults = faults
      state.lastRound = .now
    }
  }
}
