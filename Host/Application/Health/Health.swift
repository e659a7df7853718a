package import Kernel

/// Whether the host lives, and whether it should get requests.
///
/// Live says that the process answers. Ready says that it has restored its automations, does not shut down, and
/// that what every request needs (the audit trail, the stores) works. A check that may block is ``HealthWatch``'s.
package final class Health: Sendable {
  package struct Report: Sendable {
    package var isHealthy: Bool
    package var json: JSONValue
  }

  /// One thing that must work; returns nil, or what is wrong.
  package typealias Check = @Sendable () -> String?

  private struct State {
    var isServing = false
    var checks: [(name: String, check: Check)] = []
    var notes: [@Sendable () -> [String: String]] = []
  }

  private let state = Monitor(State())

  package init() {}

  package func add(_ name: String, _ check: @escaping Check) {
    state.withLock { $0.checks.append((name, check)) }
  }

  /// What is wrong and does not keep the host from serving the rest: by name, what it is.
  package func addNote(_ note: @escaping @Sendable () -> [String: String]) {
    state.withLock { $0.notes.append(note) }
  }

  /// Set when the active set is restored, cleared when the host drains.
  package var isServing: Bool {
    get { state.withLock { $0.isServing } }
    set { state.withLock { $0.isServing = newValue } }
  }

  package var live: Report { Report(isHealthy: true, json: ["status": "live"]) }

  package var ready: Report {
    let (isServing, checks, notes) = state.withLock { ($0.isServing, $0.checks, $0.notes) }
    var failures: [String: JSONValue] = [:]
    for (name, check) in checks { if let wrong = check() { failures[name] = .string(wrong) } }
    if !isServing { failures["host"] = "it is starting or shutting down" }
    let isHealthy = failures.isEmpty
    var json: [String: JSONValue] = [
      "status": isHealthy ? "ready" : "not_ready", "failures": .object(failures),
    ]
    var degraded: [String: JSONValue] = [:]
    for note in notes { for (name, what) in note() { degraded[name] = .string(what) } }
    if !degraded.isEmpty { json["degraded"] = .object(degraded) }
    return Report(isHealthy: isHealthy, json: .object(json))
  }
}
