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

  /// Makes the folder, readable by its owner alone, and takes it. Throws `home.in_use` (409) when another process has it,
  /// `home.not_writable` (403), `home.not_a_folder` (409), and `home.unavailable` (500) for any other cause.
  static func open(_ path: String) throws(Problem) -> HomeFolder {
    let absolute = try make(path)
    let lock = unsafe Glibc.open(absolute + "/host.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard lock >= 0 else { throw failure(absolute, errno) }
    let deadline = Instant.now + patience
    while flock(lock, LOCK_EX | LOCK_NB) != 0 {
      let cause = errno
      if cause == EWOULDBLOCK, Instant.now < deadline {
        usleep(5000)
        continue
      }
      close(lock)
      guard cause == EWOULDBLOCK else { throw failure(absolute, cause) }
      throw Problem(
        409, "home.in_use",
        "Another process of Council uses \(absolute). Stop that one, or name another folder with --home.")
    }
    return HomeFolder(path: absolute, lock: lock)
  }

  /// nil when ``open(_:)`` would succeed now, or why not. Makes nothing that stays.
  static func fault(_ path: String) -> String? {
    var facts = stat()
    // Safe: here and below the kernel fills the struct, and reads texts during the call.
    guard unsafe stat(path, &facts) == 0 else {
      guard errno == ENOENT else { return "\(path) cannot be reached (errno \(errno))" }
      let parent = path.split(separator: "/").dropLast().joined(separator: "/")
      return faultOfParent((path.hasPrefix("/") ? "/" : "") + parent)
    }
    guard facts.st_mode & S_IFMT == S_IFDIR else { return "\(path) is no folder" }
    let lock = unsafe Glibc.open(path + "/host.lock", O_RDWR | O_CLOEXEC)
    if lock >= 0 {
      defer { close(lock) }
      if flock(lock, LOCK_EX | LOCK_NB) != 0 { return "another host uses \(path)" }
    }
    return faultOfWriting(path)
  }

  /// Of the nearest folder that exists, where `open` would begin to make folders.
  private static func faultOfParent(_ path: String) -> String? {
    var facts = stat()
    let place = path.isEmpty ? "." : path
    guard unsafe stat(place, &facts) == 0 else {
      guard errno == ENOENT, path.contains(where: { $0 != "/" }) else {
        return "\(place) cannot be reached (errno \(errno))"
      }
      let parent = path.split(separator: "/").dropLast().joined(separator: "/")
      return faultOfParent((path.hasPrefix("/") ? "/" : "") + parent)
    }
    return facts.st_mode & S_IFMT == S_IFDIR ? faultOfWriting(place) : "\(place) is no folder"
  }

  private static func faultOfWriting(_ folder: String) -> String? {
    let probe = "\(folder)/.council-check-\(getpid())"
    let file = unsafe Glibc.open(probe, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else { return "\(folder) cannot be written (errno \(errno))" }
    defer {
      close(file)
      unsafe unlink(probe)
    }
    let page = [UInt8](repeating: 0, count: 4096)
    // Safe: the count is the array's own.
    guard unsafe write(file, page, page.count) == page.count else {
      return "the disk of \(folder) takes nothing (errno \(errno))"
    }
    return nil
  }

  /// Makes the folder where there is none; returns its absolute path.
  static func make(_ path: String) throws(Problem) -> String {
    var partial = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      partial += part + "/"
      if unsafe mkdir(partial, 0o700) != 0, errno != EEXIST { throw failure(partial, errno) }
    }
    guard let resolved = unsafe realpath(path, nil) else { throw failure(path, errno) }
    // Safe: realpath allocated the text; it is copied, then freed once.
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }

  /// What stands in the way of a folder, each cause with what helps.
  private static func failure(_ path: String, _ number: Int32) -> Problem {
    switch number {
    case ENOTDIR, ELOOP:
      Problem(
        409, "home.not_a_folder",
        "\(path) is not a folder, or a part of its path is none. Name a folder, or one that can be made.")
    case EACCES, EPERM, EROFS:
      Problem(
        403, "home.not_writable",
        "\(path) cannot be written by this user. Give the folder to the user that runs council, or name another one."
      )
    default: Problem(500, "home.unavailable", "\(path) cannot be used as a folder (errno \(number)).")
    }
  }

  static func exists(_ path: String) -> Bool {
    // Safe: the text lives during the call.
    unsafe access(path, F_OK) == 0
  }

  /// Writes a file that only its owner can read, durably; one that exists is replaced, not written into: it may
  /// belong to somebody else, or be open.
  static func writeSecret(_ text: String, to path: String) throws(Problem) {
    // Safe: the text lives during the call. What cannot be removed is in the way of the next line.
    unsafe _ = unlink(path)
    let file = unsafe Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else {
      throw Problem(500, "secret.failed", "\(path) cannot be written (errno \(errno)).")
    }
    defer { close(file) }
    let line = Array((text + "\n").utf8)
    // Safe: the count is the array's own.
    guard unsafe write(file, line, line.count) == line.count, fsync(file) == 0 else {
      throw Problem(500, "secret.failed", "\(path) cannot be written (errno \(errno)).")
    }
  }
}
