import Glibc
import Kernel
import Patience
import Testing

/// One host after another on the same sockets.
@Suite(.serialized) struct HandOverTests {
  static let rounds = Int(System.environment("COUNCIL_HANDOVERS") ?? "") ?? 100

  @Test func handOversUnderLoadLoseNoRequest() throws {
    let host = try HostUnderTest(load: [HostUnderTest.hello, HostUnderTest.accounts])
    let key = try host.issueKey(["hello:read", "accounts:*"])
    let pause = Duration.milliseconds(1)
    let greeters = Callers(3, port: host.port, target: "/hello/x", key: key, pause: pause)
    let listers = Callers(1, port: host.port, target: "/accounts/?limit=1", key: key, pause: pause)
    #expect(eventually { greeters.answers > 100 && listers.answers > 10 })
    var times: [Int64] = []
    for round in 1...HandOverTests.rounds {
      let answer = try host.upgrade()
      try #require(answer.status == 200, "round \(round): \(answer.body)")
      times.append(Int64((answer.json?["total_ms"]).flatMap { Double(JSON.text($0)) } ?? -1))
    }
    times.sort()
    for tally in [greeters.stop(), listers.stop()] {
      #expect(tally.failureCount == 0, "\(tally.failures)")
      print("hand-overs: \(tally.answers) requests answered, \(tally.failureCount) failed")
    }
    print(
      "hand-overs: \(times.count), \(times[times.count / 2]) ms in the median, \(times.last ?? 0) ms at most")
    // Every row of every host is in the one chain.
    #expect(eventually { !System.names(in: host.home + "/audit").contains { $0.hasPrefix("aside-") } })
    let verified = try host.admin("POST", "/audit/verify")
    #expect(verified.status == 200, "\(verified.body)")
    let metrics = try #require(Connection(port: host.adminPort)?.request("GET", "/metrics"))
    #expect(metrics.body.contains("council_host_handovers_total \(HandOverTests.rounds)\n"))
    #expect(metrics.body.contains("council_host_restarts_total 0\n"))
    #expect(host.stop() == 0)
    let whole = CouncilCommand(["audit", "verify", "--home", host.home, "--json"])
    #expect(whole.code == 0, "\(whole.said)")
  }

