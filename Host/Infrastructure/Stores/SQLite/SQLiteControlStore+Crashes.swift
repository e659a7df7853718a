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
          try session.with("INSERT OR IGNORE INTO crashes(automation,time,id,report) VALUES(?,?,?,?)") {
            statement throws(SQLiteError) in
            try statement.bind(1, automation)
            try statement.bind(2, crash.time.microseconds)
            try statement.bind(3, crash.id)
            try statement.bind(4, JSON.text(crash))
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

  package func crashes(of automation: String?) throws(Problem) -> [CrashReport] {
    let condition = automation == nil ? "" : " WHERE automation=?"
    return try use { session throws(SQLiteError) in
      try session.with("SELECT report FROM crashes\(condition) ORDER BY time DESC,id DESC") {
        statement throws(SQLiteError) in
        if let automation { try statement.bind(1, automation) }
        var all: [CrashReport] = []
        while try statement.step() {
          // A report of a later host may be one that this one cannot read.
          if let report = try? JSON.decode(CrashReport.self, from: Array(statement.text(0).utf8)) {
            all.append(report)
          }
        }
        return all
      }
    }
  }
}
