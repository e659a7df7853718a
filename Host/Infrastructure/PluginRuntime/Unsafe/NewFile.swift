import Glibc
import Kernel

/// Files that this target writes: always new ones.
enum NewFile {
  /// Writes all bytes into a new file. A file that exists already is an error.
  static func write(
    _ bytes: [UInt8], to path: String, mode: mode_t = 0o600, durable: Bool = false, _ step: Step
  ) throws(Problem) {
    // Safe: the path is lent as a C string for the call.
    let descriptor = unsafe path.withCString {
      unsafe open($0, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
    }
    guard descriptor >= 0 else { throw failed(path, step) }
    defer { close(descriptor) }
    var done = 0
    while done < bytes.count {
      // Safe: the pointer is valid for what is left of the bytes.
      let wrote = unsafe bytes.withUnsafeBytes {
        unsafe Glibc.write(descriptor, $0.baseAddress! + done, bytes.count - done)
      }
      if wrote < 0, errno == EINTR { continue }
      guard wrote > 0 else {
        let problem = failed(path, step)
        remove(path)
        throw problem
      }
      done += wrote
    }
    if durable, fsync(descriptor) != 0 {
      let problem = failed(path, step)
      remove(path)
      throw problem
    }
  }

  static func copy(_ source: String, to path: String, _ step: Step) throws(Problem) {
    let bytes = try RegularFile.read(source, maxBytes: Int.max, step: step)
    try write(bytes, to: path, mode: 0o500, step)
  }

  static func remove(_ path: String) {
    // Safe: the path is lent for the call. A file that is gone is fine.
    _ = unsafe path.withCString { unsafe unlink($0) }
  }

  /// Puts a file in another's place in one step.
  static func rename(_ old: String, to new: String, _ step: Step) throws(Problem) {
    // Safe: both paths are lent for the call.
    let status = unsafe old.withCString { old in unsafe new.withCString { unsafe Glibc.rename(old, $0) } }
    guard status == 0 else { throw failed(new, step) }
  }

  static func failed(_ path: String, _ step: Step) -> Problem {
    let code = errno
    // Safe: strerror gives a C string, copied at once.
    let reason = unsafe String(cString: strerror(code))
    return refusal(step, "file.unwritable", "The file \(path) cannot be written: \(reason).", status: 500)
  }
}
