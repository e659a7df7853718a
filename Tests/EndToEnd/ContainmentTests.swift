import Glibc
import Kernel
import Patience
import Testing

/// Plugins that take the host down without a crash of their own, or try to: another host serves, and who did it is known.
@Suite(.serialized) struct ContainmentTests {
  private static let faults = Fixtures.plugin("faults")
  /// Faster than anybody would want it, and crashes without end.
  private static let quick =
    "supervisor:\n  crashes: 1000\n  liveness_interval_ms: 100\n  liveness_timeout_ms: 3000\n"
    + "  liveness_report_ms: 800\n"

  private struct Site {
    let host: HostUnderTest
    let key: String

    init(_ settings: String = ContainmentTests.quick, load: [String] = [ContainmentTests.faults]) throws {
      host = try HostUnderTest(load: load + [HostUnderTest.hello], settings: settings)
      key = try host.issueKey(["reject:*", "hello:*", "other:*", "third:*"])
    }

    func open(_ path: String) throws -> Connection {
      let connection = try #require(Connection(port: host.port))
      #expect(
        connection.send("GET \(path) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(key)\r\n\r\n"))
      return connection
    }

    func call(_ path: String) throws -> Connection.Answer { try host.call("GET", path, key: key) }

    /// Calls a route that no host survives; what was written down about it.
    func fall(_ route: String) throws -> JSONValue {
      let old = host.servingPID
      let connection = try open("/reject/" + route)
      #expect(host.successor(of: old) != nil, "\(host.log.suffix(2000))")
      #expect(connection.answer() == nil, "\(route) was answered")
      #expect(eventually { !System.lives(old) })
      try expectService()
      return try #require(try crashes().first)
    }

    func crashes() throws -> [JSONValue] { try host.admin("GET", "/crashes").json?["items"]?.array ?? [] }

    func expectService() throws {
      #expect(try call("/hello/x").status == 200)
      #expect(try call("/reject/fine").status == 200)
    }

    func isInside(_ automation: String) -> Bool {
      let shown = try? host.admin("GET", "/automations/\(automation)").json
      return shown?["requests_inside"]?.integer ?? 0 > 0
    }

    /// Processes of the group that `pid` leads, but itself and those that have ended.
    func group(of pid: Int32) -> [Int32] {
      System.names(in: "/proc").compactMap { Int32($0) }.filter { other in
        let fields = System.text("/proc/\(other)/stat").split(separator: ")").last?.split(separator: " ")
        return other != pid && (fields.map { $0.count > 2 && $0[0] != "Z" && $0[2] == "\(pid)" } ?? false)
      }
    }

