import Glibc
import Kernel
import Patience
import Testing

/// Answers that leave while they are written: a real host, real plugins, real sockets.
@Suite struct StreamTests {
  /// Where the plugin's code runs: its streams are the same.
  enum Place: String, CaseIterable {
    case inProcess = "none"
    case isolated = "process"

    var settings: String { "isolation:\n  default: \(rawValue)\n" }
  }

  static func plugin(version: Int = 1) -> String { Fixtures.plugin("streaming", "-DVERSION=\(version)") }

  private func state(_ host: HostUnderTest) throws -> (active: Int64, cancelled: Int64) {
    let json = try #require(try host.call("GET", "/streaming/state").json)
    return (json["active"]?.integer ?? -1, json["cancelled"]?.integer ?? -1)
  }

  /// Of the host, and of the plugin's process where that is another.
  private func residentBytes(_ host: HostUnderTest) -> Int {
    let runners = (try? host.admin("GET", "/automations/streaming"))?.json?["runners"]?.array ?? []
    return host.residentBytes
      + runners.reduce(0) { all, runner in
        let pages = System.text("/proc/\(runner["pid"]?.integer ?? 0)/statm").split(separator: " ")
          .dropFirst().first
        return all + (pages.flatMap { Int($0) } ?? 0) * 4096
      }
  }

  @Test(arguments: Place.allCases) func theFirstEventArrivesBeforeTheHandlerEnds(_ place: Place) throws {
    let host = try HostUnderTest(load: [StreamTests.plugin()], settings: place.settings)
    let connection = try #require(Connection(port: host.port))
    #expect(connection.ask("/streaming/follow"))
    #expect(connection.hears("data: v1 0;\n\n"))
    #expect(try state(host).active == 1)
    let head = connection.heard.lowercased()
    #expect(head.contains("transfer-encoding: chunked\r\n"))
    #expect(head.contains("content-type: text/event-stream\r\n"))
    #expect(head.contains("x-accel-buffering: no\r\n"))
    #expect(head.contains("cache-control: no-cache\r\n"))
    #expect(head.contains("x-request-id: "))
    #expect(connection.hears("data: v1 50;\n\n"))
    #expect(host.stop() == 0)
  }

  @Test(arguments: Place.allCases) func aHandlerThatWritesOnItsWorkerLosesNothing(_ place: Place) throws {
    let host = try HostUnderTest(load: [StreamTests.plugin()], settings: place.settings)
    let connection = try #require(Connection(port: host.port))
    #expect(connection.ask("/streaming/count/20000", version: "1.0"))
    let body = try #require(connection.rest().split(separator: "\r\n\r\n", maxSplits: 1).last)
    #expect(body == (0..<20_000).map { "data: \($0)\n\n" }.joined())
    // The same in chunks, on a connection that goes on.
    let other = try #require(Connection(port: host.port))
    #expect(other.ask("/streaming/count/3"))
    #expect(other.hears("\r\n0\r\n\r\n"))
    #expect(other.heard.contains("data: 2\n\n"))
  }

  @Test(arguments: Place.allCases) func anInlineHandlerCanStream(_ place: Place) throws {
    let host = try HostUnderTest(load: [StreamTests.plugin()], settings: place.settings)
    let connection = try #require(Connection(port: host.port))
    #expect(connection.ask("/streaming/inline"))
    // It may not wait: COUNCIL_DENIED.
    #expect(connection.hears("data: inline -4\n\n"))
    #expect(connection.hears("\r\n0\r\n\r\n"))
  }

  @Test(arguments: Place.allCases) func everyRuleOfTheContractHolds(_ place: Place) throws {
    let host = try HostUnderTest(load: [StreamTests.plugin()], settings: place.settings)
    let connection = try #require(Connection(port: host.port))
    #expect(connection.ask("/streaming/rules"))
    #expect(connection.hears("\r\n0\r\n\r\n"))
    #expect(connection.heard.hasPrefix("HTTP/1.1 201 "))
    #expect(connection.heard.contains("X-A: b\r\n"))
    let codes = "-2 -2 -2 -1 -1 -1 -1 -1 -1 -2 0 -2 -2 -1 -1 0 0 1 0 -2"
    #expect(connection.heard.contains("data: \(codes)\n\n"), "\(connection.heard)")
    #expect(!host.log.contains("the end is not the end"))
    // A route that does not say that it streams: COUNCIL_DENIED, and the answer is its own.
    #expect(try host.call("GET", "/streaming/plain").body == "{\"begin\":-4}")
  }

