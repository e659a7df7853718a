import Glibc

/// A thread for one call that blocks.
enum OwnThread {
  static func run(_ body: @escaping @Sendable () -> Void) {
    // Safe: the box is retained for the new thread, which takes it over once.
    let box = unsafe Unmanaged.passRetained(Box(body)).toOpaque()
    var thread = pthread_t()
    let status = unsafe pthread_create(&thread, nil, runBox, box)
    precondition(status == 0, "the system refuses another thread (errno \(status))")
    pthread_detach(thread)
  }

  final class Box: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}

private nonisolated func runBox(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  // Safe: the pointer is the box that `run` retained for this thread.
  unsafe Unmanaged<OwnThread.Box>.fromOpaque(argument!).takeRetainedValue().body()
  return nil
}
