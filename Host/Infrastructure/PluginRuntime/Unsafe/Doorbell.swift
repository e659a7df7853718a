import CPlugins
import Synchronization

/// Wakes sleeping workers, and costs two loads when none sleeps or one is awake already.
///
/// A worker is searching (awake, looking for a job), busy (in a handler) or idle (asleep). Who adds a job rings only
/// when nobody searches. One wake is under way at a time; the worker it reaches rings again if there is more.
@safe
final class Doorbell: @unchecked Sendable {
  private let searching = Atomic<Int>(0)
  private let idle = Atomic<Int>(0)
  private let isRinging = Atomic<Bool>(false)
  // The word that sleepers wait on; the kernel compares it, so its address must stay: that is why it is a pointer.
  private let epoch: UnsafeMutablePointer<Atomic<UInt32>>

  init() {
    unsafe epoch = .allocate(capacity: 1)
    unsafe epoch.initialize(to: Atomic(0))
  }

  deinit {
    unsafe epoch.deinitialize(count: 1)
    unsafe epoch.deallocate()
  }

  /// A job was added. `looked` is where a test stops this thread between its looks at the workers and what it does.
  @inline(__always)
  func ring(_ looked: () -> Void = {}) {
    // Orders the job before the looks at the workers; `sleep` orders its steps the other way round.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    guard searching.load(ordering: .relaxed) == 0, idle.load(ordering: .relaxed) > 0 else { return }
    looked()
    guard !isRinging.exchange(true, ordering: .sequentiallyConsistent) else { return }
    // A worker that is about to sleep may have seen the job itself, and will not come back from a sleep to say so:
    // a ring that reached nobody is over. Who waits after this has seen the new epoch and looks again.
    if wake(1) == 0 { isRinging.store(false, ordering: .sequentiallyConsistent) }
  }

  /// Every worker looks again.
  func ringAll() { _ = wake(Int32.max) }

  /// Returns how many threads it woke.
  private func wake(_ count: Int32) -> Int32 {
    unsafe epoch.pointee.add(1, ordering: .sequentiallyConsistent)
    // Safe: an atomic word is laid out as its word, and lives as long as this object.
    return unsafe cplugins_futex_wake(UnsafeRawPointer(epoch).assumingMemoryBound(to: UInt32.self), count)
  }

  func beginSearch() { searching.add(1, ordering: .sequentiallyConsistent) }

  /// A searcher found a job. The last one makes sure that another looks for what is left.
  func found(isEmpty: () -> Bool) {
    if searching.subtract(1, ordering: .sequentiallyConsistent).newValue == 0, !isEmpty() { ring() }
  }

  /// A searcher found nothing: sleeps until a ring, unless `hasReason` is true after all. Ends as a searcher.
  func sleep(unless hasReason: () -> Bool) {
    let seen = unsafe epoch.pointee.load(ordering: .sequentiallyConsistent)
    idle.add(1, ordering: .sequentiallyConsistent)
    searching.subtract(1, ordering: .sequentiallyConsistent)
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    if !hasReason() {
      // Safe: as in `wake`.
      unsafe cplugins_futex_wait(UnsafeRawPointer(epoch).assumingMemoryBound(to: UInt32.self), seen)
    }
    searching.add(1, ordering: .sequentiallyConsistent)
    idle.subtract(1, ordering: .sequentiallyConsistent)
    _ = isRinging.exchange(false, ordering: .sequentiallyConsistent)
  }
}

/// A short wait of a thread that expects work at once.
func pauseBriefly() { cplugins_pause() }
