import Application
import Audit
import Cryptography
import Kernel
import Patience
import Testing

@Suite struct DurabilityTests {
  private let folder = TestFolder()

  @Test func aRestartContinuesTheChain() throws {
    for round in 1...4 {
      let trail = try openTrail(folder)
      #expect(trail.recovery == AuditRecovery())
      try fill(trail, rows: 3)
      #expect(try trail.verify().rows == Int64(round * 4))
      trail.close()
    }
    #expect(folder.segments.count == 1)
  }

  @Test(arguments: [1, 30, 100]) func aTornLastLineIsCutOffAndReported(lost: Int) throws {
    let trail = try openTrail(folder)
    try fill(trail, rows: 3)
    trail.close()
    // A batch that was not confirmed: the head does not know it, and its last line is torn.
    let crashed = folder.copy()
    let name = crashed.segments[0]
    let whole = crashed.read(name)
    crashed.write(
      name, whole + Array(#"{"seq":5,"time":"2023-11-14T22:13:20.123Z","duration_us":42,"#.utf8).prefix(lost))
    let log = CollectedLog()
    let again = try openTrail(crashed, log: log)
    defer { again.close() }
    #expect(again.recovery.cutBytes == min(lost, 60))
    #expect(log.all.contains { $0.hasPrefix("warning") })
    #expect(crashed.read(name) == whole)
    try fill(again, rows: 1)
    #expect(try again.verify().rows == 6)
  }

  @Test func rowsThatTheHeadDoesNotKnowAreKept() throws {
    let trail = try openTrail(folder)
    try fill(trail, rows: 3)
    let old = folder.read("head")
    try fill(trail, rows: 3)
    trail.close()
    let crashed = folder.copy()
    crashed.write("head", old)
    let again = try openTrail(crashed)
    defer { again.close() }
    #expect(again.recovery.rowsAfterHead == 4 && again.recovery.cutBytes == 0)
    #expect(try again.verify().rows == 8)
  }

  @Test func aSegmentWithoutAWholeHeaderIsBegunAgain() throws {
    let trail = try openTrail(folder)
    try fill(trail, rows: 3)
    trail.close()
    let crashed = folder.copy()
    crashed.write("0000000000000000005.jsonl", Array("{\"segment\":1,\"fir".utf8))
    let again = try openTrail(crashed)
    defer { again.close() }
    #expect(again.recovery.cutBytes == 17)
    try fill(again, rows: 1)
    #expect(try again.verify().rows == 6)
  }

  @Test func aCopyTakenAtAnyMomentOpensAndHolds() throws {
    let trail = try openTrail(folder) {
      $0.segmentBytes = 50_000
      $0.flushInterval = .milliseconds(1)
    }
    let writer = OSThread("event") {
      let exchange = makeExchange()
      for number in 0..<4000 {
        while !trail.admit() {}
        trail.record(makeRow(time: Int64(number)), of: exchange)
      }
    }
    for _ in 0..<10 {
      let confirmed = try trail.verify().rows
      // The head is copied first, so that it is never newer than the rows: as after a crash.
      let copy = folder.copy()
      let copied = try openTrail(copy)
      #expect(try copied.verify().rows >= confirmed)
      copied.close()
    }
    writer.join()
    trail.close()
    #expect(fault(in: folder) == nil)
  }

  @Test func segmentsTurnOverAtTheirSize() throws {
    let trail = try openTrail(folder) { $0.segmentBytes = 3000 }
    for _ in 0..<10 { try fill(trail, rows: 3) }
    #expect(try trail.verify().rows == 40)
    trail.close()
    #expect(folder.segments.count > 2)
    for name in folder.segments.dropLast() { #expect(folder.read(name).count >= 3000) }
    #expect(folder.segments[0] == "0000000000000000001.jsonl")
  }

  @Test func onlySoManySegmentsAreKept() throws {
    let trail = try openTrail(folder) {
      $0.segmentBytes = 1
      $0.keptSegments = 3
    }
    for _ in 0..<8 { try fill(trail, rows: 1) }
    trail.close()
    #expect(folder.segments.count == 3)
    let again = try openTrail(folder)
    defer { again.close() }
    let verified = try again.verify()
    #expect(verified.rows < 16 && verified.rows >= 3)
    let rows = try again.read(after: 0, limit: 100)
    #expect(rows.count == Int(verified.rows) && rows.last?["seq"] == 16)
    folder.remove(folder.segments[0])
    #expect(isBroken(again)?.code == "audit.broken")
  }

  @Test(arguments: [true, false]) func whatCannotBeAuditedIsNotDone(isWrite: Bool) throws {
    let faulty = try FaultyFolder(folder)
    let log = CollectedLog()
    let trail = try JournalAuditTrail(in: faulty, digests: OpenSSLDigests(), log: log, limits: testLimits())
    try fill(trail, rows: 3)
    faulty.set {
      if isWrite { $0.write = noSpace } else { $0.sync = inputOutput }
      $0.partial = 33
    }
    #expect(trail.admit())
    trail.record(makeRow(), of: makeExchange())
    try #require(eventually { !trail.admit() })
    let problem = #expect(throws: Problem.self) { try trail.record(makeAct("refused.act")) }
    #expect(problem?.status == 503 && problem?.code == "audit.unavailable")
    // Rows of requests that were on their way are kept.
    trail.record(makeRow(status: 201), of: makeExchange())
    #expect(try trail.read(after: 0, limit: 100).count == 4)
    faulty.set { $0 = FaultyFolder.Faults() }
    try #require(eventually { trail.admit() })
    try fill(trail, rows: 1)
    #expect(try trail.verify().rows == 8)
    #expect(try trail.read(after: 0, limit: 100).contains { $0["status"] == 201 })
    #expect(log.all.filter { $0.hasPrefix("critical") }.count == 1)
    #expect(log.all.contains { $0.hasPrefix("info") })
    #expect(trail.close())
    #expect(fault(in: folder) == nil)
  }

  @Test func fromTheFirstAdmittedRequestOnActsAreTakenToo() throws {
    let faulty = try FaultyFolder(folder)
    let log = CollectedLog()
    let trail = try JournalAuditTrail(in: faulty, digests: OpenSSLDigests(), log: log, limits: testLimits())
    defer { trail.close() }
    faulty.set { $0.write = noSpace }
    trail.record(makeRow(), of: makeExchange())
    try #require(eventually { !trail.admit() })
    // It is said that the disk is well when requests are admitted again: an act comes at that moment, and has a while to
    // be refused.
    let refusals = Monitor<[Problem?]>([])
    log.meet("info") {
      guard trail.admit() else { return }
      OSThread("act") {
        var refusal: Problem?
        do throws(Problem) { try trail.record(makeAct()) } catch { refusal = error }
        refusals.signal { $0.append(refusal) }
      }.leave()
      _ = refusals.wait(until: .now + .milliseconds(300)) { $0.isEmpty ? nil : true }
    }
    faulty.set { $0 = FaultyFolder.Faults() }
    #expect(refusals.eventually { $0.isEmpty ? nil : $0 } == [nil])
  }

  @Test func aHeadThatCannotBeWrittenLeavesTheOneBefore() throws {
    let faulty = try FaultyFolder(folder)
    let trail = try JournalAuditTrail(
      in: faulty, digests: OpenSSLDigests(), log: CollectedLog(), limits: testLimits())
    try fill(trail, rows: 3)
    faulty.set {
      $0.write = inputOutput
      $0.partial = 33
      $0.name = "head"
    }
    #expect(trail.admit())
    trail.record(makeRow(), of: makeExchange())
    try #require(eventually { faulty.faults.withLock { $0.count > 2 } })
    let crashed = folder.copy()
    faulty.set { $0 = FaultyFolder.Faults() }
    #expect(trail.close())
    let again = try openTrail(crashed)
    defer { again.close() }
    #expect(try again.verify().rows == 5)
  }

  @Test func aFolderThatCannotBeMadeIsSaidAtTheStart() {
    let problem = #expect(throws: Problem.self) {
      try JournalAuditTrail(folder: "/proc/nowhere/audit", digests: OpenSSLDigests(), log: CollectedLog())
    }
    #expect(problem?.code == "audit.unavailable")
  }

  @Test func aTrailThatCannotBeginIsSaidAtTheStart() throws {
    let faulty = try FaultyFolder(folder)
    faulty.set { $0.write = noSpace }
    let problem = #expect(throws: Problem.self) {
      try JournalAuditTrail(in: faulty, digests: OpenSSLDigests(), log: CollectedLog())
    }
    #expect(problem?.code == "audit.unavailable" && problem?.members["errno"] == .integer(Int64(noSpace)))
  }

  @Test func readsRowsFromAnyPlace() throws {
    let trail = try openTrail(folder) { $0.segmentBytes = 200_000 }
    defer { trail.close() }
    for _ in 0..<5 { try fill(trail, rows: 999) }
    #expect(folder.segments.count >= 3)
    for after in [0, 1, 4, 998, 999, 1000, 1001, 2500, 4998, 4999] {
      let rows = try trail.read(after: Int64(after), limit: 7)
      let expected = (after + 1..<after + 8).filter { $0 <= 5000 }.map { Int64($0) }
      #expect(rows.compactMap { $0["seq"]?.integer } == expected, "after \(after)")
    }
    #expect(try trail.read(after: 5000, limit: 7).isEmpty)
    #expect(try trail.read(after: -5, limit: 1).first?["seq"] == 1)
    #expect(try trail.read(after: 0, limit: 0).isEmpty && trail.read(after: 0, limit: -1).isEmpty)
    #expect(try trail.read(after: 0, limit: 5000).count == 1000)
    #expect(try trail.read(after: .max, limit: 5).isEmpty)
  }
}
