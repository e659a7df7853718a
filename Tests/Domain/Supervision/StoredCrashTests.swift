import Kernel
import Testing

@testable import Domain

@Suite struct StoredCrashTests {
  private let place = CrashPlace(
    automation: "a", generation: 3, sha256: "ab", call: "handle", route: "GET /a/{id}", requestID: "7")

  @Test func isReadBackAsItWasWritten() throws {
    var report = CrashReport(
      id: "1", time: Timestamp(microseconds: 1_795_000_000_123_456), cause: "SIGSEGV",
      reason: "it said nothing",
      address: .max, culprit: place, basis: "inside",
      suspects: [place, CrashPlace(automation: "b", generation: 1, sha256: "", call: "create")],
      frames: ["a.so+0x10", "\u{1}\"\\"], processID: 42, uptimeMilliseconds: 9)
    #expect(try read(JSON.text(report.stored)) == report)
    report = CrashReport(id: "2", time: Timestamp(microseconds: 0), cause: "exit code 3")
    #expect(try read(JSON.text(report.stored)) == report)
  }

  /// As earlier hosts wrote them: the address a number, and members that nobody knows.
  @Test func isReadFromEarlierAndLaterHosts() throws {
    let report = try read(
      #"{"id":"1","time":{"microseconds":5},"cause":"SIGBUS","address":4096,"suspects":[],"frames":[],"#
        + #""process_id":7,"uptime_ms":8,"later":[1]}"#)
    #expect(report?.address == 4096 && report?.processID == 7 && report?.uptimeMilliseconds == 8)
  }

  @Test(arguments: ["{}", "[]", #"{"id":"1","cause":"x","suspects":[],"frames":[]}"#])
  func whatIsNoneIsNotTaken(text: String) throws {
    #expect(try read(text) == nil)
  }

  private func read(_ text: String) throws -> CrashReport? {
    CrashReport(stored: try JSONValue.parse(text.utf8.span))
  }
}
