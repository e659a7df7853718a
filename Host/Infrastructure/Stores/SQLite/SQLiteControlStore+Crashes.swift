import Application
package import Domain
package import Kernel

extension SQLiteControlStore: CrashStore {
  /// Crashes that are kept of each automation, and of those that nobody is named for.
  private static let kept = 2200

  package func note(_ crashes: [CrashReport]) throws(Problem) {
    guard !crashes.isEmpty else { return }
    try use { session throws(SQLiteError) in
      try session.transaction { () throws(SQLiteError) in
        for crash in crashes {
          let automation = crash.culprit?.automation ?? ""
          try session.with("INSERT OR IGNORE INTO crashes VALUES(?,?,?,?,?,?)") {
            statement throws(SQLiteError) in
            try statement.bind(1, automation)
            try statement.bind(2, crash.time.microseconds)
            try statement.bind(3, crash.id)
            try statement.bind(4, Int64(crash.culprit?.generation ?? 0))
            try statement.bind(5, crash.culprit?.sha256 ?? "")
            try statement.bind(6, JSON.text(crash.stored))
            _ = try statement.step()
          }
          try session.with(
            """
            DELETE FROM crashes WHERE automation=?1 AND (time,id)<=(SELECT time,id FROM crashes \
            WHERE automation=?1 ORDER BY time DESC,id DESC LIMIT 1 OFFSET ?2)
            """
          ) { statement throws(SQLiteError) in
            try statement.bind(1, automation)
            try statement.bind(2, Int64(SQLiteControlStore.kept))
            _ = try statement.step()
          }
        }
      }
    }
  }

  package func crashCounts() throws(Problem) -> [String: Int] {
    try use { session throws(SQLiteError) in
      try session.with("SELECT automation,count(*) FROM crashes GROUP BY automation") {
        statement throws(SQLiteError) in
        var all: [String: Int] = [:]
        while try statement.step() { all[statement.text(0)] = Int(statement.integer(1)) }
        return all
      }
    }
  }

  package func crashTimes(of automation: String?) throws(Problem) -> [CrashPolicy.Crash] {
    let condition = automation == nil ? "automation<>''" : "automation=?"
    return try use { session throws(SQLiteError) in
      try session.with("SELECT time,generation,sha256 FROM crashes WHERE \(condition)") {
        statement throws(SQLiteError) in
        if let automation { try statement.bind(1, automation) }
        var all: [CrashPolicy.Crash] = []
        while try statement.step() {
          all.append(
            CrashPolicy.Crash(
              time: Timestamp(microseconds: statement.integer(0)), generation: Int(statement.integer(1)),
              sha256: statement.text(2)))
        }
        return all
      }
    }
  }

  package func crashes(of automation: String?, limit: Int) throws(Problem) -> [CrashReport] {
    let condition = automation == nil ? "" : " WHERE automation=?2"
    return try use { session throws(SQLiteError) in
      try session.with("SELECT report FROM crashes\(condition) ORDER BY time DESC,id DESC LIMIT ?1") {
        statement throws(SQLiteError) in
        try statement.bind(1, Int64(max(0, limit)))
        if let automation { try statement.bind(2, automation) }
        var all: [CrashReport] = []
        while try statement.step() {
          // A report of a later host may be one that this one cannot read.
          if let json = try? JSONValue.parse(statement.text(0).utf8.span),
            let report = CrashReport(stored: json)
          {
            all.append(report)
          }
        }
        return all
      }
    }
  }
}
