import Kernel
import Synchronization

/// Runs the calls that change a generation on a thread of their own, each with a deadline.
///
/// C code that hangs cannot be stopped. Its thread is left behind, and counted; whoever waits goes on.
final class ControlThread: Sendable {
  private static let lost = Atomic<Int>(0)

  /// Threads of this process that never came back from a plugin.
  static var abandonedThreads: Int { lost.load(ordering: .relaxed) }

  private struct State {
    var job: (@Sendable () -> Void)?
    var isStarted = false
    var isEnded = false
  }

  private let name: String
  private let state = Monitor(State())

  init(_ name: String) { self.name = name }

  /// Runs `body` and waits; nil when it does not return in time, or the system has no thread to run it. After that, this
  /// takes no more work.
  func run<Result: Sendable>(within limit: Duration, _ body: @escaping @Sendable () -> Result) -> Result? {
    let outcome = Monitor<Outcome<Result>>(Outcome())
    let start = state.signal { state -> Bool? in
      if state.isEnded { return nil }
      state.job = {
        let result = body()
        let wasLost = outcome.signal { outcome -> Bool in
          outcome.result = result
          return outcome.isAbandoned
        }
        // It came back after all. Nobody waits for it, and nothing more is given to it.
        if wasLost { ControlThread.lost.subtract(1, ordering: .relaxed) }
      }
      defer { state.isStarted = true }
      return !state.isStarted
    }
    guard let start else { return nil }
    if start, !begin() { return nil }
    if let result = outcome.wait(until: .now + limit, { $0.result }) { return result }
    let late = outcome.withLock { outcome -> Result? in
      if outcome.result == nil {
        outcome.isAbandoned = true
        ControlThread.lost.add(1, ordering: .relaxed)
      }
      return outcome.result
    }
    if late == nil { end() }
    return late
  }

  /// A change of one plugin is not worth the host: where the system refuses the thread, the change fails.
  private func begin() -> Bool {
    do throws(OSThread.Refused) {
      try OSThread(attempting: name, stackBytes: 8 << 20) { self.work() }.leave()
      return true
    } catch {
      state.signal { state in
        state.job = nil
        state.isEnded = true
      }
      return false
    }
  }

  /// The thread ends when its work is done.
  func end() { state.signal { $0.isEnded = true } }

  private func work() {
    while true {
      let job = state.wait { state -> (@Sendable () -> Void)?? in
        if let job = state.job {
          state.job = nil
          return .some(job)
        }
        return state.isEnded ? .some(nil) : nil
      }
      guard let job, let job else { return }
      job()
    }
  }

  private struct Outcome<Result> {
    var result: Result?
    var isAbandoned = false
  }
}
