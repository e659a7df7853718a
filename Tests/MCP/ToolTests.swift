import Application
import Doubles
import Kernel
import Testing

@testable import MCP

/// Tools: who sees which, what a call becomes, what its answer becomes.
@Suite struct ToolTests {
  private func tools(_ answer: MCPSite.Answer) -> [String: JSONValue] {
    let all = answer.result?["tools"]?.array ?? []
    return Dictionary(uniqueKeysWithValues: all.map { ($0["name"]?.string ?? "", $0) })
  }

  // MARK: The list

  @Test func aToolIsItsRoute() throws {
    let site = MCPSite()
    let tools = tools(site.modern("tools/list", key: site.writer))
    let get = try #require(tools["things_get_thing"])
    #expect(get["title"] == "Get a thing")
    #expect(get["description"] == "One thing by its id.\n\nLong words.")
    #expect(get["inputSchema"]?["type"] == "object" && get["inputSchema"]?["properties"]?["id"] != nil)
    #expect(get["outputSchema"] == ["type": "object"])
    #expect(
      get["annotations"] == [
        "title": "Get a thing", "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true,
        "openWorldHint": false,
      ])
    let delete = try #require(tools["things_delete_thing"])
    #expect(
      delete["annotations"]?["destructiveHint"] == true && delete["annotations"]?["readOnlyHint"] == false)
    #expect(delete["outputSchema"] == nil)
    // The era before takes no array for structured content.
    #expect(tools["things_list_things"]?["outputSchema"] == ["type": "array"])
    let before = self.tools(site.previous("tools/list", key: site.writer))
    #expect(before["things_list_things"]?["outputSchema"] == nil)
    #expect(before["things_get_thing"]?["outputSchema"] == ["type": "object"])
    // A tool without words has its name, at least.
    #expect(tools["things_list_things"]?["description"]?.string?.isEmpty == false)
  }

  @Test func aKeySeesWhatItMayCall() {
    let site = MCPSite()
    let read = ["things_get_thing", "things_list_things", "things_open_door"]
    #expect(tools(site.modern("tools/list", key: site.reader)).keys.sorted() == read)
    #expect(tools(site.previous("tools/list", key: site.reader)).keys.sorted() == read)
    #expect(tools(site.modern("tools/list", key: site.stranger)).keys.sorted() == ["things_open_door"])
    #expect(tools(site.modern("tools/list", key: site.writer)).count == 5)
  }

  @Test func pagesHoldEveryToolOnceInOneOrder() {
    var settings = HostConfiguration.MCP()
    settings.page = 2
    let site = MCPSite(settings)
    var names: [String] = []
    var cursor: String?
    var pages = 0
    repeat {
      let answer = site.modern("tools/list", cursor.map { "\"cursor\":\"\($0)\"" } ?? "", key: site.writer)
      names += (answer.result?["tools"]?.array ?? []).compactMap { $0["name"]?.string }
      cursor = answer.result?["nextCursor"]?.string
      pages += 1
    } while cursor != nil && pages < 10
    #expect(pages == 3 && names.count == 5 && names == names.sorted())
    // The same bytes for whoever may see the same.
    #expect(
      site.modern("tools/list", key: site.reader).body == site.modern("tools/list", key: site.reader).body)
  }

  @Test(arguments: ["\"x\"", "\"\"", "7", "\"MQ\u{3d}\"", "{}", "[]", "true"])
  func aCursorOfNobodyIsRefused(cursor: String) {
    let site = MCPSite()
    let answer = site.modern("tools/list", "\"cursor\":\(cursor)", key: site.reader)
    #expect(answer.status == 400 && answer.error == -32602, "\(answer)")
  }

  @Test func aCursorHasALimit() {
    var settings = HostConfiguration.MCP()
    settings.maxCursorBytes = 64
    let site = MCPSite(settings)
    // 48 bytes become 64 characters.
    let fits = ListCursor.text(after: String(repeating: "a", count: 47))
    let long = ListCursor.text(after: String(repeating: "a", count: 48))
    #expect(fits.utf8.count == 64 && long.utf8.count == 66)
    #expect(site.modern("tools/list", "\"cursor\":\"\(fits)\"", key: site.reader).status == 200)
    #expect(site.modern("tools/list", "\"cursor\":\"\(long)\"", key: site.reader).error == -32602)
    #expect(site.modern("tools/list", "\"cursor\":null", key: site.reader).status == 200)
  }

  @Test func aListFollowsAReload() {
    let site = MCPSite()
    #expect(tools(site.modern("tools/list", key: site.writer)).count == 5)
    site.serve(
      #"{"id":"things","version":"2","routes":[{"method":"GET","path":"/","operation":"only"}]}"#, .answers)
    #expect(tools(site.modern("tools/list", key: site.writer)).keys.sorted() == ["things_only"])
  }

  @Test func pagesAreKeptWithinBounds() {
    let pages = ListPages(maxPages: 2, maxBytes: 10, jobAfter: nil)
    // Pages of which each is the first.
    let keys: [String: (Method, Era)] = [
      "a": (.listTools, .modern), "b": (.listResources, .modern), "c": (.listTemplates, .modern),
      "big": (.listTools, .previous),
    ]
    var made = 0
    func look(_ name: String, _ version: Int = 1, _ bytes: Int = 1) {
      let (method, era) = keys[name] ?? (.listTools, .modern)
      let key = ListPages.Key(
        method: method, scopes: nil, era: era, elicits: false, after: keys[name] == nil ? name : nil)
      _ = pages.page(key, version: version) {
        made += 1
        return .init(bytes: [UInt8](repeating: 0, count: bytes))
      }
    }
    look("a"); look("a"); look("b"); look("b")
    #expect(made == 2)
    look("c")  // A third makes room by forgetting all.
    look("a")
    #expect(made == 4)
    look("a", 2)
    #expect(made == 5)
    look("big", 2, 11)
    look("big", 2, 11)
    #expect(made == 7)
    look("made up", 2)
    look("made up", 2)
    look("a", 2)
    #expect(made == 9)
  }

  /// Pages that a cursor of nobody's leads to are written and forgotten.
  @Test func onlyPagesThatFollowEachOtherAreKept() {
    let pages = ListPages(maxPages: 2, maxBytes: 1000, jobAfter: nil)
    var made = 0
    func look(_ after: String?, next: String? = nil, elicits: Bool = false) -> Int {
      let key = ListPages.Key(
        method: .listTools, scopes: nil, era: .modern, elicits: elicits, after: after)
      let before = made
      _ = pages.page(key, version: 1) {
        made += 1
        return .init(bytes: [0], next: next)
      }
      return made - before
    }
    // Nobody has been told of "b".
    #expect(look("b", next: "d") == 1 && look("b", next: "d") == 1)
    #expect(look(nil, next: "b") == 1 && look(nil) == 0)
    #expect(look("b", next: "d") == 1 && look("b") == 0)
    #expect(
      look("c") == 1 && look("c") == 1 && look("b", elicits: true) == 1 && look("b", elicits: true) == 1)
    // A third takes the place of both, and leads on.
    #expect(look("d", next: "f") == 1 && look("d") == 0 && look("f") == 1 && look("f") == 0)
    #expect(look("b") == 1 && look("b") == 1, "the page that leads there is gone")
  }

  @Test func pagesBeginAfterAName() {
    let all = ListIndex(["d", "b", "a-b", "e", "c", "a_", "f"].map { ($0, $0) })
    func page(_ after: String?, _ limit: Int = 2) -> ListIndex<String>.Page {
      all.page(after: after, limit: limit) { $0 != "c" }
    }
    let first = page(nil)
    #expect(first.items == ["a-b", "a_"] && first.next == "a_")
    #expect(page("a_").items == ["b", "d"] && page("a_").next == "d")
    #expect(page("d").items == ["e", "f"] && page("d").next == nil)
    #expect(page("f").items.isEmpty && page("f").next == nil)
    #expect(page("bb").items == ["d", "e"] && page("zz").items.isEmpty && page("").items == first.items)
    #expect(page(nil, 6).next == nil && page(nil, 5).next == "e")
  }

  @Test func aPageEndsWhereItsCharactersDo() {
    let all = ListIndex(["a", "b", "c"].map { ($0, $0) }).page(after: nil, limit: 3) { _ in true }
    func page(_ most: Int) -> (bytes: String, next: String?) {
      let page = all.members("x", age: nil, most: most) { .string($0) }
      return (String(decoding: page.bytes, as: UTF8.self), page.next)
    }
    // `"x":["a","b","c"` has sixteen bytes.
    #expect(page(16).bytes == #""x":["a","b","c"]"# && page(16).next == nil)
    #expect(page(15).bytes.hasPrefix(#""x":["a","b"],"nextCursor":""#) && page(15).next == "b")
    for most in [0, 8] {
      #expect(page(most).bytes.hasPrefix(#""x":["a"],"nextCursor":""#) && page(most).next == "a")
    }
  }

  @Test func longToolsMakeShortPages() {
    let words = String(repeating: "w", count: 4000)
    let routes = (100..<160).map {
      #"{"method":"GET","path":"/r\#($0)","operation":"r\#($0)","summary":"S","description":"\#(words)"}"#
    }
    let site = MCPSite(
      manifest: #"{"id":"things","version":"1","routes":[\#(routes.joined(separator: ","))]}"#)
    var (names, sizes, cursor): ([String], [Int], String?) = ([], [], nil)
    repeat {
      let answer = site.modern("tools/list", cursor.map { "\"cursor\":\"\($0)\"" } ?? "", key: site.reader)
      names += (answer.result?["tools"]?.array ?? []).compactMap { $0["name"]?.string }
      sizes.append(answer.body.unicodeScalars.count)
      cursor = answer.result?["nextCursor"]?.string
    } while cursor != nil && sizes.count < 10
    #expect(names == (100..<160).map { "things_r\($0)" } && sizes.count == 3, "\(sizes)")
    #expect(sizes.allSatisfy { $0 <= 100_000 } && sizes.dropLast().allSatisfy { $0 > 90_000 }, "\(sizes)")
  }

  // MARK: The call

  @Test func aCallIsTheRoutesOwnRequest() throws {
    let site = MCPSite()
    let answer = site.call("things_get_thing", #"{"id":"7"}"#, key: site.reader)
    #expect(answer.status == 200 && !answer.isError, "\(answer)")
    #expect(answer.text == #"{"route":0}"# && answer.result?["structuredContent"] == ["route": 0])
    #expect(answer.result?["resultType"] == "complete")
    let row = try #require(site.audit.rows.last)
    #expect(row.status == 200 && row.labels.contains(#""operation":"get_thing""#) && row.principal == "agent")
    let before = site.previous(
      "tools/call", #"{"name":"things_get_thing","arguments":{"id":"7"}}"#, key: site.reader)
    #expect(before.text == #"{"route":0}"# && before.result?["resultType"] == nil, "\(before)")
  }

  /// The JSON stands there twice, once with its quotes escaped.
  @Test func aResultIsHeldToTheHostsLimitAsItIsSent() {
    let site = MCPSite()
    var longest = 0
    for count in stride(from: 33_000, through: 49_900, by: 650) {
      // Each member has four quotes.
      let members = (0..<count / 10).map { _ in #""a":"xxxx""# }.joined(separator: ",")
      site.serve(MCPSite.manifest, .says(200, "application/json", "{\(members)}"))
      let answer = site.call("things_open_door", key: site.reader)
      #expect(answer.body.unicodeScalars.count <= 99_999 && answer.status == 200)
      #expect(answer.isError == (answer.text?.contains("answer.too_large") == true))
      if !answer.isError { longest = max(longest, answer.body.unicodeScalars.count) }
    }
    #expect(longest > 95_000)
    #expect(site.call("things_open_door", key: site.reader).isError)
  }

  @Test func whatIsWantedOfAnAnswerIsAnArgument() {
    let site = MCPSite(behaviour: .says(200, "application/json", #"{"id":"7","a":1,"b":2}"#))
    #expect(
      site.call("things_get_thing", #"{"id":"7","fields":"b"}"#, key: site.reader).text
        == #"{"id":"7","b":2}"#)
    #expect(
      site.call("things_get_thing", #"{"id":"7","max_chars":64}"#, key: site.reader).text
        == #"{"id":"7","a":1,"b":2}"#)
  }

  @Test func argumentsMayBeLeftOutWhereNoneAreNeeded() {
    let site = MCPSite()
    for arguments in ["", #","arguments":null"#, #","arguments":{}"#] {
      let answer = site.modern(
        "tools/call", #""name":"things_list_things"\#(arguments)"#, name: "things_list_things",
        key: site.reader)
      #expect(answer.status == 200, "\(answer)")
    }
  }

  @Test(arguments: [
    ("things_get_thing", "{}", "call.argument_missing"),
    ("things_get_thing", #"{"id":"7","x":1}"#, "call.argument_unknown"),
    ("things_get_thing", #"{"id":{}}"#, "call.argument_invalid"),
    ("things_get_thing", #"{"id":"12345678901"}"#, "request.path_parameter_invalid"),
    ("things_get_thing", "[]", "call.arguments_invalid"), ("things_get_thing", "7", "call.arguments_invalid"),
    ("things_create_thing", "{}", "request.body_invalid"),
    ("things_create_thing", #"{"name":"x"}"#, "request.body_invalid"),
  ])
  func wrongArgumentsAreForTheModelToCorrect(tool: String, arguments: String, code: String) {
    let site = MCPSite()
    let answer = site.call(tool, arguments, key: site.writer)
    #expect(answer.status == 200 && answer.isError && answer.error == nil, "\(answer)")
    #expect(answer.text?.contains(code) == true, "\(answer)")
  }

  @Test func unknownToolsAreAProtocolError() {
    let site = MCPSite()
    for name in ["nothing", "things_", "_get_thing", "things_get_thing_", "other_get_thing", ""] {
      let answer = site.call(name, key: site.reader)
      #expect(answer.status == 400 && answer.error == -32602, "\(answer)")
      let before = site.previous("tools/call", #"{"name":"\#(name)"}"#, key: site.reader)
      #expect(before.status == 200 && before.error == -32602, "\(before)")
    }
    #expect(site.modern("tools/call", "", key: site.reader).error == -32602)
    #expect(site.modern("tools/call", "\"name\":7", key: site.reader).error == -32602)
    #expect(
      site.modern("tools/call", #""name":"x","name":"things_open_door""#, name: "x", key: site.reader).error
        == -32602)
  }

  @Test func aHandlersErrorIsAResult() {
    let site = MCPSite(
      behaviour: .says(
        409, "application/problem+json",
        #"{"type":"t","title":"Conflict","status":409,"code":"things.taken","detail":"Taken.","#
          + #""errors":[{"pointer":"/name","message":"is taken"}],"retry_after_s":3,"by":"ada"}"#))
    let answer = site.call("things_get_thing", #"{"id":"7"}"#, key: site.reader)
    #expect(answer.status == 200 && answer.isError && answer.result?["structuredContent"] == nil, "\(answer)")
    #expect(
      answer.text
        == "Error 409 things.taken: Taken.\n- /name: is taken\nTry again after 3 s.\n{\"by\":\"ada\"}")
    // What the host counts is the route's own status.
    #expect(site.audit.rows.last?.status == 409)
  }

  @Test(arguments: [
    (500, "text/plain", "out of cheese", "Status 500: out of cheese"),
    (502, "", "", "Status 502: Bad Gateway."),
    (422, "application/json", #"{"no":"problem"}"#, #"Status 422: {"no":"problem"}"#),
    (400, "application/json", "{broken", "Status 400: {broken"),
  ])
  func otherErrorsAreTextToo(status: Int, type: String, body: String, text: String) {
    let site = MCPSite(behaviour: .says(status, type, body))
    let answer = site.call("things_open_door", key: site.reader)
    #expect(answer.isError && answer.text == text, "\(answer)")
  }

  @Test func whatAHandlerAnswersBecomesContent() {
    for (type, body, structured) in [
      ("application/json", "[1]", [1]),
      ("application/json", #" {"a":"\u00e9\n"} "#, ["a": "\u{e9}\n"]),
      ("text/markdown", "# Hello", nil), ("", "plain", nil),
      ("application/vnd.x+json; charset=utf-8", "7", 7),
    ] as [(String, String, JSONValue?)] {
      let site = MCPSite(behaviour: .says(200, type, body))
      let answer = site.call("things_open_door", key: site.reader)
      #expect(answer.text == body && answer.result?["structuredContent"] == structured, "\(answer)")
      #expect(!answer.isError)
      // An object, or nothing, in the era before.
      let before = site.previous("tools/call", #"{"name":"things_open_door"}"#, key: site.reader)
      #expect(
        before.text == body
          && before.result?["structuredContent"] == (structured?.object == nil ? nil : structured))
    }
  }

  /// A client holds each result against the outputSchema, and has only this way to take one without content.
  @Test func whatIsPromisedIsThereOrIsAnError() {
    for status in [204, 205, 303] {
      let site = MCPSite(behaviour: .says(status, "", ""))
      let answer = site.call("things_get_thing", #"{"id":"7"}"#, key: site.reader)
      #expect(answer.isError && answer.text?.contains("(status \(status))") == true, "\(answer)")
      #expect(
        answer.text?.hasPrefix("Done.") == true && answer.text?.contains("do not call it again") == true)
      // The era before has no schema for an array.
      let list = site.previous("tools/call", #"{"name":"things_list_things"}"#, key: site.reader)
      #expect(!list.isError, "\(list)")
      #expect(site.call("things_list_things", key: site.reader).isError)
    }
  }

  @Test func whatNobodyHoldsARouteToIsNotPromised() throws {
    let site = MCPSite()
    site.serve(
      #"{"id":"things","version":"2","requires":["council.stream/1"],"routes":[{"method":"GET","path":"/","operation":"watch","#
        + #""stream":true,"response":{"type":"object"}},{"method":"GET","path":"/one","operation":"one","response":{"type":"object"}}]}"#,
      .answers)
    let all = tools(site.modern("tools/list", key: site.owner))
    #expect(all["things_watch"] != nil && all["things_watch"]?["outputSchema"] == nil)
    #expect(all["things_one"]?["outputSchema"] != nil)
    site.serve(
      #"{"id":"things","version":"3","routes":[{"method":"GET","path":"/one","operation":"one","response":{"type":"object"}}]}"#,
      .answers, checksAnswers: false)
    let unchecked = tools(site.modern("tools/list", key: site.owner))
    #expect(unchecked["things_one"] != nil && unchecked["things_one"]?["outputSchema"] == nil)
  }

  @Test func whatIsNoTextTravelsInBase64() {
    for (type, kind) in [("image/png", "image"), ("audio/wav", "audio")] {
      let site = MCPSite(behaviour: .says(200, type, "foob"))
      let content = site.call("things_open_door", key: site.reader).result?["content"]?.array?.first
      #expect(content == ["type": .string(kind), "data": "Zm9vYg==", "mimeType": .string(type)])
    }
    let site = MCPSite(behaviour: .says(200, "application/pdf", "foob"))
    let resource = site.call("things_open_door", key: site.reader).result?["content"]?.array?.first?[
      "resource"]
    #expect(resource?["blob"] == "Zm9vYg==" && resource?["mimeType"] == "application/pdf")
    #expect(resource?["uri"]?.string?.hasPrefix("council://answers/") == true)
  }

  @Test func brokenJSONNeverBreaksTheAnswer() {
    for body in ["{", #"{"a":1},"isError":false"#, "nul"] {
      let site = MCPSite(behaviour: .says(200, "application/json", body))
      let answer = site.call("things_open_door", key: site.reader)
      #expect(answer.status == 200 && answer.isError && answer.json != nil, "\(answer)")
    }
  }

  @Test func anEmptyAnswerSaysSo() {
    let site = MCPSite(behaviour: .says(204, "", ""))
    let answer = site.call("things_delete_thing", #"{"id":"7"}"#, key: site.writer)
    #expect(!answer.isError && answer.text == "Done. The answer is empty (status 204).", "\(answer)")
  }

  @Test func headersOfTheHandlerStayBehind() {
    let site = MCPSite(behaviour: .says(200, "application/json", "{}"))
    let answer = site.call("things_open_door", key: site.reader)
    #expect(answer.header("ETag") == nil && answer.header("Content-Type") == "application/json")
    #expect(answer.header("X-Request-Id") != nil && answer.header("RateLimit") != nil)
  }
}
