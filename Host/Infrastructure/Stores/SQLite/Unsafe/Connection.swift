package import Application
import CSQLite
import Kernel

/// One connection to one database file. One thread at a time.
@safe
package final class Connection {
  package enum Mode: Sendable {
    /// Creates the file when there is none.
    case create
    /// The file must exist.
    case existing
  }

  /// Values that one statement takes.
  static let maxValues = 16_384

  fileprivate let handle: OpaquePointer
  // Lives as long as the connection, which hands its address to SQLite's callbacks.
  private let watch: UnsafeMutablePointer<Watch>
  private let busyMilliseconds: Int32

  package init(
    path: String, mode: Mode, busyTimeout: Duration, maxValueBytes: Int, cipher: (any FieldCipher)? = nil
  ) throws(SQLiteError) {
    _ = Connection.configured
    var opened: OpaquePointer?
    // No mutex: a connection stays with one thread at a time.
    let flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
      | (mode == .create ? SQLITE_OPEN_CREATE : 0)
    // Safe: SQLite copies the path; what it opens is owned here, also after a failure.
    let status = unsafe sqlite3_open_v2(path, &opened, flags, nil)
    guard let opened = unsafe opened else {
      throw SQLiteError(code: SQLITE_NOMEM, message: "out of memory")
    }
    guard status == SQLITE_OK else {
      let error = SQLiteError(code: status, message: unsafe String(cString: sqlite3_errmsg(opened)))
      unsafe sqlite3_close_v2(opened)
      throw error
    }
    unsafe handle = opened
    busyMilliseconds = Int32(clamping: busyTimeout.nanoseconds / 1_000_000)
    unsafe watch = .allocate(capacity: 1)
    unsafe watch.initialize(to: Watch())
    harden(maxValueBytes: maxValueBytes)
    // Safe: both callbacks get `watch`, which outlives the connection; they run on its thread.
    unsafe sqlite3_busy_timeout(handle, busyMilliseconds)
    unsafe sqlite3_progress_handler(handle, 5000, stopRunaway, watch)
    unsafe registerFunctions(on: handle)
    if let cipher {
      unsafe registerOpening(cipher, on: handle)
      // What is sorted or grouped after it was decrypted would reach the disk in plain text when it is much.
      try execute("PRAGMA temp_store=MEMORY")
    }
  }

  deinit {
    // Statements that are still cached elsewhere keep the connection until they end.
    unsafe sqlite3_close_v2(handle)
    unsafe watch.deinitialize(count: 1)
    unsafe watch.deallocate()
  }

  /// Once per process, before the first connection.
  private static let configured: Bool = csqlite_skip_memory_statistics() == SQLITE_OK

  /// What a database file, or SQL of ours that went wrong, must not be able to do.
  private func harden(maxValueBytes: Int) {
    let flags: [(Int32, Int32)] = [
      (SQLITE_DBCONFIG_DEFENSIVE, 1), (SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
      (SQLITE_DBCONFIG_DQS_DML, 0), (SQLITE_DBCONFIG_DQS_DDL, 0), (SQLITE_DBCONFIG_ENABLE_TRIGGER, 0),
      (SQLITE_DBCONFIG_ENABLE_VIEW, 0),
    ]
    for (flag, on) in flags { unsafe _ = csqlite_set_flag(handle, flag, on) }
    let limits: [(Int32, Int32)] = [
      (SQLITE_LIMIT_LENGTH, Int32(clamping: maxValueBytes)), (SQLITE_LIMIT_SQL_LENGTH, 256 * 1024),
      (SQLITE_LIMIT_COLUMN, 1000), (SQLITE_LIMIT_EXPR_DEPTH, 500), (SQLITE_LIMIT_COMPOUND_SELECT, 4),
      (SQLITE_LIMIT_ATTACHED, 0), (SQLITE_LIMIT_VARIABLE_NUMBER, Int32(Connection.maxValues)),
      (SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1024), (SQLITE_LIMIT_TRIGGER_DEPTH, 4),
      (SQLITE_LIMIT_WORKER_THREADS, 0),
    ]
    for (limit, value) in limits { unsafe sqlite3_limit(handle, limit, value) }
  }
}

// MARK: - Statements

extension Connection {
  /// Compiles one statement. `kept` tells SQLite that it will be used many times.
  package func prepare(_ sql: String, kept: Bool = false) throws(SQLiteError) -> Statement {
    try prepare(Array(sql.utf8), kept: kept)
  }

  package func prepare(_ sql: [UInt8], kept: Bool = false) throws(SQLiteError) -> Statement {
    var statement: OpaquePointer?
    let flags = kept ? UInt32(SQLITE_PREPARE_PERSISTENT) : 0
    let status = unsafe sql.withUnsafeBufferPointer { text in
      unsafe text.withMemoryRebound(to: CChar.self) { text in
        // Safe: SQLite reads `count` bytes and keeps its own copy.
        unsafe sqlite3_prepare_v3(handle, text.baseAddress, Int32(text.count), flags, &statement, nil)
      }
    }
    guard status == SQLITE_OK else { throw lastError(status) }
    guard let statement = unsafe statement else {
      throw SQLiteError(code: SQLITE_MISUSE, message: "an empty statement")
    }
    return unsafe Statement(statement, of: self)
  }

  /// Runs statements without parameters, and throws their rows away.
  package func execute(_ sql: String) throws(SQLiteError) {
    // Safe: SQLite reads the text during the call.
    let status = unsafe sqlite3_exec(handle, sql, nil, nil, nil)
    guard status == SQLITE_OK else { throw lastError(status) }
  }

  /// Writes the whole database, as it is at one moment, over another. Others may write meanwhile; what they had in
  /// the log stays there.
  package func copy(to target: Connection) throws(SQLiteError) {
    // The last one to close would move the log into a file that is not ours.
    unsafe _ = csqlite_set_flag(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    // Safe: both connections live until the copy is finished, which frees it once.
    guard let backup = unsafe sqlite3_backup_init(target.handle, "main", handle, "main") else {
      throw target.lastError(SQLITE_ERROR)
    }
    let step = unsafe sqlite3_backup_step(backup, -1)
    let end = unsafe sqlite3_backup_finish(backup)
    guard step == SQLITE_DONE, end == SQLITE_OK else { throw target.lastError(end == SQLITE_OK ? step : end) }
  }

  func lastError(_ status: Int32) -> SQLiteError {
    // Safe: the message lives until the next call on this connection and is copied here.
    unsafe SQLiteError(code: status, message: String(cString: sqlite3_errmsg(handle)))
  }

  /// Rows that the last insert, update or delete touched.
  package var changes: Int { Int(unsafe sqlite3_changes64(handle)) }

  /// Whether the file itself begins as a database does. A query may be answered from the log alone.
  package var hasDatabaseHeader: Bool { unsafe csqlite_has_header(handle) != 0 }

  /// False also after SQLite rolled a transaction back by itself.
  package var isInTransaction: Bool { unsafe sqlite3_get_autocommit(handle) == 0 }
}

// MARK: - Time limit and log

/// What callbacks of one connection read and write, on its thread.
private struct Watch {
  var limit: Int64 = .max
  /// 0 until the operation ran long enough for the first look at the clock.
  var deadline: Int64 = 0
  var logPages = 0
  var movedPages = 0
}

extension Connection {
  /// From now on, an operation that runs longer is stopped with SQLITE_INTERRUPT. Counted from the first few
  /// thousand steps of the engine, so that a short operation reads no clock.
  package func limitTime(_ limit: Duration) {
    unsafe watch.pointee.limit = limit.nanoseconds
    unsafe watch.pointee.deadline = 0
  }

  /// A new operation begins.
  package func restartTime() { unsafe watch.pointee.deadline = 0 }

  /// Counts the log's pages at each commit, and leaves moving them into the file to ``checkpoint(waiting:)``.
  package func countLogPages() {
    // Safe: `watch` outlives the connection.
    unsafe _ = sqlite3_wal_hook(handle, noteLogPages, watch)
  }

  /// Pages of the log; after it started again, of the new one.
  package var logPages: Int { unsafe watch.pointee.logPages }

  /// Pages of the log that are not in the file yet, as far as this connection knows.
  package var unmovedPages: Int {
    // A log that is shorter than what was moved has started again.
    let (pages, moved) = unsafe (watch.pointee.logPages, watch.pointee.movedPages)
    return pages < moved ? pages : pages - moved
  }

  /// Moves the log's pages into the file; `waiting` a moment for readers, so that the log starts again. What
  /// cannot be moved now is moved later.
  package func checkpoint(waiting: Bool) {
    var moved: Int32 = 0
    var total: Int32 = 0
    let mode = waiting ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE
    // Writes wait behind this, so it waits for less long than a statement would.
    unsafe sqlite3_busy_timeout(handle, 100)
    // Safe: both numbers are written during the call.
    unsafe _ = sqlite3_wal_checkpoint_v2(handle, nil, mode, &total, &moved)
    unsafe sqlite3_busy_timeout(handle, busyMilliseconds)
    unsafe watch.pointee.logPages = Int(max(0, total))
    unsafe watch.pointee.movedPages = Int(max(0, moved))
  }
}

private nonisolated func stopRunaway(_ argument: UnsafeMutableRawPointer?) -> Int32 {
  // Safe: the argument is the connection's Watch, which outlives it, on the connection's thread.
  guard let watch = unsafe argument?.assumingMemoryBound(to: Watch.self) else { return 0 }
  let now = Instant.now.nanoseconds
  if unsafe watch.pointee.deadline == 0 {
    unsafe watch.pointee.deadline =
      now.addingReportingOverflow(watch.pointee.limit).overflow
      ? .max : now + watch.pointee.limit
  }
  return unsafe now > watch.pointee.deadline ? 1 : 0
}

private nonisolated func noteLogPages(
  _ argument: UnsafeMutableRawPointer?, _: OpaquePointer?, _: UnsafePointer<CChar>?, _ pages: Int32
) -> Int32 {
  // Safe: as in stopRunaway.
  unsafe argument?.assumingMemoryBound(to: Watch.self).pointee.logPages = Int(pages)
  return SQLITE_OK
}
