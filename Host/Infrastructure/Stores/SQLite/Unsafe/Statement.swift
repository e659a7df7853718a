import CSQLite
package import Domain
import Kernel

/// One compiled statement of one connection. The connection's thread only.
@safe
package final class Statement {
  private let handle: OpaquePointer
  private let connection: Connection

  init(_ handle: OpaquePointer, of connection: Connection) {
    unsafe self.handle = handle
    self.connection = connection
  }

  deinit { unsafe sqlite3_finalize(handle) }

  // MARK: Parameters, counted from 1; SQLite copies them

  package func bind(_ index: Int, text: Span<UInt8>) throws(SQLiteError) {
    let status = unsafe text.withUnsafeBufferPointer { text in
      // Safe: `count` bytes are copied before the call returns.
      unsafe csqlite_bind_text(handle, Int32(index), text.baseAddress, UInt64(text.count))
    }
    try check(status)
  }

  package func bind(_ index: Int, _ text: String) throws(SQLiteError) {
    try bind(index, text: text.utf8.span)
  }

  package func bind(_ index: Int, blob: [UInt8]) throws(SQLiteError) {
    let status = unsafe blob.withUnsafeBufferPointer { bytes in
      // Safe: as for text.
      unsafe csqlite_bind_blob(handle, Int32(index), bytes.baseAddress, UInt64(bytes.count))
    }
    try check(status)
  }

  package func bind(_ index: Int, _ number: Int64) throws(SQLiteError) {
    try check(unsafe sqlite3_bind_int64(handle, Int32(index), number))
  }

  package func bindNull(_ index: Int) throws(SQLiteError) {
    try check(unsafe sqlite3_bind_null(handle, Int32(index)))
  }

  package func bind(_ index: Int, _ value: RecordValue) throws(SQLiteError) {
    switch value {
    case .null: try bindNull(index)
    case .integer(let number): try bind(index, number)
    case .number(let number): try check(unsafe sqlite3_bind_double(handle, Int32(index), number))
    case .boolean(let flag): try bind(index, flag ? 1 : 0 as Int64)
    case .text(let text): try bind(index, text: text.span)
    }
  }

  // MARK: Running

  /// Whether there is a row to read.
  package func step() throws(SQLiteError) -> Bool {
    switch unsafe sqlite3_step(handle) {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    case let status: throw connection.lastError(status)
    }
  }

  /// Ends the run and forgets the parameters. What went wrong was told by ``step()``.
  package func reset() {
    unsafe sqlite3_reset(handle)
    unsafe sqlite3_clear_bindings(handle)
  }

  /// Runs to the end and throws the rows away.
  package func run() throws(SQLiteError) {
    defer { reset() }
    while try step() {}
  }

  // MARK: The row's columns, counted from 0

  package func isNull(_ column: Int) -> Bool {
    unsafe sqlite3_column_type(handle, Int32(column)) == SQLITE_NULL
  }

  package func integer(_ column: Int) -> Int64 { unsafe sqlite3_column_int64(handle, Int32(column)) }

  package func number(_ column: Int) -> Double { unsafe sqlite3_column_double(handle, Int32(column)) }

  /// The bytes of text or of a blob; empty for null.
  package func bytes(_ column: Int) -> [UInt8] {
    withBytes(column) { [UInt8]($0) }
  }

  package func text(_ column: Int) -> String {
    withBytes(column) { String($0) }
  }

  package func appendBytes(_ column: Int, to bytes: inout [UInt8]) {
    // Safe: as in `withBytes`.
    guard let base = unsafe sqlite3_column_blob(handle, Int32(column)) else { return }
    let count = Int(unsafe sqlite3_column_bytes(handle, Int32(column)))
    unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: base, count: count))
  }

  /// Lends the bytes of text or of a blob until `body` returns.
  package func withBytes<Result>(_ column: Int, _ body: (Span<UInt8>) -> Result) -> Result {
    // Safe: the bytes stay until the next step or reset; the type was not asked to change in between.
    guard let base = unsafe sqlite3_column_blob(handle, Int32(column)) else { return body(Span()) }
    let count = Int(unsafe sqlite3_column_bytes(handle, Int32(column)))
    let span = unsafe Span(_unsafeStart: base.assumingMemoryBound(to: UInt8.self), count: count)
    return body(span)
  }

  package func value(_ column: Int, _ type: FieldDeclaration.FieldType) -> RecordValue {
    if isNull(column) { return .null }
    switch type {
    case .integer: return .integer(integer(column))
    case .number: return .number(number(column))
    case .boolean: return .boolean(integer(column) != 0)
    case .string, .timestamp, .json: return .text(bytes(column))
    }
  }

  /// Steps of SQLite's engine since the last call: what a run cost, whatever the clock says.
  package func takeStepCount() -> Int {
    Int(unsafe sqlite3_stmt_status(handle, SQLITE_STMTSTATUS_VM_STEP, 1))
  }

  private func check(_ status: Int32) throws(SQLiteError) {
    if status != SQLITE_OK { throw connection.lastError(status) }
  }
}
