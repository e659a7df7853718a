import Kernel

/// Whether a database file can be used: its file is the one that was opened, is a database, and its disk takes bytes.
///
/// A few system calls and the first page, whatever the file's size: what is damaged further in shows when it is read.
/// One thread at a time; it may block. [not event]
struct StoreCheck: Sendable {
  private let path: String
  private let identity: FileIdentity?
  private let configuration: SQLiteConfiguration
  /// A lock held by a writer says that the file works.
  private static let busyTimeout = Duration.milliseconds(100)
  /// Nobody who writes keeps readers out for so long.
  private static let readTimeout = Duration.seconds(1)

  /// The file exists and is open.
  init(path: String, configuration: SQLiteConfiguration) {
    self.path = path
    self.configuration = configuration
    identity = FileIdentity(path)
  }

  /// nil, or what is wrong, in words without a path.
  var fault: String? {
    fault(reading: "SELECT count(*) FROM sqlite_schema", within: StoreCheck.busyTimeout, locked: nil)
      ?? Files.writeFault(beside: path)
  }

  /// As ``fault``, of who only reads: `statement` can be run, on a connection that knows nothing yet. A file that
  /// stays locked for a second is a fault, a full disk is none. Any number of threads.
  func readFault(_ statement: String) -> String? {
    fault(reading: statement, within: StoreCheck.readTimeout, locked: "another process keeps it locked")
  }

  private func fault(reading statement: String, within wait: Duration, locked: String?) -> String? {
    guard let present = FileIdentity(path) else { return "its file is gone" }
    guard present == identity else { return "its file was replaced while it was open" }
    do throws(SQLiteError) {
      let connection = try Connection(
        path: path, mode: .existing, busyTimeout: wait, maxValueBytes: configuration.maxValueBytes)
      connection.limitTime(configuration.timeLimit)
      try connection.execute(statement)
      guard connection.hasDatabaseHeader else { return "its file is damaged" }
      return nil
    } catch {
      switch error.primary {
      case SQLiteError.Code.busy, SQLiteError.Code.locked, SQLiteError.Code.lockProtocol: return locked
      // What is read there was there when the file was opened.
      case SQLiteError.Code.corrupt, SQLiteError.Code.notADatabase, SQLiteError.Code.generic:
        return "its file is damaged"
      default: return "it cannot be read (SQLite \(error.code))"
      }
    }
  }
}
