import Kernel

/// The host's threads for the records calls of all runners: a fixed number, started when they are first needed.
///
/// Its queue is bounded by what runners can ask at a time, ``BoardLayout/asks`` each.
package final class RecordsDesk: Sendable {
  struct Ask: Sendable {
    var runner: Runner
    var number: Int
    var incarnation: Int
  }

  private struct State {
    var waiting: [Ask] = []
    var threads = 0
    var idle = 0
    var isEnding = false
  }

  private let most: Int
  private let state = Monitor(State())

  package init(threads: Int = 8) {
    precondition(threads > 0)
    most = threads
  }

  func submit(_ ask: Ask) {
    let hires = state.signal { state -> Bool in
      state.waiting.append(ask)
      guard state.waiting.count > state.idle, state.threads < most, !state.isEnding else { return false }
      state.threads += 1
      return true
    }
    guard hires else { return }
    do throws(OSThread.Refused) {
      try OSThread(attempting: "runner-records", stackBytes: 2 << 20) { self.work() }.leave()
    } catch {
      // The threads that there are come to it; the next call asks again.
      state.withLock { $0.threads -= 1 }
    }
  }

  /// The threads end when they have done what waits.
  package func end() { state.signal(all: true) { $0.isEnding = true } }

  private func work() {
    let scratch = Arena(capacity: 16 * 1024)
    while true {
      state.withLock { $0.idle += 1 }
      let ask: Ask?? = state.wait { state in
        if !state.waiting.isEmpty { return .some(state.waiting.removeFirst()) }
        return state.isEnding ? .some(nil) : nil
      }
      state.withLock { $0.idle -= 1 }
      guard case .some(.some(let ask)) = ask else { return }
      ask.runner.perform(ask.number, ask.incarnation, scratch)
    }
  }
}
