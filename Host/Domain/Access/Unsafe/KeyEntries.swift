import Glibc
import Kernel
import Synchronization

/// One key as the request path sees it: two cache lines. The first decides, the second names the caller.
struct KeyEntry: ~Copyable {
  let idLow: UInt64
  let digest: Digest256
  /// Microseconds since 1970; the key is expired from then on.
  let validUntil: Atomic<Int64>
  /// The state of the key's own ``GCRA``.
  let arrival = Atomic<Int64>(0)
  let idHigh: UInt32
  /// ``KeyRights`` as one word, so that a request sees rights that belong together.
  let rights: Atomic<UInt32>
  /// Seconds since 1970; 0 when never used.
  let lastUsed: Atomic<UInt32>
  /// The length of the principal in the low byte, the limit of answers above; 0 for none.
  let counts: UInt32
  /// The principal's bytes, or where they are when they do not fit.
  let principal: InlineArray<7, UInt64>

  static let principalRoom = 56
  /// Fields lie in the order of their declaration; this one is last and fills the entry.
  static let principalOffset = 72
}

/// Entries at addresses that never change: chunks that are added and never freed while the table lives, so a
/// number that was found stays good without a lock.
///
/// One writer at a time calls ``append``; everything else may be called from any thread with a
/// number that ``append`` gave out.
@safe
final class KeyEntries: @unchecked Sendable {
  // Entries are atomics and constants, published by a releasing store in the index; `count` and `outside` belong
  // to the writer: that is what makes this class Sendable.
  private let chunks: AtomicWords
  private var outside: [UnsafeMutablePointer<UInt8>] = unsafe []
  private(set) var count = 0
  let capacity: Int

  // 2 MiB: one huge page where the system gives them.
  private static let perChunk = 16_384

  init(capacity: Int) {
    self.capacity = capacity
    chunks = AtomicWords(count: (capacity + KeyEntries.perChunk - 1) / KeyEntries.perChunk)
    precondition(MemoryLayout<KeyEntry>.stride == 128)
  }

  deinit {
    for index in 0..<chunks.count {
      // Safe: the words are addresses of chunks that `addChunk` allocated. Entries hold nothing to destroy.
      if let chunk = unsafe UnsafeMutableRawPointer(bitPattern: UInt(chunks.load(index))) {
        unsafe free(chunk)
      }
    }
    // Safe: what `pack` allocated, each once.
    while let memory = unsafe outside.popLast() { unsafe memory.deallocate() }
  }

  /// Adds an entry and returns its number; nil when the table is full. [writer]
  func append(
    _ id: KeyID, digest: Digest256, principal: Span<UInt8>, answerLimit: Int = 0, validUntil: Int64,
    rights: UInt32, lastUsed: UInt32
  ) -> Int? {
    precondition(principal.count < 256 && answerLimit >= 0 && answerLimit < 1 << 24)
    guard count < capacity else { return nil }
    if count % KeyEntries.perChunk == 0 { addChunk() }
    let number = count
    // Safe: the memory is ours, large enough, and no entry was made there before.
    unsafe entry(number).initialize(
      to: KeyEntry(
        idLow: id.low, digest: digest, validUntil: Atomic(validUntil), idHigh: id.high,
        rights: Atomic(rights), lastUsed: Atomic(lastUsed),
        counts: UInt32(principal.count) | UInt32(answerLimit) << 8,
        principal: pack(principal)))
    count += 1
    return number
  }

  // MARK: The request path

  @inline(__always)
  func id(_ number: Int) -> KeyID {
    // Safe: the number came from `append`.
    unsafe KeyID(low: entry(number).pointee.idLow, high: entry(number).pointee.idHigh)
  }

  @inline(__always)
  func digest(_ number: Int) -> Digest256 { unsafe entry(number).pointee.digest }

  @inline(__always)
  func rights(_ number: Int) -> UInt32 { unsafe entry(number).pointee.rights.load(ordering: .acquiring) }

