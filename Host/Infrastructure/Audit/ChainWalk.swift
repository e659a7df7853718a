import Application
import Kernel

/// Why a trail does not hold.
struct ChainFault: Error {
  var seq: Int64
  var reason: String
}

/// Follows the chain over segments, row by row.
struct ChainWalk {
  let folder: any AuditFolder
  private(set) var chain: HashChain
  /// Of the last row that fitted.
  private(set) var seq: Int64 = 0
  private(set) var rows: Int64 = 0
  private var isBegun = false
  /// Folders that rows were set aside in, and that no row has taken in.
  private(set) var openAsides: Set<String> = []

  init(_ folder: any AuditFolder, _ mac: any DigestStream) {
    self.folder = folder
    chain = HashChain(mac)
  }

  /// Takes a row that is known to be good as the start: the next to come is the one after it.
  mutating func resume(after seq: Int64, hash: Digest256) {
    self.seq = seq
    chain.last = hash
    isBegun = true
  }

  /// Where a segment stops fitting.
  struct Stop {
    /// The byte after the last line that fits.
    var offset: Int
    /// nil when everything up to the end fits.
    var fault: ChainFault?
  }

  /// Follows one segment, of which the first `end` bytes count (nil: all).
  mutating func follow(_ segment: Segment, to end: Int?) throws(AuditFileError) -> Stop {
    let file = try folder.open(segment.name, creating: false)
    let size = try file.size
    if let end, size < end {
      return Stop(offset: size, fault: ChainFault(seq: seq + 1, reason: "\(segment.name) is cut short"))
    }
    var lines = LineReader(file, to: end ?? size)
    guard try lines.next() else {
      return Stop(offset: 0, fault: ChainFault(seq: segment.first, reason: "\(segment.name) has no header"))
    }
    if let reason = begin(segment, lines.bytes) {
      let fault = ChainFault(seq: segment.first, reason: "\(segment.name): \(reason)")
      return Stop(offset: 0, fault: fault)
    }
    return try follow(&lines)
  }

  /// Follows the rows of a segment from a line on.
  mutating func follow(_ lines: inout LineReader) throws(AuditFileError) -> Stop {
    var good = lines.offset
    while try lines.next() {
      if let reason = step(lines.bytes) {
        return Stop(offset: good, fault: ChainFault(seq: seq + 1, reason: reason))
      }
      good = lines.offset
    }
    guard lines.isTorn else { return Stop(offset: good, fault: nil) }
    return Stop(offset: good, fault: ChainFault(seq: seq + 1, reason: "the last line is not whole"))
  }

  private mutating func begin(_ segment: Segment, _ line: Span<UInt8>) -> String? {
    guard let header = Segment.readHeader(line) else { return "the header is not one" }
    guard header.first > 0, header.first == segment.first else { return "rows are missing before it" }
    if !isBegun {
      // What came before the oldest segment is gone; the header is signed, so its word is good.
      chain.last = header.previous
      seq = header.first - 1
      isBegun = true
    }
    guard header.first == seq + 1 else { return "rows are missing before it" }
    guard header.previous == chain.last else { return "it does not follow the segment before" }
    guard chain.accepts(line) else { return "the header was changed" }
    return nil
  }

  private mutating func step(_ line: Span<UInt8>) -> String? {
    guard let number = Segment.seq(of: line) else { return "the row is not one" }
    guard number == seq + 1 else {
      return number > seq ? "rows \(seq + 1) to \(number - 1) are missing" : "row \(number) is out of order"
    }
    guard chain.accepts(line) else { return "the row, or one before it, was changed" }
    seq = number
    rows += 1
    if let (action, name) = Aside.mention(in: line) {
      if action == Aside.began { openAsides.insert(name) } else { openAsides.remove(name) }
    }
    return nil
  }
}
