import Kernel
import Patience
import Testing

/// Recorded traffic, and what a new version answers to it.
@Suite(.serialized) struct RecordReplayTests {
  private let secret = "hunter2-in-a-field"

  /// A host whose traffic was recorded; the path of the recording.
  private func recorded() throws -> (HostUnderTest, String) {
    let host = try HostUnderTest()
    try host.load(Answering.plugin("one", 1))
    let key = try host.issueKey(["one:*"])
    let started = host.command(["automations", "record", "one", "--no-wait", "--json", "--redact", "nick"])
    #expect(started.code == 0 && started.json?["state"] == "running", "\(started.said)")
    #expect(host.command(["automations", "record", "one"]).errors.contains("recording.running"))
    for number in 0..<5 {
      let answer = try host.call(
        "GET", "/one/?page=\(number)&nick=\(secret)&note=\(key)", key: key,
        headers: ["Cookie: session=\(secret)", "X-API-Version: 1", "Accept: application/json"])
      #expect(answer.status == 200)
    }
    for body in [
      #"{"name":"A","pin":"\#(secret)","deep":[{"NICK":"\#(secret)"}]}"#, #"{"name":"my key is \#(key)"}"#,
    ] {
      #expect(try host.call("POST", "/one/", key: key, body: body).status == 200)
    }
    let stopped = host.command(["automations", "record", "one", "--stop", "--json"])
    #expect(stopped.json?["recorded"] == 7 && stopped.json?["dropped"] == 0, "\(stopped.said)")
    let path = try #require(stopped.json?["file"]?.string)
    let text = System.text(path)
    for hidden in [secret, key, host.agentKey, "Bearer", "ck_"] { #expect(!text.contains(hidden), "\(text)") }
    #expect(text.contains(#""name":"A""#) && text.contains("[redacted]"))
    #expect(CouncilCommand(shell: #"stat -c %a "$0""#, [path]).output == "600\n")
    return (host, path)
  }

  @Test func theSameVersionIsCleanAndAChangedFieldIsNamed() throws {
    let (host, path) = try recorded()
    let same = CouncilCommand(["plugin", "replay", Answering.plugin("one", 1), "--recording", path, "--json"])
    #expect(same.code == 0 && same.json?["clean"] == true, "\(same.said)")
    #expect(same.json?["compared"] == 5 && same.json?["skipped_writes"] == 2, "\(same.said)")

    let changed = Answering.plugin("one", 1, value: "2")
    let differs = CouncilCommand(["plugin", "replay", changed, "--recording", path, "--writes", "--json"])
    #expect(differs.code == 1 && differs.json?["different"] == 7, "\(differs.said)")
    #expect(
      differs.json?["differences"]?.array?.allSatisfy {
        $0["pointer"] == "/value" && $0["old"] == 1 && $0["new"] == 2
      } == true, "\(differs.said)")
    let told = CouncilCommand(["plugin", "replay", changed, "--recording", path])
    #expect(told.code == 1 && told.output.contains("body /value: 1 became 2"), "\(told.said)")
    let ignored = CouncilCommand([
      "plugin", "replay", changed, "--recording", path, "--ignore", "/value",
    ])
    #expect(ignored.code == 0, "\(ignored.said)")
    let status = CouncilCommand([
      "plugin", "replay", Answering.plugin("one", 1, status: 503), "--recording", path,
    ])
    #expect(status.code == 1 && status.output.contains("status: 200 became 503"), "\(status.said)")

    // A reload can ask for a clean one, and nobody who calls meanwhile notices.
    let callers = Callers(
      2, port: host.port, target: "/one/", key: try host.issueKey(["one:*"]), pause: .milliseconds(1))
    #expect(eventually { callers.answers > 50 })
    func expectTheyAreAnswered() {
      let answers = callers.answers
      #expect(eventually { callers.answers > answers + 50 })
    }
    let name = String(path.split(separator: "/").last ?? "")
    let refused = host.command(["automations", "reload", "one", changed, "--require-replay", name])
    #expect(refused.code == 1 && refused.errors.contains("replay.differs"), "\(refused.said)")
    #expect(refused.errors.contains("at step replay"), "\(refused.said)")
    #expect(host.shown("one")["generation"] == 1)
    expectTheyAreAnswered()
    let taken = host.command([
      "automations", "reload", "one", Answering.plugin("one", 1), "--require-replay", name,
    ])
    #expect(taken.code == 0, "\(taken.said)")
    expectTheyAreAnswered()
    // Calls that change something are not part of it, unless that is asked for.
    let writes = Answering.plugin("one", 1, written: "2")
    let asked = host.command([
      "automations", "reload", "one", writes, "--require-replay", name, "--replay-writes",
    ])
    #expect(asked.code == 1 && asked.errors.contains("replay.differs"), "\(asked.said)")
    #expect(asked.errors.contains("2 of 7 recorded call(s)"), "\(asked.said)")
    let set = try host.admin(
      "POST", "/reload",
      body:
        #"{"automations":[{"id":"one","path":"\#(writes)","require_replay":"\#(name)","replay_writes":true}]}"#
    )
    #expect(set.code == "automation.set_failed" && set.json?["cause"] == "replay.differs", "\(set.body)")
    #expect(host.shown("one")["generation"] == 2)
    let unasked = host.command(["automations", "reload", "one", writes, "--require-replay", name])
    #expect(unasked.code == 0 && host.shown("one")["generation"] == 3, "\(unasked.said)")
    expectTheyAreAnswered()
    let tally = callers.stop()
    #expect(tally.failureCount == 0, "\(tally.failures)")
    #expect(Array(tally.bodies.keys) == [Answering.body(1)], "\(tally.bodies)")
    for foreign in ["../keys/admin.key", "none.jsonl", path] {
      let answer = host.command(["automations", "reload", "one", changed, "--require-replay", foreign])
      #expect(answer.errors.contains("recording.not_found"), "\(answer.said)")
    }
    #expect(host.stop() == 0)
  }

