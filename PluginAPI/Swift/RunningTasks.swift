/// The tasks of asynchronous handlers, by request.
final class RunningTasks: Sendable {
  private struct State: Sendable {
    var tasks: [UInt64: Task<Void, Never>] = [:]
    /// Those whose handler has returned a stream.
    var answering: Set<UInt64> = []
    var isStopping = false
  }

  private let state = Guarded(State())
  private let emptied = Signal()

  /// False once ``stop(within:)`` was called.
  func start(_ name: UInt64, _ body: @escaping @Sendable () async -> Void) -> Bool {
    // The task removes itself under the lock, so it cannot do so before it was added.
    state.withLock { state in
      if state.isStopping { return false }
      state.tasks[name] = Task { [self] in
        await body()
        remove(name)
      }
      return true
    }
  }

  func cancel(_ name: UInt64, unlessAnswering: Bool = false) {
    state.withLock { state in
      unlessAnswering && state.answering.contains(name) ? nil : state.tasks[name]
    }?.cancel()
  }

  /// The handler has returned a stream, which its task is about to begin.
  func isAnswering(_ name: UInt64) { state.withLock { _ = $0.answering.insert(name) } }

  /// Cancels every task and waits for their ends, at most so long; false when some still run.
  func stop(within timeout: Duration) -> Bool {
    let tasks = state.withLock { state in
      state.isStopping = true
      return Array(state.tasks.values)
    }
    for task in tasks { task.cancel() }
    return tasks.isEmpty || emptied.wait(atMost: timeout)
  }

  private func remove(_ name: UInt64) {
    let isLast = state.withLock { state in
      state.tasks[name] = nil
      state.answering.remove(name)
      return state.isStopping && state.tasks.isEmpty
    }
    if isLast { emptied.send() }
  }
}
