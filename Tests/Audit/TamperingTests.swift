import Application
import Audit
import Kernel
import Testing

@Suite struct TamperingTests {
  private let folder = TestFolder()

  /// Three segments of a few rows each, closed.
  private func makeTrail() throws {
    let trail = try openTrail(folder) { $0.segmentBytes = 1 }
    for _ in 0..<3 { try fill(trail, rows: 4) }
    trail.close()
    #expect(folder.segments.count >= 3)
    #expect(fault(in: folder.copy()) == nil)
  }

  private func lines(_ name: String) -> [[UInt8]] { folder.read(name).split(separator: 0x0A).map(Array.init) }

  private func write(_ name: String, _ lines: [[UInt8]]) {
    folder.write(name, lines.flatMap { $0 + [0x0A] })
  }

  @Test func findsAnEditedRow() throws {
    try makeTrail()
    let name = folder.segments[0]
    var rows = lines(name)
    let text = String(decoding: rows[1], as: UTF8.self)
    rows[1] = Array(text.replacing("agent-1", with: "agent-2").utf8)
    write(name, rows)
    let problem = fault(in: folder)
    #expect(problem?.code == "audit.broken" && problem?.members["seq"] == 1)
  }

  @Test func findsARemovedRow() throws {
    try makeTrail()
    let name = folder.segments[0]
    var rows = lines(name)
    rows.remove(at: 2)
    write(name, rows)
    #expect(fault(in: folder)?.code == "audit.broken")
  }

  @Test func findsReorderedRows() throws {
    try makeTrail()
    let name = folder.segments[0]
    var rows = lines(name)
    rows.swapAt(1, 2)
    write(name, rows)
    #expect(fault(in: folder)?.code == "audit.broken")
  }

  @Test func findsRowsMissingAtTheEnd() throws {
    try makeTrail()
    let name = try #require(folder.segments.last)
    write(name, lines(name).dropLast())
    #expect(fault(in: folder)?.code == "audit.broken")
  }

  @Test(arguments: [0, 1, -1]) func findsAMissingSegment(place: Int) throws {
    try makeTrail()
    let segments = folder.segments
    folder.remove(place < 0 ? segments[segments.count - 1] : segments[place])
    #expect(fault(in: folder)?.code == "audit.broken")
  }

  @Test func findsAForgedRowAtTheEnd() throws {
    try makeTrail()
    let name = try #require(folder.segments.last)
    var rows = lines(name)
    let forged = String(decoding: rows[rows.count - 1], as: UTF8.self)
      .replacing("\"seq\":\(15)", with: "\"seq\":\(16)")
    rows.append(Array(forged.utf8))
    write(name, rows)
    let trail = try openTrail(folder)
    defer { trail.close() }
    // Nothing after the head was confirmed by this host, so it is cut off and said so.
    #expect(trail.recovery.cutBytes == forged.utf8.count + 1)
    #expect(try trail.verify().rows == 15)
  }

  @Test func findsAHeadThatWasRewritten() throws {
    try makeTrail()
    folder.write("head", [UInt8](repeating: 0x20, count: 1024))
    #expect(fault(in: folder)?.code == "audit.broken")
  }

  @Test func refusesToGoOnWithoutItsKey() throws {
    try makeTrail()
    folder.remove("key")
    #expect(fault(in: folder)?.code == "audit.key_missing")
  }

  @Test func anotherKeyDoesNotFit() throws {
    try makeTrail()
    folder.write("key", Array(Hex.encode([UInt8](repeating: 1, count: 32)).utf8))
    #expect(fault(in: folder)?.code == "audit.broken")
  }

  @Test func theKeyIsForItsOwnerAlone() throws {
    try makeTrail()
    #expect(folder.mode("key") == 0o600)
    for name in folder.names { #expect(folder.mode(name) & 0o077 == 0, "\(name)") }
  }

  @Test func findsAnyChangedByteWhileItRuns() throws {
    let trail = try openTrail(folder) { $0.segmentBytes = 2000 }
    defer { trail.close() }
    for _ in 0..<3 { try fill(trail, rows: 5) }
    #expect(try trail.verify().rows == 18)
    var source = Xorshift(seed: 3)
    for _ in 0..<300 {
      let name = folder.segments[source.next(below: folder.segments.count)]
      let good = folder.read(name)
      var bad = good
      let place = source.next(below: good.count)
      bad[place] ^= UInt8(1 + source.next(below: 255))
      folder.write(name, bad)
      #expect(isBroken(trail)?.code == "audit.broken", "byte \(place) of \(name)")
      folder.write(name, good)
    }
    #expect(try trail.verify().rows == 18)
  }

  @Test func anyGarbageInItsFilesIsAnAnswerAndNoCrash() throws {
    try makeTrail()
    var source = Xorshift(seed: 9)
    for _ in 0..<150 {
      let copy = folder.copy()
      let names = copy.names
      let name = names[source.next(below: names.count)]
      var bytes = copy.read(name)
      for _ in 0..<(1 + source.next(below: 8)) {
        switch source.next(below: 3) {
        case 0: bytes.removeLast(min(bytes.count, source.next(below: 100)))
        case 1: bytes += (0..<source.next(below: 50)).map { _ in UInt8(source.next(below: 256)) }
        default: if !bytes.isEmpty { bytes[source.next(below: bytes.count)] = UInt8(source.next(below: 256)) }
        }
      }
      let isChanged = bytes != copy.read(name)
      copy.write(name, bytes)
      guard let problem = fault(in: copy) else {
        // What may be repaired without a fault: bytes after the last row, and the older slot of the head.
        #expect(!isChanged || name == folder.segments.last || name == "head" || name == "key", "\(name)")
        continue
      }
      #expect(["audit.broken", "audit.key_missing"].contains(problem.code), "\(problem)")
    }
  }
}
