import Kernel
import Synchronization

/// Counts calls that run now, on one cache line per few threads, so that event threads do not share one.
@safe
final class CallCounter: @unchecked Sendable {
  private static let stripes = 16
  private static let wordsPerLine = 8
  // Atomics at a fixed place: that is what makes this class Sendable.
  private let counts: UnsafeMutablePointer<Atomic<Int>>

  init() {
    unsafe counts = .allocate(capacity: CallCounter.stripes * CallCounter.wordsPerLine)
    for index in 0..<CallCounter.stripes * CallCounter.wordsPerLine {
      unsafe (counts + index).initialize(to: Atomic(0))
    }
  }

  deinit {
    unsafe counts.deinitialize(count: CallCounter.stripes * CallCounter.wordsPerLine)
    unsafe counts.deallocate()
  }

  @inline(__always)
  func add(_ change: Int) {
    let stripe = (OSThread.number ?? 0) & (CallCounter.stripes - 1)
    // Safe: the mask keeps the index inside.
    unsafe counts[stripe * CallCounter.wordsPerLine].add(change, ordering: .acquiringAndReleasing)
  }

  /// Right when no call begins any more; a call may begin on one thread and end on another.
  var total: Int {
    var sum = 0
    for stripe in 0..<CallCounter.stripes {
      sum += unsafe counts[stripe * CallCounter.wordsPerLine].load(ordering: .acquiring)
    }
    return sum
  }
}
