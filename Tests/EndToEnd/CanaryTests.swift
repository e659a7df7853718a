import Kernel
import Patience
import Testing

/// Canaries under load: what is worse goes by itself, what is as good stays, and nobody else notices.
@Suite(.serialized) struct CanaryTests {
  private static let settings = "limits:\n  requests: 1000000\nplugins:\n  canary_check_ms: 20\n"

  private func start(
    _ rule: String, _ path: String
  ) throws -> (host: HostUnderTest, callers: Callers) {
    let host = try HostUnderTest(settings: Self.settings)
    try host.load(Answering.plugin("one", 1))
    let callers = Callers(
      3, port: host.port, target: "/one/", key: try host.issueKey(["one:*"]), pause: .milliseconds(1)
    ) { answer in
      // What the canary answered wrong, and nothing else, may be wrong.
      answer.status == 200 || answer.status == 500 && answer.body == Answering.body(2)
    }
    #expect(eventually { callers.answers > 50 })
    let answer = try host.admin(
      "POST", "/automations/one/reload", body: #"{"path":"\#(path)","canary":\#(rule)}"#)
    #expect(answer.status == 202 && answer.json?["state"] == "running", "\(answer.body)")
    return (host, callers)
  }

  private func finish(_ host: HostUnderTest, _ callers: Callers, serving version: Int) throws {
    let count = callers.answers
    #expect(eventually { callers.answers > count + 50 })
    let tally = callers.stop()
    #expect(tally.failureCount == 0, "\(tally.failures)")
    #expect(tally.bodies.count == 2, "\(tally.bodies)")
    let answer = try host.call("GET", "/one/", key: host.issueKey(["one:*"]))
    #expect(answer.status == 200 && answer.body == Answering.body(version))
    #expect(eventually { host.shown("one")["draining"] == [] })
    #expect(!(try host.admin("GET", "/automations").body.contains("stuck")))
    #expect(host.stop() == 0)
  }

  /// Rows of the audit trail about canaries that ended without an admin.
  private func ends(_ host: HostUnderTest) throws -> [JSONValue] {
    var (rows, after) = ([JSONValue](), Int64(0))
    while let page = try host.admin("GET", "/audit?limit=1000&after=\(after)").json?["items"]?.array,
      let last = page.last?["seq"]?.integer
    {
      rows += page.filter { $0["action"] == "automation.canary_end" }
      after = last
    }
    return rows
  }

  @Test func oneThatFailsRollsBackByItself() throws {
    let (host, callers) = try start(
      #"{"percent":30,"share":"request","seconds":600}"#, failing)
    let canary = host.endedCanary("one")
    #expect(canary["state"] == "rolled_back", "\(canary)")
    #expect((canary["new"]?["requests"]?.integer ?? 0) >= 50)
    #expect(canary["new"]?["errors"] == canary["new"]?["requests"] && canary["old"]?["errors"] == 0)
    #expect(canary["reason"]?.string?.contains("100.0 %") == true)
    expectFigures(canary)
    // Nobody asked for it at that moment, and it is written down all the same.
    #expect(eventually { (try? ends(host))?.count == 1 })
    let row = try #require(try ends(host).first)
    #expect(row["target"] == "one" && row["status"] == 200 && row["principal"] == nil && row["key"] == nil)
    let details = row["details"]
    #expect(details?["canary"] == "rolled_back" && details?["generation"] == 2 && details?["previous"] == 1)
    #expect(details?["reason"] == canary["reason"] && details?["new"] == canary["new"], "\(row)")
    let metrics = try #require(Connection(port: host.adminPort)?.request("GET", "/metrics")?.body)
    #expect(metrics.contains(#"council_canary_ends_total{outcome="rolled_back"} 1"#))
    #expect(metrics.contains(#"council_canary_running{council_automation="one"} 0"#))
    try finish(host, callers, serving: 1)
  }

  /// Fails, and takes its time for it.
  private var failing: String { Answering.plugin("one", 2, status: 500, delay: .milliseconds(5)) }

  /// The figures of both sides of ``failing`` and what it would have replaced.
  private func expectFigures(_ told: JSONValue?) {
    func number(_ side: String, _ name: String) -> Double {
      switch told?[side]?[name] {
      case .integer(let whole): Double(whole)
      case .number(let number): number
      default: -1
      }
    }
    for side in ["new", "old"] { #expect(number(side, "requests") >= 50, "\(told ?? .null)") }
    #expect(number("new", "errors") > 0 && number("old", "errors") == 0, "\(told ?? .null)")
    #expect(number("new", "error_ratio") > 0.9 && number("old", "error_ratio") == 0, "\(told ?? .null)")
    // What a handler sleeps is the least that its call takes.
    for name in ["mean_ms", "p99_ms"] {
      #expect(number("new", name) >= 5 && number("old", name) > 0, "\(name): \(told ?? .null)")
    }
  }

  @Test func theCommandThatWaitsTellsTheFiguresOfBothSides() throws {
    let host = try HostUnderTest(settings: Self.settings)
    try host.load(Answering.plugin("one", 1))
    let callers = Callers(
      3, port: host.port, target: "/one/", key: try host.issueKey(["one:*"]), pause: .milliseconds(1)
    ) { answer in
      answer.status == 200 || answer.status == 500 && answer.body == Answering.body(2)
    }
    #expect(eventually { callers.answers > 50 })
    let rule = Fixtures.file(Array(#"{"share":"request"}"#.utf8), "rule.json")
    let reload = [
      "automations", "reload", "one", failing, "--canary", "30", "--canary-for", "10m", "--canary-rule", rule,
    ]
    let back = host.command(reload + ["--json"])
    #expect(back.code == 1 && back.problem?["code"] == "canary.rolled_back", "\(back.said)")
    #expect(back.problem?["detail"]?.string?.contains("had a status of 500 or more") == true, "\(back.said)")
    expectFigures(back.problem)
    let shown = host.shown("one")
    #expect(shown["generation"] == 1 && shown["canary"]?["new"] == back.problem?["new"], "\(back.said)")
    let text = host.command(reload).errors
    for words in [
      "had a status of 500 or more", "[new generation 3: ", "[old generation 1: ", "mean ", "p99 ",
    ] {
      #expect(text.contains(words), "no '\(words)': \(text)")
    }
    try finish(host, callers, serving: 1)
  }

  @Test func oneThatIsSlowRollsBackByItself() throws {
    let (host, callers) = try start(
      #"{"percent":40,"share":"request","seconds":600}"#,
      Answering.plugin("one", 2, delay: .milliseconds(50)))
    let canary = host.endedCanary("one")
    #expect(canary["state"] == "rolled_back" && canary["new"]?["errors"] == 0, "\(canary)")
    #expect(canary["reason"]?.string?.contains("mean duration") == true, "\(canary)")
    try finish(host, callers, serving: 1)
  }

  @Test func oneThatIsAsGoodIsPromoted() throws {
    // Wide margins of time: what is shown is the decision, not this machine.
    let (host, callers) = try start(
      #"{"percent":50,"share":"request","seconds":2,"max_mean_ratio":50,"max_p99_ratio":50,"slack_ms":100}"#,
      Answering.plugin("one", 2))
    let refused = try host.reload("one", path: Answering.plugin("one", 3))
    #expect(refused.code == "automation.canary_running" && refused.headers["retry-after"] != nil)
    let canary = host.endedCanary("one")
    #expect(canary["state"] == "promoted", "\(canary)")
    try finish(host, callers, serving: 2)
  }

  @Test func tooFewRequestsAndTheCommand() throws {
    let host = try HostUnderTest(settings: Self.settings)
    try host.load(Answering.plugin("one", 1))
    let next = Answering.plugin("one", 2)
    let reload = ["automations", "reload", "one", next, "--canary", "10", "--canary-for", "1s"]
    let back = host.command(reload)
    #expect(back.code == 1 && back.errors.contains("canary.rolled_back"), "\(back.said)")
    #expect(back.errors.contains("50 on each side are needed"), "\(back.said)")
    let rule = Fixtures.file(Array(#"{"when_too_few":"promote"}"#.utf8), "rule.json")
    let good = host.command(reload + ["--canary-rule", rule])
    #expect(good.code == 0 && good.output.contains("promoted"), "\(good.said)")
    #expect(host.shown("one")["version"] == "2")
    let wrong = host.command([
      "automations", "reload", "one", next, "--canary-rule",
      Fixtures.file(Array(#"{"percent":100,"sure":1}"#.utf8), "rule.json"),
    ])
    #expect(
      wrong.code == 1 && wrong.errors.contains("/percent") && wrong.errors.contains("/sure"), "\(wrong.said)")
    #expect(System.names(in: host.home + "/incoming").isEmpty)
    #expect(host.stop() == 0)
  }

  @Test func theHeaderDecidesAndAnAdminEndsIt() throws {
    let host = try HostUnderTest(settings: Self.settings)
    try host.load(Answering.plugin("one", 1))
    let key = try host.issueKey(["one:*"])
    let rule = #"{"header":"X-Council-Canary","seconds":600}"#
    let body = #"{"path":"\#(Answering.plugin("one", 2))","canary":\#(rule)}"#
    func versions() throws -> [String?] {
      try [[], ["X-Council-Canary: 1"]].map {
        try host.call("GET", "/one/", key: key, headers: $0).json?["version"]?.string
      }
    }
    #expect(try host.admin("POST", "/automations/one/reload", body: body).status == 202)
    #expect(try versions() == ["1", "2"])
    #expect(host.command(["automations", "abort", "one"]).code == 0)
    #expect(try versions() == ["1", "1"])
    #expect(try host.admin("POST", "/automations/one/reload", body: body).status == 202)
    // A host that dies in the middle comes back with the old generation.
    host.process.signal(9)
    _ = host.process.wait()
    let next = try HostUnderTest(home: host.home)
    #expect(next.shown("one")["version"] == "1" && next.shown("one")["canary"] == .null)
    #expect(try next.admin("POST", "/automations/one/reload", body: body).status == 202)
    #expect(next.command(["automations", "promote", "one"]).code == 0)
    #expect(next.shown("one")["version"] == "2")
    #expect(next.command(["automations", "promote", "one"]).code == 1)
    #expect(try ends(next).isEmpty)
    // With a canary inside, a host ends as any other does.
    let third = #"{"path":"\#(Answering.plugin("one", 3))","canary":\#(rule)}"#
    #expect(try next.admin("POST", "/automations/one/reload", body: third).status == 202)
    #expect(next.stop() == 0)
  }

  /// A canary lives in its host: the next one has the old generation, and nobody is left to guess what became of it.
  @Test func aHandOverEndsItAndSaysSo() throws {
    let host = try HostUnderTest(settings: Self.settings)
    try host.load(Answering.plugin("one", 1))
    let body =
      #"{"path":"\#(Answering.plugin("one", 2))","canary":{"header":"X-Council-Canary","seconds":600}}"#
    #expect(try host.admin("POST", "/automations/one/reload", body: body).status == 202)
    let metrics = try #require(Connection(port: host.adminPort)?.request("GET", "/metrics")?.body)
    #expect(metrics.contains(#"council_canary_running{council_automation="one"} 1"#))
    #expect(metrics.contains(#"council_canary_requests{council_automation="one",side="new"} 0"#))
    #expect(try host.admin("POST", "/host/upgrade").status == 200)
    #expect(eventually { (try? ends(host))?.count == 1 })
    let details = try ends(host).first?["details"]
    #expect(details?["canary"] == "aborted" && details?["reason"] == "its host ended", "\(details ?? .null)")
    #expect(host.shown("one")["version"] == "1" && host.shown("one")["canary"] == .null)
    #expect(eventually { System.names(in: host.home + "/generations/one").count == 1 })
    #expect(try host.admin("POST", "/automations/one/reload", body: body).status == 202)
    #expect(host.stop() == 0)
    let next = try HostUnderTest(home: host.home)
    #expect(try ends(next).count == 2)
    #expect(next.stop() == 0)
  }
}
