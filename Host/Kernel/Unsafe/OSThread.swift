import CThreads
import Glibc

/// A thread of the operating system, for work that blocks or must not share Swift's thread pool.
@safe
package final class OSThread: Sendable {
  private let handle: pthread_t

  /// Starts a thread. `name` (15 bytes are kept) shows in debuggers and /proc.
  package init(_ name: String, stackBytes: Int = 512 * 1024, _ body: @escaping @Sendable () -> Void) {
    let start = unsafe Unmanaged.passRetained(Start(name: name, body: body))
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    unsafe pthread_attr_setstacksize(&attributes, max(stackBytes, 64 * 1024))
    defer { unsafe pthread_attr_destroy(&attributes) }
    var handle = pthread_t()
    // Safe: the retained Start is taken over by the new thread, once.
    let status = unsafe pthread_create(&handle, &attributes, runThread, start.toOpaque())
    precondition(status == 0, "the system refuses another thread (errno \(status))")
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
