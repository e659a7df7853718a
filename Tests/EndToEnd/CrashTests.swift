import Glibc
import Kernel
import Testing

/// Plugins that take the host down: who did it is known, the others serve on, and whoever does it again stays out.
@Suite(.serialized) struct CrashTests {
  private static let patient = "supervisor:\n  crashes: 1000\n"
  private static let crasher = Fixtures.plugin("crashing")

  private struct Site {
    let host: HostUnderTest
    let key: String

    init(_ settings: String = CrashTests.patient, load: [String] = [CrashTests.crasher]) throws {
      host = try HostUnderTest(load: load, settings: settings)
      key = try host.issueKey(["reject:*", "hello:*"])
    }

    /// Takes the host down and waits for the next one.
    func crash(_ route: String) throws {
      let old = host.servingPID
      let connection = try #require(Connection(port: host.port))
      #expect(connection.request("GET", "/reject/" + route, key: key) == nil, "\(route) was answered")
      #expect(host.successor(of: old) != nil, "\(host.log.suffix(2000))")
    }

    func call(_ path: String) throws -> Connection.Answer { try host.call("GET", path, key: key) }

    /// The id of the request in which the plugin last said that it would crash.
    var tellsRequest: String? {
      let told = "crashing in "
      return host.log.split(separator: "\n").last { $0.hasPrefix(told) }.map {
        String($0.dropFirst(told.count))
      }
    }

    func crashes() throws -> [JSONValue] { try host.admin("GET", "/crashes").json?["items"]?.array ?? [] }
  }

  @Test func everySignalInAHandlerIsWrittenDown() throws {
    let site = try Site(load: [Fixtures.plugin("crashing", "-DTELLS_REQUEST")])
    let kinds = [
      ("segv", "SIGSEGV"), ("bus", "SIGBUS"), ("ill", "SIGILL"), ("abrt", "SIGABRT"), ("fpe", "SIGFPE"),
      ("overflow", "SIGSEGV"),
    ]
    for (kind, signal) in kinds + kinds.map({ ("inline_" + $0, $1) }) + [("jump", "SIGSEGV")] {
      try site.crash(kind)
      #expect(try site.call("/reject/fine").status == 200)
      let crash = try #require(try site.crashes().first)
      #expect(crash["cause"]?.string == signal, "\(kind)")
      #expect(crash["automation"]?.string == "reject" && crash["generation"]?.integer == 1, "\(kind)")
      #expect(crash["call"]?.string == "handle" && crash["known_by"]?.string == "inside", "\(kind)")
      #expect(crash["route"]?.string == "GET /reject/" + kind)
      let request = try #require(site.tellsRequest)
      #expect(request.utf8.count == 32 && crash["request_id"]?.string == request, "\(kind): \(crash)")
      let frames = (crash["backtrace"]?.array ?? []).compactMap(\.string)
      #expect(frames.contains { $0.contains("/generations/reject/1-") }, "\(kind): \(frames)")
    }
    // The supervisor's own line of each, written before another host was there to store it.
    let lines = site.host.logLines.filter {
      $0["module"] == "supervisor" && $0["message"]?.string?.hasPrefix("a host ended: ") == true
    }
    let crashes = try site.crashes()
    #expect(lines.count == crashes.count)
    for (line, crash) in zip(lines.reversed(), crashes) {
      for name in ["crash", "cause", "automation", "generation", "call", "route", "request_id", "known_by"] {
        #expect(line[name] != nil && line[name] == crash[name], "\(name): \(line)")
      }
      #expect(line["level"] == "critical" && line["pid"]?.integer ?? 0 > 0)
      let frames = (line["backtrace"]?.array ?? []).compactMap(\.string)
      #expect(frames.contains { $0.contains("/generations/reject/1-") }, "\(line)")
    }
    #expect(crashes.count == 2 * kinds.count + 1)
    let shown = try site.host.admin("GET", "/automations/reject").json
    #expect(shown?["crash_count"]?.integer == Int64(2 * kinds.count + 1))
    #expect(site.host.command(["crashes"]).output.contains("SIGFPE"))
    #expect(try site.host.admin("POST", "/audit/verify").status == 200)
    #expect(site.host.stop() == 0)
  }

