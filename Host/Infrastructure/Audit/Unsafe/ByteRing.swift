import Glibc
import Kernel
import Synchronization

/// Bytes from one thread to one other, in order, without a lock.
///
/// The producer calls ``write(_:)`` and ``used``; the consumer calls ``drain(into:)``. Memory is taken page by page
/// as the ring is first gone around.
@safe
final class ByteRing: @unchecked Sendable {
  // Bytes between `read` and `written` belong to the consumer, all others to the producer; each releases its
  // counter after it touched them. That is what makes this class Sendable.
  private let base: UnsafeMutablePointer<UInt8>
  private let counters = AtomicWords(count: 24)
  let capacity: Int

  // On cache lines of their own: each is written by another thread.
  private static let written = 0
  private static let read = 16

  /// `capacity` is a power of two.
  init(capacity: Int) {
    precondition(capacity > 0 && capacity & (capacity - 1) == 0)
    guard let memory = unsafe calloc(capacity, 1) else { preconditionFailure("out of memory") }
    self.capacity = capacity
    unsafe base = memory.assumingMemoryBound(to: UInt8.self)
  }

  deinit { unsafe free(base) }

  /// How many bytes wait; to the producer, at most that many.
  var used: Int {
    Int(counters.load(ByteRing.written) &- counters.loadAcquiring(ByteRing.read))
  }

  /// Adds all bytes, or none when there is no room. [producer]
  func write(_ bytes: Span<UInt8>) -> Bool {
    let written = counters.load(ByteRing.written)
    let free = capacity - Int(written &- counters.loadAcquiring(ByteRing.read))
    guard bytes.count <= free else { return false }
    let start = Int(truncatingIfNeeded: written) & (capacity - 1)
    let first = min(bytes.count, capacity - start)
    unsafe bytes.withUnsafeBufferPointer { source in
      guard let from = source.baseAddress else { return }
      // Safe: `free` bytes from `written` on are the producer's, in at most two pieces.
      unsafe (base + start).update(from: from, count: first)
      unsafe base.update(from: from + first, count: source.count - first)
    }
    counters.storeReleasing(written &+ UInt64(bytes.count), at: ByteRing.written)
    return true
  }

  /// Moves everything that waits to the end of `arena`. [consumer]
  func drain(into arena: Arena) {
    let read = counters.load(ByteRing.read)
    let count = Int(counters.loadAcquiring(ByteRing.written) &- read)
    guard count > 0 else { return }
    let start = Int(truncatingIfNeeded: read) & (capacity - 1)
    let first = min(count, capacity - start)
    // Safe: `count` bytes from `read` on are the consumer's, in at most two pieces.
    unsafe arena.append(UnsafePointer(base + start), count: first)
    unsafe arena.append(UnsafePointer(base), count: count - first)
    counters.storeReleasing(read &+ UInt64(count), at: ByteRing.read)
  }
}
