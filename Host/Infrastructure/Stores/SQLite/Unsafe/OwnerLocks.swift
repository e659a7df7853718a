import Glibc

/// Tells which of the processes that share a file are alive: each locks one byte of it, which the kernel gives back when the
/// process ends, however it ends.
///
/// POSIX locks: a child that was forked does not hold them. They go when the process closes any descriptor of the file, so
/// it is opened once and stays open.
struct OwnerLocks: ~Copyable, Sendable {
  private let descriptor: Int32

  init(_ path: String) throws(SQLiteError) {
    // Safe: the text lives during the call.
    descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw SQLiteError(code: SQLiteError.Code.cannotOpen, message: "cannot open \(path): errno \(errno)")
    }
  }

  deinit { close(descriptor) }

  /// This process has this number from now on; another one cannot have it.
  func take(_ number: Int64) throws(SQLiteError) {
    var lock = OwnerLocks.lock(number)
    // Safe: the kernel reads the struct during the call.
    guard unsafe fcntl(descriptor, F_SETLK, &lock) == 0 else {
      throw SQLiteError(
        code: SQLiteError.Code.cannotOpen, message: "cannot lock as number \(number): errno \(errno)")
    }
  }

  /// Whether another process with this number is alive. One that cannot be asked for counts as alive.
  func isAlive(_ number: Int64) -> Bool {
    var lock = OwnerLocks.lock(number)
    // Safe: the kernel reads and writes the struct during the call.
    guard unsafe fcntl(descriptor, F_GETLK, &lock) == 0 else { return true }
    return lock.l_type != Int16(F_UNLCK)
  }

  private static func lock(_ number: Int64) -> flock {
    flock(
      l_type: Int16(F_WRLCK), l_whence: Int16(SEEK_SET), l_start: Int(number), l_len: 1, l_pid: 0)
  }
}
