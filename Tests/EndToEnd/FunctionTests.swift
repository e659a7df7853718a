import Kernel
import Testing

/// Functions of a running host, read and called as applications around models do; and what the linter says of the examples.
@Suite struct FunctionTests {
  private static let functions = [
    "accounts_list_accounts", "accounts_create_account", "accounts_get_account", "accounts_change_account",
    "accounts_delete_account", "hello_greet", "ticker_count_down",
  ]

  @Test func everyFunctionIsStrictAndIsCalled() throws {
    let host = try HostUnderTest(load: [HostUnderTest.accounts, HostUnderTest.hello, HostUnderTest.ticker])
    let key = try host.issueKey(["accounts:*", "hello:*", "ticker:*"])
    let arguments = ["http://127.0.0.1:\(host.port)", key] + FunctionTests.functions
    try PythonClient.run("strict_check.py", arguments)
    try PythonClient.run("function_loop.py", arguments)
    // A host that was reloaded lists the same.
    let before = try host.call("GET", "/functions.json", key: key)
    try host.reload("accounts", path: HostUnderTest.accounts)
    let after = try host.call("GET", "/functions.json", key: key)
    #expect(before.headers["etag"] != nil && before.headers["etag"] == after.headers["etag"])
    try host.reload("hello", path: Fixtures.hello(version: "2.0.0", word: "Bye"))
    let answer = try host.call(
      "POST", "/functions/call", key: key, headers: ["Content-Type: application/json"],
      body: #"{"name":"hello_greet","arguments":"{\"name\":\"Ada\"}"}"#)
    #expect(answer.body == #"{"ok":true,"status":200,"result":{"message":"Bye, Ada!"}}"#)
    _ = try host.admin("DELETE", "/automations/hello")
    #expect(try host.call("GET", "/functions.json", key: key).json?["tools"]?.array?.count == 6)
    #expect(host.stop() == 0)
  }

  // MARK: The linter

  @Test(arguments: [HostUnderTest.accounts, HostUnderTest.hello, HostUnderTest.ticker])
  func theExamplesComeOutClean(path: String) {
    let check = CouncilCommand(["plugin", "check", path, "--lint", "refuse", "--json"])
    let found = check.json?["lint"]?["findings"]?.array?.map { $0["code"]?.string }
    #expect(check.code == 0 && found == [], "\(check.said)")
    let costs = check.json?["lint"]?["tokens"]?["operations"]?.array ?? []
    #expect(!costs.isEmpty && costs.allSatisfy { $0["strict"] == true }, "\(check.said)")
  }

  private static let careless =
    #"{"id":"careless","version":"1","requires":["council.http/1"],"routes":[{"method":"GET","path":"/","#
    + #""operation":"wipe","hints":{"destructive":true,"read_only":false}}]}"#

  @Test func aCarelessPluginIsToldSoWhereItIsChecked() {
    let path = Fixtures.plugin(manifest: FunctionTests.careless)
    let check = CouncilCommand(["plugin", "check", path, "--json"])
    let findings = check.json?["lint"]?["findings"]?.array ?? []
    #expect(check.code == 0, "\(check.said)")
    #expect(
      findings.map {
        "\($0["severity"]?.string ?? "") \($0["code"]?.string ?? "") \($0["pointer"]?.string ?? "")"
      }
      .sorted() == [
        "error lint.hint_contradicts_method /routes/0/hints/destructive",
        "error lint.hint_contradicts_method /routes/0/hints/read_only",
        "error lint.summary_missing /routes/0/summary", "warning lint.response_missing /routes/0/response",
        "warning lint.summary_missing /summary",
      ], "\(check.said)")
    let text = CouncilCommand(["plugin", "check", path])
    #expect(text.output.contains("error  lint.summary_missing /routes/0/summary: "), "\(text.said)")
    #expect(text.output.contains("tokens (bytes / 4)"), "\(text.said)")
    let refused = CouncilCommand(["plugin", "check", path, "--lint", "refuse", "--json"])
    #expect(refused.code == 1 && refused.problem?["code"] == "plugin.lint.refused", "\(refused.said)")
    #expect(refused.problem?["step"] == "lint")
    #expect(CouncilCommand(["plugin", "check", path, "--lint", "loud"]).code == 2)
  }

  @Test(arguments: ["off", "warn", "refuse"])
  func aHostDoesAsItIsSet(mode: String) throws {
    let path = Fixtures.plugin(manifest: FunctionTests.careless)
    let host = try HostUnderTest(settings: "plugins:\n  lint: \(mode)\n")
    let answer = try host.admin("POST", "/automations", body: #"{"path":"\#(path)"}"#)
    switch mode {
    case "refuse":
      #expect(answer.status == 422 && answer.json?["code"] == "plugin.lint.refused", "\(answer.body)")
      #expect(answer.json?["step"] == "plan" && answer.json?["errors"]?.array?.count == 3)
    case "warn":
      #expect(answer.status == 201 && answer.json?["warnings"]?.array?.count == 5, "\(answer.body)")
      #expect(host.logLines.contains { $0["findings"]?.array?.count == 5 })
    default:
      #expect(answer.status == 201 && answer.json?["warnings"] == [], "\(answer.body)")
      #expect(!host.log.contains("the linter has"))
    }
    #expect(host.stop() == 0)
  }
}
