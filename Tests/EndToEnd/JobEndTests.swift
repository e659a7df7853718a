import Kernel
import Patience
import Testing

/// An admin sees in the audit trail how a call ended that went on as a job, though nobody looked.
@Suite(.serialized) struct JobEndTests {
  private static let manifest =
    #"{"id":"hog","version":"1","routes":[{"method":"POST","path":"/nap","operation":"nap","deadline_ms":60000,"#
    + #""query":{"type":"object","properties":{"ms":{"type":"integer"}}}},"#
    + #"{"method":"GET","path":"/b","operation":"b"},"#
    + #"{"method":"POST","path":"/brief","operation":"brief","deadline_ms":500,"#
    + #""query":{"type":"object","properties":{"ms":{"type":"integer"}}}}]}"#

  private func makeHost(_ isolation: String) throws -> HostUnderTest {
    try HostUnderTest(
      load: [Fixtures.plugin("hog", manifest: JobEndTests.manifest)],
      settings: "answers:\n  job_after_ms: 50\nplugins:\n  drain_timeout_ms: 300\n"
        + "isolation:\n  default: \(isolation)\n  overrun_ms: 60000\n")
  }

  private func begin(_ host: HostUnderTest, _ target: String, _ key: String) throws -> (
    id: String, request: String
  ) {
    let answer = try host.call("POST", target, key: key, headers: ["Prefer: respond-async"])
    return (
      try #require(answer.json?["job"]?.string, "\(answer)"),
      try #require(answer.headers["x-request-id"])
    )
  }

  /// The row that says how it ended, once it is there.
  private func end(_ host: HostUnderTest, _ job: String) -> JSONValue? {
    var found: JSONValue?
    _ = eventually {
      let rows = (try? host.admin("GET", "/audit?limit=1000"))?.json?["items"]?.array ?? []
      found = rows.first { $0["job"]?.string == job && $0["job_end"] != nil }
      return found != nil
    }
    return found
  }

  @Test(arguments: ["none", "process"])
  func everyJobsEndIsInTheTrailWithoutALook(isolation: String) throws {
    let host = try makeHost(isolation)
    let key = try host.issueKey(["hog:*"])
    let ended = try begin(host, "/hog/nap?ms=100", key)
    let row = try #require(end(host, ended.id))
    #expect(row["job_end"] == "ended" && row["status"] == 200 && row["request_id"]?.string == ended.request)
    #expect(row["automation"] == "hog" && row["operation"] == "nap" && row["principal"] == "tester")
    #expect(row["key"]?.string.map { key.hasPrefix("ck_\($0)_") } == true)
    #expect((row["duration_us"]?.integer ?? 0) >= 100_000, "\(row)")

    let late = try begin(host, "/hog/brief?ms=2000", key)
    #expect(end(host, late.id)?["status"] == 504)

    let cancelled = try begin(host, "/hog/nap?ms=2000", key)
    #expect(try host.call("DELETE", "/jobs/\(cancelled.id)", key: key).status == 204)
    let gone = try #require(end(host, cancelled.id))
    #expect(gone["job_end"] == "cancelled" && gone["status"] == 499, "\(gone)")
    #expect(gone["request_id"]?.string == cancelled.request)

    // The feed of an automation's calls has it, too.
    let calls = try host.admin("GET", "/automations/hog/calls?after=0").json?["items"]?.array ?? []
    #expect(calls.count { $0["job_end"] != nil } == 3)

    let running = try begin(host, "/hog/nap?ms=3000", key)
    #expect(host.stop() == 0)
    let text = System.names(in: host.home + "/audit").filter { $0.hasSuffix(".jsonl") }
      .map { System.text("\(host.home)/audit/\($0)") }.joined()
    let last = text.split(separator: "\n").filter { $0.contains(running.id) && $0.contains("job_end") }
    #expect(last.count == 1 && last[0].contains(#""status":503"#), "\(last)")
    let whole = CouncilCommand(["audit", "verify", "--home", host.home])
    #expect(whole.code == 0, "\(whole.said)")
  }

  /// A host that leaves says it, too: its rows come into the trail with the rest of it.
  @Test func aJobThatEndsAfterAHandOverHasItsRow() throws {
    let host = try makeHost("none")
    let key = try host.issueKey(["hog:*"])
    let job = try begin(host, "/hog/nap?ms=2000", key)
    let old = host.servingPID
    #expect(try host.admin("POST", "/host/upgrade").status == 200)
    #expect(host.successor(of: old) != nil)
    let row = try #require(end(host, job.id))
    #expect(row["job_end"] == "ended" && row["status"] == 200 && row["aside"] != nil, "\(row)")
    let verified = try host.admin("POST", "/audit/verify")
    #expect(verified.status == 200, "\(verified)")
    #expect(host.stop() == 0)
  }
}
