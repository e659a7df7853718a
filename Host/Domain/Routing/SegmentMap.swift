import Kernel

/// Path segments to numbers, under a number of their own: `(parent, "accounts") → child`.
///
/// Built once, read by many threads. Open addressing over flat arrays, so that a look-up among 10,000 costs
/// what it costs among 10, and allocates nothing.
package struct SegmentMap: Sendable {
  private struct Slot {
    var parent: Int32 = -1
    var value: Int32 = -1
    var hash: UInt32 = 0
    var offset: UInt32 = 0
    var count: UInt32 = 0
  }

  private var slots = [Slot](repeating: Slot(), count: 8)
  private var used = 0
  private var text: [UInt8] = []

  package init() {}

  package func find(_ parent: Int, _ segment: Span<UInt8>) -> Int? {
    let hash = SegmentMap.hash(parent, segment)
    let mask = slots.count - 1
    var place = Int(hash) & mask
    while slots[place].parent >= 0 {
      let slot = slots[place]
      if slot.hash == hash, slot.parent == Int32(parent), Int(slot.count) == segment.count,
        matches(slot, segment)
      {
        return Int(slot.value)
      }
      place = (place + 1) & mask
    }
    return nil
  }

  package mutating func insert(_ parent: Int, _ segment: Span<UInt8>, _ value: Int) {
    precondition(find(parent, segment) == nil)
    if (used + 1) * 2 > slots.count { grow() }
    var slot = Slot(
      parent: Int32(parent), value: Int32(value), hash: SegmentMap.hash(parent, segment),
      offset: UInt32(text.count), count: UInt32(segment.count))
    for index in segment.indices { text.append(segment[index]) }
    place(&slot)
    used += 1
  }

  private func matches(_ slot: Slot, _ segment: Span<UInt8>) -> Bool {
    let start = Int(slot.offset)
    for index in segment.indices where text[start + index] != segment[index] { return false }
    return true
  }

  private mutating func grow() {
    let old = slots
    slots = [Slot](repeating: Slot(), count: old.count * 2)
    for var slot in old where slot.parent >= 0 { place(&slot) }
  }

  private mutating func place(_ slot: inout Slot) {
    let mask = slots.count - 1
    var place = Int(slot.hash) & mask
    while slots[place].parent >= 0 { place = (place + 1) & mask }
    slots[place] = slot
  }

  /// FNV-1a: segments are short, and who could choose colliding ones is the plugin's author, not a caller.
  private static func hash(_ parent: Int, _ segment: Span<UInt8>) -> UInt32 {
    var hash: UInt32 = 2_166_136_261 ^ UInt32(truncatingIfNeeded: parent &* 40_503)
    for index in segment.indices { hash = (hash ^ UInt32(segment[index])) &* 16_777_619 }
    return hash ^ (hash >> 15)
  }
}
