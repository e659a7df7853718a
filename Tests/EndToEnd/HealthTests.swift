import Kernel
import Patience
import Testing

/// `/health/ready` looks at the stores; `/health/live` at nothing but the process.
@Suite struct HealthTests {
  /// One store in a round: the others keep their turn.
  private static let settings = "health:\n  check_interval_ms: 1000\n  stores_per_round: 1\n"

  /// Waits until ready says so; returns its answer.
  private func ready(_ host: HostUnderTest, _ status: Int) throws -> Connection.Answer {
    var answer = try host.call("GET", "/health/ready")
    _ = eventually {
      if answer.status != status { answer = (try? host.call("GET", "/health/ready")) ?? answer }
      return answer.status == status
    }
    #expect(answer.status == status, "\(answer.body)")
    #expect(try host.call("GET", "/health/live").status == 200)
    #expect(!answer.body.contains("/"), "a path is told: \(answer.body)")
    return answer
  }

  /// Each kind of store is looked at by itself, one a moment before the other.
  private func expectFault(_ host: HostUnderTest, of kinds: Set<String>, _ words: String) throws {
    var answer = try ready(host, 503)
    let isTold = eventually {
      let failures = answer.json?["failures"]?.object ?? [:]
      if Set(failures.keys) == kinds, failures.values.allSatisfy({ $0.string?.contains(words) == true }) {
        return true
      }
      answer = (try? host.call("GET", "/health/ready")) ?? answer
      return false
    }
    #expect(isTold, "\(answer.body)")
  }

  @Test func aFullDiskOfRecordsIsToldAndRecovers() throws {
    let home = Fixtures.home()
    let disk = try #require(TinyDisk(at: home + "/records"), "no right to mount")
    let host = try HostUnderTest(home: home, load: [HostUnderTest.accounts], settings: HealthTests.settings)
    _ = try ready(host, 200)
    disk.fill()
    try expectFault(host, of: ["records"], "disk is full")
    let body = #"{"name":"A","email":"a@b.example","currency":"EUR","balance":0}"#
    let key = host.agentKey
    disk.empty()
    _ = try ready(host, 200)
    #expect(try host.call("POST", "/accounts/", key: key, body: body).status == 201)
    #expect(host.stop() == 0)
    // The host's folder is on it until the host is gone.
    withExtendedLifetime(disk) {}
  }

  @Test(
    arguments: [
      ("records/accounts.sqlite", ["records"]), ("council.sqlite", ["control", "keys"]),
    ] as [(String, Set<String>)])
  func aStoreThatIsGoneReplacedOrDamagedIsTold(file: String, kinds: Set<String>) throws {
    let host = try HostUnderTest(
      load: [HostUnderTest.accounts, HostUnderTest.hello], settings: HealthTests.settings)
    let path = "\(host.home)/\(file)"
    _ = try ready(host, 200)

    System.shell("mv '\(path)' '\(path).away'")
    try expectFault(host, of: kinds, "gone")
    System.shell("cp '\(path).away' '\(path)'")
    #expect(
      eventually {
        (try? host.call("GET", "/health/ready"))?.body.contains("replaced") == true
      })
    System.shell("mv '\(path).away' '\(path)'")
    _ = try ready(host, 200)

    System.shell(
      "head -c 100 '\(path)' >'\(path).head'; "
        + "head -c 100 /dev/zero | dd of='\(path)' conv=notrunc status=none")
    try expectFault(host, of: kinds, "damaged")
    System.shell("dd if='\(path).head' of='\(path)' conv=notrunc status=none")
    _ = try ready(host, 200)
    let told = host.logLines.filter { $0["module"]?.string == "health" }
    #expect(told.count >= 4, "\(told)")
    #expect(host.stop() == 0)
  }
}
