import Kernel
import Patience
import Testing

/// The official MCP clients, of today and of the era before, against a whole host.
@Suite struct MCPClientTests {
  /// A folder with the keys that the scripts want, one a file.
  private func keys(_ host: HostUnderTest) throws -> String {
    let folder = "\(Fixtures.folder)/keys-\(UUIDv7.make())"
    System.shell("mkdir -p '\(folder)'")
    for (name, scopes) in [
      ("all", ["accounts:*", "hello:read"]), ("hello", ["hello:read"]), ("nothing", ["elsewhere:read"]),
      ("danger", ["danger:*"]), ("patient", ["patient:*"]),
    ] {
      System.write(try host.issueKey(scopes), to: "\(folder)/\(name).key")
    }
    System.write(host.adminKey, to: "\(folder)/admin.key")
    return folder
  }

  @Test func theClientOfTodayUsesEveryTool() throws {
    let danger = Fixtures.plugin(
      "danger",
      manifest: #"{"id":"danger","version":"1","routes":["#
        + #"{"method":"POST","path":"/{id}","operation":"launch","summary":"Launch","confirm":true},"#
        + #"{"method":"GET","path":"/wait","operation":"wait","summary":"Wait"}]}"#)
    let host = try HostUnderTest(load: [HostUnderTest.accounts, HostUnderTest.hello, danger])
    try PythonClient.run(
      "mcp_client.py",
      [
        "http://127.0.0.1:\(host.port)", "http://127.0.0.1:\(host.adminPort)", try keys(host),
        Fixtures.hello(version: "1.0.1", word: "Welcome"),
      ])
    // The client that left its call: its row comes when the host has seen it leave.
    let isCancelled = eventually {
      (try? host.admin("GET", "/audit?limit=1000"))?.body.contains(#""status":499"#) == true
    }
    #expect(isCancelled)
    #expect(host.stop() == 0)
  }

  /// The client holds the handle of a job and what comes of it against the same outputSchema.
  @Test(arguments: [("current", "auto"), ("current", "legacy")])
  func aClientFetchesWhatLasts(environment: String, mode: String) throws {
    let hog = Fixtures.plugin(
      "hog",
      manifest: #"{"id":"hog","version":"1","routes":[{"method":"GET","path":"/sleep","operation":"sleep","#
        + #""summary":"Sleep","deadline_ms":60000,"query":{"type":"object","properties":{"ms":{"type":"integer"}}},"#
        + ##""response":{"$defs":{"word":{"type":"string"}},"type":"object","##
        + ##""additionalProperties":{"$ref":"#/$defs/word"}}}]}"##)
    let host = try HostUnderTest(load: [hog], settings: "answers:\n  job_after_ms: 100\n")
    try PythonClient.run(
      "mcp_jobs.py", ["http://127.0.0.1:\(host.port)", try host.issueKey(["hog:*"]), mode],
      environment: environment)
    #expect(host.stop() == 0)
  }

  @Test func theClientOfTheEraBeforeUsesEveryTool() throws {
    func danger(_ version: Int, _ more: String = "") -> String {
      Fixtures.plugin(
        manifest: #"{"id":"danger","version":"\#(version)","routes":["#
          + #"{"method":"POST","path":"/{id}","operation":"launch","summary":"Launch"}\#(more)]}"#)
    }
    let next = danger(2, #",{"method":"GET","path":"/","operation":"land","summary":"Land"}"#)
    let patient = Fixtures.plugin(
      "danger",
      manifest: #"{"id":"patient","version":"1","routes":["#
        + #"{"method":"GET","path":"/","operation":"answer","summary":"Answer"},"#
        + #"{"method":"GET","path":"/wait","operation":"wait","summary":"Wait"}]}"#)
    let host = try HostUnderTest(load: [HostUnderTest.accounts, HostUnderTest.hello, danger(1), patient])
    try PythonClient.run(
      "mcp_previous.py",
      ["http://127.0.0.1:\(host.port)", "http://127.0.0.1:\(host.adminPort)", try keys(host), next],
      environment: "previous")
    #expect(host.stop() == 0)
  }
}
