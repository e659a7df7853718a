import CThreads
import Glibc

/// A thread of the operating system, for work that blocks or must not share Swift's thread pool.
@safe
package final class OSThread: Sendable {
  private let handle: pthread_t

  /// Starts a thread that the process cannot do without. `name` (15 bytes are kept) shows in debuggers and /proc. Where the
  /// system refuses it, the process ends with a line on standard error that says what to raise.
  package convenience init(
    _ name: String, stackBytes: Int = 512 * 1024, _ body: @escaping @Sendable () -> Void
  ) {
    do throws(Refused) { try self.init(attempting: name, stackBytes: stackBytes, body) } catch {
      endProcess("council: \(error.text)\n")
    }
  }

  /// The system has no room for another thread.
  package struct Refused: Error, Sendable {
    package var name: String
    package var number: Int32

    package var text: String {
      "the system refuses the thread '\(name)' (errno \(number)): raise the limit of tasks (ulimit -u, TasksMax of "
        + "systemd, pids.max of the container) or of memory, or set http.threads and workers.threads lower"
    }
  }

  /// Starts a thread that the caller can do without.
  package init(
    attempting name: String, stackBytes: Int = 512 * 1024, _ body: @escaping @Sendable () -> Void
  ) throws(Refused) {
    let start = unsafe Unmanaged.passRetained(Start(name: name, body: body))
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    unsafe pthread_attr_setstacksize(&attributes, max(stackBytes, 64 * 1024))
    defer { unsafe pthread_attr_destroy(&attributes) }
    var handle = pthread_t()
    // Safe: the retained Start is taken over by the new thread, once.
    let status = unsafe pthread_create(&handle, &attributes, runThread, start.toOpaque())
    guard status == 0 else {
      // Safe: no thread has taken it over.
      unsafe start.release()
      throw Refused(name: name, number: status)
    }
    self.handle = handle
  }

  /// Waits for the thread's end. Once per thread.
  package func join() { pthread_join(handle, nil) }

  /// Lets the thread run on by itself: it will not be joined.
  package func leave() { pthread_detach(handle) }

  /// The calling thread's number: dense, reused after a thread ends, below ``maxNumber`` or nil when
  /// more threads than that exist.
  package static var number: Int? {
    let number = cthreads_number()
    return number == UInt32.max ? nil : Int(number)
  }

  package static let maxNumber = 1024

  /// Roughly where the calling thread's stack ends now, for code that recurses over input: it grows towards
  /// lower addresses, and what two calls give differs by what lies between them.
  package static var stackPosition: UInt { UInt(cthreads_stack_position()) }
}

/// Not a trap: nothing is wrong with the program, and what helps stands in the line.
private func endProcess(_ line: String) -> Never {
  let bytes = Array(line.utf8)
  // Safe: the count is the array's own.
  _ = unsafe write(2, bytes, bytes.count)
  _exit(1)
}

private final class Start: Sendable {
  let name: String
  let body: @Sendable () -> Void

  init(name: String, body: @escaping @Sendable () -> Void) {
    self.name = name
    self.body = body
  }
}

private nonisolated func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  // Safe: the pointer is the Start that init retained for this thread.
  let start = unsafe Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
  unsafe start.name.withCString { unsafe cthreads_set_name($0) }
  start.body()
  return nil
}
