import Application
package import Kernel
import Domain

/// The host's own memory: keys, generations, the active set, quarantine. One file, `council.sqlite`.
///
/// Every write is one durable transaction. One connection behind a lock: this is never on the request path.
package final class SQLiteControlStore: KeyStore, Catalog {
  /// What one thread at a time uses; the monitor around it is the lock.
  final class Session {
    let connection: Connection
    private var statements = StatementCache(capacity: 64)

    init(_ connection: Connection) { self.connection = connection }

    /// Runs `body` with a cached statement, which is reset afterwards.
    func with<Value>(
      _ sql: String, _ body: (Statement) throws(SQLiteError) -> Value
    ) throws(SQLiteError) -> Value {
      let connection = connection
      let key = StatementKey(collection: 0, text: Array(sql.utf8))
      let statement = try statements.statement(key) { () throws(SQLiteError) in
        try connection.prepare(sql, kept: true)
      }
      defer { statement.reset() }
      return try body(statement)
    }

    /// Everything in `body` is on disk when this returns, or nothing of it happened.
    func transaction<Value>(
      _ body: () throws(SQLiteError) -> Value
    ) throws(SQLiteError) -> Value {
      try connection.execute("BEGIN IMMEDIATE")
      do throws(SQLiteError) {
        let value = try body()
        try connection.execute("COMMIT")
        return value
      } catch {
        // What fails here has ended the transaction by itself.
        if connection.isInTransaction { try? connection.execute("ROLLBACK") }
        throw error
      }
    }
  }

  let path: String
  let configuration: SQLiteConfiguration
  private let session: Monitor<Session>
  let check: StoreCheck

  /// Opens `path`, and makes it and its folder where there are none. Throws `control.newer_layout` for a file of a
  /// later host, `control.foreign_file` for another's database, `control.unavailable` when it cannot be used.
  package init(path: String, configuration: SQLiteConfiguration = SQLiteConfiguration()) throws(Problem) {
    self.path = path
    self.configuration = configuration
    do throws(SQLiteError) {
      if let slash = path.lastIndex(of: "/") { try Files.makeFolder(String(path[..<slash])) }
      try Files.makeFile(path)
      let session = Session(try SQLiteControlStore.connect(path, configuration))
      // Before anything is changed in it.
      if try SQLiteControlStore.isForeign(session) { throw SQLiteControlStore.foreign }
      try session.connection.execute("PRAGMA journal_mode=WAL")
      try session.connection.execute("PRAGMA synchronous=FULL")
      self.session = Monitor(session)
      check = StoreCheck(path: path, configuration: configuration)
    } catch {
      guard error != SQLiteControlStore.foreign else {
        throw Problem(
          409, "control.foreign_file",
          "\(path) is a database of something else: move it away, or restore the right one")
      }
      throw SQLiteControlStore.problem(error)
    }
    try prepareLayout()
  }

  /// Of our own making: SQLite has nothing against such a file.
  private static let foreign = SQLiteError(code: SQLiteError.Code.notADatabase, message: "another's tables")

  /// A file without anything in it is new; every other one has the tables of the first layout.
  private static func isForeign(_ session: Session) throws(SQLiteError) -> Bool {
    func number(_ sql: String) throws(SQLiteError) -> Int64 {
      try session.with(sql) { statement throws(SQLiteError) in try statement.step() ? statement.integer(0) : 0
      }
    }
    let ours = try number(
      """
      SELECT count(*) FROM sqlite_schema WHERE type='table' AND name IN \
      ('keys','numbers','generations','active','quarantine')
      """)
    let layout = try number("PRAGMA user_version")
    let all = try number("SELECT count(*) FROM sqlite_schema")
    return ours == 5 ? layout == 0 : layout != 0 || all != 0
  }

  /// nil, or why it cannot be used now. One thread at a time. [not event]
  package var fault: String? { check.fault }

  static func connect(
    _ path: String, _ configuration: SQLiteConfiguration
  ) throws(SQLiteError) -> Connection {
    let connection = try Connection(
      path: path, mode: .existing, busyTimeout: configuration.busyTimeout,
      maxValueBytes: configuration.maxValueBytes)
    connection.limitTime(configuration.migrationTimeLimit)
    return connection
  }

  func use<Value>(
    _ body: (Session) throws(SQLiteError) -> Value
  ) throws(Problem) -> Value {
    do throws(SQLiteError) {
      return try session.withLock { session throws(SQLiteError) in
        session.connection.restartTime()
        return try body(session)
      }
    } catch {
      throw SQLiteControlStore.problem(error)
    }
  }

  static func problem(_ error: SQLiteError) -> Problem {
    let known = error.problem(SQLiteConfiguration())
    let cause = known.members["cause"] ?? .string("code_\(error.code)")
    return Problem(
      503, "control.unavailable", "council.sqlite cannot be used: \(known.detail)", members: ["cause": cause],
      retryAfterSeconds: known.retryAfterSeconds)
  }

  // MARK: Layout

  /// Statements that take the file from layout n to n + 1. Entries are only ever added.
  private static let layouts: [[String]] = [
    [
      """
      CREATE TABLE keys(id TEXT NOT NULL PRIMARY KEY, digest BLOB NOT NULL, principal TEXT NOT NULL, \
      name TEXT NOT NULL, scopes TEXT NOT NULL, limit_requests INTEGER, limit_period_s INTEGER, \
      created INTEGER NOT NULL, expires INTEGER, revoked INTEGER, last_used INTEGER) STRICT, WITHOUT ROWID
      """,
      "CREATE INDEX keys_created ON keys(created,id)",
      "CREATE TABLE numbers(automation TEXT NOT NULL PRIMARY KEY, last INTEGER NOT NULL) STRICT, WITHOUT ROWID",
      """
      CREATE TABLE generations(automation TEXT NOT NULL, number INTEGER NOT NULL, sha256 TEXT NOT NULL, \
      file TEXT NOT NULL, source TEXT, version TEXT NOT NULL, config TEXT NOT NULL, loaded INTEGER NOT NULL, \
      PRIMARY KEY(automation,number)) STRICT, WITHOUT ROWID
      """,
      "CREATE TABLE active(automation TEXT NOT NULL PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID",
      """
      CREATE TABLE quarantine(sha256 TEXT NOT NULL PRIMARY KEY, code TEXT NOT NULL, detail TEXT NOT NULL, \
      since INTEGER NOT NULL) STRICT, WITHOUT ROWID
      """,
    ],
    [
      """
      CREATE TABLE crashes(automation TEXT NOT NULL, time INTEGER NOT NULL, id TEXT NOT NULL, \
      generation INTEGER NOT NULL, sha256 TEXT NOT NULL, report TEXT NOT NULL, \
      PRIMARY KEY(automation,time,id)) STRICT, WITHOUT ROWID
      """
    ],
    ["ALTER TABLE generations ADD COLUMN isolation TEXT NOT NULL DEFAULT 'none'"],
    ["ALTER TABLE keys ADD COLUMN answer_limit INTEGER"],
  ]

  private func prepareLayout() throws(Problem) {
    let known = SQLiteControlStore.layouts.count
    let found = try use { session throws(SQLiteError) in
      try session.transaction { () throws(SQLiteError) in
        let found = try session.with("PRAGMA user_version") { statement throws(SQLiteError) in
          try statement.step() ? Int(statement.integer(0)) : 0
        }
        guard found < known else { return found }
        for layout in SQLiteControlStore.layouts[max(0, found)...] {
          for sql in layout { try session.connection.execute(sql) }
        }
        try session.connection.execute("PRAGMA user_version=\(known)")
        return known
      }
    }
    guard found <= known else {
      throw Problem(
        500, "control.newer_layout",
        "council.sqlite was written by a later version of the host (layout \(found); this one knows \(known))",
        members: ["found": .integer(Int64(found)), "known": .integer(Int64(known))])
    }
  }
}