  @Test(arguments: Place.allCases) func aHandlerThatFailsInTheMiddleCutsItsStream(_ place: Place) throws {
    let host = try HostUnderTest(load: [StreamTests.plugin()], settings: place.settings)
    let connection = try #require(Connection(port: host.port))
    #expect(connection.ask("/streaming/fails"))
    #expect(!connection.rest().hasSuffix("0\r\n\r\n"))
  }

  @Test(arguments: Place.allCases) func aSlowReaderCostsABuffer(_ place: Place) throws {
    let host = try HostUnderTest(load: [StreamTests.plugin()], settings: place.settings)
    let before = residentBytes(host)
    let connections = try (0..<4).map { _ in try #require(Connection(port: host.port)) }
    for connection in connections {
      #expect(connection.ask("/streaming/flood"))
      #expect(connection.hears("xxxx"))
    }
    // Others are served, and what is written does not pile up.
    for _ in 0..<2000 { #expect(try host.call("GET", "/streaming/state").status == 200) }
    #expect(try state(host).active == 4)
    #expect(residentBytes(host) - before < 16 << 20)
  }

  @Test(arguments: Place.allCases) func aClientThatLeavesIsNoticedByThePlugin(_ place: Place) throws {
    let host = try HostUnderTest(load: [StreamTests.plugin()], settings: place.settings)
    let descriptors = host.descriptors
    for round in 1...3 {
      var connections: [Connection] = []
      for _ in 0..<20 {
        let connection = try #require(Connection(port: host.port))
        #expect(connection.ask("/streaming/follow"))
        #expect(connection.hears("data: v1 1;"))
        connections.append(connection)
      }
      connections.removeAll()
      #expect(eventually { (try? state(host).active) == 0 })
      #expect(eventually { (try? state(host).cancelled) == Int64(round * 20) })
    }
    #expect(eventually { host.descriptors <= descriptors + 1 })
    #expect(try host.call("GET", "/metrics-not-here").status == 404)
  }

  @Test(arguments: Place.allCases) func aReloadLeavesOpenStreamsToTheOldGeneration(_ place: Place) throws {
    let settings = place.settings + "plugins:\n  drain_timeout_ms: 2000\n"
    let host = try HostUnderTest(load: [StreamTests.plugin()], settings: settings)
    let old = try #require(Connection(port: host.port))
    #expect(old.ask("/streaming/follow", version: "1.0"))
    #expect(old.hears("data: v1 5;"))
    let bytes = try #require(Connection(port: host.port))
    #expect(bytes.ask("/streaming/bytes"))
    #expect(bytes.hears("half"))
    #expect(try host.reload("streaming", path: StreamTests.plugin(version: 2)).status == 200)
    let new = try #require(Connection(port: host.port))
    #expect(new.ask("/streaming/follow"))
    #expect(new.hears("data: v2 5;"))
    // The old one goes on until the drain is over, and then ends well, without a gap.
    let body = try #require(old.rest().split(separator: "\r\n\r\n", maxSplits: 1).last)
    let events = body.split(separator: "\n\n").filter { !$0.hasPrefix(":") }
    #expect(events.count > 20)
    #expect(events == (0..<events.count).map { "data: v1 \($0);" })
    // What is no stream of events is cut.
    #expect(!bytes.rest().hasSuffix("0\r\n\r\n"))
    #expect(eventually { host.log.contains("\"stopped\"") })
    #expect(new.hears("data: v2 200;"))
  }

  @Test(arguments: Place.allCases) func aHostThatEndsEndsItsStreamsWell(_ place: Place) throws {
    let settings = place.settings + "streams:\n  drain_ms: 300\n"
    let host = try HostUnderTest(load: [StreamTests.plugin()], settings: settings)
    let connection = try #require(Connection(port: host.port))
    #expect(connection.ask("/streaming/follow"))
    #expect(connection.hears("data: v1 5;"))
    #expect(host.stop() == 0)
    #expect(connection.rest().hasSuffix("\r\n0\r\n\r\n"))
  }

  @Test(arguments: Place.allCases) func aHandOverIsNotHeldUpByAStream(_ place: Place) throws {
    let settings =
      place.settings + "streams:\n  drain_ms: 300\nsupervisor:\n  hand_over_idle_ms: 500\n"
    let host = try HostUnderTest(load: [StreamTests.plugin()], settings: settings)
    let connection = try #require(Connection(port: host.port))
    #expect(connection.ask("/streaming/follow"))
    #expect(connection.hears("data: v1 5;"))
    let first = host.servingPID
    #expect(try host.admin("POST", "/host/upgrade").status < 300)
    #expect(connection.rest().hasSuffix("\r\n0\r\n\r\n"))
    #expect(host.successor(of: first) != nil)
    #expect(eventually { kill(first, 0) != 0 })
    let next = try #require(Connection(port: host.port))
    #expect(next.ask("/streaming/follow"))
    #expect(next.hears("data: v1 5;"))
  }

  @Test(arguments: Place.allCases) func limitsOfStreamsHold(_ place: Place) throws {
    let settings =
      place.settings + "streams:\n  max: 2\n  heartbeat_ms: 100\n  idle_ms: 1500\n"
    let host = try HostUnderTest(load: [StreamTests.plugin()], settings: settings)
    let quiet = try (0..<2).map { _ in try #require(Connection(port: host.port)) }
    for connection in quiet {
      #expect(connection.ask("/streaming/busy"))
      #expect(connection.hears("text/event-stream"))
    }
    #expect(try host.call("GET", "/streaming/busy").code == "streaming.busy")
    for connection in quiet {
      #expect(connection.hears(": keep-alive\n\n"))
      #expect(connection.hears("\r\n0\r\n\r\n"))
    }
    #expect(eventually { (try? state(host).cancelled) == 2 })
    let again = try #require(Connection(port: host.port))
    #expect(again.ask("/streaming/busy"))
    #expect(again.hears("text/event-stream"))
  }

  @Test(arguments: Place.allCases) func aStreamIsAuditedOnceWhenItIsOver(_ place: Place) throws {
    let host = try HostUnderTest(load: [StreamTests.plugin()], settings: place.settings)
    let connection = try #require(Connection(port: host.port))
    #expect(connection.ask("/streaming/count/5"))
    #expect(connection.hears("\r\n0\r\n\r\n"))
    let rows = { () -> [JSONValue] in
      let all = (try? host.admin("GET", "/audit?limit=100"))?.json?["items"]?.array ?? []
      return all.filter { $0["operation"]?.string == "count" }
    }
    #expect(eventually { rows().count == 1 })
    #expect(rows().first?["status"]?.integer == 200)
  }

  @Test(arguments: Place.allCases) func aSwiftHandlerStreams(_ place: Place) throws {
    let ticker = HostUnderTest.ticker
    let host = try HostUnderTest(load: [ticker], settings: place.settings)
    let key = try host.issueKey(["ticker:read"])
    let connection = try #require(Connection(port: host.port))
    #expect(connection.ask("/ticker/countdown?from=3&pause_ms=1", key: key, version: "1.0"))
    let body = try #require(connection.rest().split(separator: "\r\n\r\n", maxSplits: 1).last)
    #expect(
      body == "retry: 5000\n\n"
        + (0..<3).map { "id: \($0)\nevent: progress\ndata: {\"progress\":\($0),\"total\":3}\n\n" }.joined()
        + "event: done\ndata: {\"progress\":3,\"total\":3}\n\n")
    // Somebody who leaves ends the task: the next reload has nothing to wait for.
    var leaver = Connection(port: host.port)
    #expect(leaver?.ask("/ticker/countdown?from=100000&pause_ms=60000", key: key) == true)
    #expect(leaver?.hears("event: progress") == true)
    leaver = nil
    #expect(try host.reload("ticker", path: ticker).status == 200)
    #expect(eventually { host.log.contains("\"stopped\"") })
    #expect(try host.call("GET", "/ticker/countdown?from=x", key: key).status == 400)
  }

  @Test func curlShowsEventsAsTheyCome() throws {
    let host = try HostUnderTest(load: [StreamTests.plugin()], settings: Place.inProcess.settings)
    let file = Fixtures.folder + "/curl-\(UUIDv7.make())"
    // curl ends by its own limit, in the middle of a stream that would go on.
    System.shell("curl -sN --max-time 2 http://127.0.0.1:\(host.port)/streaming/follow >'\(file)'")
    #expect(System.text(file).hasPrefix("data: v1 0;\n\ndata: v1 1;\n\n"))
    #expect(eventually { (try? state(host).cancelled) == 1 })
  }
}
