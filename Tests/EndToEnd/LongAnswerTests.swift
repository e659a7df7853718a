import Kernel
import Testing

/// A list that is longer than anybody may be answered, on a host as it is installed: with the limit that nobody set.
@Suite struct LongAnswerTests {
  /// What GPT Actions take of an answer, and what the host gives to all (LLM clients drop or refuse the rest).
  private static let most = 100_000
  private static let records = 150

  /// Two hundred characters that JSON writes as six each: a hundred such accounts, which a page may have, are over
  /// 150,000 characters.
  private static let name = String(repeating: #"\u0001"#, count: 200)

  /// A host with accounts, a key, and the ids.
  private func filled() throws -> (HostUnderTest, String, Set<String>) {
    let host = try HostUnderTest(load: [HostUnderTest.accounts])
    let key = try host.issueKey(["accounts:*"])
    let connection = try #require(Connection(port: host.port))
    var ids: Set<String> = []
    for number in 0..<LongAnswerTests.records {
      let body = #"{"name":"\#(LongAnswerTests.name)","email":"a\#(number)@example.org","currency":"EUR"}"#
      let made = try #require(connection.request("POST", "/accounts", key: key, body: body))
      ids.insert(try #require(made.json?["id"]?.string, "\(made)"))
    }
    try #require(ids.count == LongAnswerTests.records)
    return (host, key, ids)
  }

  /// Reads the list to its end. `ask` sends for the page after a cursor, as large as there are any; `page` finds it in the
  /// answer.
  private func read(
    _ ids: Set<String>, _ ask: (_ after: String?) throws -> Connection.Answer,
    page: (JSONValue) -> JSONValue?
  ) throws {
    var seen: [String] = []
    var after: String?
    var (answers, shortened) = (0, 0)
    repeat {
      let answer = try ask(after)
      let length = answer.body.unicodeScalars.count
      #expect(
        answer.status == 200 && length <= LongAnswerTests.most, "\(answer.status), \(length) characters")
      let json = try #require(answer.json, "\(answer.body.suffix(200)) is no JSON")
      let page = try #require(page(json), "\(answer.body.prefix(500))")
      let items = try #require(page["items"]?.array)
      #expect(!items.isEmpty && items.allSatisfy { $0["name"]?.string?.utf8.count == 200 })
      seen += items.compactMap { $0["id"]?.string }
      if page["truncated"] == "answers.max_characters" { shortened += 1 }
      after = page["next"]?.string
      answers += 1
    } while after != nil && answers < LongAnswerTests.records
    #expect(seen.count == ids.count && Set(seen) == ids, "\(seen.count) in \(answers) answers")
    // No page was as long as the caller wanted, but for the last.
    #expect(answers > 2 && shortened >= answers - 1, "\(shortened) of \(answers) are said to be shorter")
  }

  @Test func aListThatIsTooLongEndsWithACursorHoweverItIsAskedFor() throws {
    let (host, key, ids) = try filled()
    func arguments(_ after: String?) -> String {
      #"{"limit":100\#(after.map { #","after":"\#($0)""# } ?? "")}"#
    }
    try read(ids) { after in
      try host.call(
        "GET", "/accounts?limit=100\(after.map { "&after=" + PercentText.component($0) } ?? "")", key: key)
    } page: {
      $0
    }
    try read(ids) { after in
      try host.call(
        "POST", "/functions/call", key: key,
        body: #"{"name":"accounts_list_accounts","arguments":\#(arguments(after))}"#)
    } page: {
      $0["result"]
    }
    try read(ids) { after in
      try host.call(
        "POST", "/mcp", key: key, headers: ["MCP-Protocol-Version: 2025-11-25"],
        body: #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"accounts_list_accounts","#
          + #""arguments":\#(arguments(after))}}"#)
    } page: { json in
      // The JSON stands twice, and both say the same.
      let result = json["result"]
      let text = result?["content"]?.array?.first?["text"]?.string
      let isSame = (try? text.map { try JSONValue.parse($0.utf8.span) }) == result?["structuredContent"]
      return isSame ? result?["structuredContent"] : nil
    }
    #expect(host.stop() == 0)
  }
}
