import Glibc

/// A value behind a lock.
///
/// Not `Synchronization.Mutex`: that one locks inside of a library that the thread sanitizer does not see into, so every use
/// of it is reported as a race, in the tests of whoever writes a plugin too.
// Safe to share: the value is reached under the mutex only.
@safe package final class Guarded<Value>: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private var value: Value

  package init(_ value: sending Value) {
    self.value = value
    // Safe: the memory was just allocated, and the mutex is set up once before it is used.
    unsafe mutex.initialize(to: pthread_mutex_t())
    unsafe pthread_mutex_init(mutex, nil)
  }

  deinit {
    // Safe: nobody else holds self, so nobody is inside.
    unsafe pthread_mutex_destroy(mutex)
    unsafe mutex.deallocate()
  }

  package func withLock<R, Failure: Error>(_ body: (inout Value) throws(Failure) -> R) throws(Failure) -> R {
    // Safe: the mutex lives as long as self.
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return try body(&value)
  }
}
