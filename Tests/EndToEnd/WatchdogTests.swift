import Glibc
import Kernel
import Patience
import Testing

/// What one automation may take of a host, and who sees it: Tests/Rejects/hog.c sleeps and burns as asked.
@Suite struct WatchdogTests {
  private static func hog(_ id: String = "hog") -> String { Fixtures.plugin("hog", "-DID='\"\(id)\"'") }

  private static func usage(_ host: HostUnderTest, _ id: String) throws -> JSONValue {
    let items = try #require(try host.admin("GET", "/usage").json?["items"]?.array)
    return try #require(items.first { $0["automation"]?.string == id })
  }

  private static func number(_ value: JSONValue?) -> Double {
    switch value {
    case .integer(let whole)?: Double(whole)
    case .number(let number)?: number
    default: .nan
    }
  }

  private static func metric(_ host: HostUnderTest, _ start: String) throws -> Double? {
    let text = try #require(Connection(port: host.adminPort)?.request("GET", "/metrics")).body
    let line = text.split(separator: "\n").first { $0.hasPrefix(start) }
    return line.flatMap { Double($0.split(separator: " ").last ?? "") }
  }

  @Test func callsThatBlockLeaveWorkersToOtherAutomations() throws {
    let host = try HostUnderTest(
      load: [Self.hog(), Self.hog("calm")],
      settings: """
        limits:
          requests: 1000000
        workers:
          threads: 4
        automations:
          overrides: "hog max_calls=30 max_queue=16 max_workers=3"

        """)
    var open: [Connection] = []
    func begin(_ count: Int) throws {
      for _ in 0..<count {
        let connection = try #require(Connection(port: host.port))
        #expect(connection.send("GET /hog/sleep?ms=4000 HTTP/1.1\r\nHost: x\r\n\r\n"))
        open.append(connection)
      }
    }
    // Those that a worker has taken wait no longer.
    try begin(3)
    #expect(eventually { (try? Self.usage(host, "hog"))?["workers"] == 3 })
    try begin(37)
    #expect(
      eventually {
        (try? Self.usage(host, "hog"))?["overloaded"]?.integer == 21
      })
    let busy = try Self.usage(host, "hog")
    #expect(busy["workers"] == 3 && busy["waiting"] == 16 && busy["calls_in_flight"] == 19)
    let limits: JSONValue = [
      "max_calls": 30, "max_queue": 16, "max_workers": 3, "cpu_ms_per_minute": 0, "store_ms_per_minute": 0,
    ]
    #expect(busy["limits"] == limits, "\(busy)")
    #expect(
      host.command(["automations", "show", "hog"]).output.contains(
        "limits    30 calls, no budget of CPU time, 16 waiting, 3 worker(s)\n"))
    let callers = (0..<4).map { _ in
      let failed = Monitor(0)
      let thread = OSThread("caller") {
        let connection = Connection(port: host.port)
        for _ in 0..<200 where connection?.request("GET", "/calm/sleep?ms=1")?.status != 200 {
          failed.withLock { $0 += 1 }
        }
      }
      return (thread, failed)
    }
    for (thread, failed) in callers {
      thread.join()
      #expect(failed.withLock { $0 } == 0)
    }
    let refused = open.compactMap { $0.answer() }.filter { $0.status == 503 }
    #expect(refused.count == 21)
    #expect(refused.allSatisfy { $0.code == "automation.overloaded" && $0.headers["retry-after"] == "1" })
    #expect(try Self.usage(host, "calm")["overloaded"] == 0)
    let reason = #"council_automation_refused_calls_total{council_automation="hog",reason="overloaded"}"#
    #expect(try Self.metric(host, reason) == 21)
    #expect(host.stop() == 0)
  }

  @Test func anAutomationOverItsBudgetIsRefusedAndNamed() throws {
    let host = try HostUnderTest(
      load: [Self.hog(), Self.hog("calm")],
      settings: "automations:\n  overrides: \"hog cpu_ms_per_minute=300\"\n")
    #expect(try host.call("GET", "/hog/burn?ms=100").status == 200)
    #expect(try host.call("GET", "/calm/burn?ms=50").status == 200)
    #expect(try host.call("GET", "/hog/burn?ms=250").status == 200)
    var refused: Connection.Answer?
    #expect(
      eventually {
        refused = try? host.call("GET", "/hog/nap?ms=0")
        return refused?.status == 503
      })
    #expect(refused?.code == "automation.over_budget")
    let seconds = Int(refused?.headers["retry-after"] ?? "") ?? 0
    #expect((1...60).contains(seconds))
    #expect(try host.call("GET", "/hog/sleep?ms=0").code == "automation.over_budget")
    #expect(try host.call("GET", "/calm/burn?ms=1").status == 200)
    let top = host.command(["automations", "top"])
    #expect(top.code == 0, "\(top.said)")
    let lines = top.output.split(separator: "\n")
    #expect(lines.count == 3 && lines[1].hasPrefix("hog") && lines[2].hasPrefix("calm"), "\(top.said)")
    let usage = try Self.usage(host, "hog")
    #expect((usage["closed_for_s"]?.integer ?? 0) > 0 && (usage["over_budget"]?.integer ?? 0) >= 2)
    // The rest of a call is charged with the next look.
    let time = #"council_automation_cpu_seconds_total{council_automation="hog",thread="worker"}"#
    #expect(eventually { ((try? Self.metric(host, time)) ?? 0) >= 0.35 })
    #expect(host.stop() == 0)
  }

  /// Whoever holds the writer of its store all the time is named, and limited like one that burns processor time.
  @Test(arguments: ["none", "process"])
  func timeInTheStoreIsCountedAndHasABudget(isolation: String) throws {
    let host = try HostUnderTest(
      load: [HostUnderTest.accounts, HostUnderTest.hello],
      settings: "automations:\n  overrides: \"accounts store_ms_per_minute=20\"\n"
        + "isolation:\n  default: \(isolation)\n")
    let key = try host.issueKey(["accounts:*", "hello:*"])
    var (made, refused): (Int, Connection.Answer?) = (0, nil)
    for number in 0..<20_000 where refused == nil {
      let answer = try host.call(
        "POST", "/accounts/", key: key,
        body: #"{"name":"A","email":"a\#(number)@b.c","balance":1,"currency":"EUR"}"#)
      if answer.status == 201 { made += 1 } else { refused = answer }
    }
    #expect(made > 0)
    #expect(refused?.status == 503 && refused?.code == "automation.over_budget", "\(refused?.body ?? "none")")
    #expect((1...60).contains(Int(refused?.headers["retry-after"] ?? "") ?? 0))
    #expect(try host.call("GET", "/hello/x", key: key).status == 200)
    let usage = try Self.usage(host, "accounts")
    #expect((usage["over_budget"]?.integer ?? 0) >= 1 && (usage["closed_for_s"]?.integer ?? 0) > 0)
    for name in ["store_ms", "store_ms_last_minute"] { #expect(Self.number(usage[name]) >= 20, "\(usage)") }
    #expect(try Self.usage(host, "hello")["store_ms"] == 0)
    let metric = #"council_automation_store_seconds_total{council_automation="accounts"}"#
    #expect(try (Self.metric(host, metric) ?? 0) >= 0.02)
    #expect(
      host.command(["automations", "show", "accounts"]).output.contains("20 ms in its store per minute"))
    #expect(host.stop() == 0)
  }

  /// Whoever runs the host has the last word over whoever loads.
  @Test func theSettingsSayWhoRunsInAProcess() throws {
    let host = try HostUnderTest(
      load: [IsolationTests.hostile(), HostUnderTest.hello], settings: "isolation:\n  default: none\n")
    func place(_ id: String) throws -> String? {
      try host.admin("GET", "/automations/\(id)").json?["isolation"]?.string
    }
    #expect(try place("hostile") == "none")
    // What was loaded before comes back as the settings have it.
    let file = host.home + "/council.yaml"
    System.write(System.text(file) + "automations:\n  overrides: \"hostile isolation=process:2\"\n", to: file)
    let old = host.servingPID
    host.process.signal(SIGHUP)
    #expect(host.successor(of: old) != nil, "\(host.log.suffix(2000))")
    #expect(eventually { !System.lives(old) })
    #expect(try place("hostile") == "process:2" && place("hello") == "none")
    let shown = try host.admin("GET", "/automations/hostile").json
    #expect(shown?["runners"]?.array?.count == 2)
    #expect(try host.admin("POST", "/automations/hello/reload?isolation=process").status == 200)
    let refused = try host.admin("POST", "/automations/hostile/reload?isolation=none")
    #expect(refused.status == 409 && refused.code == "automation.isolation_is_set", "\(refused.body)")
    #expect(try host.admin("POST", "/automations/hostile/reload?isolation=process:2").status == 200)
    #expect(try host.reload("hostile", path: IsolationTests.hostile(version: 2)).status == 200)
    #expect(try place("hostile") == "process:2" && place("hello") == "process")
    let key = try host.issueKey(["hostile:*"])
    #expect(try host.call("GET", "/hostile/segv", key: key).status == 502)
    #expect(eventually { (try? host.call("GET", "/hostile/hello", key: key))?.status == 200 })
    #expect(host.stop() == 0)
  }

  /// What a process has of the machine's memory is no secret to whoever runs the host.
  @Test func memoryOfAProcessIsSaid() throws {
    let host = try HostUnderTest(
      load: [HostUnderTest.hello], settings: "isolation:\n  default: process\n")
    let shown = try host.admin("GET", "/automations/hello").json
    let runner = try #require(shown?["runners"]?.array?.first)
    let pid = try #require(runner["pid"]?.integer)
    func kernel() -> Double {
      let pages = System.text("/proc/\(pid)/statm").split(separator: " ").dropFirst().first
      return (pages.flatMap { Double($0) } ?? 0) * 4096
    }
    // As the kernel has it, give or take what it did in between.
    let size = Double(1 << 20)
    let bytes = Double(runner["resident_bytes"]?.integer ?? 0)
    #expect(bytes > size && abs(bytes - kernel()) < 4 * size, "\(bytes), \(kernel())")
    let metric = #"council_runner_resident_bytes{council_automation="hello",runner="0"}"#
    let told = try Self.metric(host, metric) ?? 0
    #expect(told > size && abs(told - kernel()) < 4 * size, "\(told), \(kernel())")
    #expect(host.stop() == 0)
  }

  @Test func aCallThatNeverEndsIsChargedWhileItRuns() throws {
    let host = try HostUnderTest(
      load: [Self.hog()], settings: "automations:\n  cpu_ms_per_minute: 200\n")
    let connection = try #require(Connection(port: host.port))
    #expect(connection.send("GET /hog/burn?ms=8000 HTTP/1.1\r\nHost: x\r\n\r\n"))
    #expect(
      eventually { (try? host.call("GET", "/hog/nap?ms=0"))?.code == "automation.over_budget" })
    #expect(try Self.usage(host, "hog")["workers"] == 1, "the call had ended")
    #expect(connection.answer()?.status == 200)
    #expect(host.stop() == 0)
  }

  @Test(arguments: ["nap", "spin"])
  func anInlineHandlerThatBlocksIsSaidAndMovedToTheWorkers(route: String) throws {
    let host = try HostUnderTest(load: [Self.hog()], settings: "inline:\n  blocked_after_ms: 20\n")
    func isMoved() throws -> Bool? {
      let routes = try host.admin("GET", "/automations/hog").json?["routes"]?.array
      return routes?.first { $0["operation"]?.string == route }?["moved_to_workers"]?.bool
    }
    #expect(try isMoved() == false)
    for _ in 1...3 { #expect(try host.call("GET", "/hog/\(route)?ms=400").status == 200) }
    #expect(try isMoved() == true)
    #expect(
      eventually {
        host.logLines.contains {
          $0["message"]?.string == "a route whose inline handler blocks is moved to the workers"
            && $0["operation"]?.string == route && $0["automation"]?.string == "hog"
        }
      })
    let blocked = #"council_automation_blocked_inline_calls_total{council_automation="hog"}"#
    #expect(try Self.metric(host, blocked) == 3)
    // Now a worker has it.
    #expect(try host.call("GET", "/hog/\(route)?ms=400").status == 200)
    #expect(try Self.metric(host, blocked) == 3)
    #expect(host.command(["automations", "show", "hog"]).output.contains("moved to workers"))
    // The next generation gets another chance.
    #expect(try host.reload("hog", path: Self.hog()).status == 200)
    #expect(try isMoved() == false)
    #expect(host.stop() == 0)
  }

  @Test func anInlineHandlerThatIsLateIsAnsweredForWhenItReturns() throws {
    let host = try HostUnderTest(load: [Self.hog()])
    let answer = try host.call("GET", "/hog/doze?ms=500")
    #expect(answer.status == 504 && answer.code == "handler.timeout")
    #expect(eventually { (try? Self.usage(host, "hog"))?["overruns"] == 1 })
    #expect(try host.call("GET", "/hog/doze?ms=0").status == 200)
    #expect(host.stop() == 0)
  }
}
