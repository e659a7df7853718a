import Glibc

/// The folder and file that SQLite then opens, readable by their owner only.
enum Files {
  /// Makes a folder, and those above it, where they are missing. Throws errno.
  static func makeFolder(_ path: String) throws(SQLiteError) {
    var prefix = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
      prefix += "/" + part
      // Safe: the text lives during the call.
      if unsafe mkdir(prefix, 0o700) != 0, errno != EEXIST {
        throw SQLiteError(code: SQLiteError.Code.cannotOpen, message: "cannot make \(prefix): errno \(errno)")
      }
    }
  }

  /// Makes an empty file where there is none: SQLite would let others read it. Its log and index take over the
  /// mode. A file that exists is not even opened: closing it again would drop the locks that SQLite holds on it in
  /// this process (POSIX locks belong to process and file, not to a descriptor).
  static func makeFile(_ path: String) throws(SQLiteError) {
    // Safe: the text lives during the call.
    let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      if errno == EEXIST { return }
      throw SQLiteError(code: SQLiteError.Code.cannotOpen, message: "cannot make \(path): errno \(errno)")
    }
    close(descriptor)
  }

  static func exists(_ path: String) -> Bool {
    // Safe: the text lives during the call.
    unsafe access(path, F_OK) == 0
  }
}