  /// A client whose connection was quiet during the hand-over is answered by the old host, by today's rules.
  @Test func aQuietConnectionIsAnsweredAndSeesWhatHasChanged() throws {
    let host = try HostUnderTest(load: [HostUnderTest.hello])
    let (key, ended) = (try host.issueKey(["hello:read"]), try host.issueKey(["hello:read"]))
    let quiet = try [key, ended].map { key in
      let connection = try #require(Connection(port: host.port))
      #expect(connection.request("GET", "/hello/x", key: key)?.status == 200)
      return connection
    }
    let old = host.servingPID
    #expect(try host.admin("POST", "/host/upgrade").status == 200)
    #expect(host.successor(of: old) != nil && System.lives(old))
    let id = try #require(ended.split(separator: "_").dropFirst().first)
    #expect(try host.admin("DELETE", "/keys/\(id)").status == 200)
    System.pause(.milliseconds(600))
    let late = quiet[0].request("GET", "/hello/x", key: key)
    #expect(late?.status == 200 && late?.headers["connection"] == "close", "\(late?.body ?? "no answer")")
    #expect(
      eventually {
        let connection = quiet[1]
        return connection.request("GET", "/hello/x", key: ended)?.status == 401
      })
    #expect(eventually { !System.lives(old) })
    let isTakenIn = eventually {
      let rows = (try? host.admin("GET", "/audit?limit=1000"))?.json?["items"]?.array ?? []
      return rows.contains { $0["aside"] != nil && $0["status"]?.integer == 200 }
    }
    #expect(isTakenIn, "the old host's row is not there")
    #expect(try host.admin("POST", "/audit/verify").status == 200)
    #expect(host.stop() == 0)
  }

  @Test func anAsideThatVanishesIsMissed() throws {
    let host = try HostUnderTest(load: [HostUnderTest.hello])
    let key = try host.issueKey(["hello:read"])
    let quiet = try #require(Connection(port: host.port))
    #expect(quiet.request("GET", "/hello/x", key: key)?.status == 200)
    #expect(try host.admin("POST", "/host/upgrade").status == 200)
    let folder = host.home + "/audit"
    let aside = try #require(System.names(in: folder).first { $0.hasPrefix("aside-") })
    System.shell("rm -rf '\(folder)/\(aside)'")
    let verified = try host.admin("POST", "/audit/verify")
    #expect(verified.status == 409 && verified.body.contains(aside), "\(verified.body)")
  }

  @Test func anOldHostThatIsKilledLosesNoRowThatWasWritten() throws {
    let host = try HostUnderTest(load: [HostUnderTest.hello])
    let key = try host.issueKey(["hello:read"])
    let quiet = try #require(Connection(port: host.port))
    #expect(quiet.request("GET", "/hello/x", key: key)?.status == 200)
    let keeps = try #require(Connection(port: host.port))
    #expect(keeps.request("GET", "/hello/x", key: key)?.status == 200)
    let old = host.servingPID
    #expect(try host.admin("POST", "/host/upgrade").status == 200)
    let answer = try #require(quiet.request("GET", "/hello/x", key: key))
    let id = try #require(answer.headers["x-request-id"])
    let folder = host.home + "/audit"
    let aside = try #require(System.names(in: folder).first { $0.hasPrefix("aside-") })
    // The row is on disk within a moment; then the old host is shot.
    #expect(
      CouncilCommand(
        shell: #"for i in $(seq 200); do grep -q "$1" "$0"/*.jsonl && exit 0; sleep 0.05; done; exit 1"#,
        ["\(folder)/\(aside)", id]
      ).code == 0)
    System.signal(old, SIGKILL)
    #expect(eventually { !System.names(in: folder).contains(aside) })
    let rows = try host.admin("GET", "/audit?limit=1000").json?["items"]?.array ?? []
    #expect(rows.contains { $0["request_id"]?.string == id && $0["aside"] != nil })
    #expect(try host.admin("POST", "/audit/verify").status == 200)
    #expect(host.stop() == 0)
  }

  /// The new host dies on the way: nobody notices but whoever asked.
  @Test func aHandOverThatFailsChangesNothing() throws {
    let host = try HostUnderTest(load: [HostUnderTest.hello], settings: "supervisor:\n  crashes: 1000\n")
    let key = try host.issueKey(["hello:read", "reject:*"])
    let mark = host.home + "/mark"
    let loaded = try host.admin(
      "POST", "/automations",
      body:
        #"{"path":"\#(Fixtures.plugin("crashing"))","config":{"at":"activate","how":"segv","when":"\#(mark)"}}"#
    )
    #expect(loaded.status == 201, "\(loaded.body)")
    let callers = Callers(2, port: host.port, target: "/hello/x", key: key, pause: .milliseconds(1))
    System.write("", to: mark)
    let old = host.servingPID
    for _ in 1...3 {
      let refused = try host.admin("POST", "/host/upgrade")
      #expect(refused.status == 409 && refused.code == "host.hand_over_failed", "\(refused.body)")
      #expect(refused.json?["detail"]?.string?.contains("ended before it served") == true, "\(refused.body)")
    }
    #expect(host.servingPID == old)
    // It changes things again, and the trail is its own.
    _ = try host.issueKey(["hello:read"])
    #expect(try host.admin("POST", "/audit/verify").status == 200)
    #expect(try host.call("GET", "/reject/fine", key: key).status == 200)
    #expect(eventually { (try? host.admin("GET", "/crashes"))?.json?["items"]?.array?.count == 3 })
    System.shell("rm '\(mark)'")
    #expect(host.command(["upgrade"]).code == 0)
    #expect(host.successor(of: old) != nil)
    let tally = callers.stop()
    #expect(tally.failureCount == 0, "\(tally.failures)")
    #expect(host.stop() == 0)
  }

  @Test func tooManyStoppedGenerationsBringAFreshHost() throws {
    let versions = [
      Fixtures.hello(version: "1.0.0", word: "Hello"), Fixtures.hello(version: "1.0.1", word: "Welcome"),
    ]
    let host = try HostUnderTest(load: [versions[0]], settings: "supervisor:\n  retained_generations: 3\n")
    let key = try host.issueKey(["hello:read"])
    let callers = Callers(2, port: host.port, target: "/hello/x", key: key, pause: .milliseconds(1))
    // Again and again: so many may be mapped, and memory does not grow with the reloads of a host's life.
    for _ in 1...3 {
      let old = host.servingPID
      for round in 1...4 { #expect(try host.reload("hello", path: versions[round % 2]).status == 200) }
      #expect(host.successor(of: old) != nil)
      let mapped = System.text("/proc/\(host.servingPID)/maps").split(separator: "\n")
        .filter { $0.contains("/generations/hello/") && $0.contains(" r-xp ") }
      #expect(mapped.count == 1, "\(mapped)")
    }
    #expect(try host.call("GET", "/hello/x", key: key).body.contains("Hello"))
    let tally = callers.stop()
    #expect(tally.failureCount == 0, "\(tally.failures)")
    #expect(host.stop() == 0)
  }
}
