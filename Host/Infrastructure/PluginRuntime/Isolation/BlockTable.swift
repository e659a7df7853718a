/// Who has which part of an arena: runs of equal blocks, the first that fits.
///
/// A value of the side that writes the arena, in its own memory: what the other side does cannot confuse it.
struct BlockTable {
  static let blockBytes = 64 * 1024

  private var isTaken: [Bool]
  /// By first block.
  private var runs: [Int: Int] = [:]

  init(arenaBytes: Int) { isTaken = Array(repeating: false, count: arenaBytes / BlockTable.blockBytes) }

  var capacityBytes: Int { isTaken.count * BlockTable.blockBytes }

  /// The offset of room for `bytes` in the arena; nil when there is none now.
  mutating func take(_ bytes: Int) -> Int? {
    let wanted = max(1, (bytes + BlockTable.blockBytes - 1) / BlockTable.blockBytes)
    var start = 0
    var length = 0
    for index in isTaken.indices {
      if isTaken[index] {
        length = 0
        continue
      }
      if length == 0 { start = index }
      length += 1
      if length == wanted {
        for block in start..<start + wanted { isTaken[block] = true }
        runs[start] = wanted
        return start * BlockTable.blockBytes
      }
    }
    return nil
  }

  /// Gives back what ``take(_:)`` returned.
  mutating func give(_ offset: Int) {
    let start = offset / BlockTable.blockBytes
    guard let count = runs.removeValue(forKey: start) else { preconditionFailure("not taken") }
    for block in start..<start + count { isTaken[block] = false }
  }
}
