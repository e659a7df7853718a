import Kernel
import Synchronization

/// Whether an event thread looks for the answer to a call that it has just given to a runner, before it goes on.
///
/// An answer that is found so saves two wakes, the collector's and the event thread's own; they cost more than most
/// inline handlers. Looking pays where the runner has a core to itself and its handler is short. Where it did not, it is
/// left out for a number of calls that doubles each time.
final class AdaptiveSpin: Sendable {
  private static let mostSkipped: UInt64 = 16

  let limit: Duration
  /// Above: how many calls were left out after the last failure. Below: how many of them are to come.
  private let word = Atomic<UInt64>(0)

  /// Zero never looks.
  init(limit: Duration) { self.limit = limit }

  /// Whether the next call is worth it. Threads that ask at the same time may be told the same: it is an estimate.
  func isWorthwhile() -> Bool {
    guard limit > .zero else { return false }
    let now = word.load(ordering: .relaxed)
    guard now & 0xFFFF_FFFF != 0 else { return true }
    word.store(now - 1, ordering: .relaxed)
    return false
  }

  /// How it ended.
  func ended(found: Bool) {
    let now = word.load(ordering: .relaxed)
    if found {
      if now != 0 { word.store(0, ordering: .relaxed) }
    } else {
      let skipped = min(AdaptiveSpin.mostSkipped, max(1, (now >> 32) * 2))
      word.store(skipped << 32 | skipped, ordering: .relaxed)
    }
  }
}

/// An arena that threads have in turn.
final class Scratch: @unchecked Sendable {
  // Touched by one thread at a time, which who holds it says.
  let arena = Arena(capacity: 2048)
}
