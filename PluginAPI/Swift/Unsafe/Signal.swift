import Glibc

/// Sent once, and waited for with a time-out that no change of the wall clock moves.
// Safe to share: `isSent` is read and written under the mutex only.
@safe package final class Signal: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var isSent = false

  package init() {
    // Safe: the memory was just allocated, and each object is set up once before it is used.
    unsafe mutex.initialize(to: pthread_mutex_t())
    unsafe pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    unsafe pthread_condattr_init(&attributes)
    unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    unsafe condition.initialize(to: pthread_cond_t())
    unsafe pthread_cond_init(condition, &attributes)
    unsafe pthread_condattr_destroy(&attributes)
  }

  deinit {
    // Safe: nobody else holds self, so nobody waits.
    unsafe pthread_cond_destroy(condition)
    unsafe pthread_mutex_destroy(mutex)
    unsafe condition.deallocate()
    unsafe mutex.deallocate()
  }

  package func send() {
    unsafe pthread_mutex_lock(mutex)
    isSent = true
    unsafe pthread_cond_broadcast(condition)
    unsafe pthread_mutex_unlock(mutex)
  }

  /// False when the signal did not come in time.
  package func wait(atMost timeout: Duration) -> Bool {
    var end = timespec()
    // Safe: the pointer lives for the call.
    unsafe clock_gettime(CLOCK_MONOTONIC, &end)
    let (seconds, attoseconds) = timeout.components
    let nanoseconds = Int64(end.tv_nsec) + attoseconds / 1_000_000_000
    end.tv_sec += Int(seconds + nanoseconds / 1_000_000_000)
    end.tv_nsec = Int(nanoseconds % 1_000_000_000)
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    while !isSent {
      // Safe: the mutex is held, the time lives for the call.
      if unsafe pthread_cond_timedwait(condition, mutex, &end) != 0 { return isSent }
    }
    return true
  }
}
