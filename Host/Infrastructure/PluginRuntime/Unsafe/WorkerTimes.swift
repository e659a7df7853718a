import Application
import Glibc
import Kernel

/// Charges the CPU time of workers to the automations whose calls they run.
///
/// The clock of a thread is a call of the kernel (0.3 to 2 µs), so it is not read for each call: a worker reads it when it
/// turns to another automation than that of its call before, and ``charge()`` reads it for all, once a second, also for
/// a call that does not end. What a worker does to find its calls counts for them.
final class WorkerTimes: Sendable {
  // Three words for each thread.
  private static let stride = 3
  /// The number of the lane that the thread works for and one; 0 while that changes.
  private static let owner = 0
  /// What the thread's clock said up to which all is charged.
  private static let base = 1
  private static let clock = 2

  private let words: AtomicWords
  private let threads: Int

  init(threads: Int) {
    self.threads = threads
    words = AtomicWords(count: threads * WorkerTimes.stride)
  }

  /// The calling thread takes a place.
  func begin(at place: Int) {
    var clock = clockid_t()
    // Safe: the calling thread exists, and the pointer lives for the call.
    guard unsafe pthread_getcpuclockid(pthread_self(), &clock) == 0 else { return }
    words.store(UInt64(bitPattern: Int64(clock)), at: place * WorkerTimes.stride + WorkerTimes.clock)
  }

  /// The calling thread, at `place`, now runs a call of `lane`; `last` is the one whose call it ran before.
  @inline(__always)
  func turn(at place: Int, from last: Lane?, to lane: Lane) {
    if last === lane { return }
    settle(place, last, next: lane.number + 1)
  }

  /// The calling thread leaves its place.
  func end(at place: Int, last: Lane?) { settle(place, last, next: 0) }

  private func settle(_ place: Int, _ last: Lane?, next owner: Int) {
    let first = place * WorkerTimes.stride
    // First: who reads the new base must not find the old owner.
    words.storeReleasing(0, at: first + WorkerTimes.owner)
    let now = read(CLOCK_THREAD_CPUTIME_ID)
    var seen = words.load(first + WorkerTimes.base)
    while true {
      let (isOurs, original) = words.compareExchange(first + WorkerTimes.base, expected: seen, desired: now)
      if isOurs { break }
      seen = original
    }
    if let last { last.account.add(now - min(now, seen), to: .workerTime) }
    words.storeReleasing(UInt64(owner), at: first + WorkerTimes.owner)
  }

  /// Charges every thread's time up to now; `lane` finds one by its number. [any one thread at a time]
  func charge(_ lane: (Int) -> Lane?) {
    for place in 0..<threads {
      let first = place * WorkerTimes.stride
      let base = words.loadAcquiring(first + WorkerTimes.base)
      let owner = Int(words.loadAcquiring(first + WorkerTimes.owner))
      guard owner > 0, let lane = lane(owner - 1) else { continue }
      let clock = clockid_t(truncatingIfNeeded: Int64(bitPattern: words.load(first + WorkerTimes.clock)))
      let now = read(clock)
      // Otherwise the thread has turned to another automation, and charged this one itself.
      if now > base, words.compareExchange(first + WorkerTimes.base, expected: base, desired: now).exchanged {
        lane.account.add(now - base, to: .workerTime)
      }
    }
  }

  /// 0 for the clock of a thread that is gone.
  private func read(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    // Safe: the kernel fills the struct.
    guard unsafe clock_gettime(clock, &time) == 0 else { return 0 }
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
