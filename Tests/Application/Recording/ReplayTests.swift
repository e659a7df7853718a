import Application
import Domain
import Kernel
import Testing

@Suite struct ReplayTests {
  private func parse(_ text: String) throws -> JSONValue { try JSONValue.parse(text.utf8.span) }

  private static let pairs: [(String, String, [String])] = [
    (#"{"a":1}"#, #"{"a":1}"#, []), (#"{"a":1}"#, #"{"a":2}"#, ["/a"]),
    (#"{"a":1}"#, #"{"b":1}"#, ["/a", "/b"]),
    (#"[1,2]"#, #"[1]"#, ["/1"]), (#"{"a/b":{"~":1}}"#, #"{"a/b":{"~":2}}"#, ["/a~1b/~0"]),
    ("1", #""1""#, [""]),
    (#"{"a":null}"#, "{}", ["/a"]),
  ]

  @Test(arguments: pairs)
  func differencesAreNamedByPointer(old: String, new: String, pointers: [String]) throws {
    #expect(JSONDifference.between(try parse(old), try parse(new)).map(\.pointer) == pointers)
  }

  private static let ignored: [(String, [String])] = [
    ("/items/*/at", ["/total"]), ("/items", ["/total"]), ("", []), ("/items/0", ["/items/1/at", "/total"]),
    ("/other", ["/items/0/at", "/items/1/at", "/total"]),
  ]

  @Test(arguments: ignored)
  func ignoredPlacesAreNotCompared(pointer: String, left: [String]) throws {
    let old = try parse(#"{"items":[{"at":1},{"at":2}],"total":2}"#)
    let new = try parse(#"{"items":[{"at":3},{"at":4}],"total":3}"#)
    let ignored = try #require(JSONPointer(pointer))
    #expect(JSONDifference.between(old, new, ignoring: [ignored]).map(\.pointer) == left)
    #expect(JSONDifference.between(old, new, limit: 2).count == 2)
    #expect(JSONPointer("items") == nil)
  }

  private static let recording = """
    {"format":"council.recording/1","automation":"a"}
    {"method":"GET","path":"/a/x","query":[["q","ä&="]],"headers":{"accept":"application/json"}}
    {"method":"POST","path":"/a/","body":{"n":1}}
    {"method":"GET","path":"/a/[redacted]"}
    {"method":"GET","path":"/a/y z\\r\\nX: 1"}

    """

  @Test func callsAreSentInOrderAndWritesOnlyWhenAsked() throws {
    let calls = try RecordedCalls(Array(Self.recording.utf8))
    let (old, new) = (FakeHost(), FakeHost())
    let report = Replay(.init()).run(calls, old: old, new: new)
    #expect(
      report.isClean && report.compared == 2 && report.skippedWrites == 1 && report.skippedRedacted == 1)
    #expect(old.sent == ["GET /a/x?q=%c3%a4%26%3d ", "GET /a/y%20z%0d%0aX:%201 "] && new.sent == old.sent)
    var options = Replay.Options()
    options.writes = true
    let all = FakeHost()
    #expect(Replay(options).run(calls, old: FakeHost(), new: all).compared == 3)
    #expect(all.sent.contains(#"POST /a/ {"n":1}"#))
  }

  /// What was recorded was confirmed; the recording has no token, and none of another host would do.
  @Test func whatWantsToBeConfirmedIsConfirmed() throws {
    let calls = try RecordedCalls(Array(Self.recording.utf8))
    var options = Replay.Options()
    options.writes = true
    let (old, new) = (FakeHost(asks: "token-1"), FakeHost(asks: "token-2"))
    let report = Replay(options).run(calls, old: old, new: new)
    #expect(report.isClean && report.compared == 3, "\(report.json)")
    #expect(
      old.confirmed == ["token-1", "token-1", "token-1"] && new.confirmed.allSatisfy { $0 == "token-2" })
    // A 428 of the plugin's own is its answer.
    let other = FakeHost(status: 428, body: #"{"code":"shop.closed","confirm":"x"}"#)
    let own = Replay(options).run(calls, old: other, new: other)
    #expect(own.isClean && other.sent.count == 6)
  }

  @Test func statusHeadersBodiesAndDeathsAreDifferences() throws {
    let calls = try RecordedCalls(Array(Self.recording.utf8))
    let other = FakeHost(status: 404, headers: [("etag", "2"), ("date", "now")], body: #"{"v":2}"#)
    let report = Replay(.init()).run(calls, old: FakeHost(), new: other)
    #expect(report.different == 2 && !report.isClean)
    #expect(report.differences.prefix(3).map(\.what) == ["status", "header etag", "body"])
    #expect(report.differences[2].pointer == "/v" && report.differences[2].old == 1)
    let dead = Replay(.init()).run(calls, old: FakeHost(), new: FakeHost(dies: true))
    #expect(dead.different == 1 && dead.compared == 1 && dead.differences[0].what == "answer")
    let nothing = Replay(.init()).run(
      try RecordedCalls(Array("{\"format\":\"council.recording/1\",\"automation\":\"a\"}\n".utf8)),
      old: FakeHost(), new: FakeHost())
    #expect(!nothing.isClean)
  }

  private static let invalid: [(String, Int64)] = [
    ("", 1), ("{}\n", 1), (#"{"format":"council.recording/1","automation":"../a"}"# + "\n", 1),
    (recording + "{}\n", 6), (recording + #"{"method":"GET","path":"a"}"# + "\n", 6),
    (recording + #"{"method":"GET","path":"/a","headers":{"authorization":"x"}}"# + "\n", 6),
    (recording + #"{"method":"GET","path":"/a","headers":{"accept":"x\r\ny"}}"# + "\n", 6),
    (recording + #"{"method":"GET","path":"/a","query":[["a"]]}"# + "\n", 6),
  ]

  @Test(arguments: invalid)
  func whatIsNoRecordingIsRefusedByItsLine(text: String, line: Int64) throws {
    let problem = try #require(throws: Problem.self) { try RecordedCalls(Array(text.utf8)) }
    #expect(problem.code == "replay.recording_invalid" && problem.members["line"]?.integer == line)
  }

  @Test func aLineWithoutItsEndIsLeftOut() throws {
    #expect(try RecordedCalls(Array((Self.recording + #"{"method":"GE"#).utf8)).calls.count == 4)
  }
}

private final class FakeHost: PrivateHost {
  private let answer: IncomingAnswer
  private let dies: Bool
  private let token: String?
  private(set) var sent: [String] = []
  private(set) var confirmed: [String] = []

  /// `asks`: the token that every call has to be confirmed with.
  init(
    status: Int = 200, headers: [(name: String, value: String)] = [("etag", "1")], body: String = #"{"v":1}"#,
    dies: Bool = false, asks token: String? = nil
  ) {
    self.token = token
    answer = IncomingAnswer(status: status, headers: headers, body: Array(body.utf8))
    self.dies = dies
  }

  func send(
    _ method: String, _ target: String, headers: [(name: String, value: String)], body: [UInt8]?
  ) throws(Problem) -> IncomingAnswer {
    if dies { throw Problem(502, "replay.host_lost", "gone") }
    sent.append("\(method) \(target) \(String(decoding: body ?? [], as: UTF8.self))")
    if let token {
      guard headers.contains(where: { $0 == ("X-Confirm", token) }) else {
        let problem = #"{"code":"confirmation.required","confirm":"\#(token)"}"#
        return IncomingAnswer(status: 428, body: Array(problem.utf8))
      }
      confirmed.append(token)
    }
    return answer
  }
  func stop() {}
}
