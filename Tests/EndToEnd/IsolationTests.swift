import Glibc
import Kernel
import Patience
import Testing

/// Plugins in processes of their own: what they can do to the host, and to each other, which is nothing.
@Suite(.serialized) struct IsolationTests {
  static func settings(_ more: String = "", crashes: Int = 1000) -> String {
    "limits:\n  requests: 1000000000\nisolation:\n  default: process\n  crashes: \(crashes)\n" + more
  }

  /// Tests/Faults/hostile.c. Its routes take `deadline` milliseconds.
  static func hostile(
    _ flags: String = "", execution: String = "inline", deadline: Int = 20_000, version: Int = 1
  ) -> String {
    let common =
      #""scope":"hostile:read","execution":"\#(execution)","deadline_ms":\#(deadline),"max_body_bytes":33554432"#
    return Fixtures.plugin(
      "../Faults/hostile",
      manifest: #"{"id":"hostile","version":"\#(version)","requires":["council.http/1"],"routes":["#
        + #"{"method":"GET","path":"/{way}","operation":"do",\#(common)},"#
        + #"{"method":"POST","path":"/{way}","operation":"send",\#(common)}]}"#, version: version, flags)
  }

  struct Site {
    let host: HostUnderTest
    let key: String

    init(_ plugins: [String], settings: String = IsolationTests.settings()) throws {
      host = try HostUnderTest(load: plugins, settings: settings)
      key = try host.issueKey(["hostile:*", "hello:*"])
    }

    func call(_ way: String) throws -> Connection.Answer { try host.call("GET", "/hostile/" + way, key: key) }
    func value(_ way: String) throws -> Int64? { try call(way).json?["value"]?.integer }

    /// What the host says of the runners of an automation.
    func runners(_ id: String = "hostile") -> [JSONValue] {
      (try? host.admin("GET", "/automations/\(id)"))?.json?["runners"]?.array ?? []
    }

    var lastEnd: String? { runners().first?["last_end"]?.string }
    func pid(_ id: String = "hostile") -> Int64? { runners(id).first?["pid"]?.integer }

    func expectACrash(_ answer: Connection.Answer?, location: SourceLocation = #_sourceLocation) {
      #expect(answer?.status == 502, "\(answer?.body ?? "no answer")", sourceLocation: location)
      #expect(answer?.code == "plugin.crashed", sourceLocation: location)
      #expect(answer?.headers["retry-after"] == "1", sourceLocation: location)
    }

    /// The next caller is served, without an error in between: its call waits for the next process.
    func expectItServes(location: SourceLocation = #_sourceLocation) throws {
      let answer = try call("hello")
      #expect(answer.status == 200, "\(answer.body)", sourceLocation: location)
    }

    /// Processes, of all hosts on this machine, that run for this one.
    var processes: [String] {
      let serving = "\(host.servingPID)"
      return System.names(in: "/proc").filter { name in
        guard Int(name) != nil else { return false }
        let parent = System.text("/proc/\(name)/stat").split(separator: ")").last?.split(separator: " ")
        return parent.map { $0.count > 1 && $0[1] == serving } ?? false
      }
    }

    var mappings: Int {
      System.text("/proc/\(host.servingPID)/maps").split(separator: "\n").filter {
        $0.contains("council-runner")
      }
      .count
    }
  }

  // MARK: Crashes

  @Test(arguments: ["inline", "blocking"]) func aCrashFailsItsOwnCallAndNoOther(execution: String) throws {
    let site = try Site([IsolationTests.hostile(execution: execution)])
    var count = 0
    for (way, end) in [
      ("segv", "SIGSEGV"), ("bus", "SIGBUS"), ("ill", "SIGILL"), ("abrt", "SIGABRT"), ("fpe", "SIGFPE"),
      ("exit", "exit 3"), ("overflow", "SIGSEGV"), ("writes_constant", "SIGSEGV"), ("complains", "SIGABRT"),
    ] {
      site.expectACrash(try site.call(way))
      count += 1
      try site.expectItServes()
      #expect(site.lastEnd == end, "\(way)")
      let runner = site.runners().first
      #expect(runner?["crashes"]?.integer == Int64(count) && runner?["state"]?.string == "serving")
    }
    #expect(
      site.host.log.contains("the reason is here"), "what the plugin said before its end is not in the log")
    let metrics = try #require(Connection(port: site.host.adminPort)?.request("GET", "/metrics"))
    #expect(
      metrics.body.contains(#"council_runner_crashes{council_automation="hostile",runner="0"} \#(count)"#))
    #expect(site.host.stop() == 0)
  }

  @Test func twoHundredCrashesLeaveTheOthersAlone() throws {
    let site = try Site([IsolationTests.hostile(), HostUnderTest.hello])
    let callers = Callers(
      2, port: site.host.port, target: "/hello/x", key: site.key, pause: .milliseconds(1))
    #expect(eventually { callers.answers > 100 })
    var slowest: Int64 = 0
    for _ in 1...200 {
      site.expectACrash(try site.call("segv"))
      let began = Instant.now
      try site.expectItServes()
      slowest = max(slowest, Instant.now - began)
    }
    let tally = callers.stop()
    #expect(tally.failureCount == 0, "\(tally.failures)")
    print(
      "isolation: 200 crashes, \(tally.answers) requests of another automation, \(tally.failureCount) failed; "
        + "crash to serving at most \(slowest / 1_000_000) ms")
    #expect(site.host.stop() == 0)
  }

  @Test func aRunnerThatIsKilledByHandIsReplaced() throws {
    let site = try Site([IsolationTests.hostile()])
    let pid = try #require(site.pid())
    #expect(kill(pid_t(pid), SIGKILL) == 0)
    #expect(eventually { site.pid() != nil && site.pid() != pid })
    try site.expectItServes()
    #expect(site.lastEnd == "SIGKILL")
    #expect(site.host.stop() == 0)
  }

  @Test func whoCrashesTooOftenRestsUntilAnAdminReloads() throws {
    let plugin = IsolationTests.hostile()
    let site = try Site(
      [plugin, HostUnderTest.hello], settings: IsolationTests.settings("  rest_ms: 3600000\n", crashes: 2))
    for _ in 1...2 {
      site.expectACrash(try site.call("segv"))
      try site.expectItServes()
    }
    site.expectACrash(try site.call("segv"))
    #expect(eventually { site.runners().first?["state"]?.string == "resting" })
    let refused = try site.call("hello")
    #expect(refused.status == 503 && refused.code == "automation.crashed", "\(refused.body)")
    #expect(refused.headers["retry-after"] != nil)
    #expect(try site.host.call("GET", "/hello/x", key: site.key).status == 200)
    #expect(try site.host.reload("hostile", path: plugin).status == 200)
    try site.expectItServes()
    #expect(site.host.stop() == 0)
  }

  @Test func aRestEndsByItself() throws {
    let site = try Site(
      [IsolationTests.hostile()], settings: IsolationTests.settings("  rest_ms: 200\n", crashes: 1))
    site.expectACrash(try site.call("segv"))
    try site.expectItServes()
    site.expectACrash(try site.call("segv"))
    #expect(eventually { (try? site.call("hello"))?.status == 200 })
    #expect(site.runners().first?["restarts"]?.integer == 2)
    #expect(site.host.stop() == 0)
  }

  /// Signals are in SignalTests.
  @Test(arguments: ["create", "activate"]) func whoExitsBeforeItServesIsRefused(at: String) throws {
    let site = try Site([IsolationTests.hostile()])
    let answer = try site.host.reload(
      "hostile", path: IsolationTests.hostile("-DAT='\"\(at)\"' -DHOW='\"exit\"'", version: 2))
    #expect(answer.status == 502 && answer.code == "plugin.crashed", "\(answer.body)")
    #expect(answer.json?["cause"]?.string == "exit 3" && answer.json?["call"]?.string == at, "\(answer.body)")
    try site.expectItServes()
    #expect(eventually { site.processes.count == 1 })
    #expect(site.host.stop() == 0)
  }

  @Test(arguments: ["segv", "exit"]) func whoCrashesInStopIsGone(how: String) throws {
    let site = try Site([IsolationTests.hostile("-DAT='\"stop\"' -DHOW='\"\(how)\"'")])
    let pid = try #require(site.pid())
    #expect(try site.host.reload("hostile", path: IsolationTests.hostile(version: 2)).status == 200)
    #expect(eventually { !System.exists("/proc/\(pid)") })
    try site.expectItServes()
    #expect(eventually { site.processes.count == 1 && site.mappings == 1 })
    let shown = try site.host.admin("GET", "/automations/hostile")
    #expect(!shown.body.contains("stuck"), "\(shown.body)")
    #expect(site.host.stop() == 0)
  }

  @Test func whoHangsInStopIsKilled() throws {
    let site = try Site(
      [IsolationTests.hostile("-DAT='\"stop\"' -DHOW='\"spin\"'")],
      settings: IsolationTests.settings("plugins:\n  call_timeout_ms: 300\n"))
    let pid = try #require(site.pid())
    #expect(try site.host.reload("hostile", path: IsolationTests.hostile(version: 2)).status == 200)
    #expect(eventually { !System.exists("/proc/\(pid)") })
    try site.expectItServes()
    #expect(eventually { site.processes.count == 1 && site.mappings == 1 })
    #expect(site.host.stop() == 0)
  }

  @Test func runnersEndWithTheirHost() throws {
    let site = try Site([IsolationTests.hostile(), HostUnderTest.hello])
    let pids = [try #require(site.pid()), try #require(site.pid("hello"))]
    site.host.process.signal(SIGKILL)
    #expect(site.host.process.wait() == -SIGKILL)
    // Whoever inherits them may take its time to collect them: what has ended is no process any more.
    #expect(eventually { !pids.contains { System.lives(Int32($0)) } })
  }

  // MARK: What is taken

  @Test func memoryEndsWhereItsLimitIs() throws {
    let site = try Site(
      [IsolationTests.hostile(), HostUnderTest.hello],
      settings: IsolationTests.settings("  memory_bytes: 134217728\n"))
    // All of it, touched, and the process goes on or is ended; the host has lost nothing.
    let answer = try site.call("memory")
    if answer.status == 200 {
      #expect((1..<128).contains(answer.json?["value"]?.integer ?? 0), "\(answer.body)")
    } else {
      site.expectACrash(answer)
    }
    #expect(eventually { site.lastEnd == "memory" })
    try site.expectItServes()
    site.expectACrash(try site.call("hoard"))
    #expect(site.lastEnd == "memory")
    #expect(try site.value("uncounted") == 7, "memory that no limit counts can be had")
    #expect(try site.host.call("GET", "/hello/x", key: site.key).status == 200)
    #expect(site.host.stop() == 0)
  }

  @Test(arguments: ["inline", "blocking"]) func anEndlessLoopEndsAfterItsDeadline(execution: String) throws {
    let site = try Site(
      [IsolationTests.hostile(execution: execution, deadline: 200)],
      settings: IsolationTests.settings("  overrun_ms: 100\n"))
    let answer = try site.call("spin")
    #expect(answer.status == 504 && answer.code == "handler.timeout", "\(answer.body)")
    #expect(eventually { site.lastEnd == "overran" })
    #expect(eventually { (try? site.call("hello"))?.status == 200 })
    #expect(site.host.stop() == 0)
  }

  @Test func processorTimeHasALimit() throws {
    let site = try Site(
      [IsolationTests.hostile()], settings: IsolationTests.settings("  cpu_ms: 300\n  cpu_window_ms: 60000\n")
    )
    site.expectACrash(try site.call("spin"))
    #expect(site.lastEnd == "cpu")
    try site.expectItServes()
    // And whose time it was is known as of any other automation.
    let first = try site.host.admin("GET", "/usage").json?["items"]?.array?.first
    #expect(first?["automation"]?.string == "hostile", "\(first?["automation"]?.string ?? "none")")
    guard case .number(let used)? = first?["cpu_ms"] else {
      throw HostUnderTest.Failure("no cpu_ms: \(site.runners())")
    }
    #expect(used >= 300)
    #expect(site.host.stop() == 0)
  }

  @Test func threadsHaveALimit() throws {
    let site = try Site([IsolationTests.hostile()], settings: IsolationTests.settings("  max_threads: 64\n"))
    site.expectACrash(try site.call("threads"))
    #expect(site.lastEnd == "threads")
    try site.expectItServes()
    #expect(site.host.stop() == 0)
  }

  // MARK: What is out of reach

  @Test func whatIsNotItsOwnIsOutOfReach() throws {
    let site = try Site([IsolationTests.hostile()])
    for (way, code) in [
      ("passwd", EACCES), ("proc", EACCES), ("others", EACCES), ("thread", -1), ("tmp", EPERM),
      ("unix", EPERM), ("limits", EPERM),
    ] { #expect(try site.value(way) == Int64(code), "\(way)") }
    #expect(!System.exists("/tmp/council-hostile"))
    #expect(try site.value("privileges") == 1)
    for way in ["connects", "executes", "forks", "kills_host", "traces", "mounts", "uring"] {
      site.expectACrash(try site.call(way))
      #expect(site.lastEnd == "sandbox", "\(way)")
      try site.expectItServes()
    }
    #expect(site.host.stop() == 0)
  }

  @Test func ofTheHomeItsOwnGenerationAloneIsInReach() throws {
    let site = try Site([IsolationTests.hostile(), HostUnderTest.hello])
    let home = site.host.home
    func generation(_ id: String) throws -> String {
      let folder = "\(home)/generations/\(id)"
      return folder + "/" + (try #require(System.names(in: folder).first { $0.hasSuffix(".so") }))
    }
    func open(_ path: String) throws -> Int64? { try site.value("opens?path=" + path) }
    #expect(try open(generation("hostile")) == -1)
    for path in try [
      home, home + "/generations", home + "/council.sqlite", home + "/log", generation("hello"),
    ] {
      #expect(System.exists(path))
      #expect(try open(path) == Int64(EACCES), "\(path)")
    }
    #expect(site.host.stop() == 0)
  }

  @Test func closingEveryDescriptorHurtsNobody() throws {
    let site = try Site([IsolationTests.hostile()])
    let pid = site.pid()
    #expect(try site.call("closes").body == #"{"closed":true}"#)
    for _ in 1...10 { try site.expectItServes() }
    // What is lent to a handler is its own process's copy.
    for _ in 1...3 { #expect(try site.call("writes_view").status == 200) }
    try site.expectItServes()
    #expect(try site.call("floods").status == 200)
    #expect(site.pid() == pid)
    #expect(try site.host.reload("hostile", path: IsolationTests.hostile(version: 2)).status == 200)
    #expect(eventually { site.processes.count == 1 })
    #expect(site.host.stop() == 0)
  }

  @Test func aKeyNeverReachesTheProcess() throws {
    let site = try Site([IsolationTests.hostile()])
    let answer = try site.host.call("GET", "/hostile/headers", key: site.key, headers: ["X-Color: red"])
    #expect(answer.body.contains("x-color: red\r\n"))
    #expect(!answer.body.lowercased().contains("authorization") && !answer.body.contains(site.key))
    #expect(site.host.stop() == 0)
  }

  // MARK: Sizes

  @Test func bodiesUpToTheLimitGoBothWays() throws {
    let site = try Site(
      [IsolationTests.hostile()],
      settings: IsolationTests.settings("  arena_bytes: 1048576\n") + "answers:\n  max_characters: 10000000\n"
    )
    for bytes in [0, 1, 8000, 8150, 8192, 65_536, 1_000_000] {
      let answer = try site.call("large?bytes=\(bytes)")
      #expect(answer.status == 200 && answer.body.utf8.count == bytes, "\(bytes): \(answer.status)")
      let body = String(repeating: "y", count: bytes)
      let echo = try site.host.call("POST", "/hostile/echo", key: site.key, body: body)
      #expect(echo.status == 200 && echo.body == body, "\(bytes): \(echo.status)")
    }
    let large = try site.call("large?bytes=1048576")
    #expect(large.status == 500 && large.code == "plugin.answer_too_large", "\(large.body.prefix(300))")
    let body = String(repeating: "y", count: 1_048_576)
    let refused = try site.host.call("POST", "/hostile/echo", key: site.key, body: body)
    #expect(
      refused.status == 413 && refused.code == "plugin.request_too_large", "\(refused.body.prefix(300))")
    try site.expectItServes()
    #expect(site.host.stop() == 0)
  }

  @Test func aFullRunnerIsBackPressureForItsOwnCallers() throws {
    let site = try Site(
      [IsolationTests.hostile(execution: "blocking"), HostUnderTest.hello],
      settings: IsolationTests.settings("  calls: 2\n"))
    let open = try (0..<2).map { _ in try #require(Connection(port: site.host.port)) }
    for connection in open {
      #expect(
        connection.send(
          "GET /hostile/sleeps HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(site.key)\r\n\r\n"))
    }
    #expect(
      eventually {
        site.host.log.split(separator: "\n").filter { $0.contains("sleeps now") }.count == 2
      })
    #expect(site.runners().first?["calls_inside"]?.integer == 2)
    let refused = try site.call("hello")
    #expect(refused.status == 503 && refused.code == "plugin.overloaded", "\(refused.body)")
    #expect(refused.headers["retry-after"] == "1")
    #expect(try site.host.call("GET", "/hello/x", key: site.key).status == 200)
    let pid = try #require(site.pid())
    #expect(kill(pid_t(pid), SIGKILL) == 0)
    for connection in open { site.expectACrash(connection.answer()) }
    try site.expectItServes()
    #expect(site.host.stop() == 0)
  }

  // MARK: Its life

  @Test func severalRunnersShareTheCalls() throws {
    let site = try Site([])
    let path = IsolationTests.hostile()
    let loaded = try site.host.admin(
      "POST", "/automations?isolation=process:3", body: #"{"path":"\#(path)"}"#)
    #expect(loaded.status == 201, "\(loaded.body)")
    var pids: Set<Int64> = []
    #expect(
      eventually {
        if let pid = try? site.value("pid") { pids.insert(pid) }
        return pids.count == 3
      })
    #expect(Set(site.runners().compactMap { $0["pid"]?.integer }) == pids)
    site.expectACrash(try site.call("segv"))
    for _ in 1...20 { try site.expectItServes() }
    #expect(site.host.stop() == 0)
  }

  @Test func theModeIsKeptUntilSomebodyChangesIt() throws {
    let (one, two) = (IsolationTests.hostile(), IsolationTests.hostile(version: 2))
    var site = try Site([], settings: "limits:\n  requests: 1000000000\nisolation:\n  default: none\n")
    func mode() throws -> String? {
      try site.host.admin("GET", "/automations/hostile").json?["isolation"]?.string
    }
    func post(_ path: String, _ body: String = "") throws -> Connection.Answer {
      try site.host.admin("POST", "/automations" + path, body: body)
    }
    let wrong = try post("?isolation=sometimes", #"{"path":"\#(one)"}"#)
    #expect(wrong.status == 400 && wrong.code == "request.query_parameter_invalid", "\(wrong.body)")
    #expect(try post("", #"{"path":"\#(one)"}"#).status == 201)
    #expect(try mode() == "none" && site.runners().isEmpty)
    #expect(try post("/hostile/reload?isolation=process", #"{"path":"\#(one)"}"#).status == 200)
    #expect(try mode() == "process" && site.runners().count == 1)
    // Who may reload and no more cannot let the code into the host.
    let reloader = try site.host.issueKey(["admin:reload"])
    let denied = try #require(
      Connection(port: site.host.adminPort)?.request(
        "POST", "/admin/v1/automations/hostile/reload?isolation=none", key: reloader))
    #expect(denied.status == 403 && denied.code == "access.scope_missing", "\(denied.body)")
    let same = Connection(port: site.host.adminPort)?.request(
      "POST", "/admin/v1/automations/hostile/reload?isolation=process", key: reloader)
    #expect(same?.status == 200, "\(same?.body ?? "no answer")")
    #expect(try post("/hostile/reload", #"{"path":"\#(two)"}"#).status == 200)
    #expect(try mode() == "process")
    #expect(try post("/hostile/rollback").status == 200)
    #expect(try mode() == "process")
    #expect(site.host.stop() == 0)
    let home = site.host.home
    let key = site.key
    site = try Site([], settings: "isolation:\n  default: none\n")
    let again = try HostUnderTest(home: home, settings: "isolation:\n  default: none\n")
    #expect(try again.admin("GET", "/automations/hostile").json?["isolation"]?.string == "process")
    #expect(try again.call("GET", "/hostile/hello", key: key).status == 200)
    #expect(try again.admin("POST", "/automations/hostile/reload?isolation=none").status == 200)
    #expect(try again.admin("GET", "/automations/hostile").json?["isolation"]?.string == "none")
    #expect(again.stop() == 0 && site.host.stop() == 0)
  }

  /// Nothing of an isolated plugin is ever in the host, and nothing is left of a generation that went.
  @Test func threeHundredReloadsLeaveNothingBehind() throws {
    let versions = [
      Fixtures.hello(version: "1.0.0", word: "Hello"), Fixtures.hello(version: "1.0.1", word: "Welcome"),
    ]
    let site = try Site([versions[0]])
    let callers = Callers(
      2, port: site.host.port, target: "/hello/x", key: site.key, pause: .milliseconds(1))
    #expect(eventually { callers.answers > 100 })
    for round in 1...10 { #expect(try site.host.reload("hello", path: versions[round % 2]).status == 200) }
    #expect(eventually { site.processes.count == 1 })
    let (descriptors, mappings) = (site.host.descriptors, site.mappings)
    let began = Instant.now
    for round in 1...300 {
      let answer = try site.host.reload("hello", path: versions[round % 2])
      #expect(answer.status == 200, "\(answer.body)")
    }
    let milliseconds = (Instant.now - began) / 1_000_000
    let tally = callers.stop()
    #expect(tally.failureCount == 0, "\(tally.failures)")
    #expect(tally.bodies.count == 2)
    print(
      "isolation: 300 reloads in \(milliseconds) ms, \(tally.answers) requests, \(tally.failureCount) failed")
    #expect(eventually { site.processes.count == 1 }, "\(site.processes)")
    #expect(eventually { site.mappings == mappings })
    #expect(mappings == 1)
    #expect(
      eventually { site.host.descriptors <= descriptors },
      "\(descriptors) became \(site.host.descriptors)")
    let maps = System.text("/proc/\(site.host.servingPID)/maps")
    #expect(!maps.contains("/generations/"), "a plugin is mapped into the host")
    #expect(try site.host.admin("DELETE", "/automations/hello").status == 200)
    #expect(eventually { site.processes.isEmpty })
    // An event thread lets go of what it routed to when its next request comes.
    #expect(
      eventually {
        let connections = (0..<16).compactMap { _ in Connection(port: site.host.port) }
        let statuses = connections.map { $0.request("GET", "/hello/x", key: site.key)?.status }
        return statuses.allSatisfy { $0 == 404 } && site.mappings == 0
      })
    #expect(site.host.stop() == 0)
  }
}
