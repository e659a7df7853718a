import Kernel
import Patience
import Testing

/// Every signal in every place of a plugin's life, in the host and in a process of its own: who it was is said, what
/// served goes on, and the next call is answered.
@Suite(.serialized) struct SignalTests {
  enum Mode: String, CaseIterable { case none, process }
  enum Place: String, CaseIterable { case handle, create, activate, stop }

  private static let signals = [
    ("segv", "SIGSEGV"), ("bus", "SIGBUS"), ("ill", "SIGILL"), ("abrt", "SIGABRT"), ("fpe", "SIGFPE"),
  ]

  @Test(arguments: Mode.allCases, Place.allCases)
  func whoeverCrashesIsNamedAndTheRestGoesOn(mode: Mode, place: Place) throws {
    let site = try Site(mode)
    for (how, signal) in SignalTests.signals {
      switch (mode, place) {
      case (.none, .handle): try site.crashHostInHandler(how, signal)
      case (.none, .stop): try site.crashHostInStop(how, signal)
      case (.none, _): try site.crashHostInReload(place, how, signal)
      case (.process, .handle): try site.crashRunnerInHandler(how, signal)
      case (.process, .stop): try site.crashRunnerInStop(how, signal)
      case (.process, _): try site.crashRunnerInReload(place, how, signal)
      }
      try site.expectService("\(signal) in \(place), isolation \(mode)")
    }
    try site.end()
  }
}

/// A host with the plugin that crashes, and another one that must not notice.
private final class Site {
  private let mode: SignalTests.Mode
  private let host: HostUnderTest
  private let key: String
  private let callers: Callers
  private let firstPID: Int32
  private var serving: Int64 = 1
  private var crashCount = 0

  init(_ mode: SignalTests.Mode) throws {
    self.mode = mode
    host = try HostUnderTest(
      load: [Fixtures.plugin("crashing"), HostUnderTest.hello],
      settings: "supervisor:\n  crashes: 1000\nisolation:\n  default: \(mode.rawValue)\n  crashes: 1000\n")
    key = try host.issueKey(["reject:*", "hello:*"])
    firstPID = host.servingPID
    callers = Callers(2, port: host.port, target: "/hello/x", key: key, pause: .milliseconds(2))
  }

  /// A new generation that crashes in `place`, or in none.
  private func reload(_ place: SignalTests.Place?, _ how: String = "") -> Connection.Answer? {
    Connection(port: host.adminPort)?.request(
      "POST", "/admin/v1/automations/reject/reload", key: host.adminKey,
      body: #"{"config":{"at":"\#(place?.rawValue ?? "")","how":"\#(how)"}}"#)
  }

  private func call(_ path: String) -> Connection.Answer? {
    Connection(port: host.port)?.request("GET", path, key: key)
  }

  private var shown: JSONValue { host.shown("reject") }
  private var runner: JSONValue { shown["runners"]?.array?.first ?? .null }

  func expectService(_ what: String) throws {
    #expect(call("/reject/fine")?.status == 200, "\(what)")
    #expect(call("/hello/x")?.status == 200, "\(what)")
    #expect(
      shown["generation"]?.integer == serving && shown["state"]?.string == "active", "\(what): \(shown)")
  }

  // MARK: In the host

  /// The newest crash on record is this one, and no other came with it.
  private func expectCrash(
    _ call: String, _ signal: String, generation: Int64, location: SourceLocation = #_sourceLocation
  ) throws {
    crashCount += 1
    let all = try host.admin("GET", "/crashes").json?["items"]?.array ?? []
    let crash = try #require(all.first, sourceLocation: location)
    #expect(all.count == crashCount, "\(signal) in \(call)", sourceLocation: location)
    #expect(
      crash["automation"] == "reject" && crash["generation"]?.integer == generation
        && crash["call"]?.string == call && crash["cause"]?.string == signal && crash["known_by"] == "inside",
      "\(crash)", sourceLocation: location)
  }

  private func expectSuccessor(of pid: Int32, location: SourceLocation = #_sourceLocation) {
    #expect(host.successor(of: pid) != nil, "\(host.log.suffix(2000))", sourceLocation: location)
  }

  func crashHostInHandler(_ how: String, _ signal: String) throws {
    let pid = host.servingPID
    #expect(call("/reject/" + how) == nil)
    expectSuccessor(of: pid)
    try expectCrash("handle", signal, generation: serving)
  }

  func crashHostInReload(_ place: SignalTests.Place, _ how: String, _ signal: String) throws {
    let pid = host.servingPID
    #expect(reload(place, how) == nil)
    expectSuccessor(of: pid)
    // The number of a generation that never served is not given again.
    try expectCrash(place.rawValue, signal, generation: serving + Int64(crashCount) + 1)
    #expect(System.names(in: host.home + "/generations/reject").count == 1)
  }

  func crashHostInStop(_ how: String, _ signal: String) throws {
    #expect(reload(.stop, how)?.status == 200)
    let pid = host.servingPID
    // The new generation is stored before the old one is stopped; the answer may be lost with the host.
    _ = reload(nil)
    expectSuccessor(of: pid)
    serving += 2
    try expectCrash("stop", signal, generation: serving - 1)
  }

  // MARK: In a process of its own

  func crashRunnerInHandler(_ how: String, _ signal: String) throws {
    let answer = call("/reject/" + how)
    #expect(answer?.status == 502 && answer?.code == "plugin.crashed", "\(answer?.body ?? "no answer")")
    try expectService(signal)
    crashCount += 1
    #expect(runner["last_end"]?.string == signal && runner["crashes"]?.integer == Int64(crashCount))
  }

  func crashRunnerInReload(_ place: SignalTests.Place, _ how: String, _ signal: String) throws {
    let pid = runner["pid"]
    let answer = reload(place, how)
    #expect(answer?.status == 502 && answer?.code == "plugin.crashed", "\(answer?.body ?? "no answer")")
    #expect(
      answer?.json?["step"] == "start" && answer?.json?["call"]?.string == place.rawValue
        && answer?.json?["cause"]?.string == signal, "\(answer?.body ?? "no answer")")
    #expect(runner["pid"] == pid && runner["crashes"] == 0)
  }

  func crashRunnerInStop(_ how: String, _ signal: String) throws {
    #expect(reload(.stop, how)?.status == 200)
    let old = try #require(runner["pid"]?.integer)
    #expect(reload(nil)?.status == 200)
    serving += 2
    #expect(eventually { !System.exists("/proc/\(old)") })
    #expect(
      eventually {
        self.host.logLines.contains {
          $0["automation"] == "reject" && $0["generation"]?.integer == self.serving - 1
            && $0["message"]?.string?.hasSuffix("ended in stop: \(signal).") == true
        }
      }, "\(signal) in stop is not in the log")
    #expect(!(try host.admin("GET", "/automations/reject").body.contains("stuck")))
  }

  // MARK: The end

  func end() throws {
    let tally = callers.stop()
    let lost = tally.failures.filter { $0 != "no answer" }
    #expect(lost.isEmpty && tally.answers > tally.failureCount, "\(tally.failures)")
    if mode == .process {
      #expect(host.servingPID == firstPID && tally.failureCount == 0, "\(tally.failures)")
      #expect(try host.admin("GET", "/crashes").json?["items"]?.array?.isEmpty == true)
    } else {
      // Two callers, each of which has one request on its way.
      #expect(tally.failureCount <= 2 * crashCount)
    }
    #expect(try host.admin("POST", "/audit/verify").status == 200)
    #expect(host.stop() == 0)
  }
}
