import Kernel
import Patience
import Testing

/// What a host tells of itself: its log, its metrics, its health.
@Suite struct ObservingTests {
  @Test func everyLogLineIsJSONWithItsMembers() throws {
    let host = try HostUnderTest(load: [HostUnderTest.hello, HostUnderTest.accounts])
    #expect(try host.admin("PUT", "/log-level", body: #"{"level":"debug"}"#).status == 200)
    let answer = try host.call("GET", "/hello/x", key: host.agentKey)
    let id = try #require(answer.headers["x-request-id"])
    let trace = try #require(answer.headers["traceparent"]).split(separator: "-")[1]
    _ = try host.call("POST", "/accounts/", key: host.agentKey, body: "{")
    _ = try host.reload("hello", path: "/nonexistent.so")
    #expect(eventually { host.logLines.contains { $0["request_id"]?.string == id } })
    #expect(host.stop() == 0)
    let lines = host.log.split(separator: "\n")
    #expect(lines.count > 5)
    for line in lines {
      let value = try? JSONValue.parse(line.utf8.span)
      #expect(value != nil, "no JSON: \(line)")
      for member in ["timestamp", "level", "module", "message"] {
        #expect(value?[member]?.string?.isEmpty == false, "without \(member): \(line)")
      }
    }
    let request = host.logLines.first { $0["request_id"]?.string == id }
    #expect(request?["trace_id"]?.string == String(trace))
    #expect(request?["status_code"]?.integer == 200 && request?["duration_ms"] != nil)
  }

  @Test func theLogLevelChangesAtOnce() throws {
    let host = try HostUnderTest(load: [HostUnderTest.hello])
    func isLogged() throws -> Bool {
      let id = try #require(try host.call("GET", "/hello/x", key: host.agentKey).headers["x-request-id"])
      // Lines are written in order: once the act that follows is there, the request's would be.
      let act = try host.admin("POST", "/audit/verify").headers["x-request-id"]
      #expect(eventually { host.logLines.contains { $0["request_id"]?.string == act } })
      return host.logLines.contains { $0["request_id"]?.string == id }
    }
    #expect(try host.admin("GET", "/log-level").json?["level"]?.string == "info")
    #expect(try !isLogged())
    #expect(
      try host.admin("PUT", "/log-level", body: #"{"level":"debug"}"#).json?["level"]?.string == "debug")
    #expect(try isLogged())
    #expect(try host.admin("PUT", "/log-level", body: #"{"level":"info"}"#).status == 200)
    #expect(try !isLogged())
    let wrong = try host.admin("PUT", "/log-level", body: #"{"level":"loud"}"#)
    #expect(wrong.status == 422, "\(wrong.body)")
    #expect(host.stop() == 0)
  }

  @Test func metricsCountEveryRequestOfARoute() throws {
    let host = try HostUnderTest(load: [HostUnderTest.hello])
    let key = try host.issueKey(["hello:read"])
    for _ in 1...37 { #expect(try host.call("GET", "/hello/x", key: key).status == 200) }
    for _ in 1...5 { #expect(try host.call("GET", "/hello/x").status == 401) }
    func count(_ status: Int) throws -> String? {
      let text = try #require(Connection(port: host.adminPort)?.request("GET", "/metrics")).body
      let line = text.split(separator: "\n").first { line in
        line.hasPrefix("http_server_request_duration_seconds_count{")
          && [
            #"http_request_method="GET""#, #"council_automation="hello""#,
            #"http_response_status_code="\#(status)""#,
          ]
          .allSatisfy { line.contains($0) }
      }
      return line.flatMap { $0.split(separator: " ").last }.map(String.init)
    }
    #expect(try count(200) == "37")
    #expect(try count(401) == "5")
    #expect(try count(404) == nil)
    let text = try #require(Connection(port: host.adminPort)?.request("GET", "/metrics")).body
    #expect(text.contains(#"http_route="/hello/{name}""#))
    for step in ["receive", "validate", "probe", "plan", "load", "start", "swap", "store"] {
      #expect(
        text.contains(
          "council_reload_duration_seconds_count{step=\"\(step)\",council_automation=\"hello\"} 1"))
    }
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      #expect(Double(line.split(separator: " ").last ?? "") != nil || line.hasSuffix("+Inf"), "\(line)")
    }
    #expect(host.stop() == 0)
  }

  @Test func healthSaysWhetherTheHostServes() throws {
    let host = try HostUnderTest(load: [Fixtures.plugin("slow")])
    let key = try host.issueKey(["reject:read"])
    for port in [host.port, host.adminPort] {
      for (path, status) in [("/health/live", "live"), ("/health/ready", "ready")] {
        let answer = try #require(Connection(port: port)?.request("GET", path))
        #expect(answer.status == 200 && answer.json?["status"]?.string == status, "\(answer.body)")
      }
    }
    // While the host drains, a connection that was there before hears that it is not ready.
    let admin = try #require(Connection(port: host.adminPort))
    let slow = try #require(Connection(port: host.port))
    #expect(slow.send("GET /reject/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(key)\r\n\r\n"))
    #expect(
      eventually {
        (try? host.admin("GET", "/automations"))?.json?["items"]?.array?.first?["requests_inside"]?.integer
          == 1
      })
    host.process.signal(15)
    var ready: Connection.Answer?
    #expect(
      eventually {
        ready = admin.request("GET", "/health/ready") ?? ready
        return ready?.status == 503
      })
    #expect(ready?.json?["status"]?.string == "not_ready" && ready?.headers["retry-after"] != nil)
    #expect(slow.answer()?.status == 200)
    #expect(host.process.wait() == 0)
  }
}
