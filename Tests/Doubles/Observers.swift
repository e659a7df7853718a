package import Application
package import Kernel

/// An audit trail that keeps its rows in memory, and can be full.
package final class MemoryAudit: AuditTrail {
  package struct Row: Sendable {
    package var status: Int
    package var labels: String
    package var principal: String
  }
  private let state = Monitor<(rows: [Row], acts: [AdminAct], isFull: Bool)>(([], [], false))

  package init() {}

  package var rows: [Row] { state.withLock { $0.rows } }
  package var acts: [AdminAct] { state.withLock { $0.acts } }
  package var isFull: Bool {
    get { state.withLock { $0.isFull } }
    set { state.withLock { $0.isFull = newValue } }
  }

  package func admit() -> Bool { !isFull }
  package func record(_ row: RequestAudit, of exchange: Exchange) {
    let head = exchange.head
    let kept = Row(
      status: row.status, labels: String(decoding: row.labels?.json ?? [], as: UTF8.self),
      principal: String(head.span(exchange.principal)))
    state.withLock { $0.rows.append(kept) }
  }
  package func record(_ act: AdminAct) throws(Problem) {
    if isFull { throw Problem(503, "audit.unavailable", "full") }
    state.withLock { $0.acts.append(act) }
  }
  package func read(after: Int64, limit: Int) -> [JSONValue] { [] }
  package func verify() -> AuditVerification { AuditVerification(rows: Int64(rows.count), lastHash: "") }
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
  package func exposition() -> [UInt8] { [] }
}

/// Keeps log messages.
package final class MemoryLog: LogSink {
  private let lines = Monitor<[(LogLevel, String)]>([])
  package var level: LogLevel {
    get { .info }
    set { preconditionFailure("this log's level is fixed") }
  }

  package init() {}

  package func messages(_ level: LogLevel) -> [String] {
    lines.withLock { $0.filter { $0.0 == level }.map(\.1) }
  }
  package func write(
    _ level: LogLevel, _ module: StaticString, _ message: String, _ fields: [String: JSONValue]
  ) { lines.withLock { $0.append((level, message)) } }
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
