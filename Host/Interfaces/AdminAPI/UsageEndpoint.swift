import Application
import Kernel

// What each automation uses of the host, the one with the most CPU time in the last minute first.

extension AdminApplication {
  func showUsage() -> AdminAnswer {
    let now = Instant.now
    let accounts = ports.usage.accounts.map { ($0, $0.usedInLastMinute) }
    let inOrder = accounts.sorted { ($1.1, $0.0.automation) < ($0.1, $1.0.automation) }
    return AdminAnswer(
      ["items": .array(inOrder.map { .object($0.0.summary(at: now)) })] as JSONValue)
  }
}

extension AutomationAccount {
  /// Times in milliseconds; counts since the host started.
  func summary(at now: Instant) -> [String: JSONValue] {
    func milliseconds(_ nanoseconds: UInt64) -> JSONValue { .number(Double(nanoseconds / 1000) / 1000) }
    func count(_ counter: Counter) -> JSONValue { .integer(Int64(clamping: total(counter))) }
    let queue = workerQueue
    return [
      "automation": .string(automation),
      "cpu_ms_last_minute": milliseconds(usedInLastMinute),
      "cpu_ms": milliseconds(total(.workerTime) &+ total(.inlineTime)),
      "store_ms_last_minute": milliseconds(storeTimeInLastMinute),
      "store_ms": milliseconds(total(.storeTime)),
      "calls": count(.calls), "calls_in_flight": .integer(Int64(callsInFlight)),
      "waiting": .integer(Int64(queue.waiting)), "workers": .integer(Int64(queue.running)),
      "overrunning": .integer(Int64(queue.overrunning)),
      "overloaded": count(.overloaded), "over_budget": count(.overBudget), "overruns": count(.overruns),
      "blocked_inline": count(.blocked),
      "closed_for_s": .integer(Int64(secondsClosed(at: now))),
      "limits": [
        "max_calls": .integer(Int64(limits.calls)),
        "cpu_ms_per_minute": .integer(Int64(limits.cpuMilliseconds)),
        "store_ms_per_minute": .integer(Int64(limits.storeMilliseconds)),
        "max_queue": (workerBounds?.waiting ?? limits.queue).map { .integer(Int64($0)) } ?? .null,
        "max_workers": (workerBounds?.running ?? limits.workers).map { .integer(Int64($0)) } ?? .null,
      ],
    ]
  }
}
