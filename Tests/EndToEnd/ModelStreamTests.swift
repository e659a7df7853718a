import Kernel
import Patience
import Testing

/// What models get of a handler that streams: progress and one result over MCP, one answer from a function.
@Suite struct ModelStreamTests {
  /// Calls of the countdown that are over, by their status.
  private func rows(_ host: HostUnderTest) -> [Int64] {
    let all = (try? host.admin("GET", "/audit?limit=1000"))?.json?["items"]?.array ?? []
    return all.filter { $0["operation"]?.string == "count_down" }.compactMap { $0["status"]?.integer }
  }

  @Test(arguments: StreamTests.Place.allCases)
  func theOfficialClientHearsTheProgressAndLeavesWhatItDoesNotWant(_ place: StreamTests.Place) throws {
    let host = try HostUnderTest(load: [HostUnderTest.ticker], settings: place.settings)
    let key = try host.issueKey(["ticker:read"])
    try PythonClient.run("mcp_streams.py", ["http://127.0.0.1:\(host.port)", key])
    // In each of three modes two calls are left that would last for days: that they have rows shows that they are over.
    #expect(eventually { rows(host).count == 18 }, "\(rows(host))")
    // The plugin was told, and nothing of it is left: a generation stops when its last call is out.
    #expect(try host.reload("ticker", path: HostUnderTest.ticker).status == 200)
    #expect(eventually { host.log.contains("\"stopped\"") })
    #expect(host.stop() == 0)
  }

  @Test(arguments: StreamTests.Place.allCases)
  func aFunctionAnswersOnceWithTheEvents(_ place: StreamTests.Place) throws {
    let host = try HostUnderTest(
      load: [HostUnderTest.ticker], settings: place.settings + "answers:\n  job_after_ms: 1000\n")
    let key = try host.issueKey(["ticker:read"])
    func call(_ arguments: String) throws -> (head: String, body: JSONValue?) {
      let body = #"{"name":"ticker_count_down","arguments":\#(arguments)}"#
      let connection = try #require(Connection(port: host.port))
      #expect(
        connection.send(
          "POST /functions/call HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer \(key)\r\n"
            + "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"))
      let parts = connection.rest().split(separator: "\r\n\r\n", maxSplits: 1).map(String.init)
      try #require(parts.count == 2, "\(parts)")
      return (parts[0].lowercased(), try? JSONValue.parse(parts[1].utf8.span))
    }
    let (head, whole) = try call(#"{"from":2,"pause_ms":1}"#)
    #expect(head.contains("content-type: application/json") && !head.contains("event-stream"))
    #expect(
      whole == [
        "ok": true, "status": 200,
        "result": [
          "truncated": false,
          "events": [
            ["event": "progress", "id": "0", "data": ["progress": 0, "total": 2]],
            ["event": "progress", "id": "1", "data": ["progress": 1, "total": 2]],
            ["event": "done", "data": ["progress": 2, "total": 2]],
          ],
        ],
      ], "\(String(describing: whole))")
    // More than a model is given: cut between two events, and the handler stops.
    let long = try call(#"{"from":100000,"pause_ms":0}"#).body?["result"]
    #expect(long?["truncated"] == true && (long?["events"]?.array?.count ?? 0) > 1000)
    // Longer than a model waits.
    let slow = try call(#"{"from":2,"pause_ms":60000}"#).body?["result"]
    #expect(slow?["truncated"] == true && slow?["events"]?.array?.count == 1)
    #expect(eventually { rows(host) == [200, 200, 200] }, "\(rows(host))")
    #expect(host.stop() == 0)
  }
}
