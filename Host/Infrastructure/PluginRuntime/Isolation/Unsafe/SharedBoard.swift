import CPlugins
import Glibc
import Kernel
import Synchronization

/// The memory that the host and one runner share.
///
/// The proof that a runner, whatever its code does, harms only itself here:
/// - The file behind the mapping is sealed: nobody makes it smaller, so no access of the host meets a page that is gone.
/// - Every access of this class is checked against the mapping's size, which stands in the host's own memory. No pointer
///   and no object lies in the mapping, only numbers and bytes.
/// - A number is loaded once, as an atomic word, and checked after that load (``BoardLayout/mayHoldAnswer(_:offset:count:)``);
///   bytes are copied out before they are looked at. What the runner writes later changes nothing that was checked.
/// - What the host must remember (which calls are under way, whose they are, which blocks are taken) it keeps in its own
///   memory. A bit that the runner sets or clears names at most a call that is not there, which is a breach: the runner is
///   killed.
/// - The host never waits for a word here without a limit, and never holds a lock while it waits.
@safe
final class SharedBoard: @unchecked Sendable {
  // The address never changes; words are touched as atomics, bytes by whose turn it is, or copied and then checked.
  private let base: UnsafeMutableRawPointer
  private let count: Int
  let layout: BoardLayout

  /// Maps a file that is at least as long as the layout; the descriptor stays the caller's.
  init?(_ layout: BoardLayout, file: Int32) {
    self.layout = layout
    count = layout.totalBytes
    var facts = stat()
    // Safe: the kernel fills the struct. A file that is too short would fault.
    guard unsafe fstat(file, &facts) == 0, Int(facts.st_size) >= count,
      let mapped = unsafe mmap(nil, count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0),
      unsafe mapped != MAP_FAILED
    else { return nil }
    unsafe base = mapped
  }

  deinit { unsafe munmap(base, count) }

  // MARK: Words

  @inline(__always)
  private func word(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
    precondition(offset >= 0 && offset <= count - 8 && offset & 7 == 0)
    // Safe: aligned and inside; an atomic word is laid out as its word.
    return unsafe (base + offset).assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  func load(_ offset: Int) -> UInt64 { unsafe word(offset).pointee.load(ordering: .acquiring) }
  func store(_ value: UInt64, at offset: Int) {
    unsafe word(offset).pointee.store(value, ordering: .releasing)
  }
  /// Sets bits of a word.
  func insert(_ bits: UInt64, at offset: Int) {
    unsafe _ = word(offset).pointee.bitwiseOr(bits, ordering: .sequentiallyConsistent)
  }
  /// Takes bits out of a word, and returns those that were there.
  @discardableResult
  func remove(_ bits: UInt64, at offset: Int) -> UInt64 {
    unsafe word(offset).pointee.bitwiseAnd(~bits, ordering: .acquiringAndReleasing).oldValue & bits
  }
  /// Takes every bit out of a word.
  func takeAll(_ offset: Int) -> UInt64 {
    let word = unsafe word(offset)
    guard unsafe word.pointee.load(ordering: .relaxed) != 0 else { return 0 }
    return unsafe word.pointee.exchange(0, ordering: .acquiringAndReleasing)
  }
  /// Takes one bit that is not in the word and is in `among`; nil when there is none.
  func claim(_ offset: Int, among: UInt64) -> Int? {
    let word = unsafe word(offset)
    var seen = unsafe word.pointee.load(ordering: .relaxed)
    while true {
      let free = ~seen & among
      guard free != 0 else { return nil }
      let (won, now) = unsafe word.pointee.compareExchange(
        expected: seen, desired: seen | free & (0 &- free), ordering: .acquiringAndReleasing)
      if won { return free.trailingZeroBitCount }
      seen = now
    }
  }
  func add(_ value: UInt64, at offset: Int) {
    unsafe _ = word(offset).pointee.add(value, ordering: .relaxed)
  }

  // MARK: Bells

  @inline(__always)
  private func half(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
    precondition(offset >= 0 && offset <= count - 4 && offset & 3 == 0)
    // Safe: as `word`.
    return unsafe (base + offset).assumingMemoryBound(to: Atomic<UInt32>.self)
  }

  /// Wakes the other side if it sleeps, or is about to.
  func ring(_ bell: Int, sleeper: Int) {
    // Orders what was written before the look at the sleeper; `sleep` orders its steps the other way round.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    guard unsafe half(sleeper).pointee.load(ordering: .relaxed) != 0 else { return }
    unsafe half(sleeper).pointee.store(0, ordering: .relaxed)
    ring(bell)
  }

  /// Wakes whoever sleeps on a word that has changed.
  func wake(_ offset: Int) {
    // Safe: inside the mapping; the kernel only looks who sleeps there.
    unsafe cplugins_shared_wake(UnsafeRawPointer(half(offset)).assumingMemoryBound(to: UInt32.self))
  }

  /// Wakes whoever sleeps on a bell.
  func ring(_ bell: Int) {
    unsafe half(bell).pointee.add(1, ordering: .sequentiallyConsistent)
    wake(bell)
  }

  /// Sleeps until the bell rings, at most `limit`, unless there is a reason not to.
  func sleep(_ bell: Int, sleeper: Int?, limit: Duration, unless hasReason: () -> Bool) {
    let seen = unsafe half(bell).pointee.load(ordering: .sequentiallyConsistent)
    if let sleeper { unsafe half(sleeper).pointee.store(1, ordering: .sequentiallyConsistent) }
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    if !hasReason() {
      unsafe cplugins_shared_wait(
        UnsafeRawPointer(half(bell)).assumingMemoryBound(to: UInt32.self), seen, limit.nanoseconds)
    }
    if let sleeper { unsafe half(sleeper).pointee.store(0, ordering: .relaxed) }
  }

  // MARK: Bytes

  @inline(__always)
  private func check(_ offset: Int, _ length: Int) {
    precondition(offset >= 0 && length >= 0 && offset <= count && length <= count - offset)
  }

  /// Copies bytes in, and moves the cursor behind them.
  @inline(__always)
  func write(_ bytes: Span<UInt8>, at cursor: inout Int) {
    check(cursor, bytes.count)
    // Safe: the place is inside. Nobody but the reader of this place looks, and not before it is told.
    unsafe bytes.withUnsafeBytes { source in
      if let from = source.baseAddress { unsafe _ = memcpy(base + cursor, from, source.count) }
    }
    cursor += bytes.count
  }

  func write(_ bytes: [UInt8], at offset: Int) {
    var cursor = offset
    write(bytes.span, at: &cursor)
  }

  @inline(__always)
  func write32(_ value: UInt32, at cursor: inout Int) {
    check(cursor, 4)
    // Safe: the place is inside; it need not be aligned.
    unsafe (base + cursor).storeBytes(of: value, as: UInt32.self)
    cursor += 4
  }

  /// Copies bytes out to the end of an arena, from where they are read and checked.
  func copy(_ offset: Int, _ length: Int, to arena: Arena) -> ByteRange {
    check(offset, length)
    // Safe: the place is inside. The other side may write meanwhile: the copy is then of no sense, and checked.
    return unsafe arena.append(
      UnsafePointer((base + offset).assumingMemoryBound(to: UInt8.self)), count: length)
  }

  func bytes(_ offset: Int, _ length: Int) -> [UInt8] {
    let arena = Arena(capacity: max(1, length))
    return Array(arena.span(copy(offset, length, to: arena)))
  }
}
