import Glibc

/// State behind a lock that threads can also wait on: the host's one lock.
///
/// Not for the request path: for queues between threads, and for threads that wait for work.
///
/// Not `Synchronization.Mutex`, which threads cannot wait on, and which the kernel hands over when it is contended
/// (FUTEX_LOCK_PI): the thread sanitizer does not see that, and would report the state behind every one of them.
@safe
package final class Monitor<State>: @unchecked Sendable {
  // What `state` points to is touched only while `mutex` is held: that is what makes this class Sendable.
  // It has memory of its own: a field without a size, as of a Monitor<Void>, has the address of the next field, and
  // the thread sanitizer takes a change of the one for a change of the other.
  private let state: UnsafeMutablePointer<State>
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>

  package init(_ state: sending State) {
    unsafe self.state = .allocate(capacity: 1)
    // Safe: just allocated; deinitialised and given back once in deinit.
    unsafe self.state.initialize(to: state)
    unsafe mutex = .allocate(capacity: 1)
    unsafe condition = .allocate(capacity: 1)
    // Safe: both are initialised once here and destroyed once in deinit. Waits count on the monotonic clock.
    unsafe mutex.initialize(to: pthread_mutex_t())
    unsafe condition.initialize(to: pthread_cond_t())
    unsafe pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    unsafe pthread_condattr_init(&attributes)
    unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    unsafe pthread_cond_init(condition, &attributes)
    unsafe pthread_condattr_destroy(&attributes)
  }

  deinit {
    unsafe pthread_cond_destroy(condition)
    unsafe pthread_mutex_destroy(mutex)
    unsafe condition.deallocate()
    unsafe mutex.deallocate()
    unsafe state.deinitialize(count: 1)
    unsafe state.deallocate()
  }

  package func withLock<Result, Failure: Error>(
    _ body: (inout State) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return try unsafe body(&state.pointee)
  }

  /// As ``withLock(_:)``, for who may not wait: nil when another thread is inside.
  package func withLockIfAvailable<Result>(_ body: (inout State) -> Result) -> Result? {
    guard unsafe pthread_mutex_trylock(mutex) == 0 else { return nil }
    defer { unsafe pthread_mutex_unlock(mutex) }
    return unsafe body(&state.pointee)
  }

  /// Changes the state and wakes one waiter, or all.
  package func signal<Result>(all: Bool = false, _ body: (inout State) -> Result) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    let result = unsafe body(&state.pointee)
    _ = unsafe all ? pthread_cond_broadcast(condition) : pthread_cond_signal(condition)
    return result
  }

  /// Waits until `body` answers with a value, asking again after each signal; nil when `deadline` passes first.
  package func wait<Result>(
    until deadline: Instant? = nil, _ body: (inout State) -> Result?
  ) -> Result? {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    while true {
      if let result = unsafe body(&state.pointee) { return result }
      guard let deadline else {
        unsafe pthread_cond_wait(condition, mutex)
        continue
      }
      var when = timespec(
        tv_sec: Int(deadline.nanoseconds / 1_000_000_000),
        tv_nsec: Int(deadline.nanoseconds % 1_000_000_000))
      if unsafe pthread_cond_timedwait(condition, mutex, &when) == ETIMEDOUT {
        return unsafe body(&state.pointee)
      }
    }
  }
}
