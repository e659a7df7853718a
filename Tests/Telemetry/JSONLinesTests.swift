import Application
import Kernel
import Telemetry
import Testing

@Suite struct JSONLinesTests {
  private let folder = TestFolder()

  private func log(level: LogLevel = .debug, limits: JSONLines.Limits = .init()) throws -> JSONLines {
    JSONLines(
      to: try LogOutput(file: folder.file("log")), level: level, limits: limits,
      now: { Timestamp(microseconds: 1_700_000_000_123_456) })
  }

  private func lines() throws -> [JSONValue] {
    try readFile(folder.file("log")).split(separator: 0x0A).map { try JSONValue.parse(Array($0).span) }
  }

  @Test func everyLineHasItsFieldsInOrder() throws {
    let log = try log()
    log.write(
      .warning, "gateway", "slow",
      ["status_code": 200, "zone": "z", "duration_ms": 12, "request_id": "r1", "trace_id": "t1", "a": true])
    log.close()
    #expect(
      String(decoding: readFile(folder.file("log")), as: UTF8.self)
        == #"{"timestamp":"2023-11-14T22:13:20.123Z","level":"warning","module":"gateway","message":"slow","#
        + #""request_id":"r1","trace_id":"t1","duration_ms":12,"status_code":200,"a":true,"zone":"z"}"# + "\n"
    )
  }

  @Test func aLineStaysOneLineWhateverItsTextHolds() throws {
    let log = try log()
    let text = "a\n\u{0}\u{1F}\"\\\u{2028}é😀\r\t"
    log.write(.info, "test", text, ["key\n": .string(text), "message": "mine", "level": .null])
    log.close()
    let all = try lines()
    #expect(all.count == 1)
    #expect(all[0]["message"]?.string == text && all[0]["key\n"]?.string == text)
    #expect(all[0]["field_message"] == "mine" && all[0]["level"] == "info")
  }

  @Test func theLevelChangesLive() throws {
    let log = try log(level: .warning)
    log.write(.info, "test", "one", [:])
    log.write(.warning, "test", "two", [:])
    log.level = .debug
    log.log(.debug, "test", "three")
    log.level = .critical
    log.log(.error, "test", "four")
    log.log(.critical, "test", "five")
    log.close()
    #expect(try lines().map { $0["message"] } == ["two", "three", "five"])
    #expect(try lines().map { $0["level"] } == ["warning", "debug", "critical"])
  }

  @Test func boundsTheLengthOfALine() throws {
    var limits = JSONLines.Limits()
    limits.lineBytes = 1024
    let log = try log(limits: limits)
    for count in [1, 509, 510, 511, 512, 100_000] {
      log.write(
        .info, "test", String(repeating: "é", count: count),
        ["f": .string(String(repeating: "x", count: count))])
      log.write(.info, "test", String(repeating: "\u{1}", count: count), ["small": 1])
    }
    log.close()
    let file = readFile(folder.file("log"))
    #expect(file.split(separator: 0x0A).allSatisfy { $0.count < 1024 })
    let all = try lines()
    #expect(all.count == 12)
    #expect(all[0]["truncated"] == nil && all[0]["f"] == "x")
    #expect(all[10]["truncated"] == true && all[10]["f"] == nil)
    #expect(all[11]["truncated"] == true && all[11]["small"] == 1)
  }

  @Test func aReaderThatStopsMakesLinesDropAndBeCounted() throws {
    let pipe = TestPipe()
    var limits = JSONLines.Limits()
    limits.queueBytes = 64 << 10
    let log = JSONLines(to: LogOutput(descriptor: pipe.writer), level: .info, limits: limits)
    let total = 20_000
    for number in 0..<total { log.write(.info, "test", "line", ["n": .integer(Int64(number))]) }
    let dropped = log.dropped
    #expect(dropped > 0 && dropped < total)
    let received = Received()
    let reader = OSThread("reader") { received.bytes.withLock { $0 = pipe.readAll() } }
    log.close()
    pipe.closeWriter()
    reader.join()
    let lines = try received.bytes.withLock { bytes in
      try bytes.split(separator: 0x0A).map { try JSONValue.parse(Array($0).span) }
    }
    let kept = lines.compactMap { $0["n"]?.integer }
    let reported = lines.compactMap { $0["dropped_lines"]?.integer }
    #expect(kept == kept.sorted() && kept.count + Int(dropped) == total)
    #expect(reported.reduce(0, +) == Int64(dropped))
  }

  private final class Received: Sendable { let bytes = Monitor<[UInt8]>([]) }

  @Test func linesOfManyThreadsStayWhole() throws {
    let log = try log()
    let threads = (0..<4).map { thread in
      OSThread("logger") {
        for number in 0..<500 {
          log.write(.info, "test", "line", ["t": .integer(Int64(thread)), "n": .integer(Int64(number))])
        }
      }
    }
    for thread in threads { thread.join() }
    log.close()
    let all = try lines()
    #expect(all.count == 2000 && log.dropped == 0)
    for thread in 0..<4 {
      let mine = all.filter { $0["t"]?.integer == Int64(thread) }.compactMap { $0["n"]?.integer }
      #expect(mine == Array(0..<500))
    }
  }

  @Test func flushReturnsWhenAllIsWritten() throws {
    let log = try log()
    for _ in 0..<100 { log.write(.info, "test", "line", [:]) }
    #expect(log.flush())
    #expect(try lines().count == 100)
    log.close()
  }

  @Test func refusesAFileThatCannotBeOpened() {
    let problem = #expect(throws: Problem.self) { try LogOutput(file: "/nonexistent/folder/log") }
    #expect(problem?.code == "log.file")
  }
}
