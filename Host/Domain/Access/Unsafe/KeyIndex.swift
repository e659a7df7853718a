import Kernel
import Synchronization

/// Finds an entry's number by its key's id: open addressing over 64-bit slots, at most half full.
///
/// A slot holds 32 bits of the id's hash and the number; 0 is an empty slot. One writer adds; readers need no
/// lock. When it grows, the writer fills a larger table and publishes that; the smaller one stays, since a
/// reader may stand in it, and all of them together are no larger than the last.
@safe
final class KeyIndex: @unchecked Sendable {
  // `tables` and `used` belong to the writer; readers see `current` and the slots, which are atomics.
  private let current: Atomic<UInt>
  private var tables: [AtomicWords]
  private var used = 0
  private let seed: (UInt64, UInt64)

  init(capacity: Int, seed: (UInt64, UInt64)) {
    self.seed = seed
    let table = AtomicWords(count: KeyIndex.slots(for: capacity))
    tables = [table]
    // Safe: `tables` keeps the object alive as long as this one.
    current = unsafe Atomic(UInt(bitPattern: Unmanaged.passUnretained(table).toOpaque()))
  }

  /// The number that `matches` confirms; 0 when there is none. [any]
  @inline(__always)
  func find(_ id: KeyID, _ matches: (Int) -> Bool) -> Int {
    // Safe: the object lives as long as this one does.
    let table = unsafe Unmanaged<AtomicWords>.fromOpaque(
      UnsafeRawPointer(bitPattern: current.load(ordering: .acquiring))!)
    return unsafe table._withUnsafeGuaranteedRef { table in
      let hash = hash(id)
      let mask = table.count - 1
      var slot = Int(truncatingIfNeeded: hash) & mask
      while true {
        let word = table.loadAcquiring(slot)
        if word == 0 { return 0 }
        let number = Int(word & 0xFFFF_FFFF)
        if word >> 32 == hash >> 32 && matches(number) { return number }
        slot = (slot + 1) & mask
      }
    }
  }

  /// Adds a number that is not in the table; `id` names each number's id. [writer]
  func insert(_ id: KeyID, _ number: Int, id idOf: (Int) -> KeyID) {
    if (used + 1) * 2 > tables[tables.count - 1].count { grow(idOf) }
    place(hash(id), number, in: tables[tables.count - 1])
    used += 1
  }

  /// Makes room for so many in one step. [writer]
  func reserve(_ capacity: Int, id idOf: (Int) -> KeyID) {
    let wanted = KeyIndex.slots(for: capacity)
    if wanted > tables[tables.count - 1].count { publish(AtomicWords(count: wanted), idOf) }
  }

  private func grow(_ idOf: (Int) -> KeyID) {
    publish(AtomicWords(count: tables[tables.count - 1].count * 2), idOf)
  }

  private func publish(_ larger: AtomicWords, _ idOf: (Int) -> KeyID) {
    let old = tables[tables.count - 1]
    for slot in 0..<old.count {
      let number = Int(old.load(slot) & 0xFFFF_FFFF)
      if number != 0 { place(hash(idOf(number)), number, in: larger) }
    }
    tables.append(larger)
    // Safe: as in init.
    let address = unsafe UInt(bitPattern: Unmanaged.passUnretained(larger).toOpaque())
    current.store(address, ordering: .releasing)
  }

  private func place(_ hash: UInt64, _ number: Int, in table: AtomicWords) {
    let mask = table.count - 1
    var slot = Int(truncatingIfNeeded: hash) & mask
    while table.load(slot) != 0 { slot = (slot + 1) & mask }
    // Released: who sees the number sees the entry.
    table.storeReleasing((hash & 0xFFFF_FFFF_0000_0000) | UInt64(number), at: slot)
  }

  private func hash(_ id: KeyID) -> UInt64 {
    fold(id.low, UInt64(id.high), seed)
  }

  private static func slots(for capacity: Int) -> Int {
    var slots = 64
    while slots < capacity * 2 { slots *= 2 }
    return slots
  }
}
