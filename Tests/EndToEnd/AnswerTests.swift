import Kernel
import Patience
import Testing

/// A plugin that answers what its manifest does not declare, on each way that an answer can take.
@Suite struct AnswerTests {
  private static let plugin = Fixtures.plugin("answers")

  @Test(arguments: ["inline", "worker", "later"])
  func onlyADeclaredAnswerLeaves(way: String) throws {
    let host = try HostUnderTest(load: [AnswerTests.plugin])
    let key = try host.issueKey(["reject:read"])
    let right = try host.call("GET", "/reject/\(way)/right", key: key)
    #expect(right.status == 200 && right.body == #"{"n":{"secret":1}}"#)
    for how in ["wrong", "missing", "twice", "notjson", "text", "empty"] {
      let answer = try host.call("GET", "/reject/\(way)/\(how)", key: key)
      #expect(answer.status == 500 && answer.code == "plugin.answer_invalid", "\(how): \(answer)")
      #expect(answer.headers["x-request-id"]?.utf8.count == 32, "\(how): \(answer)")
      for word in ["hunter2", "secret", "/n", "integer"] { #expect(!answer.body.contains(word), "\(answer)") }
    }
    for (how, status) in [("none", 204), ("moved", 303), ("error", 409)] {
      #expect(try host.call("GET", "/reject/\(way)/\(how)", key: key).status == status)
    }
    // council.h refuses it at once; what the handler does then is its own answer.
    let coded = try host.call("GET", "/reject/\(way)/body204", key: key)
    #expect(coded.status == 500 && !coded.body.contains("hunter2"), "\(coded)")
    #expect(coded.code == (way == "later" ? "reject.invalid" : "plugin.answer_invalid"), "\(coded)")
    let metrics = try #require(Connection(port: host.adminPort)?.request("GET", "/metrics")).body
    for sample in [#"fault="refused"} 6"#, #"fault="undeclared"} 2"#] {
      let line = #"council_answer_faults{council_automation="reject","# + sample
      #expect(metrics.contains(line), "\(metrics)")
    }
    #expect(host.stop() == 0)
    let told = host.log.split(separator: "\n").compactMap { try? JSONValue.parse($0.utf8.span) }
      .filter { $0["code"]?.string == "plugin.answer_invalid" && $0["pointer"] != nil }
    #expect(told.count == 6)
    #expect(told.first?["pointer"]?.string == "/n/secret", "\(told)")
    #expect(told.first?["keyword"]?.string == "type", "\(told)")
    #expect(told.allSatisfy { $0["request_id"]?.string?.utf8.count == 32 })
    #expect(!host.log.contains("hunter2"))
  }

  @Test func answersAreNotCheckedWhereTheSettingsSaySo() throws {
    let host = try HostUnderTest(load: [AnswerTests.plugin], settings: "routes:\n  check_answers: false\n")
    let key = try host.issueKey(["reject:read"])
    #expect(try host.call("GET", "/reject/inline/wrong", key: key).status == 200)
    #expect(host.stop() == 0)
  }

  @Test func aPluginIsToldWhenTheClientOfAPendingRequestLeaves() throws {
    let host = try HostUnderTest(
      load: [AnswerTests.plugin], settings: "routes:\n  deadline_ms: 600000\n")
    let key = try host.issueKey(["reject:read"])
    let before = host.sockets
    try {
      let connection = try #require(Connection(port: host.port))
      #expect(
        connection.send("GET /reject/later/never HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(key)\r\n\r\n")
      )
      #expect(eventually { host.sockets > before })
    }()
    #expect(eventually { host.log.contains("told that nobody waits") })
    #expect(eventually { host.sockets <= before }, "\(before) sockets became \(host.sockets)")
    #expect(
      eventually {
        (try? host.admin("GET", "/audit?limit=1000"))?.body.contains(#""status":499"#) == true
      })
    #expect(host.stop() == 0)
  }
}
