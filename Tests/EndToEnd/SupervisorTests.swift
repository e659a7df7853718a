import Glibc
import Kernel
import Patience
import Testing

/// The supervisor itself: signals, kills, the configuration.
@Suite(.serialized) struct SupervisorTests {
  @Test func aKilledHostIsFollowedAndNobodyIsRefused() throws {
    let host = try HostUnderTest(load: [HostUnderTest.hello])
    let key = try host.issueKey(["hello:read"])
    for _ in 1...3 {
      let old = host.servingPID
      System.signal(old, SIGKILL)
      // Clients that come while nobody accepts wait in the backlog.
      #expect(try host.call("GET", "/hello/x", key: key).status == 200)
      #expect(host.successor(of: old) != nil)
    }
    let crashes = try host.admin("GET", "/crashes").json?["items"]?.array ?? []
    #expect(
      crashes.count == 3 && crashes.allSatisfy { $0["cause"]?.string == "SIGKILL" && $0["automation"] == nil }
    )
    #expect(host.stop() == 0)
  }

  /// What only commands need is not in the processes that stay.
  @Test func noServingProcessHoldsTheHTTPClient() throws {
    let host = try HostUnderTest(load: [HostUnderTest.hello])
    for process in [host.process.pid, host.servingPID] {
      let maps = System.text("/proc/\(process)/maps")
      #expect(maps.contains("libswiftCore") && !maps.contains("libcurl"))
    }
    #expect(host.stop() == 0)
  }

  @Test func aKilledSupervisorTakesItsHostAlong() throws {
    let first = try HostUnderTest(load: [HostUnderTest.hello])
    let pid = first.servingPID
    first.process.signal(SIGKILL)
    #expect(first.process.wait() == -SIGKILL)
    #expect(eventually { !System.lives(pid) })
    #expect(eventually { Connection(port: first.port) == nil }, "somebody still listens")
    // The home is free, and so is the port.
    let run = CouncilCommand(
      shell: #""$0" serve --home "$1" --port "$2" --admin-port 0 & sleep 1; kill $!; wait $!"#,
      [HostUnderTest.binary, first.home, "\(first.port)"])
    #expect(run.code == 0, "\(run.said)")
  }

  @Test func aSecondWordForces() throws {
    let host = try HostUnderTest(load: [Fixtures.plugin("never")])
    let key = try host.issueKey(["reject:read"])
    let waiting = try #require(Connection(port: host.port))
    #expect(waiting.send("GET /reject/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(key)\r\n\r\n"))
    #expect(
      eventually {
        (try? host.admin("GET", "/automations"))?.json?["items"]?.array?.first?["requests_inside"]?.integer
          == 1
      })
    let pid = host.servingPID
    host.process.signal(SIGTERM)
    #expect(eventually { host.log.contains("\"draining\"") })
    #expect(host.process.isRunning)
    host.process.signal(SIGTERM)
    #expect(host.process.wait() == 1)
    #expect(eventually { !System.lives(pid) })
  }

  @Test func aHostThatIsToldToEndByItselfIsFollowed() throws {
    let host = try HostUnderTest(load: [HostUnderTest.hello])
    let old = host.servingPID
    System.signal(old, SIGTERM)
    #expect(host.successor(of: old) != nil)
    #expect(try host.call("GET", "/hello/x", key: host.agentKey).status == 200)
    #expect(host.stop() == 0)
  }

  @Test func theConfigurationIsReadAgain() throws {
    let host = try HostUnderTest(
      load: [HostUnderTest.hello], settings: "log:\n  level: info\n", hasDefaultLimit: true)
    let key = try host.issueKey(["hello:read"])
    let file = host.home + "/council.yaml"
    let callers = Callers(2, port: host.port, target: "/hello/x", key: key, pause: .milliseconds(1))
    let old = host.servingPID

    // Bad: refused with its line, and nothing changes.
    System.write("log:\n  level: info\nhttp:\n  max_headers: many\n", to: file)
    host.process.signal(SIGHUP)
    #expect(eventually { host.log.contains("\(file):4") }, "\(host.log.suffix(500))")
    #expect(host.servingPID == old)

    // Live: no other host for it.
    System.write("log:\n  level: debug\n", to: file)
    host.process.signal(SIGHUP)
    #expect(eventually { (try? host.admin("GET", "/log-level"))?.json?["level"]?.string == "debug" })
    #expect(host.servingPID == old)

    // With another host, and what needs more than that is said.
    System.write("log:\n  level: info\nlimits:\n  requests: 7\npublic:\n  port: 1\n", to: file)
    host.process.signal(SIGHUP)
    #expect(host.successor(of: old) != nil, "\(host.log.suffix(2000))")
    // Until it leaves, the old one may still take a connection: it refuses acts, and knows the old limit.
    #expect(eventually { !System.lives(old) })
    let plain = try host.admin(
      "POST", "/keys", body: #"{"principal":"t","name":"t","scopes":["hello:read"]}"#)
    let text = try #require(plain.json?["key"]?.string, "\(plain)")
    let answer = try host.call("GET", "/hello/x", key: text)
    #expect(answer.headers["ratelimit-policy"] == #""default";q=7;w=60"#)
    let tally = callers.stop()
    #expect(tally.failureCount == 0, "\(tally.failures)")

    // A crash later, it is the configuration that was accepted, whatever the file says by then.
    System.write("nonsense:\n", to: file)
    let next = host.servingPID
    System.signal(next, SIGKILL)
    #expect(host.successor(of: next) != nil)
    #expect(try host.call("GET", "/hello/x", key: text).headers["ratelimit-policy"] == #""default";q=7;w=60"#)
    #expect(host.stop() == 0)
  }

  @Test func usr2HandsOver() throws {
    let host = try HostUnderTest(load: [HostUnderTest.hello])
    let old = host.servingPID
    host.process.signal(SIGUSR2)
    #expect(host.successor(of: old) != nil)
    #expect(eventually { !System.lives(old) })
    #expect(try host.call("GET", "/hello/x", key: host.agentKey).status == 200)
    #expect(host.stop() == 0)
  }

  @Test func theSupervisorIsSmall() throws {
    let host = try HostUnderTest(load: [HostUnderTest.hello, HostUnderTest.accounts])
    let fields = System.text("/proc/\(host.process.pid)/statm").split(separator: " ")
    let resident = (fields.count > 1 ? Int(fields[1]) ?? 0 : 0) * 4096
    print("supervisor: \(resident >> 10) KiB resident; host: \(host.residentBytes >> 10) KiB")
    #expect(System.names(in: "/proc/\(host.process.pid)/task").count == 1)
    #expect(host.stop() == 0)
  }

  @Test func aHostIsStartedByASupervisorOnly() {
    let run = CouncilCommand(["__host", "--home", "/tmp/council-e2e-\(UUIDv7.make())"])
    #expect(run.code == 1 && run.errors.contains("host.unsupervised"), "\(run.said)")
  }
}
