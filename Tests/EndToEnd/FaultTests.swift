import Glibc
import Kernel
import Patience
import Synchronization
import Testing

/// What a host survives, and what it refuses to start with.
@Suite struct FaultTests {
  // MARK: Killed

  /// Clients that make accounts as fast as they are let, and note what was promised to them.
  private final class Writers: Sendable {
    private let made = Monitor<[String]>([])
    private let refused = Monitor<[String]>([])
    private let isOver = Atomic<Bool>(false)
    private let threads: Monitor<[OSThread]>

    init(_ count: Int, port: Int, key: String) {
      threads = Monitor([])
      threads.withLock { threads in
        for number in 0..<count {
          threads.append(OSThread("writer-\(number)") { self.run(port, key) })
        }
      }
    }

    var count: Int { made.withLock { $0.count } }

    /// The ids of every account that was answered 201, and the answers that were none.
    func stop() -> (made: [String], refused: [String]) {
      isOver.store(true, ordering: .relaxed)
      for thread in threads.withLock({ $0 }) { thread.join() }
      return (made.withLock { $0 }, refused.withLock { $0 })
    }

    private func run(_ port: Int, _ key: String) {
      guard let connection = Connection(port: port) else { return }
      let name = UUIDv7.make()
      var number = 0
      while !isOver.load(ordering: .relaxed) {
        let body = #"{"name":"A","email":"\#(number)@\#(name)","currency":"EUR","balance":\#(number)}"#
        // No answer: the host is gone.
        guard let answer = connection.request("POST", "/accounts/", key: key, body: body) else { return }
        number += 1
        if answer.status == 201, let id = answer.json?["id"]?.string {
          made.withLock { $0.append(id) }
        } else {
          refused.withLock { $0.append("\(answer.status) \(answer.body)") }
        }
      }
    }
  }

  @Test func whatWasAcknowledgedOutlivesAKill() throws {
    var host = try HostUnderTest(load: [HostUnderTest.accounts, HostUnderTest.hello])
    let key = try host.issueKey(["accounts:*", "hello:*"])
    var promised: [String] = []
    for round in 1...3 {
      let writers = Writers(6, port: host.port, key: key)
      #expect(eventually { writers.count > 400 }, "only \(writers.count) accounts were made")
      host.process.signal(SIGKILL)
      #expect(host.process.wait() == -SIGKILL)
      let outcome = writers.stop()
      let refused = outcome.refused.prefix(3)
      #expect(refused.isEmpty)
      promised += outcome.made

      // Nothing is loaded by hand: the active set comes back from the store.
      host = try HostUnderTest(home: host.home)
      let active = try host.admin("GET", "/automations").json?["items"]?.array ?? []
      #expect(Set(active.compactMap { $0["id"]?.string }) == ["accounts", "hello"])
      #expect(try host.call("GET", "/hello/x", key: key).status == 200)
      let connection = try #require(Connection(port: host.port))
      var lost: [String] = []
      for id in promised where connection.request("GET", "/accounts/\(id)", key: key)?.status != 200 {
        lost.append(id)
      }
      #expect(lost.isEmpty, "round \(round): \(lost.count) of \(promised.count) accounts are lost")
      let verified = try host.admin("POST", "/audit/verify")
      #expect(verified.status == 200 && verified.json?["rows"]?.integer ?? 0 > 0, "\(verified.body)")
    }
    print("faults: \(promised.count) accounts were acknowledged before three kills, and all are there")
    #expect(host.stop() == 0)
  }

