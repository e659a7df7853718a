import Glibc
import Kernel

/// Reads whole files that somebody else wrote: never follows a link, never waits on a FIFO, never reads a device.
enum RegularFile {
  /// Whether a path can be written as a file: it names a regular file, or nothing.
  static func isFileOrNothing(_ path: String) -> Bool {
    var facts = stat()
    // Safe: the kernel fills the struct; the path is lent as a C string.
    guard unsafe path.withCString({ unsafe lstat($0, &facts) }) == 0 else { return errno == ENOENT }
    return facts.st_mode & S_IFMT == S_IFREG
  }

  /// The bytes of a regular file. They are read once, so that what is hashed is what is judged.
  static func read(_ path: String, maxBytes: Int, step: Step = .validate) throws(Problem) -> [UInt8] {
    guard !path.utf8.contains(0) else {
      throw refusal(step, "file.not_found", "The path holds a NUL character.")
    }
    // Safe: the path is lent as a C string for the call.
    let descriptor = unsafe path.withCString {
      unsafe open($0, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
    }
    guard descriptor >= 0 else { throw unopened(path, errno, step) }
    defer { close(descriptor) }
    var facts = stat()
    // Safe: the kernel fills the struct.
    guard unsafe fstat(descriptor, &facts) == 0 else {
      throw refusal(step, "file.unreadable", "The file's size cannot be read (errno \(errno)).")
    }
    guard facts.st_mode & S_IFMT == S_IFREG else { throw notRegular(facts.st_mode, step) }
    let size = Int(facts.st_size)
    guard size > 0 else { throw refusal(step, "file.empty", "The file is empty.") }
    guard size <= maxBytes else {
      throw refusal(
        step, "file.too_large", "The file has \(size) bytes; at most \(maxBytes) are taken.",
        ["bytes": .integer(Int64(size)), "max_bytes": .integer(Int64(maxBytes))])
    }
    var failure: Int32 = 0
    // Safe: `pread` writes at most the room that is left, and exactly `count` bytes are declared written.
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      while count < size {
        let got = unsafe pread(descriptor, buffer.baseAddress! + count, size - count, off_t(count))
        if got > 0 {
          count += got
        } else if got < 0, errno == EINTR {
          continue
        } else {
          failure = got < 0 ? errno : 0
          break
        }
      }
    }
    if failure != 0 { throw refusal(step, "file.unreadable", "The file cannot be read (errno \(failure)).") }
    var after = stat()
    // Safe: as above.
    guard bytes.count == size, unsafe fstat(descriptor, &after) == 0, after.st_size == facts.st_size else {
      throw refusal(step, "file.changed", "The file changed while it was read.")
    }
    return bytes
  }

  private static func unopened(_ path: String, _ code: Int32, _ step: Step) -> Problem {
    switch code {
    case ENOENT, ENOTDIR, ENAMETOOLONG:
      return refusal(step, "file.not_found", "There is no such file.")
    case ELOOP, ENXIO, ENODEV:
      var facts = stat()
      // Safe: the path is lent for the call, and the kernel fills the struct.
      if unsafe path.withCString({ unsafe lstat($0, &facts) }) == 0 { return notRegular(facts.st_mode, step) }
      return refusal(step, "file.not_regular", "The path names no regular file.")
    default:
      return refusal(step, "file.unreadable", "The file cannot be opened (errno \(code)).")
    }
  }

  private static func notRegular(_ mode: mode_t, _ step: Step) -> Problem {
    let kind =
      switch mode & S_IFMT {
      case S_IFDIR: "directory"
      case S_IFIFO: "fifo"
      case S_IFLNK: "symbolic link"
      case S_IFSOCK: "socket"
      case S_IFCHR, S_IFBLK: "device"
      default: "other"
      }
    return refusal(
      step, "file.not_regular", "A plugin is a regular file; this is a \(kind).", ["kind": .string(kind)])
  }
}

/// Whether a path names a regular file, links followed: what the loader would open.
func isRegularFile(_ path: String) -> Bool {
  var facts = stat()
  // Safe: the path is lent for the call, and the kernel fills the struct.
  return unsafe path.withCString({ unsafe stat($0, &facts) }) == 0 && facts.st_mode & S_IFMT == S_IFREG
}

/// A variable of this process' environment.
func environment(_ name: String) -> String? {
  // Safe: both are C strings; the value is copied before anything else runs.
  unsafe name.withCString { name in
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(cString: value)
  }
}
