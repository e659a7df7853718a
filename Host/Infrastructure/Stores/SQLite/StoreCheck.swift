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

  /// The file exists and is open.
  init(path: String, configuration: SQLiteConfiguration) {
    self.path = path
    self.configuration = configuration
    identity = FileIdentity(path)
  }

  /// nil, or what is wrong, in words without a path.
  var fault: String? {
    guard let present = FileIdentity(path) else { return "its file is gone" }
    guard present == identity else { return "its file was replaced while it was open" }
    do throws(SQLiteError) {
      let connection = try Connection(
        path: path, mode: .existing, busyTimeout: StoreCheck.busyTimeout,
        maxValueBytes: configuration.maxValueBytes)
      connection.limitTime(configuration.timeLimit)
      try connection.execute("SELECT count(*) FROM sqlite_schema")
      guard connection.hasDatabaseHeader else { return "its file is damaged" }
    } catch {
      switch error.primary {
      case SQLiteError.Code.busy, SQLiteError.Code.locked, SQLiteError.Code.lockProtocol: break
      case SQLiteError.Code.corrupt, SQLiteError.Code.notADatabase: return "its file is damaged"
      default: return "it cannot be read (SQLite \(error.code))"
      }
    }
    return Files.writeFault(beside: path)
  }
}
