import Glibc
package import Kernel

/// Where log lines end: a descriptor that somebody else owns, or a file that is appended to.
@safe
package final class LogOutput: Sendable {
  private let descriptor: Int32
  private let isOwned: Bool

  /// A descriptor that outlives this object and is not closed by it: 1, 2, a pipe.
  package init(descriptor: Int32) {
    self.descriptor = descriptor
    isOwned = false
  }

  package static let standardError = LogOutput(descriptor: STDERR_FILENO)
  package static let standardOutput = LogOutput(descriptor: STDOUT_FILENO)

  /// Opens or makes a file, readable for its owner and group.
  ///
  /// Throws `log.file` (500, member `errno`).
  package init(file path: String) throws(Problem) {
    // Safe: the string's bytes live as long as the call.
    let opened = unsafe open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
    guard opened >= 0 else {
      let code = errno
      throw Problem(
        500, "log.file", "the log file \(path) cannot be opened: \(LogOutput.text(of: code))",
        members: ["errno": .integer(Int64(code))])
    }
    descriptor = opened
    isOwned = true
  }

  deinit { if isOwned { close(descriptor) } }

  /// Writes all bytes, waiting as long as the reader makes it wait; false when the output is gone or full.
  func write(_ bytes: Span<UInt8>) -> Bool {
    var done = 0
    while done < bytes.count {
      let rest = bytes.extracting(done..<bytes.count)
      let written = unsafe rest.withUnsafeBufferPointer { source in
        // Safe: the kernel reads `count` bytes and keeps no pointer.
        unsafe Glibc.write(descriptor, source.baseAddress, source.count)
      }
      if written > 0 {
        done += written
        continue
      }
      switch errno {
      case EINTR: continue
      case EAGAIN: waitForRoom()
      default: return false
      }
    }
    return true
  }

  private func waitForRoom() {
    var ask = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    // Safe: one entry, which lives as long as the call.
    unsafe poll(&ask, 1, 100)
  }

  /// The system's words for an error number.
  static func text(of code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 128)
    // Safe: the text fits the buffer or is cut, and ends with NUL either way.
    return unsafe buffer.withUnsafeMutableBufferPointer { target in
      _ = unsafe strerror_r(code, target.baseAddress!, target.count)
      return unsafe String(cString: target.baseAddress!)
    }
  }
}
