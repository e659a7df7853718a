import Kernel
import Testing

/// The OpenAPI documents of a running host, read by the tools that their users have.
@Suite struct OpenAPITests {
  @Test func documentsAreValidBeforeAndAfterAReload() throws {
    let host = try HostUnderTest(load: [HostUnderTest.accounts, HostUnderTest.hello])
    let key = try host.issueKey(["accounts:*", "hello:*"])
    let base = ["http://127.0.0.1:\(host.port)", "http://127.0.0.1:\(host.adminPort)", key]
    try PythonClient.run(
      "openapi_check.py", ["documents"] + base + ["/accounts", "/accounts/{id}", "/hello/{name}"])
    // A route more.
    let other = Answering.plugin("extra", 1)
    try host.load(other)
    try PythonClient.run(
      "openapi_check.py", ["documents"] + base.dropLast() + [try host.issueKey(["*"]), "/accounts/{id}"])
    let before = try host.call("GET", "/openapi.json")
    #expect(before.json?["paths"]?.object?.keys.contains { $0.hasPrefix("/extra") } == true)
    // One less.
    _ = try host.admin("DELETE", "/automations/extra")
    let after = try host.call(
      "GET", "/openapi.json", headers: ["If-None-Match: \(before.headers["etag"] ?? "")"])
    #expect(after.status == 200)
    #expect(after.json?["paths"]?.object?.keys.contains { $0.hasPrefix("/extra") } == false)
    #expect(host.stop() == 0)
  }

  @Test func whatTheHostRefusesIsDocumented() throws {
    let host = try HostUnderTest(load: [HostUnderTest.accounts])
    let key = try host.issueKey(["accounts:*"])
    try PythonClient.run("openapi_check.py", ["refusals", "http://127.0.0.1:\(host.port)", key, "/accounts"])
  }

  @Test func theAdminListenerAnswersAsItsDocumentSays() throws {
    let host = try HostUnderTest(load: [HostUnderTest.accounts])
    try PythonClient.run(
      "openapi_check.py",
      ["answers", "http://127.0.0.1:\(host.port)", "http://127.0.0.1:\(host.adminPort)", host.adminKey])
  }

  @Test func everyCallThatTheDocumentAllowsIsAnsweredAsItSays() throws {
    let host = try HostUnderTest(load: [HostUnderTest.accounts, HostUnderTest.hello])
    let key = try host.issueKey(["accounts:*", "hello:*"])
    try PythonClient.run("openapi_check.py", ["calls", "http://127.0.0.1:\(host.port)", key])
    #expect(host.stop() == 0)
  }
}
