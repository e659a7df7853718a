import Application
import Domain
import Doubles
import Gateway
import Kernel
import Testing

/// Answers in the size and form that a caller asks for.
@Suite struct AnswerShapeTests {
  private let site = Site()

  /// A handler with `count` records that gives pages as the SDK does: `limit`, and the last number seen as `after`.
  private func serveList(
    count: Int = 10, text: String = "x", ignoresLimit: Bool = false, asked: Counter = Counter(),
    on other: Site? = nil
  ) {
    (other ?? site).serve(
      behaviour: .handles { exchange in
        asked.add()
        let head = exchange.head
        func number(_ name: StaticString) -> Int? {
          exchange.query.first { head.span($0.name).isEqual(to: name) }.flatMap {
            Int(String(head.span($0.value)))
          }
        }
        let first = (number("after") ?? 0) + 1
        let last = min(count, first + (ignoresLimit ? 100 : number("limit") ?? 5) - 1)
        let items = (first...max(first, last)).map { #"{"id":"\#($0)","n":\#($0).50,"t":"\#(text)"}"# }
        let next = last < count ? "\"\(last)\"" : "null"
        _ = exchange.claim(exchange.handle)
        exchange.status = 200
        exchange.addHeader("Content-Type", "application/json")
        exchange.answerBody.append(#"{"items":[\#(items.joined(separator: ","))],"next":\#(next)}"#)
        return .answered
      }, manifest: AnswerShapeTests.manifest)
  }

  private static let manifest = """
    {"id":"a","version":"1","routes":[
     {"method":"GET","path":"/","operation":"list","query":{"properties":{"limit":{"minimum":1},"after":{}}},
      "response":{"type":"object","properties":{"items":{"type":"array","items":{"properties":{"id":{},"n":{},"t":{}}}},
       "next":{}}}},
     {"method":"GET","path":"/one","operation":"one","response":{"properties":{"id":{},"a":{},"b":{"properties":{"c":{}}}}}},
     {"method":"GET","path":"/own","operation":"own","query":{"properties":{"fields":{},"max_chars":{}}}},
     {"method":"POST","path":"/","operation":"make","dry_run":true}]}
    """

  private func says(_ body: String, _ status: Int = 200) {
    site.serve(behaviour: .says(status, "application/json", body), manifest: AnswerShapeTests.manifest)
  }

  private func get(_ target: String, headers: [(String, String)] = []) -> Site.Answer {
    site.send("GET", target, key: site.reader, headers: headers)
  }

  // MARK: Fields

  @Test func onlyTheNamedFieldsAreSent() {
    says(#"{"id":"1","a":1e2,"b":{"c":1,"d":2}}"#)
    #expect(get("/a/one?fields=a").body == #"{"id":"1","a":1e2}"#)
    #expect(get("/a/one?fields=b.c").body == #"{"id":"1","b":{"c":1}}"#)
    #expect(get("/a/one").body == #"{"id":"1","a":1e2,"b":{"c":1,"d":2}}"#)
    serveList()
    #expect(
      get("/a/?limit=2&fields=n").body == #"{"items":[{"id":"1","n":1.50},{"id":"2","n":2.50}],"next":"2"}"#)
  }

  @Test func anUnknownFieldIsRefusedWithTheKnownOnes() throws {
    let called = Counter()
    serveList(asked: called)
    let answer = get("/a/?fields=n,color")
    #expect(answer.status == 400 && answer.code == "request.field_unknown" && called.value == 0)
    #expect(try JSONValue.parse(answer.body.utf8.span)["known"] == ["id", "n", "t"])
    #expect(get("/a/one?fields=b.x").status == 400)
  }

  @Test func aParameterThatTheRouteDeclaresIsNotTheHosts() {
    says(#"{"id":"1","a":1}"#)
    #expect(get("/a/own?fields=nothing&max_chars=none").body == #"{"id":"1","a":1}"#)
    #expect(get("/a/own?max_bytes=64").status == 200)
  }

  // MARK: Links

  @Test func aListLinksItsNextPage() {
    serveList()
    #expect(get("/a/?limit=2&fields=id").header("Link") == #"</a/?limit=2&fields=id&after=2>; rel="next""#)
    #expect(get("/a?after=2&limit=3").header("Link") == #"</a?limit=3&after=5>; rel="next""#)
    #expect(get("/a/?after=8&limit=2").header("Link") == nil)
    for body in [#"{"id":"1"}"#, #"{"id":"1","next":"x"}"#, #"{"id":"1","items":[],"next":"x"}"#] {
      says(body)
      #expect(get("/a/one").header("Link") == nil && get("/a/one?max_chars=999").header("Link") == nil)
    }
  }

  @Test func aLinkIsOfTheAnswerThatIsSent() {
    serveList()
    #expect(get("/a/").header("Link") != nil)
    for status in [204, 205, 304] {
      site.serve(behaviour: .says(status, "application/json", ""), manifest: AnswerShapeTests.manifest)
      #expect(get("/a/").header("Link") == nil, "\(status)")
    }
    // No plugin can, but the gateway does not rely on it.
    says(#"{"items":[],"next":null}"#, 205)
    #expect(get("/a/").header("Link") == nil)
  }

  @Test func whatIsReadSaysWhatChoseItsForm() {
    for (accept, status) in [("*/*", 200), ("text/markdown", 200), ("*/*", 304), ("*/*", 404)] {
      site.serve(
        behaviour: .says(status, status == 304 ? "" : "application/json", status == 304 ? "" : "{}"),
        manifest: AnswerShapeTests.manifest)
      let answer = get("/a/one", headers: [("accept", accept)])
      #expect(answer.status == status && answer.header("Vary") == "Accept, Prefer")
    }
    #expect(get("/nowhere").header("Vary") == nil)
    #expect(get("/nowhere", headers: [("accept", "text/markdown")]).header("Vary") == "Accept")
    #expect(site.send("POST", "/a/", key: site.writer).header("Vary") == nil)
  }

  // MARK: Budgets

  @Test(arguments: [
    "max_chars=200", "max_bytes=200", "max_tokens=66", "max_chars=200&max_bytes=5000",
    "max_chars=200&fields=n",
  ]) func aListIsCutAfterARecordAndGoesOnThere(query: String) throws {
    serveList()
    var seen: [String] = []
    var after = ""
    repeat {
      let answer = get("/a/?limit=10&\(query)\(after)")
      #expect(answer.status == 200 && answer.body.unicodeScalars.count <= 200, "\(answer.body)")
      let page = try JSONValue.parse(answer.body.utf8.span)
      seen += (page["items"]?.array ?? []).compactMap { $0["id"]?.string }
      let next = page["next"]?.string
      #expect((answer.header("Answer-Truncated") != nil) == (page["truncated"] != nil))
      if next != nil { #expect(page["truncated"]?.string == String(query.prefix { $0 != "=" })) }
      after = next.map { "&after=\($0)" } ?? ""
    } while !after.isEmpty && seen.count < 20
    #expect(seen == (1...10).map(String.init))
    #expect(site.spare.taken == 0)
  }

  @Test func theLastByteStillFits() {
    serveList(count: 20)
    let whole = get("/a/?limit=20").body
    #expect(get("/a/?limit=20&max_chars=\(whole.utf8.count)").body == whole)
    let cut = get("/a/?limit=20&max_chars=\(whole.utf8.count - 1)")
    #expect(cut.status == 200 && cut.header("Answer-Truncated") == "max_chars")
    #expect((whole.utf8.count / 2..<whole.utf8.count).contains(cut.body.utf8.count), "\(cut.body)")
  }

  @Test func charactersAreScalarsAndBytesAreBytes() {
    serveList(count: 1, text: String(repeating: "漢", count: 50))
    #expect(get("/a/?max_chars=150").status == 200)
    #expect(get("/a/?max_bytes=150").status == 413)
  }

  @Test func aRecordThatIsTooLongByItselfIsRefused() throws {
    serveList(text: String(repeating: "y", count: 300))
    let answer = get("/a/?max_chars=200")
    #expect(answer.status == 413 && answer.code == "answer.too_large")
    let problem = try JSONValue.parse(answer.body.utf8.span)
    #expect(problem["limited_by"]?.string == "max_chars" && problem["allowed"]?.integer == 200)
    #expect(problem["detail"]?.string?.contains("fields") == true)
    #expect(get("/a/?max_chars=200&fields=n").status == 200)
  }

  @Test func aHandlerThatIgnoresTheLimitIsAskedOnceMoreOnly() {
    let asked = Counter()
    serveList(ignoresLimit: true, asked: asked)
    #expect(get("/a/?max_chars=200").code == "answer.too_large")
    #expect(asked.value == 2 && site.spare.taken == 0)
  }

  @Test func oneThingIsNotCut() {
    says(#"{"id":"1","a":"\#(String(repeating: "z", count: 100))","b":{}}"#)
    #expect(get("/a/one?max_chars=64").code == "answer.too_large")
    #expect(get("/a/one?max_chars=64&fields=b").body == #"{"id":"1","b":{}}"#)
  }

  @Test func aWriteThatWasCarriedOutSaysSo() throws {
    let long = #"{"id":"\#(String(repeating: "z", count: 100))"}"#
    says(long, 201)
    let answer = site.send("POST", "/a/?max_chars=64", key: site.writer)
    #expect(answer.code == "answer.too_large")
    #expect(try JSONValue.parse(answer.body.utf8.span)["carried_out"] == true)
    #expect(answer.body.contains("do not send it again. Read what it changed"))
    // Of one that was tried nothing is left: it may come again.
    let tried = site.send("POST", "/a/?max_chars=64", key: site.writer, headers: [("prefer", "dry-run")])
    #expect(tried.code == "answer.too_large" && tried.header("Preference-Applied") == "dry-run")
    #expect(try JSONValue.parse(tried.body.utf8.span)["carried_out"] == false)
    #expect(!tried.body.contains("carried out:") && tried.body.contains("raise max_chars"))
  }

  @Test(arguments: ["0", "63", "1000000001", "-1", "1e3", "ten", "", "99999999999999999999", "%20100"])
  func aLimitThatIsNoneIsRefused(value: String) {
    serveList()
    for name in ["max_chars", "max_bytes", "max_tokens"] {
      let answer = get("/a/?\(name)=\(value)")
      #expect(answer.status == 400 && answer.code == "request.query_parameter_invalid")
    }
  }

  @Test func theSmallestLimitCounts() throws {
    serveList()
    let key = try site.keys.issue(
      .init(principal: "agent", name: "k", scopes: ["a:read"], answerLimit: 256)
    ).key.text
    let answer = site.send("GET", "/a/?limit=10", key: key)
    #expect(answer.header("Answer-Truncated") == "answer_limit" && answer.body.utf8.count <= 256)
    #expect(
      site.send("GET", "/a/?limit=10&max_chars=9000", key: key).header("Answer-Truncated") == "answer_limit")
    #expect(
      site.send("GET", "/a/?limit=10&max_chars=200", key: key).header("Answer-Truncated") == "max_chars")
  }

  @Test func theHostsOwnLimitHoldsForTextAndProblems() {
    let site = Site(answerCharacters: 1000)
    for (status, type, kept) in [
      (200, "text/plain", false), (200, "application/json", false), (404, "application/problem+json", false),
      // What is text is held whatever it says that it is.
      (200, "application/octet-stream", false), (200, "application/xml", false), (200, "", false),
    ] {
      for count in [1000, 1001] {
        site.serve(behaviour: .says(status, type, "\"" + String(repeating: "a", count: count - 2) + "\""))
        let answer = site.send("GET", "/a/7", key: site.reader)
        #expect((answer.code == "answer.too_large") == (count > 1000 && !kept), "\(type) \(count)")
        #expect(answer.status == (count > 1000 && status == 200 && !kept ? 413 : status))
        guard answer.code == "answer.too_large" else { continue }
        let step = type == "application/json" ? "To get it: name the fields" : "ask for less"
        #expect(answer.body.contains(step), "\(answer.body)")
      }
    }
    site.serve(
      behaviour: .handles { exchange in
        _ = exchange.claim(exchange.handle)
        exchange.status = 200
        exchange.addHeader("Content-Type", "image/png")
        exchange.answerBody.append([UInt8](repeating: 0x89, count: 5000))
        return .answered
      })
    #expect(site.send("GET", "/a/7", key: site.reader).status == 200)
  }

  @Test func aPreferenceIsALimitTooAndOneThatIsNoneIsIgnored() {
    serveList()
    let answer = get("/a/?limit=10", headers: [("prefer", "wait=5, max-chars=200")])
    #expect(answer.header("Preference-Applied") == "max-chars=200" && answer.body.utf8.count <= 200)
    let other = get("/a/?limit=10", headers: [("prefer", "max-chars=much")])
    #expect(other.header("Preference-Applied") == nil && other.header("Answer-Truncated") == nil)
  }

  @Test func withoutAnExchangeToSpareTheRequestIsRefusedForAWhile() {
    serveList()
    let taken = (0..<8).compactMap { _ in site.spare.take() }
    #expect(get("/a/?limit=10&max_chars=200").status == 503)
    taken.forEach { site.spare.give($0) }
    #expect(get("/a/?limit=10&max_chars=200").status == 200)
  }

  /// The handler that has answered must not keep the next call of it out.
  @Test func aPageIsCutAlsoWhereOneCallIsAllThatMayBe() {
    let narrow = Site(usage: UsageBook(.init(usual: .init(calls: 1))))
    serveList(on: narrow)
    let answer = narrow.send("GET", "/a/?limit=10&max_chars=200", key: narrow.reader)
    #expect(answer.status == 200 && answer.header("Answer-Truncated") == "max_chars", "\(answer)")
    #expect(narrow.usage.account(of: "a").callsInFlight == 0)
  }

  // MARK: Markdown

  @Test func aTableThatIsFarTooLongIsNotWrittenToItsEnd() throws {
    let names = (0..<1000).map { #""n\#($0)":0"# }.joined(separator: ",")
    says("[{\(names)}\(String(repeating: ",{}", count: 20_000))]")
    let answer = get("/a/one?max_chars=3000", headers: [("accept", "text/markdown")])
    #expect(answer.status == 413 && answer.body.contains("at least"), "\(answer.body)")
  }

  @Test func whoPrefersMarkdownGetsTables() {
    serveList(count: 3)
    let answer = get("/a/?limit=2&fields=n", headers: [("accept", "text/markdown")])
    #expect(
      answer.header("Content-Type") == "text/markdown; charset=utf-8"
        && answer.header("Vary") == "Accept, Prefer")
    #expect(
      answer.body
        == "| id | n |\n| --- | --- |\n| 1 | 1.50 |\n| 2 | 2.50 |\n\nMore records: send the request again with `after=2`.\n"
    )
    #expect(answer.header("Link") != nil)
    says(#"{"id":"1"}"#)
    let one = get("/a/one", headers: [("accept", "text/markdown")])
    #expect(one.body == "| Field | Value |\n| --- | --- |\n| id | 1 |\n" && one.header("ETag") == nil)
    #expect(get("/a/one", headers: [("accept", "text/markdown, application/json")]).header("ETag") != nil)
  }

  @Test func problemsAreMarkdownToo() {
    says("{}")
    for target in ["/a/one?fields=x", "/nowhere", "/a/one/two/three"] {
      let answer = get(target, headers: [("accept", "text/markdown")])
      #expect(answer.status >= 400 && answer.body.hasPrefix("**\(answer.status) "), "\(answer.body)")
    }
  }

  @Test func aTableIsCutToItsBudget() {
    serveList()
    let answer = get("/a/?limit=10&max_chars=200", headers: [("accept", "text/markdown")])
    #expect(
      answer.status == 200 && answer.body.utf8.count <= 200 && answer.body.contains("max_chars"),
      "\(answer.body)")
  }
}

final class Counter: Sendable {
  private let count = Monitor(0)
  func add() { count.withLock { $0 += 1 } }
  var value: Int { count.withLock { $0 } }
}