  @Test func aPluginThatDiesIsADifference() throws {
    let (_, path) = try recorded()
    let dies = CouncilCommand([
      "plugin", "replay", Answering.plugin("one", 1, fixture: "versions_once"), "--recording", path, "--json",
    ])
    #expect(dies.code == 1 && dies.json?["clean"] == false, "\(dies.said)")
    let what: JSONValue = HostUnderTest.isIsolated ? "status" : "answer"
    #expect(dies.json?["differences"]?.array?.first?["what"] == what, "\(dies.said)")
    let wrong = CouncilCommand(["plugin", "replay", Answering.plugin("two", 1), "--recording", path])
    #expect(wrong.code == 1 && wrong.errors.contains("plugin.manifest.other_automation"), "\(wrong.said)")
    let text = Fixtures.file(Array("no recording\n".utf8), "text.jsonl")
    let none = CouncilCommand(["plugin", "replay", Answering.plugin("one", 1), "--recording", text])
    #expect(none.code == 1 && none.errors.contains("replay.recording_invalid"), "\(none.said)")
  }

  /// A replay gives code no more than serving would: what may write no file serving may write none replayed.
  @Test func whatRunsIsolatedIsReplayedIsolated() throws {
    let outside = "/tmp/council-hostile"
    System.shell("rm -f \(outside)")
    let plugin = IsolationTests.hostile()
    let site = try IsolationTests.Site([plugin])
    let host = site.host
    #expect(host.command(["automations", "record", "hostile", "--no-wait"]).code == 0)
    // The second one ends its process, and costs the calls after it nothing.
    let statuses = try ["tmp", "segv", "hello", "tmp"].map { try site.call($0).status }
    #expect(statuses == [200, 502, 200, 200])
    let stopped = host.command(["automations", "record", "hostile", "--stop", "--json"])
    let path = try #require(stopped.json?["file"]?.string, "\(stopped.said)")
    func replay(_ new: String, _ more: [String] = []) -> CouncilCommand {
      CouncilCommand(["plugin", "replay", new, "--recording", path, "--json"] + more)
    }
    let same = replay(plugin)
    #expect(same.code == 0 && same.json?["compared"] == 4, "\(same.said)")
    #expect(!System.exists(outside))

    // A version that crashes where the old one answers.
    let worse = replay(IsolationTests.hostile("-DAT='\"hello\"'", version: 2))
    #expect(worse.code == 1 && worse.json?["different"] == 1 && worse.json?["compared"] == 4, "\(worse.said)")
    #expect(worse.json?["differences"]?.array?.first?["new"] == 502, "\(worse.said)")

    let name = String(path.split(separator: "/").last ?? "")
    let pid = site.pid()
    // Not even where the reload would let the code into the host.
    for mode in ["process", "none"] {
      let refused = host.command([
        "automations", "reload", "hostile", IsolationTests.hostile("-DAT='\"hello\"'", version: 2),
        "--isolation", mode, "--require-replay", name,
      ])
      #expect(refused.code == 1 && refused.errors.contains("replay.differs"), "\(refused.said)")
    }
    #expect(site.pid() == pid && !System.exists(outside))
    let taken = host.command(["automations", "reload", "hostile", plugin, "--require-replay", name])
    #expect(taken.code == 0, "\(taken.said)")
    #expect(!System.exists(outside))
    try site.expectItServes()
    let wrong = replay(plugin, ["--isolation", "sometimes"])
    #expect(wrong.code == 2 && wrong.errors.contains("process:N"), "\(wrong.said)")
    #expect(host.stop() == 0)
  }

