package import Application
import Domain
package import Kernel

extension SQLiteControlStore {
  private static let columns = "automation,number,sha256,file,source,version,config,isolation,loaded"

  package func nextNumber(of automation: String) throws(Problem) -> Int {
    try use { session throws(SQLiteError) in
      try session.transaction { () throws(SQLiteError) in
        try session.with(
          """
          INSERT INTO numbers(automation,last) VALUES(?,1) \
          ON CONFLICT(automation) DO UPDATE SET last=last+1 RETURNING last
          """
        ) { statement throws(SQLiteError) in
          try statement.bind(1, automation)
          guard try statement.step() else { throw SQLiteError(code: 1, message: "no number came back") }
          let number = Int(statement.integer(0))
          _ = try statement.step()
          return number
        }
      }
    }
  }

  package func generations(of automation: String?) throws(Problem) -> [GenerationRecord] {
    let condition = automation == nil ? "" : " WHERE automation=?"
    return try use { session throws(SQLiteError) in
      try session.with(
        "SELECT \(SQLiteControlStore.columns) FROM generations\(condition) ORDER BY automation,number DESC"
      ) { statement throws(SQLiteError) in
        if let automation { try statement.bind(1, automation) }
        return try SQLiteControlStore.rows(statement)
      }
    }
  }

  package func activeSet() throws(Problem) -> [GenerationRecord] {
    try use { session throws(SQLiteError) in
      try session.with(
        "SELECT \(SQLiteControlStore.columns) FROM active JOIN generations USING(automation,number) ORDER BY automation"
      ) { statement throws(SQLiteError) in try SQLiteControlStore.rows(statement) }
    }
  }

  private static func rows(_ statement: Statement) throws(SQLiteError) -> [GenerationRecord] {
    var all: [GenerationRecord] = []
    while try statement.step() {
      all.append(
        GenerationRecord(
          automation: statement.text(0), number: Int(statement.integer(1)), sha256: statement.text(2),
          file: statement.text(3), source: statement.isNull(4) ? nil : statement.text(4),
          version: statement.text(5), config: statement.text(6),
          // What this host cannot read was written by a later one; in a process is the side to err on.
          isolation: Isolation(statement.text(7)) ?? .process(runners: 1),
          loaded: Timestamp(microseconds: statement.integer(8))))
    }
    return all
  }

  package func activate(_ generations: [GenerationRecord]) throws(Problem) {
    try use { session throws(SQLiteError) in
      try session.transaction { () throws(SQLiteError) in
        for generation in generations {
          try session.with(
            "INSERT OR REPLACE INTO generations(\(SQLiteControlStore.columns)) VALUES(?,?,?,?,?,?,?,?,?)"
          ) { statement throws(SQLiteError) in
            try statement.bind(1, generation.automation)
            try statement.bind(2, Int64(generation.number))
            try statement.bind(3, generation.sha256)
            try statement.bind(4, generation.file)
            if let source = generation.source {
              try statement.bind(5, source)
            } else {
              try statement.bindNull(5)
            }
            try statement.bind(6, generation.version)
            try statement.bind(7, generation.config)
            try statement.bind(8, generation.isolation.text)
            try statement.bind(9, generation.loaded.microseconds)
            _ = try statement.step()
          }
          try session.with("INSERT OR REPLACE INTO active(automation,number) VALUES(?,?)") {
            statement throws(SQLiteError) in
            try statement.bind(1, generation.automation)
            try statement.bind(2, Int64(generation.number))
            _ = try statement.step()
          }
        }
      }
    }
  }

  package func deactivate(_ automation: String) throws(Problem) {
    try run("DELETE FROM active WHERE automation=?", automation)
  }

  /// A generation that is active is passed over: the next boot needs it.
  package func forget(_ generations: [GenerationRecord]) throws(Problem) {
    try use { session throws(SQLiteError) in
      try session.transaction { () throws(SQLiteError) in
        for generation in generations {
          try session.with(
            """
            DELETE FROM generations WHERE automation=?1 AND number=?2 \
            AND NOT EXISTS(SELECT 1 FROM active WHERE automation=?1 AND number=?2)
            """
          ) { statement throws(SQLiteError) in
            try statement.bind(1, generation.automation)
            try statement.bind(2, Int64(generation.number))
            _ = try statement.step()
          }
        }
      }
    }
  }

  // MARK: Quarantine

  package func quarantined(_ sha256: String) throws(Problem) -> QuarantineRecord? {
    try use { session throws(SQLiteError) in
      try session.with("SELECT sha256,code,detail,since FROM quarantine WHERE sha256=?") {
        statement throws(SQLiteError) in
        try statement.bind(1, sha256)
        return try SQLiteControlStore.quarantineRows(statement).first
      }
    }
  }

  package func quarantine(_ record: QuarantineRecord) throws(Problem) {
    try use { session throws(SQLiteError) in
      try session.transaction { () throws(SQLiteError) in
        try session.with("INSERT OR REPLACE INTO quarantine(sha256,code,detail,since) VALUES(?,?,?,?)") {
          statement throws(SQLiteError) in
          try statement.bind(1, record.sha256)
          try statement.bind(2, record.code)
          try statement.bind(3, record.detail)
          try statement.bind(4, record.since.microseconds)
          _ = try statement.step()
        }
      }
    }
  }

  package func release(_ sha256: String) throws(Problem) -> Bool {
    try run("DELETE FROM quarantine WHERE sha256=?", sha256) > 0
  }

  package func quarantine() throws(Problem) -> [QuarantineRecord] {
    try use { session throws(SQLiteError) in
      try session.with("SELECT sha256,code,detail,since FROM quarantine ORDER BY since,sha256") {
        statement throws(SQLiteError) in try SQLiteControlStore.quarantineRows(statement)
      }
    }
  }

  private static func quarantineRows(_ statement: Statement) throws(SQLiteError) -> [QuarantineRecord] {
    var all: [QuarantineRecord] = []
    while try statement.step() {
      all.append(
        QuarantineRecord(
          sha256: statement.text(0), code: statement.text(1), detail: statement.text(2),
          since: Timestamp(microseconds: statement.integer(3))))
    }
    return all
  }

  /// Runs one statement with one parameter; how many rows it touched.
  @discardableResult
  private func run(_ sql: String, _ parameter: String) throws(Problem) -> Int {
    try use { session throws(SQLiteError) in
      try session.transaction { () throws(SQLiteError) in
        try session.with(sql) { statement throws(SQLiteError) in
          try statement.bind(1, parameter)
          _ = try statement.step()
          return session.connection.changes
        }
      }
    }
  }
}
