package import Application
package import Domain
package import Kernel

/// An audit trail that keeps its rows in memory; it can be full, fail and be broken.
package final class MemoryAudit: AuditTrail {
  package struct Row: Sendable {
    package var status: Int
    package var labels: String
    package var principal: String
    package var isDryRun: Bool
    package var isReplayed: Bool
    package var job: String?
  }
  package struct JobEndRow: Sendable {
    package var row: Row
    package var end: JobEnd?
    package var key: KeyID?
    package var requestID: String
    package var path: String
    package var durationMicroseconds: Int
  }
  package struct State: Sendable {
    package var rows: [Row] = []
    package var jobEnds: [JobEndRow] = []
    package var acts: [AdminAct] = []
    package var isFull = false
    /// What acts throw from now on.
    package var failure: Problem?
    /// What is read, and what a walk over it throws.
    package var documents: [JSONValue] = []
    package var broken: Problem?
  }
  package let state = Monitor(State())

  package init() {}

  package var rows: [Row] { state.withLock { $0.rows } }
  package var jobEnds: [JobEndRow] { state.withLock { $0.jobEnds } }
  package var acts: [AdminAct] { state.withLock { $0.acts } }
  package var isFull: Bool {
    get { state.withLock { $0.isFull } }
    set { state.withLock { $0.isFull = newValue } }
  }

  package func wait(forRowAfter after: Int64, until deadline: Instant) -> Bool { lastSequence > after }
  package var lastSequence: Int64 { state.withLock { $0.documents.last?["seq"]?.integer ?? 0 } }
  package func admit() -> Bool { !isFull }
  package func record(_ row: RequestAudit, of exchange: Exchange) {
    let kept = kept(row, exchange)
    state.withLock { $0.rows.append(kept) }
  }
  package func record(endOfJob row: RequestAudit, of exchange: Exchange) {
    let head = exchange.head
    let kept = JobEndRow(
      row: kept(row, exchange), end: row.jobEnd, key: row.key,
      requestID: String(head.span(exchange.requestID)), path: String(head.span(exchange.rawPath)),
      durationMicroseconds: row.durationMicroseconds)
    state.withLock { $0.jobEnds.append(kept) }
  }
  private func kept(_ row: RequestAudit, _ exchange: Exchange) -> Row {
    let head = exchange.head
    return Row(
      status: row.status, labels: String(decoding: row.labels?.json ?? [], as: UTF8.self),
      principal: String(head.span(exchange.principal)), isDryRun: row.isDryRun, isReplayed: row.isReplayed,
      job: row.job)
  }
  package func record(_ act: AdminAct) throws(Problem) {
    try state.withLock { state throws(Problem) in
      if let failure = state.failure { throw failure }
      state.acts.append(act)
    }
  }
  package func read(after: Int64, limit: Int) -> [JSONValue] {
    state.withLock { state in
      Array(state.documents.filter { ($0["seq"]?.integer ?? 0) > after }.prefix(limit))
    }
  }
  package func verify() throws(Problem) -> AuditVerification {
    try state.withLock { state throws(Problem) in
      if let broken = state.broken { throw broken }
      return AuditVerification(rows: Int64(state.documents.count), lastHash: "ff")
    }
  }
}

/// Counts requests by status.
package final class CountingMeter: RequestMeter {
  private let counts = Monitor<[Int: Int]>([:])

  package init() {}

  package func count(_ status: Int) -> Int { counts.withLock { $0[status] ?? 0 } }
  package func series(automation: String, route: String, method: String) -> Int { 0 }
  package func record(series: Int, status: Int, nanoseconds: Int64) {
    counts.withLock { $0[status, default: 0] += 1 }
  }
  package func recordReload(automation: String, step: String, nanoseconds: Int64) {}
  package func gauge(_ name: String, help: String, _ read: @escaping @Sendable () -> [GaugeSample]) {}
  package func exposition() -> [UInt8] { Array("# TYPE up gauge\nup 1\n".utf8) }
}

/// Keeps log lines, whatever its level.
package final class MemoryLog: LogSink {
  private let threshold = Monitor(LogLevel.info)
  private let lines = Monitor<[(level: LogLevel, message: String, fields: [String: JSONValue])]>([])

  package init() {}

  package var level: LogLevel {
    get { threshold.withLock { $0 } }
    set { threshold.withLock { $0 = newValue } }
  }
  package func messages(_ level: LogLevel) -> [String] {
    lines.withLock { $0.filter { $0.level == level }.map(\.message) }
  }
  /// Everything that was said.
  package var text: String {
    lines.withLock { $0.map { "\($0.level.name) \($0.message) \(JSON.text(.object($0.fields)))" } }
      .joined(separator: "\n")
  }
  package func write(
    _ level: LogLevel, _ module: StaticString, _ message: String, _ fields: [String: JSONValue]
  ) { lines.withLock { $0.append((level, message, fields)) } }
}

/// Schemas that nothing breaks.
package struct OpenSchemas: SchemaCompiler {
  package init() {}

  package func compile(_ schema: JSONValue) throws(Problem) -> any CompiledSchema {
    if schema["refuse"] != nil { throw Problem(422, "schema.unsupported", "refused") }
    return OpenSchema(required: schema["needs"]?.string)
  }
}

private final class OpenSchema: CompiledSchema {
  let required: String?
  init(required: String?) { self.required = required }

  func validate(_ document: borrowing JSONElement, limit: Int) -> [SchemaViolation] {
    guard let required, document.member(required.utf8.span) == nil else { return [] }
    return [SchemaViolation(pointer: "", keyword: "required", message: "lacks \(required)")]
  }
  func parameterType(_ name: String) -> ParameterType { name == "limit" ? .integer : .string }
}
