import Kernel
import SQLiteStore

/// What one would write without us: a prepared insert into the same table, with the same log and the same
/// synchronous setting, and one commit each.
struct PlainLoop {
  private let connection: Connection
  private let statement: Statement
  private var count = 0

  init(path: String) throws {
    connection = try Connection(path: path, mode: .create, busyTimeout: .seconds(1), maxValueBytes: 1 << 20)
    for sql in [
      "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "DROP TABLE IF EXISTS accounts",
      """
      CREATE TABLE accounts(id TEXT NOT NULL PRIMARY KEY, name TEXT, email TEXT, balance INTEGER, \
      currency TEXT, status TEXT, version INTEGER NOT NULL, created_at TEXT NOT NULL, \
      updated_at TEXT NOT NULL) STRICT, WITHOUT ROWID
      """,
      "CREATE UNIQUE INDEX a ON accounts(email)", "CREATE INDEX b ON accounts(status,created_at)",
      "CREATE INDEX c ON accounts(created_at)",
    ] { try connection.execute(sql) }
    statement = try connection.prepare("INSERT INTO accounts VALUES(?,?,?,?,?,?,?,?,?)")
  }

  /// Inserts per second.
  mutating func run(_ rounds: Int) throws -> Double {
    let start = Instant.now
    for _ in 0..<rounds {
      count += 1
      let now = Timestamp.now.text
      for (index, text) in [UUIDv7.make(), "Name", "\(count)@x"].enumerated() {
        try statement.bind(index + 1, text)
      }
      try statement.bind(4, 1)
      try statement.bind(5, "EUR")
      try statement.bind(6, "active")
      try statement.bind(7, 1)
      try statement.bind(8, now)
      try statement.bind(9, now)
      try statement.run()
    }
    return Double(rounds) * 1e9 / Double(Instant.now - start)
  }
}