  @Test func anActIsWrittenDownBeforeItIsAnswered() throws {
    let first = try HostUnderTest(load: [HostUnderTest.hello])
    var keys: [String] = []
    for _ in 1...5 { keys.append(try first.issueKey(["hello:read"])) }
    first.process.signal(SIGKILL)
    #expect(first.process.wait() == -SIGKILL)
    let second = try HostUnderTest(home: first.home)
    for key in keys { #expect(try second.call("GET", "/hello/x", key: key).status == 200) }
    let rows = try second.admin("GET", "/audit?limit=1000").json?["items"]?.array ?? []
    let issued = rows.filter { $0["action"]?.string == "key.issue" }.compactMap { $0["target"]?.string }
    #expect(issued.count == 5 && keys.allSatisfy { key in issued.contains { key.contains($0) } }, "\(issued)")
    #expect(second.stop() == 0)
  }

  @Test(arguments: ["truncated", "overwritten", "gone"])
  func theLastGenerationThatWorksServesWhenAFileIsSpoilt(how: String) throws {
    let first = try HostUnderTest(load: [Fixtures.hello(version: "1.0.0", word: "Hello")])
    #expect(try first.reload("hello", path: Fixtures.hello(version: "1.0.1", word: "Welcome")).status == 200)
    let key = try first.issueKey(["hello:*"])
    #expect(try first.call("GET", "/hello/x", key: key).body.contains("Welcome"))
    first.process.signal(SIGKILL)
    _ = first.process.wait()

    let folder = first.home + "/generations/hello"
    let name = try #require(System.names(in: folder).first { $0.hasPrefix("2-") })
    let spoil = [
      "truncated": "truncate -s 5000", "overwritten": "head -c 20000 /dev/zero | tee", "gone": "rm -f",
    ]
    System.shell("chmod u+w '\(folder)/\(name)'; \(spoil[how] ?? "false") '\(folder)/\(name)' >/dev/null")

    let second = try HostUnderTest(home: first.home)
    let answer = try second.call("GET", "/hello/x", key: key)
    #expect(answer.status == 200 && answer.body.contains("Hello"), "\(answer.body)")
    #expect(try second.admin("GET", "/automations/hello").json?["generation"]?.integer == 1)
    let complaint = second.logLines.first {
      $0["level"]?.string == "error" && $0["message"]?.string?.contains("generation 2 of 'hello'") == true
    }
    #expect(complaint?["code"]?.string != nil, "nothing is said of the generation that does not come back")
    #expect(second.stop() == 0)
  }

  // MARK: Not started

  /// Starts a host that must not start; returns its exit code and what it said.
  private func refused(_ arguments: [String]) -> (code: Int32?, text: String) {
    let run = CouncilCommand(["serve", "--port", "0", "--admin-port", "0"] + arguments)
    return (run.code, run.output + run.errors)
  }

  private func emptyHome() -> String { Fixtures.home() }

  @Test func aHomeHasOneHost() throws {
    let host = try HostUnderTest()
    let second = refused(["--home", host.home])
    #expect(second.code == 5 && second.text.contains("home.in_use"), "\(second)")
    #expect(try host.call("GET", "/health/ready").status == 200)
    #expect(host.stop() == 0)
    // The lock goes with the process.
    let next = try HostUnderTest(home: host.home)
    #expect(next.stop() == 0)
  }

  @Test func aPortInUseIsSaid() throws {
    let host = try HostUnderTest()
    for option in ["--port", "--admin-port"] {
      let other = CouncilCommand(
        [
          "serve", "--home", emptyHome(), option, "\(host.port)",
          option == "--port" ? "--admin-port" : "--port", "0",
        ])
      #expect(other.code == 1, "\(other.said)")
      #expect(other.errors.contains("http.listen") && other.errors.contains("\(host.port)"), "\(other.said)")
    }
    #expect(try host.call("GET", "/health/ready").status == 200)
    #expect(host.stop() == 0)
  }

  @Test func aBadConfigurationIsNamedByLine() {
    for (text, line) in [
      ("limits:\n  requests: lots\n", 2), ("log:\n  level: info\n  colour: red\n", 3),
      ("nonsense:\n  a: 1\n", 1),
      ("http:\n  max_head_bytes: 1\n", 2), ("a: [1\n", 2),
    ] {
      let path = Fixtures.file(Array(text.utf8), "council.yaml")
      let run = refused(["--home", emptyHome(), "--config", path])
      #expect(run.code == 1, "\(text): \(run)")
      #expect(run.text.contains("\(path):\(line)"), "\(text): \(run)")
    }
    let missing = refused(["--home", emptyHome(), "--config", "/nonexistent.yaml"])
    #expect(missing.code != 0 && missing.text.contains("/nonexistent.yaml"), "\(missing)")
  }

  // MARK: Ended

  @Test func whatIsUnderWayIsFinishedBeforeTheEnd() throws {
    let host = try HostUnderTest(load: [Fixtures.plugin("slow")])
    let key = try host.issueKey(["reject:read"])
    let waiting = try (0..<6).map { _ in try #require(Connection(port: host.port)) }
    for connection in waiting {
      #expect(connection.send("GET /reject/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(key)\r\n\r\n"))
    }
    #expect(
      eventually {
        (try? host.admin("GET", "/automations"))?.json?["items"]?.array?.first?["requests_inside"]?.integer
          == 6
      })
    host.process.signal(SIGTERM)
    for connection in waiting {
      let answer = connection.answer()
      #expect(answer?.status == 200 && answer?.body == #"{"slow":true}"#, "\(answer?.body ?? "no answer")")
    }
    #expect(host.process.wait() == 0)
    #expect(Connection(port: host.port)?.request("GET", "/health/live") == nil)
    let messages = host.logLines.compactMap { $0["message"]?.string }
    #expect(messages.contains("draining") && messages.last == "stopped", "\(messages.suffix(3))")
  }
}
