package import Kernel

/// The accounts of all automations, and the thread that looks at them once a second.
///
/// Counting costs an addition in memory of the counting thread; whoever asks adds the threads up.
package final class UsageBook: Sendable {
  private struct State {
    var accounts: [String: AutomationAccount] = [:]
    var sources: [@Sendable () -> Void] = []
  }

  private static let other = "_OTHER"

  private let limits: AutomationLimits.Table
  private let slabs: ThreadSlots<AtomicWords>
  private let state = Monitor(State())
  private let ended = Monitor(false)

  package init(_ limits: AutomationLimits.Table = AutomationLimits.Table()) {
    self.limits = limits
    // Pages of it are taken as accounts are first counted by the thread.
    let words = (limits.accounts + 1) * AutomationAccount.counters
    slabs = ThreadSlots { _ in AtomicWords(count: words) }
  }

  /// The automation's account, the same over its generations. Kept until the process ends: counters never go back.
  package func account(of automation: String) -> AutomationAccount {
    state.withLock { state in
      if let known = state.accounts[automation] { return known }
      let isFull = state.accounts.count >= limits.accounts
      let name = isFull ? UsageBook.other : automation
      if let known = state.accounts[name] { return known }
      let made = AutomationAccount(
        name, number: state.accounts.count, limits: limits[name], slabs: slabs)
      state.accounts[name] = made
      return made
    }
  }

  /// By name.
  package var accounts: [AutomationAccount] {
    state.withLock { $0.accounts.values.sorted { $0.automation < $1.automation } }
  }

  /// Called before each look: for time that is still to be charged.
  package func beforeEachLook(_ source: @escaping @Sendable () -> Void) {
    state.withLock { $0.sources.append(source) }
  }

  package func start() {
    OSThread("usage") {
      while self.ended.wait(until: .now + .seconds(1), { $0 ? true : nil }) == nil { self.look(at: .now) }
    }.leave()
  }

  package func end() { ended.signal(all: true) { $0 = true } }

  package func look(at now: Instant) {
    let (accounts, sources) = state.withLock { ($0.accounts.values, $0.sources) }
    for source in sources { source() }
    for account in accounts { account.tick(at: now) }
  }
}
