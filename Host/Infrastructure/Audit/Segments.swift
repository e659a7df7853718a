import Kernel

/// A file of the trail: `<first seq, 19 digits>.jsonl`, so that names sort as rows do.
struct Segment: Sendable, Equatable {
  /// Of the first row; the row may not be there yet.
  var first: Int64

  init(first: Int64) { self.first = first }

  init?(name: String) {
    guard name.hasSuffix(".jsonl"), name.utf8.count == 25, let first = Int64(name.dropLast(6)), first > 0
    else { return nil }
    self.first = first
  }

  var name: String {
    let digits = String(first)
    return String(repeating: "0", count: 19 - digits.utf8.count) + digits + ".jsonl"
  }

  static func list(_ folder: any AuditFolder) throws(AuditFileError) -> [Segment] {
    try folder.names().compactMap(Segment.init(name:)).sorted { $0.first < $1.first }
  }

  /// The line that a segment begins with: it ties the segment to the one before.
  static func appendHeader(first: Int64, time: Timestamp, _ chain: inout HashChain, to arena: Arena) {
    let start = arena.count
    arena.append("{\"segment\":1,\"first_seq\":")
    arena.append(decimal: Int(first))
    arena.append(",\"time\":\"")
    arena.append(time.text)
    arena.append("\",\"previous_hash\":\"")
    arena.append(chain.last.hex)
    arena.append("\"")
    chain.seal(arena, from: start)
  }

  /// What a header says; nil when the line is none.
  static func readHeader(_ line: Span<UInt8>) -> (first: Int64, previous: Digest256)? {
    guard line.count > 12, line.extracting(0..<12).isEqual(to: "{\"segment\":1"),
      let value = try? JSONValue.parse(line), let first = value["first_seq"]?.integer,
      let previous = value["previous_hash"]?.string.flatMap({ Digest256(hex: $0) })
    else { return nil }
    return (first, previous)
  }

  /// The number in `{"seq":12,…`; nil when the line does not begin so.
  static func seq(of line: Span<UInt8>) -> Int64? {
    guard line.count > 8, line.extracting(0..<7).isEqual(to: "{\"seq\":") else { return nil }
    var value: Int64 = 0
    var place = 7
    while place < line.count, place < 7 + 18, line[place] &- UInt8(ascii: "0") < 10 {
      value = value * 10 + Int64(line[place] - UInt8(ascii: "0"))
      place += 1
    }
    return place > 7 && place < line.count && line[place] == UInt8(ascii: ",") ? value : nil
  }
}

extension Segment {
  /// Where in the file the first row with a number of at least `wanted` begins, looking at few places of it.
  static func seek(_ wanted: Int64, in file: any AuditFile, to end: Int) throws(AuditFileError) -> Int {
    // `low` is where a line begins whose row, if it is one, comes before the wanted one.
    var low = 0
    var high = end
    while high - low > 64 << 10 {
      let middle = low + (high - low) / 2
      // From the middle on, the first line is a part of one; the second tells where we are.
      var lines = LineReader(file, from: middle, to: high)
      guard try lines.next() else {
        high = middle
        continue
      }
      let start = lines.offset
      guard try lines.next(), let seq = Segment.seq(of: lines.bytes), seq < wanted else {
        high = middle
        continue
      }
      low = start
    }
    var lines = LineReader(file, from: low, to: end)
    while true {
      let start = lines.offset
      guard try lines.next() else { return start }
      if let seq = Segment.seq(of: lines.bytes), seq >= wanted { return start }
    }
  }
}

/// Reads a file line by line, up to an end. Lines are lent until the next one.
struct LineReader {
  /// Longer than any row: what has no line feed within it is no row.
  static let maxLine = 256 << 10

  private let file: any AuditFile
  private let end: Int
  private let buffer = Arena(capacity: 64 << 10)
  /// Where in the file the buffer begins, and where in the buffer the next line does.
  private var base: Int
  private var place = 0
  private(set) var line = ByteRange.empty
  /// Set when bytes are left over that no line feed ends, or a line is too long.
  private(set) var isTorn = false

  init(_ file: any AuditFile, from start: Int = 0, to end: Int) {
    self.file = file
    self.end = end
    base = start
  }

  /// Where the next line begins, in the file.
  var offset: Int { base + place }

  var bytes: Span<UInt8> {
    @_lifetime(borrow self) get { buffer.span(line) }
  }

  /// Moves to the next line; false at the end, or where the rest is no whole line.
  mutating func next() throws(AuditFileError) -> Bool {
    var searched = place
    while true {
      if let feed = feed(from: searched) {
        line = ByteRange(offset: place, count: feed - place)
        place = feed + 1
        return true
      }
      searched = buffer.count
      guard buffer.count - place <= LineReader.maxLine, base + buffer.count < end else {
        isTorn = buffer.count > place
        return false
      }
      try fill(&searched)
    }
  }

  private func feed(from start: Int) -> Int? {
    let all = buffer.span(buffer.all)
    for index in start..<all.count where all[index] == 0x0A { return index }
    return nil
  }

  /// Drops what was read, and reads on.
  private mutating func fill(_ searched: inout Int) throws(AuditFileError) {
    let rest = [UInt8](buffer.span(ByteRange(offset: place, count: buffer.count - place)))
    base += place
    searched -= place
    place = 0
    buffer.truncate(to: 0)
    buffer.append(rest)
    let wanted = min(256 << 10, end - base - buffer.count)
    if try file.read(wanted, at: base + buffer.count, into: buffer) == 0 {
      throw AuditFileError("read", code: 0)
    }
  }
}
