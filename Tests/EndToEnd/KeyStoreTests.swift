import Kernel
import Patience
import Testing

/// A host whose stored keys cannot be read lets nobody in by what it remembers.
@Suite struct KeyStoreTests {
  private let host: HostUnderTest
  private let path: String

  init() throws {
    let open = Fixtures.plugin(
      manifest:
        #"{"id":"open","version":"1","routes":[{"method":"GET","path":"/","operation":"look","public":true}]}"#
    )
    host = try HostUnderTest(
      load: [HostUnderTest.hello, open], settings: "health:\n  check_interval_ms: 1000\n")
    path = host.home + "/council.sqlite"
  }

  /// One request of every kind that shows a key.
  private func answers(to key: String) throws -> [String: Connection.Answer] {
    let json = "Content-Type: application/json"
    return [
      "REST": try host.call("GET", "/hello/x", key: key),
      "MCP": try host.call(
        "POST", "/mcp", key: key, headers: [json, "MCP-Protocol-Version: 2025-11-25"],
        body: #"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#),
      "functions": try host.call(
        "POST", "/functions/call", key: key, headers: [json],
        body: #"{"name":"hello_greet","arguments":{"name":"x"}}"#),
      "document": try host.call("GET", "/openapi.json", key: key),
      "admin": try #require(
        Connection(port: host.adminPort)?.request("GET", "/admin/v1/automations", key: key)),
    ]
  }

  private func expectServed() throws {
    for (kind, answer) in try answers(to: host.adminKey) {
      #expect(answer.status == 200, "\(kind): \(answer.body)")
    }
  }

  /// From the first 503 on, there is nothing else; `words` are what readiness says of it.
  private func expectClosed(_ words: String) throws {
    let good = host.adminKey
    let bad = String(good.dropLast()) + (good.hasSuffix("A") ? "B" : "A")
    let isNoticed = try eventually { try host.call("GET", "/hello/x", key: good).status != 200 }
    #expect(isNoticed, "a key opens what its store does not say")
    for key in [good, bad, "nonsense"] {
      for (kind, answer) in try answers(to: key) {
        #expect(answer.status == 503, "\(kind): \(answer.body)")
        #expect(answer.body.contains("access.unavailable"), "\(kind): \(answer.body)")
        #expect(answer.headers["retry-after"] == "2", "\(kind): \(answer.headers)")
      }
    }
    var ready = try host.call("GET", "/health/ready")
    let isTold = try eventually {
      ready = try host.call("GET", "/health/ready")
      return ready.json?["failures"]?["keys"]?.string?.contains(words) == true
    }
    #expect(isTold && ready.status == 503, "\(ready.body)")
    // What asks for no key goes on.
    for target in ["/open/", "/health/live", "/llms.txt"] {
      #expect(try host.call("GET", target).status == 200, "\(target)")
    }
    #expect(try host.call("GET", "/hello/x").code == "access.key_missing")
  }

  private func expectRecovered() throws {
    let key = host.adminKey
    let isBack = try eventually { try host.call("GET", "/hello/x", key: key).status == 200 }
    #expect(isBack, "\(host.log.suffix(2000))")
    try expectServed()
    let bad = String(key.dropLast()) + (key.hasSuffix("A") ? "B" : "A")
    #expect(try host.call("GET", "/hello/x", key: bad).code == "access.key_unknown")
  }

  @Test func whatCannotBeReadOpensNothingUntilItCan() throws {
    try expectServed()
    System.shell("mv '\(path)' '\(path).away'")
    try expectClosed("gone")
    // Another file with the same content is not the one that the host has open.
    System.shell("cp '\(path).away' '\(path)'")
    try expectClosed("replaced")
    System.shell("mv '\(path).away' '\(path)'")
    try expectRecovered()

    System.shell(
      "head -c 100 '\(path)' >'\(path).head'; "
        + "head -c 100 /dev/zero | dd of='\(path)' conv=notrunc status=none")
    try expectClosed("damaged")
    System.shell("dd if='\(path).head' of='\(path)' conv=notrunc status=none")
    try expectRecovered()

    // Keys are made and ended as before.
    let issued = try host.admin("POST", "/keys", body: #"{"principal":"p","scopes":["hello:read"]}"#)
    let (id, text) = (issued.json?["id"]?.string ?? "", issued.json?["key"]?.string ?? "")
    #expect(try host.call("GET", "/hello/x", key: text).status == 200, "\(issued.body)")
    #expect(try host.admin("DELETE", "/keys/\(id)").status == 200)
    #expect(try host.call("GET", "/hello/x", key: text).code == "access.key_revoked")
    #expect(host.stop() == 0)
  }
}
