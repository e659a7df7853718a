/// A name that an object's schema knows, and what it knows about it.
struct NameEntry: BitwiseCopyable, Sendable {
  var offset: Int32
  var count: Int32
  /// The schema of `properties`, or the value of a constant object; -1 for none.
  var value: Int32
  /// Which bit says that the property is present; -1 when nobody asks.
  var presence: Int32
}

/// Names found by their UTF-8 bytes: open addressing with room to spare.
struct NameTable: BitwiseCopyable, Sendable {
  var slots: Int32 = 0
  /// The number of slots less one; slots are a power of two.
  var mask: Int32 = 0
  var entries = Program.IndexRange()

  /// Fixed, since the names are the schema's: nobody else can make them collide.
  static let seed: UInt64 = 0x51_7C_C1_B7_27_22_0A_95
}

extension Program {
  /// The entry of that name, as an index into the table of entries; -1 for none.
  @inline(__always)
  func find(_ name: Span<UInt8>, in table: NameTable) -> Int {
    guard table.entries.count > 0 else { return -1 }
    let hash = hash(name, seed: NameTable.seed)
    var slot = Int(truncatingIfNeeded: hash) & Int(table.mask)
    while true {
      // The upper half repeats the hash's, the lower is the entry plus one.
      let held = tables.slots[Int(table.slots) + slot]
      if held == 0 { return -1 }
      if held >> 32 == hash >> 32 {
        let index = Int(held & 0xFFFF_FFFF) - 1
        let entry = tables.entries[index]
        if Int(entry.count) == name.count, tables.bytes.holds(name, at: Int(entry.offset)) { return index }
      }
      slot = (slot + 1) & Int(table.mask)
    }
  }

  func name(of entry: Int) -> String {
    let entry = tables.entries[entry]
    return tables.bytes.text(at: Int(entry.offset), count: Int(entry.count))
  }
}
