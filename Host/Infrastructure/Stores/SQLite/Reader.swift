import Domain
import Kernel
import Synchronization

/// A read connection with its statements. One thread at a time.
final class Reader {
  let connection: Connection
  private var statements: StatementCache
  private let file: DatabaseFile.Shared
  private var seenGenerations: UInt64

  init(_ file: DatabaseFile.Shared) throws(SQLiteError) {
    let configuration = file.configuration
    self.file = file
    connection = try Connection(
      path: file.path, mode: .existing, busyTimeout: configuration.busyTimeout,
      maxValueBytes: configuration.maxValueBytes, cipher: file.cipher)
    try connection.execute("PRAGMA query_only=ON")
    try connection.execute("PRAGMA mmap_size=\(configuration.mmapBytes)")
    try connection.execute("PRAGMA cache_size=-\(configuration.cacheKiB)")
    try connection.execute("PRAGMA cell_size_check=ON")
    connection.limitTime(configuration.timeLimit)
    statements = StatementCache(capacity: configuration.maxStatements)
    seenGenerations = file.generations.load(ordering: .relaxed)
  }

  var statementCount: Int { statements.count }

  func statement(
    _ key: StatementKey, _ sql: () -> String
  ) throws(SQLiteError) -> Statement {
    let generations = file.generations.load(ordering: .relaxed)
    if generations != seenGenerations {
      seenGenerations = generations
      let used = file.collections.withLock { $0 }
      statements.keep { $0 == 0 || used.contains($0) }
    }
    let connection = connection
    return try statements.statement(key) { () throws(SQLiteError) in
      try connection.prepare(sql(), kept: true)
    }
  }

  /// Runs `body` in a read transaction: every statement in it sees one state of the file.
  func snapshot<Value>(_ body: () throws(SQLiteError) -> Value) throws(SQLiteError) -> Value {
    try control("BEGIN")
    // What fails here has ended the transaction by itself.
    defer { try? control("ROLLBACK") }
    return try body()
  }

  private func control(_ sql: String) throws(SQLiteError) {
    try statement(StatementKey(collection: 0, text: Array(sql.utf8))) { sql }.run()
  }
}
