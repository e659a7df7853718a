import Glibc
import Synchronization

/// Standard output and standard error of this process.
package final class SystemTerminal: Terminal {
  private let lost = Atomic<Bool>(false)

  package init() {}

  package var hasLostOutput: Bool { lost.load(ordering: .relaxed) }

  // Safe: isatty takes a number and touches no memory.
  package var isInteractive: Bool { isatty(STDOUT_FILENO) == 1 }

  package func write(_ text: String) {
    if !SystemTerminal.write(text, STDOUT_FILENO) { lost.store(true, ordering: .relaxed) }
  }
  package func writeError(_ text: String) { _ = SystemTerminal.write(text, STDERR_FILENO) }

  /// Writes all of it, or gives up where nobody reads any more.
  private static func write(_ text: String, _ descriptor: Int32) -> Bool {
    let bytes = Array(text.utf8)
    var start = 0
    while start < bytes.count {
      let written = unsafe bytes.withUnsafeBytes { raw in
        // Safe: the range lies within the array, which outlives the call.
        unsafe Glibc.write(descriptor, raw.baseAddress! + start, raw.count - start)
      }
      if written < 0 {
        if errno == EINTR { continue }
        return false
      }
      start += written
    }
    return true
  }
}
