import Application
import Audit
import Cryptography
import Domain
import Kernel
import Patience
import Testing

@Suite struct RecordingTests {
  private let folder = TestFolder()

  @Test func aRowTellsWhoDidWhatWithWhichResult() throws {
    let trail = try openTrail(folder)
    trail.record(makeRow(), of: makeExchange())
    trail.close()
    let lines = String(decoding: folder.read(folder.segments[0]), as: UTF8.self).split(separator: "\n")
    #expect(lines.count == 2)
    let expected =
      #"{"seq":1,"time":"2023-11-14T22:13:20.123Z","duration_us":42,"method":"GET","path":"/accounts/a1","status":200,"#
      + #""automation":"accounts","generation":3,"operation":"get_account","key":"abcdefghijkl","principal":"agent-1","#
      + #""peer":"10.1.2.255","request_id":"r-1","hash":""#
    #expect(lines[1].hasPrefix(expected))
    #expect(lines[1].utf8.count == expected.utf8.count + 66)
  }

  @Test func aRowTellsOfADryRunAReplayAndAJob() throws {
    let trail = try openTrail(folder)
    defer { trail.close() }
    let job = "0123abcd-" + String(repeating: "f", count: 32)
    var rows = (0..<4).map { makeRow(time: Int64($0)) }
    rows[1].isDryRun = true
    rows[2].isReplayed = true
    (rows[3].isDryRun, rows[3].isReplayed, rows[3].job) = (true, true, job)
    for row in rows { trail.record(row, of: makeExchange()) }
    try trail.record(makeAct())
    let read = try trail.read(after: 0, limit: 10).filter { $0["path"] != nil }
    #expect(read.map { $0["dry_run"] } == [nil, true, nil, true])
    #expect(read.map { $0["replayed"] } == [nil, nil, true, true])
    #expect(read.map { $0["job"]?.string } == [nil, nil, nil, job])
    // What stands beside them stays.
    #expect(read.allSatisfy { $0["operation"] == "get_account" && $0["request_id"] == "r-1" })
    #expect(read.allSatisfy { $0["key"] == "abcdefghijkl" })
  }

  @Test func aJobsEndIsARowLikeItsRequests() throws {
    let trail = try openTrail(folder)
    defer { trail.close() }
    for (number, end) in JobEnd.allCases.enumerated() {
      var row = makeRow(time: Int64(number), status: 200 + number)
      (row.job, row.jobEnd) = ("0123abcd-\(number)", end)
      trail.record(endOfJob: row, of: makeExchange())
    }
    try trail.record(makeAct())
    let read = try trail.read(after: 0, limit: 10).filter { $0["path"] != nil }
    #expect(read.map { $0["job_end"]?.string } == ["ended", "cancelled", "lost"])
    #expect(read.map { $0["status"]?.integer } == [200, 201, 202])
    #expect(read.map { $0["job"]?.string } == (0..<3).map { "0123abcd-\($0)" })
    #expect(read.allSatisfy { $0["operation"] == "get_account" && $0["request_id"] == "r-1" })
    #expect(try trail.verify().rows >= 4)
  }

  /// A plugin answers on what thread it likes: each has no more than the row for it.
  @Test func jobsEndOnAnyThread() throws {
    let trail = try openTrail(folder)
    defer { trail.close() }
    let threads = (0..<32).map { number in
      OSThread("ends") {
        for part in 0..<10 {
          var row = makeRow(time: Int64(10 * number + part))
          (row.job, row.jobEnd) = ("\(number)-\(part)", .ended)
          trail.record(endOfJob: row, of: makeExchange())
        }
      }
    }
    for thread in threads { thread.join() }
    try trail.record(makeAct())
    let jobs = try trail.read(after: 0, limit: 1000).compactMap { $0["job"]?.string }
    #expect(Set(jobs).count == 320 && jobs.count == 320)
  }

  @Test(arguments: [(64, true), (65, false)])
  func aJobHasALimit(length: Int, isKept: Bool) throws {
    let trail = try openTrail(folder)
    defer { trail.close() }
    var row = makeRow()
    row.job = String(repeating: "f", count: length)
    trail.record(row, of: makeExchange())
    try trail.record(makeAct())
    let read = try #require(try trail.read(after: 0, limit: 10).first { $0["path"] != nil })
    #expect((read["job"] != nil) == isKept && read["operation"] == "get_account")
  }

  @Test func anActTellsWhoDidWhatToWhat() throws {
    let trail = try openTrail(folder)
    defer { trail.close() }
    try trail.record(makeAct())
    let row = try #require(try trail.read(after: 0, limit: 10).first)
    #expect(row["action"] == "automation.reload" && row["target"] == "accounts")
    #expect(row["principal"] == "admin-1" && row["key"] == "adminkey0001")
    #expect(row["status"] == 200 && row["details"] == ["generation": 4] && row["seq"] == 1)
  }

  @Test func anActIsOnDiskWhenItReturns() throws {
    let trail = try openTrail(folder) { $0.flushInterval = .seconds(60) }
    defer { trail.close() }
    for number in 1...5 {
      try trail.record(makeAct("act.\(number)"))
      let text = String(decoding: folder.read(folder.segments[0]), as: UTF8.self)
      #expect(text.contains("\"act.\(number)\""))
    }
  }

