import Kernel
import Testing

/// The OpenAPI documents of a running host, read by the tools that their users have.
@Suite struct OpenAPITests {
  @Test func documentsAreValidBeforeAndAfterAReload() throws {
    let host = try HostUnderTest(
      load: [
        HostUnderTest.accounts, HostUnderTest.hello, HostUnderTest.ticker,
        HostUnderTest.products + "/libAccountsV2.so", Fixtures.plugin("hog", manifest: OpenAPITests.lasting),
      ], settings: "documents: {server_url: \"https://agents.example\"}\n")
    let key = try host.issueKey(["accounts:*", "hello:*", "ticker:*", "hog:*"])
    let base = ["http://127.0.0.1:\(host.port)", "http://127.0.0.1:\(host.adminPort)", key]
    try PythonClient.run(
      "openapi_check.py",
      ["documents"] + base
        + ["/accounts", "/accounts/{id}", "/hello/{name}", "/ticker/countdown", "/v2/accounts"])
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

  /// More routes than a GPT takes at once, with texts as long as it takes.
  private static func wide(_ count: Int) -> String {
    func text(_ count: Int) -> String { String(repeating: "é", count: count) }
    let described = #"{"type":"string","description":"\#(text(700))"}"#
    let routes = (0..<count).map { number in
      #"{"method":"POST","path":"/r\#(number)/{id}","operation":"r\#(number)","summary":"\#(text(300))","#
        + #""description":"\#(text(300))","#
        + (number > 0
          ? #""hints":{"read_only":true}}"#
          : #""path_parameters":{"type":"object","properties":{"id":\#(described)},"required":["id"]},"#
            + #""query":{"type":"object","properties":{"q":\#(described)}},"#
            + #""body":{"type":"object","properties":{"in":{"type":"object","properties":{"a":\#(described)}}}}}"#)
    }
    return #"{"id":"wide","version":"1","routes":[\#(routes.joined(separator: ","))]}"#
  }

  @Test func theDocumentsForGPTsKeepTheirLimits() throws {
    let host = try HostUnderTest(
      load: [
        HostUnderTest.accounts, HostUnderTest.hello, HostUnderTest.ticker,
        HostUnderTest.products + "/libAccountsV2.so", Fixtures.plugin(manifest: OpenAPITests.wide(31)),
      ], settings: "documents: {server_url: \"https://agents.example\"}\n")
    let key = try host.issueKey(["*"])
    try PythonClient.run(
      "openapi_check.py", ["gpt", "http://127.0.0.1:\(host.port)", key, "300", "300", "700"])
    #expect(host.stop() == 0)
  }

  /// The assets are those that Scripts/fetch-page-assets fetches.
  @Test func pagesHaveEverythingFromTheirOwnListener() throws {
    let folder = System.environment("COUNCIL_PAGE_ASSETS") ?? Fixtures.root + "/.build/page-assets"
    try #require(System.exists(folder + "/swagger-ui.css"), "Scripts/fetch-page-assets fills \(folder)")
    let host = try HostUnderTest(
      load: [HostUnderTest.hello], settings: "documents: {assets: \"\(folder)\"}\n")
    for (port, page) in [(host.port, "/docs"), (host.adminPort, "/admin/v1/docs")] {
      let line = try #require(Connection(port: port))
      let answer = try #require(line.request("GET", page))
      #expect(
        answer.status == 200
          && answer.headers["content-security-policy"]?.contains("script-src 'self'") == true)
      #expect(!answer.body.contains("://") && answer.body.contains("<dt>"))
      for file in ["swagger-ui.css", "swagger-ui-bundle.js", "start.js"] {
        #expect(answer.body.contains("\(page)/assets/\(file)"))
        let asset = try #require(line.request("GET", "\(page)/assets/\(file)"))
        #expect(asset.status == 200 && asset.body.utf8.count > 500, "\(file)")
        let again = line.request(
          "GET", "\(page)/assets/\(file)", headers: ["If-None-Match: \(asset.headers["etag"] ?? "")"])
        #expect(again?.status == 304)
      }
      #expect(line.request("GET", "\(page)/assets/other.js")?.status == 404)
      #expect(line.request("POST", page)?.status == 405)
    }
    #expect(host.stop() == 0)
  }

  @Test func whatTheHostRefusesIsDocumented() throws {
    let host = try HostUnderTest(load: [HostUnderTest.accounts])
    let key = try host.issueKey(["accounts:*"])
    let stranger = try host.issueKey(["elsewhere:*"])
    try PythonClient.run(
      "openapi_check.py", ["refusals", "http://127.0.0.1:\(host.port)", key, stranger, "/accounts"])
  }

  @Test func theAdminListenerAnswersAsItsDocumentSays() throws {
    let host = try HostUnderTest(load: [HostUnderTest.accounts])
    try PythonClient.run(
      "openapi_check.py",
      ["answers", "http://127.0.0.1:\(host.port)", "http://127.0.0.1:\(host.adminPort)", host.adminKey])
  }

  /// Routes that may become jobs.
  private static let lasting =
    #"{"id":"hog","version":"1","summary":"Sleeps.","routes":["#
    + [("GET", "/sleep", "look"), ("GET", "/burn", "burn"), ("POST", "/sleep", "change")].map {
      method, path, name in
      #"{"method":"\#(method)","path":"\#(path)","operation":"\#(name)","status":200,"deadline_ms":60000,"#
        + #""query":{"type":"object","additionalProperties":false,"properties":{"ms":{"type":"integer","#
        + #""minimum":0,"maximum":20}}},"response":{"type":"object"}}"#
    }.joined(separator: ",") + "]}"

  @Test func everyCallThatTheDocumentAllowsIsAnsweredAsItSays() throws {
    // Whatever the countdown is asked for, its stream ends; about half of the calls that may become jobs do.
    let host = try HostUnderTest(
      load: [
        HostUnderTest.accounts, HostUnderTest.hello, HostUnderTest.ticker,
        HostUnderTest.products + "/libAccountsV2.so", Fixtures.plugin("hog", manifest: OpenAPITests.lasting),
      ], settings: "streams:\n  longest_ms: 40\nanswers:\n  job_after_ms: 10\n")
    let key = try host.issueKey(["accounts:*", "hello:*", "ticker:*", "hog:*"])
    let base = "http://127.0.0.1:\(host.port)"
    try PythonClient.run("openapi_check.py", ["calls", base, key])
    // Calls did become jobs, and what they came to is kept.
    let metrics = try #require(Connection(port: host.adminPort)?.request("GET", "/metrics")).body
    let kept = metrics.split(separator: "\n").filter { $0.hasPrefix("council_jobs{") }
    #expect(kept.contains { !$0.hasSuffix(" 0") }, "\(kept)")
    #expect(host.stop() == 0)
  }
}
