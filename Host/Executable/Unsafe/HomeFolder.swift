import Glibc
import Kernel

/// The folder that holds everything a host keeps. One host at a time has it.
struct HomeFolder {
  let path: String
  /// Locked for as long as this descriptor, or a copy of it in another process, is open.
  let lock: Int32

  /// A folder that the supervisor has taken for its hosts.
  static func inherited(_ path: String) throws(Problem) -> HomeFolder {
    HomeFolder(path: try make(path), lock: -1)
  }

  /// How long to wait for hosts that die with a supervisor that was killed.
  private static let patience = Duration.seconds(1)

  /// Makes the folder, readable by its owner alone, and takes it. Throws `home.in_use` when another host has it.
  static func open(_ path: String) throws(Problem) -> HomeFolder {
    let absolute = try make(path)
    let lock = unsafe Glibc.open(absolute + "/host.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    let deadline = Instant.now + patience
    var isLocked = lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0
    while !isLocked, lock >= 0, errno == EWOULDBLOCK, Instant.now < deadline {
      usleep(5000)
      isLocked = flock(lock, LOCK_EX | LOCK_NB) == 0
    }
    guard isLocked else {
      if lock >= 0 { close(lock) }
      throw Problem(
        409, "home.in_use",
        "Another host uses \(absolute), or it cannot be written. Stop that host, or name another folder with --home."
      )
    }
    return HomeFolder(path: absolute, lock: lock)
  }

  /// Makes the folder where there is none; returns its absolute path.
  static func make(_ path: String) throws(Problem) -> String {
    var partial = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      partial += part + "/"
      if unsafe mkdir(partial, 0o700) != 0, errno != EEXIST {
        throw Problem(500, "home.unavailable", "The folder \(partial) cannot be made (errno \(errno)).")
      }
    }
    guard let resolved = unsafe realpath(path, nil) else {
      throw Problem(500, "home.unavailable", "The folder \(path) cannot be found (errno \(errno)).")
    }
    // Safe: realpath allocated the text; it is copied, then freed once.
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }

  /// Writes a file that only its owner can read, durably; one that exists is replaced.
  static func writeSecret(_ text: String, to path: String) throws(Problem) {
    let file = unsafe Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else {
      throw Problem(500, "secret.failed", "\(path) cannot be written (errno \(errno)).")
    }
    defer { close(file) }
    fchmod(file, 0o600)
    let line = Array((text + "\n").utf8)
    // Safe: the count is the array's own.
    guard unsafe write(file, line, line.count) == line.count, fsync(file) == 0 else {
      throw Problem(500, "secret.failed", "\(path) cannot be written (errno \(errno)).")
    }
  }
}