  @Test func rowsReachTheDiskByThemselves() throws {
    let trail = try openTrail(folder)
    defer { trail.close() }
    trail.record(makeRow(), of: makeExchange())
    #expect(try eventually { try trail.read(after: 0, limit: 1).count == 1 })
  }

  @Test func whateverTheRequestHoldsTheRowIsJSON() throws {
    let trail = try openTrail(folder)
    let paths: [[UInt8]] = [
      Array(#"/"\"#.utf8), [0x2F, 0, 1, 0x1F, 0x7F], [0x2F, 0xC3, 0xA9, 0xFF], Array("/%00".utf8), [],
    ]
    for path in paths {
      trail.record(
        makeRow(), of: makeExchange(path: path, principal: "é\"", requestID: [0xFF, 0x22, 0x0A]))
    }
    trail.close()
    let again = try openTrail(folder)
    defer { again.close() }
    let rows = try again.read(after: 0, limit: 10)
    let shown = ["/\"\\", "/\u{0}\u{1}\u{1F}\u{7F}", "/%C3%A9%FF", "/%00", ""]
    #expect(rows.compactMap { $0["path"]?.string } == shown)
    #expect(rows.allSatisfy { $0["principal"] == "é\"" && $0["request_id"] == "\u{FFFD}\"\n" })
  }

  @Test(arguments: [(1024, false), (1025, true), (60_000, true)])
  func boundsThePath(length: Int, isCut: Bool) throws {
    let trail = try openTrail(folder)
    defer { trail.close() }
    trail.record(makeRow(), of: makeExchange(path: [UInt8](repeating: 0x61, count: length)))
    try trail.record(makeAct())
    let row = try trail.read(after: 0, limit: 10).first { $0["path"] != nil }
    #expect(row?["path"]?.string?.utf8.count == min(length, 1024))
    #expect((row?["path_cut"] == true) == isCut)
  }

  @Test func writesAddressesAsPeopleDo() throws {
    let trail = try openTrail(folder)
    defer { trail.close() }
    trail.record(makeRow(time: 1), of: makeExchange(peer: (0x2001_0DB8_0000_0000, 0x1)))
    trail.record(makeRow(time: 2), of: makeExchange(peer: (0, 1)))
    try trail.record(makeAct())
    let peers = try trail.read(after: 0, limit: 10).compactMap { $0["peer"]?.string }
    #expect(peers == ["2001:db8:0:0:0:0:0:1", "0:0:0:0:0:0:0:1"])
  }

  @Test func rowsOfOneBatchAreInOrderOfTime() throws {
    let trail = try openTrail(folder) { $0.flushInterval = .seconds(60) }
    let exchange = makeExchange()
    for time: Int64 in [5, 3, 9, 1, 7] { trail.record(makeRow(time: time * 1000), of: exchange) }
    let other = OSThread("other") {
      let exchange = makeExchange()
      for time: Int64 in [4, 2, 8, 6] { trail.record(makeRow(time: time * 1000), of: exchange) }
    }
    other.join()
    trail.close()
    let again = try openTrail(folder)
    defer { again.close() }
    let times = try again.read(after: 0, limit: 20).compactMap { $0["time"]?.string }
    #expect(times.count == 9 && times == times.sorted())
  }

  @Test func everyRowOfEveryThreadIsThereOnce() throws {
    let trail = try openTrail(folder) { $0.segmentBytes = 300_000 }
    let threads = (0..<4).map { thread in
      OSThread("event") {
        for number in 0..<1500 {
          while !trail.admit() {}
          let exchange = makeExchange(requestID: Array("\(thread)-\(number)".utf8))
          trail.record(makeRow(), of: exchange)
        }
      }
    }
    for thread in threads { thread.join() }
    trail.close()
    let again = try openTrail(folder)
    defer { again.close() }
    #expect(try again.verify().rows == 6000)
    var seen: Set<String> = []
    for start in 0..<6 {
      for row in try again.read(after: Int64(start * 1000), limit: 1000) {
        seen.insert(row["request_id"]?.string ?? "")
      }
    }
    #expect(seen.count == 6000)
  }

  @Test func aFullRingHoldsBackAndLosesNothing() throws {
    let faulty = try FaultyFolder(folder)
    let limits = testLimits {
      $0.ringBytes = 64 << 10
      $0.flushInterval = .seconds(60)
      $0.admitWait = .milliseconds(1)
    }
    let trail = try JournalAuditTrail(
      in: faulty, digests: OpenSSLDigests(), log: CollectedLog(), limits: limits)
    faulty.set { $0.write = noSpace }
    // More than the ring holds, as requests on their way would bring when the disk fails.
    let exchange = makeExchange()
    for number in 0..<1000 { trail.record(makeRow(time: Int64(number)), of: exchange) }
    faulty.set { $0.write = nil }
    trail.close()
    let again = try openTrail(folder)
    defer { again.close() }
    #expect(try again.verify().rows == 1000)
  }
}