  @Test func aSwiftTrapIsOneOfThem() throws {
    let source = Fixtures.file(
      Array(
        #"@_cdecl("trap_now") public func trap(_ n: Int32) { precondition([1].count > Int(n), "too many") }"#
          .utf8),
      "trap.swift")
    let object = source + ".o"
    let built = CouncilCommand(
      shell:
        #"swiftc -O -parse-as-library -c "$0" -o "$1" && dirname "$(dirname "$(readlink -f "$(command -v swiftc)")")""#,
      [source, object])
    try #require(built.code == 0, "\(built.said)")
    let libraries = String(built.output.prefix { $0 != "\n" }) + "/lib/swift/linux"
    let plugin = Fixtures.plugin(
      "crashing", "-DSWIFT_TRAP '\(object)' -L'\(libraries)' -lswiftCore -Wl,-rpath,'\(libraries)'")
    let site = try Site(load: [plugin])
    for route in ["ill", "inline_ill"] {
      try site.crash(route)
      let crash = try #require(try site.crashes().first)
      #expect(crash["route"]?.string == "GET /reject/" + route && crash["known_by"]?.string == "inside")
      #expect(["SIGILL", "SIGTRAP"].contains(crash["cause"]?.string), "\(crash)")
    }
    #expect(site.host.stop() == 0)
  }

  @Test(arguments: [
    ("thread", "SIGSEGV", "backtrace"), ("thief", "SIGSEGV", "only_suspect"),
    ("exit", "exit code 3", "only_suspect"),
  ])
  func whoHidesIsFoundAllTheSame(route: String, cause: String, basis: String) throws {
    let site = try Site()
    try site.crash(route)
    let crash = try #require(try site.crashes().first)
    #expect(crash["cause"]?.string == cause && crash["known_by"]?.string == basis, "\(crash)")
    #expect(crash["automation"]?.string == "reject" && crash["generation"]?.integer == 1)
    #expect(try site.call("/reject/fine").status == 200)
    #expect(site.host.stop() == 0)
  }

  /// What crashes as often as is let makes place for the generation before it, and that one for nobody.
  @Test func whoCrashesAgainMakesPlace() throws {
    let site = try Site("", load: [CrashTests.crasher, HostUnderTest.hello])
    let host = site.host
    #expect(try host.reload("reject", path: Fixtures.plugin("crashing", "-DOTHER")).status == 200)
    func generation() throws -> Int64? {
      try host.admin("GET", "/automations/reject").json?["generation"]?.integer
    }
    #expect(try generation() == 2)
    for expected: Int64 in [2, 1, 1] {
      try site.crash("segv")
      #expect(try generation() == expected)
      #expect(try site.call("/reject/fine").status == 200)
      #expect(try site.call("/hello/x").status == 200)
    }
    try site.crash("inline_segv")
    for _ in 1...2 {
      let refused = try site.call("/reject/fine")
      #expect(refused.status == 503 && refused.code == "automation.crashed", "\(refused.body)")
      #expect(Int(refused.headers["retry-after"] ?? "") ?? 0 > 0)
      #expect(try site.call("/hello/x").status == 200)
    }
    let ready = try host.call("GET", "/health/ready")
    #expect(ready.status == 200 && ready.json?["degraded"]?["reject"]?.string == "crashed", "\(ready.body)")
    let shown = try host.admin("GET", "/automations/reject").json
    #expect(shown?["state"]?.string == "crashed" && shown?["crashes"]?.array?.count == 4)
    #expect(host.command(["automations", "list"]).output.contains("crashed"))
    let metrics = try #require(Connection(port: host.adminPort)?.request("GET", "/metrics"))
    #expect(metrics.body.contains(#"council_automation_crashes_total{council_automation="reject"} 4"#))
    #expect(metrics.body.contains("council_host_restarts_total 4"))
    expect(metrics.body, "reject", is: "crashed")
    expect(metrics.body, "hello", is: "active")

    // It stays out until an admin does something about it, also after a restart.
    #expect(host.stop() == 0)
    let next = try HostUnderTest(home: host.home)
    #expect(try next.call("GET", "/reject/fine", key: site.key).code == "automation.crashed")
    let metricsOfNext = { try #require(Connection(port: next.adminPort)?.request("GET", "/metrics")?.body) }
    expect(try metricsOfNext(), "reject", is: "crashed")
    #expect(try next.admin("POST", "/automations/reject/reload").status == 200)
    expect(try metricsOfNext(), "reject", is: "active")
    #expect(try next.call("GET", "/reject/fine", key: site.key).status == 200)
    #expect(next.stop() == 0)
  }

  /// Each state has a sample, and one of them is 1: what an alert compares with does not come and go.
  private func expect(_ metrics: String, _ automation: String, is state: String) {
    for name in ["active", "stand_in", "crashed", "failed"] {
      let line = #"council_automation_state{council_automation="\#(automation)",state="\#(name)"}"#
      #expect(metrics.contains("\(line) \(name == state ? 1 : 0)\n"), "\(automation) is not \(state)")
    }
  }

  /// A change of hosts does not end it, for the catalog keeps what an admin made active.
  @Test func whatStandsInIsToldUntilAnAdminChangesIt() throws {
    let site = try Site("")
    let host = site.host
    try expect(host, standsInFor: .null)
    #expect(try host.reload("reject", path: Fixtures.plugin("crashing", "-DOTHER")).status == 200)
    for _ in 1...2 { try site.crash("segv") }
    try expect(host, standsInFor: 2)
    #expect(try host.upgrade().status == 200)
    try expect(host, standsInFor: 2)
    #expect(host.stop() == 0)
    let next = try HostUnderTest(home: host.home)
    try expect(next, standsInFor: 2)
    let kept = next.command(["automations", "rollback", "reject", "--json"])
    #expect(kept.json?["generation"] == 3 && kept.json?["previous"] == 1, "\(kept.said)")
    try expect(next, standsInFor: .null)
    #expect(next.stop() == 0)
  }

  /// What health, metrics, admin API and commands say of an automation that serves.
  private func expect(_ host: HostUnderTest, standsInFor displaced: JSONValue) throws {
    let state = displaced == .null ? "active" : "stand_in"
    let ready = try host.call("GET", "/health/ready")
    #expect(ready.status == 200, "\(ready.body)")
    #expect(
      ready.json?["degraded"]?["reject"] == (displaced == .null ? nil : .string(state)), "\(ready.body)")
    let listed = try host.admin("GET", "/automations").json?["items"]?.array?.first ?? .null
    for told in [listed, host.shown("reject")] {
      #expect(told["state"] == "active" && told["stands_in_for"] == displaced, "\(told)")
    }
    let metrics = try #require(Connection(port: host.adminPort)?.request("GET", "/metrics")?.body)
    expect(metrics, "reject", is: state)
    let list = host.command(["automations", "list"])
    #expect(list.output.contains("1 for 2") == (displaced != .null), "\(list.said)")
    let show = host.command(["automations", "show", "reject"])
    #expect(show.output.contains("stands in for generation 2") == (displaced != .null), "\(show.said)")
  }

