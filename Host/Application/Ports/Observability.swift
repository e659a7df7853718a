package import Domain
package import Kernel

/// The audit trail: append-only, hash-chained, committed in groups.
package protocol AuditTrail: AnyObject, Sendable {
  /// Whether a row of this thread will find room; waits a moment when the queue is full. False: answer 503
  /// before anything happens, for what cannot be audited is not done. [event]
  func admit() -> Bool

  /// Appends the row of one request; it is on disk within 100 ms. After `admit`, this cannot fail. [event]
  func record(_ row: RequestAudit, of exchange: Exchange)

  /// Appends the row of a call that was a job and has ended; `exchange` holds its request. Waits for no disk, and cannot be
  /// refused: who began the call was admitted. [any]
  func record(endOfJob row: RequestAudit, of exchange: Exchange)

  /// Appends an act of administration and returns when it is on disk. [control]
  func record(_ act: AdminAct) throws(Problem)

  /// Rows with a sequence number above `after`, oldest first.
  func read(after: Int64, limit: Int) throws(Problem) -> [JSONValue]

  /// Waits until a row above `after` is on disk; false when none is at the deadline. [control]
  func wait(forRowAfter after: Int64, until deadline: Instant) -> Bool
  /// Of the newest row that is on disk; 0 before the first.
  var lastSequence: Int64 { get }

  /// Walks the whole chain. Throws `audit.broken` (409; members `seq`, `reason`) at the first row that does not fit.
  func verify() throws(Problem) -> AuditVerification
}

package struct AuditVerification: Sendable {
  package var rows: Int64
  package var lastHash: String

  package init(rows: Int64, lastHash: String) {
    self.rows = rows
    self.lastHash = lastHash
  }

  package var json: JSONValue { ["rows": .integer(rows), "last_hash": .string(lastHash)] }
}

/// What the gateway knows of a finished request, beside what stands in its exchange (method, path, peer,
/// request id, principal).
package struct RequestAudit {
  package var time: Timestamp
  package var durationMicroseconds: Int
  package var status: Int
  /// `"automation":"accounts","generation":3,"operation":"get_account"`: JSON members, made once per route.
  package var labels: RouteLabels?
  /// The key's public id; nil when nobody was authenticated.
  package var key: KeyID?
  /// What the handler wrote was undone.
  package var isDryRun: Bool
  /// The answer was kept under an idempotency key: the handler did not run.
  package var isReplayed: Bool
  /// The id of the job that the call became, or that the request asked for; ASCII without anything to escape.
  package var job: String?
  /// How that job ended; nil in the row of a request.
  package var jobEnd: JobEnd?

  package init(
    time: Timestamp, durationMicroseconds: Int, status: Int, labels: RouteLabels?, key: KeyID?,
    isDryRun: Bool = false, isReplayed: Bool = false, job: String? = nil, jobEnd: JobEnd? = nil
  ) {
    self.time = time
    self.durationMicroseconds = durationMicroseconds
    self.status = status
    self.labels = labels
    self.key = key
    self.isDryRun = isDryRun
    self.isReplayed = isReplayed
    self.job = job
    self.jobEnd = jobEnd
  }
}

package enum JobEnd: String, CaseIterable, Sendable {
  /// With an answer: the handler's, or the host's in its place when the deadline or a drain ended it.
  case ended
  /// Its caller took it back. What it was answered, nobody can fetch.
  case cancelled
  /// The host ended before it. Whether it was carried out is not known.
  case lost
}

/// The constant part of a route's audit rows: JSON members without braces.
package final class RouteLabels: Sendable {
  package let json: [UInt8]

  package init(json: [UInt8]) { self.json = json }
}

package struct AdminAct: Sendable {
  package var time: Timestamp
  package var principal: String
  package var key: String
  /// `automation.reload`, `key.issue`.
  package var action: String
  package var target: String
  package var status: Int
  package var requestID: String
  package var details: [String: JSONValue]

  package init(
    time: Timestamp, principal: String, key: String, action: String, target: String, status: Int,
    requestID: String, details: [String: JSONValue] = [:]
  ) {
    self.time = time
    self.principal = principal
    self.key = key
    self.action = action
    self.target = target
    self.status = status
    self.requestID = requestID
    self.details = details
  }
}

/// Counts requests: a counter and a duration histogram per series and status.
package protocol RequestMeter: AnyObject, Sendable {
  /// The number of a series, made at load; the same labels give the same number.
  func series(automation: String, route: String, method: String) -> Int

  /// [event] Touches memory of this thread only.
  func record(series: Int, status: Int, nanoseconds: Int64)

  /// Durations of one reload's steps, by name.
  func recordReload(automation: String, step: String, nanoseconds: Int64)

  /// A value read at each scrape; `name` and `help` after the Prometheus naming rules. A name that ends in `_total` is
  /// a counter's.
  func gauge(_ name: String, help: String, _ read: @escaping @Sendable () -> [GaugeSample])

  /// The same for what only grows; its name ends in `_total`.
  func counter(_ name: String, help: String, _ read: @escaping @Sendable () -> [GaugeSample])

  /// The text exposition format 0.0.4 of Prometheus.
  func exposition() -> [UInt8]
}

extension RequestMeter {
  package func counter(_ name: String, help: String, _ read: @escaping @Sendable () -> [GaugeSample]) {
    gauge(name, help: help, read)
  }
}

package struct GaugeSample: Sendable {
  package var labels: [(name: String, value: String)]
  package var value: Double

  package init(_ labels: [(name: String, value: String)] = [], _ value: Double) {
    self.labels = labels
    self.value = value
  }
}
