package import Kernel
import Synchronization

/// What one automation uses of the host, over all its generations, and whether it may have more.
package final class AutomationAccount: Sendable {
  /// What is counted since the host started. Times are in nanoseconds.
  package enum Counter: Int, Sendable {
    /// Calls of handlers that began.
    case calls
    /// CPU time of workers in its calls.
    case workerTime
    /// Time of event threads in its inline calls, measured at one call in ``inlineSample``, and at every long one.
    case inlineTime
    /// Time inside of `council.records/1`.
    case storeTime
    /// 503 `automation.overloaded`, 503 `automation.over_budget`, 504 at the deadline.
    case overloaded, overBudget, overruns
    /// Inline calls that blocked their event thread.
    case blocked
  }

  /// What was used in the last minute of what has a budget.
  private struct Windows {
    var cpu = UsageWindow()
    var store = UsageWindow()
  }

  static let counters = 8
  package static let inlineSample = 16

  package let automation: String
  package let limits: AutomationLimits
  private let first: Int
  private let slabs: ThreadSlots<AtomicWords>
  /// Of threads that have no number: a plugin may start more than the host numbers.
  private let unnumbered = Monitor([UInt64](repeating: 0, count: counters))
  private let inFlight = Atomic<Int>(0)
  /// Until then calls are refused, nanoseconds of the monotonic clock; 0 for no budget that is used up.
  private let closedUntil = Atomic<Int64>(0)
  private let windows = Monitor(Windows())
  private let queue = Monitor<(read: @Sendable () -> Queue, bounds: QueueBounds)?>(nil)

  init(_ automation: String, number: Int, limits: AutomationLimits, slabs: ThreadSlots<AtomicWords>) {
    self.automation = automation
    self.limits = limits
    self.slabs = slabs
    first = number * AutomationAccount.counters
  }
}

// MARK: - Counting

extension AutomationAccount {
  /// Adds to this thread's own share. [event, worker, the host's own]
  @inline(__always)
  package func add(_ amount: UInt64, to counter: Counter) {
    slabs.current.addAsOnlyWriter(amount, at: first + counter.rawValue)
  }

  /// Adds on a thread that may be the plugin's. [any]
  package func addAnywhere(_ amount: UInt64, to counter: Counter) {
    if OSThread.number != nil { return add(amount, to: counter) }
    unnumbered.withLock { $0[counter.rawValue] &+= amount }
  }

  package func total(_ counter: Counter) -> UInt64 {
    var sum = unnumbered.withLock { $0[counter.rawValue] }
    slabs.forEach { sum &+= $0.load(first + counter.rawValue) }
    return sum
  }
}

// MARK: - The bulkhead

extension AutomationAccount {
  /// Calls that wait for an answer now, but for inline ones on their event thread.
  package var callsInFlight: Int { inFlight.load(ordering: .relaxed) }

  /// Whether one more call has room; an inline one takes it only if its answer comes later. [event]
  @inline(__always)
  package var hasRoom: Bool { inFlight.load(ordering: .relaxed) < limits.calls }

  /// Takes room for a call; false when there is none. [event]
  package func enter() -> Bool {
    if inFlight.add(1, ordering: .relaxed).newValue <= limits.calls { return true }
    leave()
    return false
  }

  /// Takes room for a call that runs already. [event]
  package func enterLate() { inFlight.add(1, ordering: .relaxed) }

  package func leave() {
    let before = inFlight.subtract(1, ordering: .relaxed).oldValue
    precondition(before > 0, "a call left that never entered")
  }

  /// 0, or the seconds until calls are taken again. [event]
  @inline(__always)
  package func secondsClosed(at now: Instant) -> Int {
    let until = closedUntil.load(ordering: .relaxed)
    return until == 0 ? 0 : secondsLeft(until, now)
  }

  private func secondsLeft(_ until: Int64, _ now: Instant) -> Int {
    let left = until - now.nanoseconds
    return left <= 0 ? 0 : Int((left + 999_999_999) / 1_000_000_000)
  }

  package static let overloaded = Problem(
    503, "automation.overloaded",
    "This automation has as many calls as it may have. Send this one again later.", retryAfterSeconds: 1)

  package static func overBudget(_ seconds: Int) -> Problem {
    Problem(
      503, "automation.over_budget",
      "This automation has used its time of this minute. Send the request again after the time in Retry-After.",
      retryAfterSeconds: seconds)
  }

  /// Looks at what was used; closes or opens. [the book's thread]
  func tick(at now: Instant) {
    let (cpu, store) = (total(.workerTime) &+ total(.inlineTime), total(.storeTime))
    let until = windows.withLock { windows in
      windows.cpu.advance(to: cpu, at: now)
      windows.store.advance(to: store, at: now)
      return max(
        windows.cpu.closedUntil(budget: UInt64(limits.cpuMilliseconds) * 1_000_000),
        windows.store.closedUntil(budget: UInt64(limits.storeMilliseconds) * 1_000_000))
    }
    closedUntil.store(until, ordering: .relaxed)
  }
}

// MARK: - Looking

extension AutomationAccount {
  /// What the pool of workers has of this automation.
  package struct Queue: Sendable, Equatable {
    package var waiting: Int
    package var running: Int
    /// Calls inside that the host has answered in their place.
    package var overrunning: Int

    package init(waiting: Int = 0, running: Int = 0, overrunning: Int = 0) {
      self.waiting = waiting
      self.running = running
      self.overrunning = overrunning
    }
  }

  /// The most calls that may wait for a worker, and run on one.
  package struct QueueBounds: Sendable, Equatable {
    package var waiting: Int
    package var running: Int

    package init(waiting: Int, running: Int) {
      self.waiting = waiting
      self.running = running
    }
  }

  /// Says where the queue is read; the last one counts.
  package func readQueue(within bounds: QueueBounds, _ read: @escaping @Sendable () -> Queue) {
    queue.withLock { $0 = (read, bounds) }
  }

  package var workerQueue: Queue { queue.withLock { $0?.read }?() ?? Queue() }

  /// nil while none of its calls has a worker of the host.
  package var workerBounds: QueueBounds? { queue.withLock { $0?.bounds } }

  /// CPU time of the last minute, in nanoseconds, as of the last tick.
  package var usedInLastMinute: UInt64 { windows.withLock { $0.cpu.used } }

  /// Time inside of the record store in the last minute, in nanoseconds, as of the last tick.
  package var storeTimeInLastMinute: UInt64 { windows.withLock { $0.store.used } }
}
