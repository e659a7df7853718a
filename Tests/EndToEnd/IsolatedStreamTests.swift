import Glibc
import Kernel
import Patience
import Testing

/// Streams of a plugin in a process of its own: what that process can do to them, and to those of others.
@Suite struct IsolatedStreamTests {
  private static let settings = "isolation:\n  default: process\n  crashes: 1000\n"

  private func host(_ more: String = "", _ plugins: [String] = []) throws -> HostUnderTest {
    try HostUnderTest(load: [StreamTests.plugin()] + plugins, settings: IsolatedStreamTests.settings + more)
  }

  private func runner(_ host: HostUnderTest) -> JSONValue? {
    (try? host.admin("GET", "/automations/streaming"))?.json?["runners"]?.array?.first
  }

  private func calls(_ host: HostUnderTest) -> Int64? { runner(host)?["calls_inside"]?.integer }

  @Test func aCrashInTheMiddleCutsTheStreamsOfThatProcessAndNoOther() throws {
    let ticker = HostUnderTest.ticker
    let host = try host("", [ticker])
    let key = try host.issueKey(["ticker:read"])
    let other = try #require(Connection(port: host.port))
    #expect(other.ask("/ticker/countdown?from=300&pause_ms=5", key: key, version: "1.0"))
    #expect(other.hears("\"progress\":0"))
    let beside = try #require(Connection(port: host.port))
    #expect(beside.ask("/streaming/follow"))
    #expect(beside.hears("data: v1 1;"))
    let crashing = try #require(Connection(port: host.port))
    #expect(crashing.ask("/streaming/crash"))
    #expect(crashing.hears("data: half\n\n"))
    _ = try host.call("GET", "/streaming/plain")
    // Cut, as a stream is that breaks in process: the last chunk is missing.
    #expect(!crashing.rest().hasSuffix("0\r\n\r\n"))
    #expect(!beside.rest().hasSuffix("0\r\n\r\n"))
    // The next process streams.
    let next = try #require(Connection(port: host.port))
    #expect(next.ask("/streaming/count/100"))
    #expect(next.hears("data: 99\n\n") && next.hears("\r\n0\r\n\r\n"))
    #expect(runner(host)?["crashes"]?.integer == 1)
    #expect(other.rest().hasSuffix("event: done\ndata: {\"progress\":300,\"total\":300}\n\n"))
    let progress = other.heard.split(separator: "\n").filter { $0.hasPrefix("id: ") }
    #expect(progress == (0..<300).map { "id: \($0)" })
    #expect(eventually { calls(host) == 0 })
  }

  @Test func aHundredStreamsAtOnceEachGetTheirOwn() throws {
    let host = try host()
    let followers = try (0..<100).map { _ in try #require(Connection(port: host.port)) }
    for follower in followers { #expect(follower.ask("/streaming/follow")) }
    let counters = try (0..<8).map { _ in try #require(Connection(port: host.port)) }
    for counter in counters { #expect(counter.ask("/streaming/count/20000", version: "1.0")) }
    let wanted = (0..<20_000).map { "data: \($0)\n\n" }.joined()
    for counter in counters {
      #expect(counter.rest().split(separator: "\r\n\r\n", maxSplits: 1).last.map { $0 == wanted } == true)
    }
    for follower in followers { #expect(follower.hears("data: v1 50;\n\n")) }
    #expect(try host.call("GET", "/streaming/state").json?["active"]?.integer == 100)
    #expect(eventually { calls(host) == 100 })
    #expect(host.stop() == 0)
  }

  /// Nothing of the runner is held by a client that takes nothing.
  @Test func clientsThatTakeNothingHoldUpNobody() throws {
    let host = try host()
    let lazy = try (0..<4).map { _ in try #require(Connection(port: host.port)) }
    for connection in lazy {
      #expect(connection.ask("/streaming/flood", version: "1.0"))
      #expect(connection.hears("xxxx"))
    }
    let follower = try #require(Connection(port: host.port))
    #expect(follower.ask("/streaming/follow"))
    #expect(follower.hears("data: v1 500;\n\n"))
    // They are told to go on all the same, as soon as somebody reads.
    for connection in lazy { #expect(connection.hears(String(repeating: "x", count: 59_999))) }
  }

  @Test func aHandlerThatDoesNotComeBackFromAStreamThatIsOverIsEnded() throws {
    let host = try host("  overrun_ms: 300\n")
    var connection = Connection(port: host.port)
    #expect(connection?.ask("/streaming/stubborn") == true)
    #expect(connection?.hears("data: half") == true)
    let pid = runner(host)?["pid"]?.integer
    connection = nil
    #expect(eventually { runner(host)?["last_end"]?.string == "overran" })
    #expect(try host.call("GET", "/streaming/state").json?["active"]?.integer == 0)
    #expect(runner(host)?["pid"]?.integer != pid)
    // The answers above are there a moment before their calls are out.
    #expect(eventually { calls(host) == 0 })
  }

  @Test func aStreamThatLastsIsNoOverrun() throws {
    let host = try host("  overrun_ms: 100\n")
    let connection = try #require(Connection(port: host.port))
    // Its route has 300 ms until the stream begins, and keeps its worker for as long as it likes.
    #expect(connection.ask("/streaming/stubborn"))
    #expect(connection.hears("data: half"))
    let follower = try #require(Connection(port: host.port))
    #expect(follower.ask("/streaming/follow"))
    #expect(follower.hears("data: v1 400;\n\n"))
    #expect(runner(host)?["crashes"]?.integer == 0)
  }

  @Test func anIsolatedAutomationThatStopsEndsItsStreams() throws {
    let host = try host("plugins:\n  drain_timeout_ms: 200\n")
    let connection = try #require(Connection(port: host.port))
    #expect(connection.ask("/streaming/follow"))
    #expect(connection.hears("data: v1 5;"))
    #expect(try host.admin("DELETE", "/automations/streaming").status < 300)
    #expect(connection.hears("\r\n0\r\n\r\n"))
    #expect(eventually { host.log.contains("\"stopped\"") })
    #expect(!host.log.contains("did not stop"))
  }
}
