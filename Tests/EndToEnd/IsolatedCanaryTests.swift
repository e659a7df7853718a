import Kernel
import Patience
import Testing

/// Canaries whose code runs in processes of its own: what is worse costs its own callers alone, and nothing of it stays.
@Suite(.serialized) struct IsolatedCanaryTests {
  /// Longer than any test waits: what depends on giving up somebody fails.
  private static let patience = 300_000

  private struct Site {
    let host: HostUnderTest
    let key: String

    init(_ plugin: String = Answering.plugin("one", 1)) throws {
      host = try HostUnderTest(
        settings: "limits:\n  requests: 1000000000\nplugins:\n  canary_check_ms: 20\n"
          + "  call_timeout_ms: \(patience)\n"
          + "isolation:\n  default: process\n  overrun_ms: 60000\n")
      try host.load(plugin)
      key = try host.issueKey(["one:*"])
    }

    func start(_ rule: String, _ path: String) throws {
      let answer = try host.admin(
        "POST", "/automations/one/reload", body: #"{"path":"\#(path)","canary":\#(rule)}"#)
      try #require(answer.status == 202 && answer.json?["state"] == "running", "\(answer.body)")
    }

    func call(_ headers: [String] = []) throws -> Connection.Answer {
      try host.call("GET", "/one/", key: key, headers: headers)
    }

    var runner: JSONValue { host.shown("one")["runners"]?.array?.first ?? .null }

    var metrics: String { Connection(port: host.adminPort)?.request("GET", "/metrics")?.body ?? "" }

    /// Processes of the serving host: one runner for each generation that is there.
    var runners: [Int32] {
      System.names(in: "/proc/\(host.servingPID)/task").flatMap { thread in
        System.text("/proc/\(host.servingPID)/task/\(thread)/children").split(separator: " ")
          .compactMap { Int32($0) }
      }
    }

    var files: [String] { System.names(in: host.home + "/generations/one").sorted() }
  }

  @Test func oneThatCrashesIsRolledBackAndGone() throws {
    let site = try Site()
    let (pid, hostPID, files) = (site.runner["pid"], site.host.servingPID, site.files)
    let crashed = #""code":"plugin.crashed""#
    let resting = #""code":"automation.crashed""#
    let callers = Callers(3, port: site.host.port, target: "/one/", key: site.key, pause: .milliseconds(1)) {
      $0.status == 200 || $0.status == 502 && $0.body.contains(crashed)
        || $0.status == 503 && $0.body.contains(resting)
    }
    try site.start(
      #"{"percent":30,"share":"request","seconds":600,"min_requests":20}"#,
      Answering.plugin("one", 2, fixture: "versions_once"))
    let canary = site.host.endedCanary("one")
    #expect(canary["state"] == "rolled_back", "\(canary)")
    #expect((canary["new"]?["errors"]?.integer ?? 0) >= 5 && canary["old"]?["errors"] == 0, "\(canary)")
    let tally = callers.stop()
    #expect(tally.failureCount == 0, "\(tally.failures)")
    #expect(try site.call().body == Answering.body(1))
    // The old generation's process has noticed nothing, and nothing of the new one is left.
    #expect(site.runner["pid"] == pid && site.runner["crashes"] == 0 && site.host.servingPID == hostPID)
    #expect(
      eventually { site.runners.count == 1 && site.files == files }, "\(site.runners) \(site.files)")
    #expect(try site.host.admin("GET", "/crashes").json?["items"]?.array?.isEmpty == true)
    #expect(site.host.stop() == 0)
  }

  @Test func oneThatIsAsGoodIsPromotedAndReplacedWhenItsProcessEnds() throws {
    let site = try Site()
    let callers = Callers(3, port: site.host.port, target: "/one/", key: site.key, pause: .milliseconds(1))
    // Wide margins of time: what is shown is the decision, not this machine.
    try site.start(
      #"{"percent":50,"share":"request","seconds":1,"max_mean_ratio":50,"max_p99_ratio":50,"slack_ms":100}"#,
      Answering.plugin("one", 2))
    #expect(site.metrics.contains(#"council_canary_running{council_automation="one"} 1"#))
    #expect(site.metrics.contains(#"council_runner_up{council_automation="one",runner="canary-0"} 1"#))
    #expect(site.runners.count == 2)
    let canary = site.host.endedCanary("one")
    #expect(canary["state"] == "promoted", "\(canary)")
    let tally = callers.stop()
    #expect(tally.failureCount == 0 && tally.bodies.count == 2, "\(tally)")
    #expect(eventually { site.runners.count == 1 })
    let pid = try #require(site.runner["pid"]?.integer)
    System.signal(Int32(pid), 9)
    #expect(eventually { site.runner["pid"] != .integer(pid) && site.runner["state"] == "serving" })
    #expect(try site.call().body == Answering.body(2))
    #expect(site.host.stop() == 0)
  }

  /// Its file stays for as long as a process of it may have to be started from it.
  @Test func oneThatIsAbortedFinishesWhatItHasBegun() throws {
    let site = try Site()
    let files = site.files
    let old = try #require(site.runner["pid"]?.integer)
    let next = Answering.plugin("one", 2, delay: .seconds(20))
    // A process that follows and the end that makes it needless meet at another instant each time.
    for round in 1...10 {
      try site.start(#"{"header":"X-Council-Canary","seconds":600}"#, next)
      let candidate = try #require(site.runners.first { Int64($0) != old })
      let waiting = try #require(Connection(port: site.host.port))
      #expect(
        waiting.send(
          "GET /one/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(site.key)\r\nX-Council-Canary: 1\r\n\r\n")
      )
      let inside = #"council_runner_calls_inside{council_automation="one",runner="canary-0"} 1"#
      #expect(eventually { site.metrics.contains(inside) })
      #expect(try site.host.admin("POST", "/automations/one/canary/abort").status == 200)
      #expect(try site.call(["X-Council-Canary: 1"]).body == Answering.body(1))
      System.signal(candidate, 9)
      let answer = waiting.answer()
      #expect(answer?.status == 502 && answer?.code == "plugin.crashed", "\(answer?.body ?? "no answer")")
      #expect(
        eventually { site.runners == [Int32(old)] && site.files == files },
        "round \(round): \(site.files)")
    }
    let complaints = site.host.logLines.filter {
      $0["message"]?.string?.contains("does not come back") == true
    }
    #expect(complaints.isEmpty, "\(complaints)")
    #expect(try site.call().body == Answering.body(1))
    #expect(site.host.stop() == 0)
  }
}
