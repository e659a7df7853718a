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

  /// Writes a page beside `path` and takes it away again. nil, or why the disk takes nothing.
  static func writeFault(beside path: String) -> String? {
    let probe = path + ".check"
    // Safe: the text lives during the call.
    let descriptor = unsafe open(probe, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { return writeFault(errno) }
    defer {
      close(descriptor)
      // Safe: as above.
      unsafe unlink(probe)
    }
    let page = [UInt8](repeating: 0, count: 4096)
    // Safe: the count is the array's own.
    let count = unsafe write(descriptor, page, page.count)
    return count == page.count ? nil : writeFault(count < 0 ? errno : ENOSPC)
  }

  private static func writeFault(_ number: Int32) -> String {
    switch number {
    case ENOSPC, EDQUOT: "its disk is full"
    case EROFS, EACCES, EPERM: "it cannot be written"
    default: "its disk answers with error \(number)"
    }
  }

  static func exists(_ path: String) -> Bool {
    // Safe: the text lives during the call.
    unsafe access(path, F_OK) == 0
  }
}

/// Which file a path names now.
struct FileIdentity: Equatable, Sendable {
  private let device: UInt
  private let node: UInt

  /// nil when there is none.
  init?(_ path: String) {
    var facts = stat()
    // Safe: the kernel fills the struct, and reads the text during the call.
    guard unsafe stat(path, &facts) == 0 else { return nil }
    device = facts.st_dev
    node = facts.st_ino
  }
}
