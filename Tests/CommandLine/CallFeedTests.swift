import Kernel
import Testing

@testable import CommandLineInterface

@Suite struct CallFeedTests {
  private func line(_ more: [String: JSONValue]) -> String {
    let call: [String: JSONValue] = [
      "method": "POST", "path": "/a/", "status": 200, "duration_us": 400, "operation": "make",
      "principal": "agent",
    ]
    return CallFeed.line(.object(call.merging(more) { $1 }), Style(hasColour: false))
  }

  @Test func aLineSaysWhatKindOfCallItWas() {
    #expect(line([:]) == "POST /a/ 200 0.4 ms make agent")
    #expect(line(["dry_run": true]).hasSuffix("agent dry-run"))
    #expect(line(["replayed": true]).hasSuffix("agent replayed"))
    #expect(line(["dry_run": true, "job": "1-2"]).hasSuffix("agent dry-run job 1-2"))
    #expect(line(["job": "1-2", "job_end": "cancelled"]).hasSuffix("agent job 1-2 cancelled"))
    #expect(line(["dry_run": false, "replayed": false]) == line([:]))
  }
}