  /// Reads and writes run on a copy: the records of the host that serves stay as they are.
  @Test func recordsAreCopied() throws {
    let host = try HostUnderTest(load: [HostUnderTest.accounts])
    let key = host.agentKey
    func make(_ name: String) throws -> Connection.Answer {
      try host.call(
        "POST", "/accounts/", key: key,
        body: #"{"name":"\#(name)","email":"\#(name)@b.c","balance":1,"currency":"EUR"}"#)
    }
    let id = try #require(try make("first").json?["id"]?.string)
    #expect(host.command(["automations", "record", "accounts", "--no-wait"]).code == 0)
    #expect(try host.call("GET", "/accounts/\(id)", key: key).status == 200)
    #expect(try host.call("GET", "/accounts/?limit=10", key: key).status == 200)
    let asked = try host.call("DELETE", "/accounts/\(id)", key: key, headers: ["If-Match: \"1\""])
    let token = try #require(asked.json?["confirm"]?.string, "\(asked)")
    let gone = try host.call(
      "DELETE", "/accounts/\(id)?confirm=\(token)", key: key, headers: ["If-Match: \"1\""])
    #expect(gone.status == 204, "\(gone)")
    #expect(try make("second").status == 201)
    let stopped = host.command(["automations", "record", "accounts", "--stop", "--json"])
    let path = try #require(stopped.json?["file"]?.string, "\(stopped.said)")
    #expect(!System.text(path).contains(token))
    // What was confirmed when it was recorded is confirmed in the replay.
    let again = CouncilCommand([
      "plugin", "replay", HostUnderTest.accounts, "--recording", path, "--writes", "--json", "--ignore",
      "/id", "--ignore", "/created_at", "--ignore", "/updated_at",
    ])
    #expect(again.json?["compared"] == 4, "\(again.said)")
    #expect(!again.output.contains("428") && !again.output.contains("confirm"), "\(again.said)")
    let before = try host.call("GET", "/accounts/", key: key).body
    let same = CouncilCommand(["plugin", "replay", HostUnderTest.accounts, "--recording", path, "--json"])
    #expect(same.code == 0 && same.json?["compared"] == 2, "\(same.said)")
    let next = CouncilCommand([
      "plugin", "replay", HostUnderTest.products + "/libAccountsNext.so", "--recording", path, "--writes",
      "--json",
    ])
    #expect(next.code == 1, "\(next.said)")
    let pointers = next.json?["differences"]?.array?.compactMap { $0["pointer"]?.string } ?? []
    #expect(pointers.contains { $0.hasSuffix("/tier") }, "\(pointers)")
    #expect(try host.call("GET", "/accounts/", key: key).body == before)
    #expect(host.shown("accounts")["generation"] == 1)
    #expect(host.stop() == 0)
  }
}