  /// The generation that served crashes when it is started again: it is left out, and everybody else serves.
  @Test(arguments: ["create", "activate"]) func aCrashLoopAtBootEndsByLeavingItOut(place: String) throws {
    let site = try Site("", load: [HostUnderTest.hello])
    let host = site.host
    let mark = host.home + "/mark"
    let loaded = try host.admin(
      "POST", "/automations",
      body: #"{"path":"\#(CrashTests.crasher)","config":{"at":"\#(place)","how":"segv","when":"\#(mark)"}}"#)
    #expect(loaded.status == 201, "\(loaded.body)")
    System.write("", to: mark)
    let old = host.servingPID
    System.signal(old, SIGKILL)
    #expect(host.successor(of: old) != nil)
    #expect(try site.call("/reject/fine").code == "automation.crashed")
    #expect(try site.call("/hello/x").status == 200)
    let crashes = try site.crashes()
    #expect(crashes.filter { $0["call"]?.string == place }.count == 2, "\(crashes)")
    System.shell("rm '\(mark)'")
    #expect(try host.admin("POST", "/automations/reject/reload").status == 200)
    #expect(try site.call("/reject/fine").status == 200)
    #expect(host.stop() == 0)
  }

  static let rounds = Int(System.environment("COUNCIL_CRASHES") ?? "") ?? 200

  /// Clients of another automation lose at most what was on its way when the host went.
  @Test func manyCrashesCostTheOthersWhatWasOnItsWay() throws {
    let site = try Site(load: [CrashTests.crasher, HostUnderTest.hello])
    let clients = 4
    let callers = Callers(
      clients, port: site.host.port, target: "/hello/x", key: site.key, pause: .milliseconds(2))
    var outages: [Int64] = []
    for round in 1...CrashTests.rounds {
      let connection = try #require(Connection(port: site.host.port))
      let route = round % 2 == 0 ? "segv" : "inline_abrt"
      let sent = Instant.now
      #expect(connection.request("GET", "/reject/" + route, key: site.key) == nil)
      let answer = Connection(port: site.host.port)?.request("GET", "/hello/x", key: site.key)
      outages.append((Instant.now - sent) / 1000)
      #expect(answer?.status == 200, "round \(round): \(answer?.body ?? "refused, or no answer")")
      #expect(callers.failures <= clients * round, "more than was on its way")
    }
    let tally = callers.stop()
    outages.sort()
    print(
      "crashes: \(outages.count), from the call that crashes to the next answer \(outages[outages.count / 2]) µs in the median, "
        + "\(outages.last ?? 0) µs at most; \(tally.answers) other requests, \(tally.failureCount) lost")
    #expect(tally.failures.allSatisfy { $0 == "no answer" }, "\(tally.failures)")
    #expect(try site.crashes().count == CrashTests.rounds)
    #expect(try site.host.admin("POST", "/audit/verify").status == 200)
    #expect(site.host.stop() == 0)
  }
}
