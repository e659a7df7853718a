/// Holds the shared lock that readers need, while nothing is written.
///
/// In WAL mode each read takes and gives back a lock of the operating system on the log's index: two system calls,
/// which cost more than the read itself. SQLite makes them only when the process does not hold that lock
/// already; so an idle connection holds a read transaction at the newest state. It ends before each write, as it
/// would keep the log from starting again, and begins anew after it. Without it all works, only slower.
struct ReadLockKeeper {
  private let begin: Statement
  private let look: Statement
  private let end: Statement
  private var isHolding = false

  init(_ file: DatabaseFile.Shared) throws(SQLiteError) {
    let connection = try Connection(
      path: file.path, mode: .existing, busyTimeout: .zero, maxValueBytes: file.configuration.maxValueBytes)
    try connection.execute("PRAGMA query_only=ON")
    try connection.execute("PRAGMA cache_size=-16")
    begin = try connection.prepare("BEGIN", kept: true)
    look = try connection.prepare("SELECT 1 FROM sqlite_schema LIMIT 1", kept: true)
    end = try connection.prepare("ROLLBACK", kept: true)
  }

  mutating func hold() {
    guard !isHolding else { return }
    do throws(SQLiteError) {
      try begin.run()
      isHolding = true
      try look.run()
    } catch {
      release()
    }
  }

  mutating func release() {
    guard isHolding else { return }
    isHolding = false
    try? end.run()
  }
}
