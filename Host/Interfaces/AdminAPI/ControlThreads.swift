import Kernel

/// A few threads for admin requests, which block: files, the store, a plugin's start.
///
/// Acts never take the last thread: while plugins load, reads are answered.
final class ControlThreads: Sendable {
  enum Lane: Sendable { case read, act }

  private struct Job {
    var lane: Lane
    var run: @Sendable () -> Void
    var abandon: @Sendable () -> Void
  }

  private struct State {
    var waiting: [Job] = []
    var actsInside = 0
    var ended = false
  }

  private let state = Monitor(State())
  private let threads: Monitor<[OSThread]>
  private let queued: Int

  init(count: Int, queued: Int) {
    self.queued = queued
    // A load compiles schemas and opens stores on this stack.
    threads = Monitor(
      (0..<count).map { [state] number in
        OSThread("control-\(number)", stackBytes: 2 << 20) { ControlThreads.run(state, maxActs: count - 1) }
      })
  }

  /// Queues a job; false when the queue is full or the threads end. `abandon` is called in place of `run` for a job
  /// that still waits when the threads end. [any]
  func submit(
    _ lane: Lane, run: @escaping @Sendable () -> Void, abandon: @escaping @Sendable () -> Void
  ) -> Bool {
    state.signal(all: true) { state in
      // Each lane has a queue's length of its own: a row of loads does not keep reads out.
      guard !state.ended, state.waiting.count(where: { $0.lane == lane }) < queued else { return false }
      state.waiting.append(Job(lane: lane, run: run, abandon: abandon))
      return true
    }
  }

  /// Waits for the jobs that run; a second call does nothing.
  func stop() {
    let left = state.signal(all: true) { state in
      state.ended = true
      defer { state.waiting = [] }
      return state.waiting
    }
    for job in left { job.abandon() }
    let running = threads.withLock { threads in
      defer { threads = [] }
      return threads
    }
    for thread in running { thread.join() }
  }

  private static func run(_ state: Monitor<State>, maxActs: Int) {
    while let job = state.wait({ take(&$0, maxActs: maxActs) }) ?? nil {
      job.run()
      if case .act = job.lane { state.signal(all: true) { $0.actsInside -= 1 } }
    }
  }

  /// The first job that may start; nil to wait, a nil inside to end.
  private static func take(_ state: inout State, maxActs: Int) -> Job?? {
    if state.ended { return .some(nil) }
    let mayAct = state.actsInside < maxActs
    guard
      let index = state.waiting.firstIndex(where: { job in
        if case .act = job.lane { mayAct } else { true }
      })
    else { return nil }
    let job = state.waiting.remove(at: index)
    if case .act = job.lane { state.actsInside += 1 }
    return job
  }
}