  @inline(__always)
  func validUntil(_ number: Int) -> Int64 {
    unsafe entry(number).pointee.validUntil.load(ordering: .relaxed)
  }

  @inline(__always)
  func lastUsed(_ number: Int) -> UInt32 { unsafe entry(number).pointee.lastUsed.load(ordering: .relaxed) }

  @inline(__always)
  func take(_ number: Int, _ limit: GCRA, at now: Instant) -> RateDecision {
    unsafe limit.take(entry(number).pointee.arrival, at: now)
  }

  /// Characters of an answer; 0 for no limit.
  @inline(__always)
  func answerLimit(_ number: Int) -> Int { unsafe Int(entry(number).pointee.counts >> 8) }

  /// Good as long as the table lives.
  @unsafe
  func principal(_ number: Int) -> UnsafeBufferPointer<UInt8> {
    let entry = unsafe entry(number)
    let count = unsafe Int(entry.pointee.counts & 0xFF)
    let start: UnsafePointer<UInt8>
    if count <= KeyEntry.principalRoom {
      // Safe: entries do not move, and the field lies at this offset of each.
      unsafe start = UnsafePointer(
        (UnsafeMutableRawPointer(entry) + KeyEntry.principalOffset).assumingMemoryBound(to: UInt8.self))
    } else {
      // Safe: `pack` left the address of memory that lives as long as the table.
      unsafe start = UnsafePointer(bitPattern: UInt(entry.pointee.principal[0]))!
    }
    return unsafe UnsafeBufferPointer(start: start, count: count)
  }

  // MARK: Changes

  func setLastUsed(_ number: Int, _ seconds: UInt32) {
    unsafe entry(number).pointee.lastUsed.store(seconds, ordering: .relaxed)
  }

  /// [writer]
  func set(_ number: Int, validUntil: Int64, rights: UInt32) {
    unsafe entry(number).pointee.validUntil.store(validUntil, ordering: .relaxed)
    // Released last: who sees the new rights sees what they name.
    unsafe entry(number).pointee.rights.store(rights, ordering: .releasing)
  }

  // MARK: Memory

  @inline(__always)
  private func entry(_ number: Int) -> UnsafeMutablePointer<KeyEntry> {
    let chunk = chunks.load(number / KeyEntries.perChunk)
    // Safe: a number from `append` lies in a chunk that exists; the index released it after the chunk was made.
    return unsafe UnsafeMutablePointer<KeyEntry>(bitPattern: UInt(chunk))! + number % KeyEntries.perChunk
  }

  private func addChunk() {
    let bytes = KeyEntries.perChunk * MemoryLayout<KeyEntry>.stride
    var memory: UnsafeMutableRawPointer?
    // Safe: the size is a multiple of the alignment, which is a power of two.
    let status = unsafe posix_memalign(&memory, bytes, bytes)
    guard status == 0, let memory = unsafe memory else { preconditionFailure("out of memory") }
    // A table that small stays in small pages: one huge page would be its whole size.
    if count > 0 { unsafe madvise(memory, bytes, MADV_HUGEPAGE) }
    chunks.storeReleasing(UInt64(UInt(bitPattern: memory)), at: count / KeyEntries.perChunk)
  }

  private func pack(_ principal: Span<UInt8>) -> InlineArray<7, UInt64> {
    var words = InlineArray<7, UInt64>(repeating: 0)
    guard principal.count > KeyEntry.principalRoom else {
      for index in principal.indices {
        words[index / 8] |= UInt64(principal[index]) << UInt64(index % 8 * 8)
      }
      return words
    }
    // Safe: allocated for exactly these bytes, freed with the table.
    let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: principal.count)
    for index in principal.indices { unsafe memory[index] = principal[index] }
    unsafe outside.append(memory)
    words[0] = UInt64(UInt(bitPattern: memory))
    return words
  }
}
