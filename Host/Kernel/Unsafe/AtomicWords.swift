import Glibc
import Synchronization

/// A fixed number of 64-bit words that threads share, all zero at first.
///
/// Memory comes from the system page by page as words are first written, so a large table that is mostly
/// empty costs what its full part costs. Every index is checked.
@safe
package final class AtomicWords: @unchecked Sendable {
  // The words are atomics, and the pointer to them never changes: that is what makes this class Sendable.
  private let base: UnsafeMutablePointer<Atomic<UInt64>>
  package let count: Int

  package init(count: Int) {
    precondition(count > 0 && count <= 1 << 40)
    guard let memory = unsafe calloc(count, 8) else { preconditionFailure("out of memory") }
    self.count = count
    // Safe: an atomic word is laid out as its word, and zero bytes are the word 0.
    unsafe base = memory.bindMemory(to: Atomic<UInt64>.self, capacity: count)
  }

  deinit { unsafe free(base) }

  @inline(__always)
  package func load(_ index: Int) -> UInt64 {
    precondition(index >= 0 && index < count)
    // Safe: the index is checked.
    return unsafe base[index].load(ordering: .relaxed)
  }

  @inline(__always)
  package func loadAcquiring(_ index: Int) -> UInt64 {
    precondition(index >= 0 && index < count)
    // Safe: the index is checked.
    return unsafe base[index].load(ordering: .acquiring)
  }

  @inline(__always)
  package func store(_ value: UInt64, at index: Int) {
    precondition(index >= 0 && index < count)
    // Safe: the index is checked.
    unsafe base[index].store(value, ordering: .relaxed)
  }

  @inline(__always)
  package func storeReleasing(_ value: UInt64, at index: Int) {
    precondition(index >= 0 && index < count)
    // Safe: the index is checked.
    unsafe base[index].store(value, ordering: .releasing)
  }

  /// Adds without an atomic read-modify-write: right where one thread alone writes the word.
  @inline(__always)
  package func addAsOnlyWriter(_ value: UInt64, at index: Int) {
    precondition(index >= 0 && index < count)
    // Safe: the index is checked.
    unsafe base[index].store(base[index].load(ordering: .relaxed) &+ value, ordering: .relaxed)
  }

  /// The word before, and whether it was `expected` and is `desired` now.
  @inline(__always)
  package func compareExchange(
    _ index: Int, expected: UInt64, desired: UInt64
  ) -> (exchanged: Bool, original: UInt64) {
    precondition(index >= 0 && index < count)
    // Safe: the index is checked.
    return unsafe base[index].compareExchange(
      expected: expected, desired: desired, ordering: .acquiringAndReleasing)
  }
}
