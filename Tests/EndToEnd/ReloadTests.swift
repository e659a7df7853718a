import Kernel
import Patience
import Testing

/// Replacing plugins under load.
@Suite(.serialized) struct ReloadTests {
  static let rounds = Int(System.environment("COUNCIL_RELOADS") ?? "") ?? 1000

  /// 1,000 reloads that alternate two versions of each plugin while clients call: none of their requests fails, each
  /// answer is the whole answer of one version, and the host keeps its size.
  @Test func aThousandReloadsOfEachPluginLoseNoRequest() throws {
    let versions = [
      Fixtures.hello(version: "1.0.0", word: "Hello"), Fixtures.hello(version: "1.0.1", word: "Welcome"),
    ]
    let accounts = [HostUnderTest.accounts, HostUnderTest.products + "/libAccountsNext.so"]
    for path in accounts { #expect(System.exists(path), "\(path) is not built: run `swift build` first") }
    // One host sees them all: its memory is what is looked at. HandOverTests have the recycling.
    let host = try HostUnderTest(
      load: [versions[0], accounts[0]],
      settings: "limits:\n  requests: 1000000\nsupervisor:\n  retained_generations: 1000000\n")
    let key = try host.issueKey(["hello:read", "accounts:*"])
    let made = try host.call(
      "POST", "/accounts/", key: key, body: #"{"name":"A","email":"a@b.c","balance":1,"currency":"EUR"}"#)
    let id = try #require(made.json?["id"]?.string, "\(made.status) \(made.body)")
    // A constant load that leaves a core to the reloads: about 2,500 requests a second.
    let pause = Duration.milliseconds(1)
    let greeters = Callers(2, port: host.port, target: "/hello/x", key: key, pause: pause)
    let readers = Callers(1, port: host.port, target: "/accounts/\(id)", key: key, pause: pause)
    let listers = Callers(1, port: host.port, target: "/accounts/?limit=1", key: key, pause: pause)
    #expect(eventually { greeters.answers > 100 && readers.answers > 100 && listers.answers > 10 })

    // The first reloads fill caches and pools; what counts is what every further one adds.
    for round in 1...20 { try reload(host, round, versions, accounts) }
    let (memory, descriptors) = (host.residentBytes, host.descriptors)
    let began = Instant.now
    for round in 21...(20 + ReloadTests.rounds) { try reload(host, round, versions, accounts) }
    let milliseconds = (Instant.now - began) / 1_000_000
    var growth = 0
    // The pages of retired images are let go of a moment after a change.
    _ = eventually {
      growth = (host.residentBytes - memory) / (1 << 20)
      return growth < 100
    }

    for (tally, bodies) in [(greeters.stop(), 2), (readers.stop(), 2), (listers.stop(), 2)] {
      #expect(tally.failureCount == 0, "\(tally.failures)")
      #expect(tally.bodies.count == bodies, "\(tally.bodies)")
      print("reloads: \(tally.answers) requests answered, \(tally.failureCount) failed")
    }
    print(
      "reloads: \(ReloadTests.rounds) of each plugin in \(milliseconds) ms, resident memory grew by \(growth) MiB"
    )
    #expect(growth < 100)
    #expect(
      eventually { host.descriptors <= descriptors + 2 }, "\(descriptors) became \(host.descriptors)")
    let stuck = try host.admin("GET", "/automations/accounts")
    #expect(!stuck.body.contains("\"stuck\""), "\(stuck.body)")
    #expect(host.stop() == 0)
  }

  private func reload(
    _ host: HostUnderTest, _ round: Int, _ versions: [String], _ accounts: [String]
  ) throws {
    for (id, path) in [("hello", versions[round % 2]), ("accounts", accounts[round % 2])] {
      let answer = try host.reload(id, path: path)
      try #require(answer.status == 200, "\(answer.body)")
    }
  }

  @Test func rollbackAndUnload() throws {
    let versions = [
      Fixtures.hello(version: "1.0.0", word: "Hello"), Fixtures.hello(version: "1.0.1", word: "Welcome"),
    ]
    let host = try HostUnderTest(load: [versions[0]])
    let key = host.agentKey
    let none = try host.admin("POST", "/automations/hello/rollback")
    #expect(none.code == "automation.no_such_generation")
    #expect(try host.reload("hello", path: versions[1]).status == 200)
    #expect(try host.call("GET", "/hello/x", key: key).body.contains("Welcome"))
    let callers = Callers(3, port: host.port, target: "/hello/x", key: key, pause: .milliseconds(1))
    #expect(eventually { callers.answers > 50 })
    #expect(try host.admin("POST", "/automations/hello/rollback").json?["version"]?.string == "1.0.0")
    let answers = callers.answers
    #expect(eventually { callers.answers > answers + 50 })
    let tally = callers.stop()
    #expect(tally.failureCount == 0, "\(tally.failures)")
    // Each met the version that was rolled back, and the one that came back for it.
    #expect(tally.bodies.count == 2, "\(tally.bodies)")
    #expect(try host.call("GET", "/hello/x", key: key).body.contains("Hello"))
    #expect(try host.admin("DELETE", "/automations/hello").status == 200)
    #expect(try host.call("GET", "/hello/x", key: key).code == "route.not_found")
    #expect(host.stop() == 0)
  }

  @Test func anUploadIsCheckedAgainstItsHash() throws {
    let path = Fixtures.hello(version: "1.0.1", word: "Welcome")
    let host = try HostUnderTest(load: [Fixtures.hello(version: "1.0.0", word: "Hello")])
    let bytes = System.bytes(path)
    for (hash, status) in [(String(repeating: "0", count: 64), 422), (nil as String?, 200)] {
      let connection = try #require(Connection(port: host.adminPort))
      let head =
        "POST /admin/v1/automations/hello/reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(host.adminKey)\r\n"
        + "Content-Type: application/octet-stream\r\nContent-Length: \(bytes.count)\r\n"
        + (hash.map { "X-Content-SHA256: \($0)\r\n" } ?? "") + "\r\n"
      #expect(connection.send(Array(head.utf8) + bytes))
      let answer = try #require(connection.answer())
      #expect(answer.status == status, "\(answer.body)")
    }
    #expect(try host.call("GET", "/hello/x", key: host.agentKey).body.contains("Welcome"))
  }

  /// A request that its handler never answers does not hold up a reload, and is answered when the drain gives up.
  @Test func aStuckRequestIsCancelledAtTheDrainsDeadline() throws {
    let host = try HostUnderTest(
      settings: "plugins:\n  drain_timeout_ms: 300\n  drain_grace_ms: 300\n  drain_wait_ms: 50\n")
    #expect(
      try host.admin("POST", "/automations", body: #"{"path":"\#(Fixtures.plugin("never"))"}"#).status < 300)
    let key = try host.issueKey(["reject:read"])
    let waiting = try #require(Connection(port: host.port))
    #expect(waiting.send("GET /reject/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(key)\r\n\r\n"))
    #expect(
      eventually {
        (try? host.admin("GET", "/automations"))?.json?["items"]?.array?.first?["requests_inside"]?.integer
          == 1
      })
    let reload = try host.reload("reject", path: Fixtures.plugin("good"))
    #expect(reload.status == 200 && reload.json?["draining"]?.bool == true, "\(reload.body)")
    #expect(waiting.answer()?.code == "automation.replaced")
    #expect(try host.call("GET", "/reject/", key: key).status == 200)
    #expect(host.stop() == 0)
  }
}