    /// Processes whose parent is `pid`.
    func children(of pid: Int32) -> [Int32] {
      System.names(in: "/proc/\(pid)/task").flatMap { thread in
        System.text("/proc/\(pid)/task/\(thread)/children").split(separator: " ").compactMap { Int32($0) }
      }
    }
  }

  @Test(arguments: ["close_all", "close_one", "duplicate", "inline_close_all"])
  func whoClosesTheHostsDescriptorsIsNamed(route: String) throws {
    let site = try Site()
    let crash = try site.fall(route)
    #expect(crash["automation"]?.string == "reject" && crash["known_by"]?.string == "inside", "\(crash)")
    #expect(crash["route"]?.string == "GET /reject/" + route && crash["cause"]?.string == "SIGABRT")
    #expect(crash["reason"]?.string?.hasSuffix("of the host was closed") == true, "\(crash)")
    #expect(site.host.stop() == 0)
  }

  /// By the system call itself: the supervisor misses the host.
  @Test func whoClosesThemBehindTheLibrarysBackIsReplaced() throws {
    let site = try Site()
    let crash = try site.fall("close_past_the_library")
    #expect(
      crash["automation"]?.string == "reject" && crash["known_by"]?.string == "only_suspect", "\(crash)")
    #expect(site.host.stop() == 0)
  }

  @Test func aChildMayCloseItsCopies() throws {
    let site = try Site()
    let pid = site.host.servingPID
    #expect(try site.call("/reject/close_in_a_child").status == 200)
    try site.expectService()
    #expect(site.host.servingPID == pid)
    #expect(site.host.stop() == 0)
  }

  @Test func anEndlessLoopOnAWorkerCostsItsCallerAlone() throws {
    let site = try Site(load: [Fixtures.plugin("faults", "-DDEADLINE='\"300\"'")])
    let pid = site.host.servingPID
    for _ in 1...2 {
      let answer = try site.call("/reject/spin")
      #expect(answer.status == 504 && answer.code == "handler.timeout", "\(answer.body)")
      try site.expectService()
    }
    // Longer than a host may be silent.
    System.pause(.seconds(4))
    try site.expectService()
    #expect(site.host.servingPID == pid && System.lives(pid))
  }

  @Test func anEndlessLoopOnAnEventThreadIsMissedAndNamed() throws {
    let site = try Site()
    let crash = try site.fall("inline_spin")
    #expect(crash["automation"]?.string == "reject", "\(crash)")
    #expect(
      crash["known_by"]?.string == "held_event_thread" && crash["cause"]?.string == "SIGABRT", "\(crash)")
    #expect(crash["route"]?.string == "GET /reject/inline_spin")
    #expect(crash["reason"]?.string == "no sign of life for 3000 ms", "\(crash)")
    #expect(site.host.stop() == 0)
  }

  /// It counts like a crash: the second one makes place for a 503.
  @Test func whoHoldsEventThreadsAgainStaysOut() throws {
    let site = try Site("supervisor:\n  liveness_interval_ms: 100\n  liveness_timeout_ms: 1500\n")
    for _ in 1...2 {
      let old = site.host.servingPID
      _ = try site.open("/reject/inline_spin")
      #expect(site.host.successor(of: old) != nil, "\(site.host.log.suffix(2000))")
      #expect(try site.call("/hello/x").status == 200)
    }
    #expect(try site.call("/reject/fine").code == "automation.crashed")
    #expect(site.host.stop() == 0)
  }

  /// With the default patience, and every core busy for longer than that.
  @Test func aHostUnderLoadIsAlive() throws {
    let site = try Site("supervisor:\n  liveness_interval_ms: 50\n")
    let pid = site.host.servingPID
    let callers = Callers(16, port: site.host.port, target: "/hello/x", key: site.key)
    System.pause(.seconds(13))
    let tally = callers.stop()
    #expect(tally.failureCount == 0, "\(tally.failures)")
    #expect(site.host.servingPID == pid && !site.host.log.contains("is given up"))
    print("liveness: \(tally.answers) requests meanwhile")
    #expect(site.host.stop() == 0)
  }

  @Test func aStoppedHostIsReplacedUnlessNobodyAsks() throws {
    let asked = try Site()
    let old = asked.host.servingPID
    let sits = try asked.open("/reject/sit")
    #expect(eventually { asked.isInside("reject") })
    System.signal(old, SIGSTOP)
    #expect(asked.host.successor(of: old) != nil, "\(asked.host.log.suffix(2000))")
    try asked.expectService()
    let crash = try #require(try asked.crashes().first)
    // Whoever was inside has done nothing.
    #expect(sits.answer() == nil && crash["automation"] == nil, "\(crash)")
    #expect(crash["reason"]?.string == "it was stopped by a signal or a debugger")
    #expect(asked.host.stop() == 0)

    let unasked = try Site("supervisor:\n  liveness_interval_ms: 50\n  liveness_timeout_ms: 0\n")
    let pid = unasked.host.servingPID
    System.signal(pid, SIGSTOP)
    System.pause(.seconds(2))
    System.signal(pid, SIGCONT)
    try unasked.expectService()
    #expect(unasked.host.servingPID == pid)
    #expect(unasked.host.stop() == 0)
  }

  /// A supervisor that was stopped asks before it judges.
  @Test func aStoppedSupervisorJudgesNobody() throws {
    let site = try Site("supervisor:\n  liveness_interval_ms: 50\n  liveness_timeout_ms: 1000\n")
    let pid = site.host.servingPID
    for _ in 1...3 {
      site.host.process.signal(SIGSTOP)
      System.pause(.milliseconds(1500))
      site.host.process.signal(SIGCONT)
      System.pause(.milliseconds(200))
    }
    try site.expectService()
    #expect(site.host.servingPID == pid && !site.host.log.contains("is given up"))
    #expect(site.host.stop() == 0)
  }

  @Test func allMemoryIsTakenFromOneHostAlone() throws {
    let site = try Site()
    let pid = site.host.servingPID
    let pages = System.text("/proc/\(pid)/statm").split(separator: " ").first.flatMap { Int($0) } ?? 0
    try #require(pages > 0)
    let limit = pages * 4096 + 256 << 20
    #expect(System.shell("prlimit --pid \(pid) --as=\(limit):\(limit)") == 0)
    let crash = try site.fall("memory")
    #expect(crash["automation"]?.string == "reject" || crash["inside"] != nil, "\(crash)")
    #expect(crash["cause"]?.string?.hasPrefix("SIG") == true)
    #expect(site.host.stop() == 0)
  }

  /// In process nothing bounds how many children a plugin makes; but they end with their host.
  @Test func childrenOfAPluginEndWithTheHost() throws {
    let site = try Site()
    let pid = site.host.servingPID
    #expect(try site.call("/reject/fork").status == 200)
    let children = site.children(of: pid)
    #expect(children.count == 40)
    System.signal(pid, SIGKILL)
    #expect(site.host.successor(of: pid) != nil)
    #expect(eventually { !children.contains(where: System.lives) })
    #expect(try site.call("/reject/fork").status == 200)
    let others = site.children(of: site.host.servingPID)
    #expect(others.count == 40)
    #expect(site.host.stop() == 0)
    #expect(eventually { !others.contains(where: System.lives) })
  }

  /// Children that make children: others are served meanwhile, and not one outlives the host.
  @Test func aForkBombEndsWithTheHost() throws {
    let site = try Site()
    let pid = site.host.servingPID
    let callers = Callers(
      1, port: site.host.port, target: "/hello/x", key: site.key, pause: .milliseconds(1))
    #expect(try site.call("/reject/bomb").status == 200)
    #expect(eventually { site.group(of: pid).count >= 400 }, "\(site.group(of: pid).count)")
    try site.expectService()
    let tally = callers.stop()
    #expect(tally.failureCount == 0 && tally.answers > 0, "\(tally.failures)")
    #expect(site.host.servingPID == pid)
    System.signal(pid, SIGKILL)
    #expect(site.host.successor(of: pid) != nil)
    #expect(eventually { site.group(of: pid).isEmpty })
    try site.expectService()
    #expect(site.host.stop() == 0)
  }

  /// In process nothing keeps a plugin from it; what it spoils is its own request.
  @Test func aWriteIntoWhatIsLentSpoilsOneRequestAtMost() throws {
    let site = try Site()
    let pid = site.host.servingPID
    let connection = try #require(Connection(port: site.host.port))
    for _ in 1...20 {
      #expect(connection.request("GET", "/reject/write_lent?it=something", key: site.key)?.status == 200)
      let next = connection.request("GET", "/hello/World", key: site.key)
      #expect(next?.status == 200 && next?.body.contains("World") == true, "\(next?.body ?? "no answer")")
    }
    #expect(site.host.servingPID == pid)
    #expect(site.host.stop() == 0)
  }

  @Test(arguments: ["write_constant", "write_manifest"])
  func aWriteIntoWhatIsReadOnlyIsNamed(route: String) throws {
    let site = try Site()
    let crash = try site.fall(route)
    #expect(crash["automation"]?.string == "reject" && crash["known_by"]?.string == "inside", "\(crash)")
    #expect(crash["cause"]?.string == "SIGSEGV" && crash["address"] != nil)
    // The next host reads the names of functions from the files.
    let frames = (crash["backtrace"]?.array ?? []).compactMap(\.string)
    #expect(frames.contains { $0.contains("/generations/reject/1-") && $0.hasSuffix(" handle") }, "\(frames)")
    #expect(site.host.stop() == 0)
  }

  @Test(arguments: ["quiesce", "destroy"])
  func aCrashInWhatEndsAGenerationLeavesTheNextOneServing(place: String) throws {
    let site = try Site(load: [])
    let host = site.host
    let load = try host.admin(
      "POST", "/automations", body: #"{"path":"\#(ContainmentTests.faults)","config":{"at":"\#(place)"}}"#)
    #expect(load.status == 201, "\(load.body)")
    let old = host.servingPID
    // Its answer may be lost with the host.
    _ = Connection(port: host.adminPort)?.request(
      "POST", "/admin/v1/automations/reject/reload", key: host.adminKey,
      body: #"{"path":"\#(Fixtures.plugin("faults", "-DOTHER"))","config":{}}"#)
    #expect(host.successor(of: old) != nil)
    let crash = try #require(try site.crashes().first)
    #expect(crash["call"]?.string == place && crash["generation"]?.integer == 1, "\(crash)")
    try site.expectService()
    #expect(try host.admin("GET", "/automations/reject").json?["generation"]?.integer == 2)
    #expect(host.stop() == 0)
  }

  @Test func aCrashInCancelIsNamed() throws {
    let site = try Site(load: [])
    let plugin = Fixtures.plugin("faults", "-DDEADLINE='\"300\"'")
    let load = try site.host.admin(
      "POST", "/automations", body: #"{"path":"\#(plugin)","config":{"at":"cancel"}}"#)
    #expect(load.status == 201, "\(load.body)")
    let old = site.host.servingPID
    let connection = try site.open("/reject/pend")
    #expect(site.host.successor(of: old) != nil)
    // The 504 may have left before.
    if let answer = connection.answer() { #expect(answer.status == 504) }
    let crash = try #require(try site.crashes().first)
    #expect(crash["call"]?.string == "cancel" && crash["automation"]?.string == "reject", "\(crash)")
    try site.expectService()
    #expect(site.host.stop() == 0)
  }

  /// Nobody writes these ends down, and somebody else is inside each time.
  @Test func whoIsInsideEachTimeIsNamed() throws {
    let site = try Site(
      "supervisor:\n  restart_min_ms: 1\n",
      load: [Fixtures.plugin("crashing")]
        + ["other", "third"].map { Fixtures.plugin("faults", "-DID='\"\($0)\"'") })
    for (company, isNamed) in [("other", false), ("third", true)] {
      let old = site.host.servingPID
      let sits = try site.open("/\(company)/sit")
      #expect(eventually { site.isInside(company) })
      _ = try site.open("/reject/exit")
      #expect(site.host.successor(of: old) != nil, "\(site.host.log.suffix(2000))")
      #expect(sits.answer() == nil)
      let crash = try #require(try site.crashes().first)
      #expect(crash["inside"]?.array?.count == 2, "\(crash)")
      #expect(crash["automation"]?.string == (isNamed ? "reject" : nil), "\(crash)")
      #expect(crash["known_by"]?.string == (isNamed ? "inside_each_time" : nil))
    }
    #expect(site.host.stop() == 0)
  }

  @Test func theEndComesInTheMiddleOfAHandOver() throws {
    let site = try Site(load: [])
    let host = site.host
    let mark = host.home + "/mark"
    let load = try host.admin(
      "POST", "/automations", body: #"{"path":"\#(ContainmentTests.faults)","config":{"while":"\#(mark)"}}"#)
    #expect(load.status == 201, "\(load.body)")
    System.write("", to: mark)
    let old = host.servingPID
    host.process.signal(SIGUSR2)
    #expect(eventually { site.children(of: host.process.pid).count == 2 })
    try site.expectService()
    let both = site.children(of: host.process.pid)
    host.process.signal(SIGTERM)
    #expect(eventually { !System.lives(old) })
    System.shell("rm '\(mark)'")
    #expect(host.process.wait() == 0, "\(host.log.suffix(2000))")
    #expect(!both.contains(where: System.lives))
    let whole = CouncilCommand(["audit", "verify", "--home", host.home, "--json"])
    #expect(whole.code == 0, "\(whole.said)")
  }
}
