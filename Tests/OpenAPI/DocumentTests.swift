import Application
import Cryptography
import Domain
import Kernel
import Testing

@testable import OpenAPI

@Suite struct DocumentTests {
  static let shop = #"""
    {"id":"shop","version":"2.1","title":"Shop","summary":"Sells.","routes":[
     {"method":"GET","path":"/","operation":"list","summary":"List things","query":{"type":"object","properties":
      {"limit":{"type":"integer","minimum":1,"default":20,"description":"Items of a page."},
       "tag":{"type":"array","items":{"type":"string"}}},"required":["tag"]}},
     {"method":"POST","path":"/","operation":"make","summary":"Make a thing","description":"Made at once.",
      "body":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]},
      "errors":[{"status":409,"code":"shop.sold_out","description":"Nothing is left."},
       {"status":422,"code":"shop.odd"}]},
     {"method":"GET","path":"/{id}","operation":"get","path_parameters":{"type":"object","properties":
      {"id":{"type":"string","description":"Its id."}}},"response":{"type":"object","properties":
      {"self":{"$ref":"#/$defs/link"}},"$defs":{"link":{"type":["string","null"]}}}},
     {"method":"DELETE","path":"/{thing}","operation":"drop","scope":"shop:admin",
      "deprecated":{"since":"2026-01-01T00:00:00Z","sunset":"2027-01-01T00:00:00Z","link":"https://example.com/new"}},
     {"method":"GET","path":"/open","operation":"open","public":true}]}
    """#

  private let site: DocumentSite

  init() {
    site = DocumentSite(.init(release: "9", serverURL: "https://shop.example"))
    site.serve(DocumentTests.shop)
  }

  private func operation(_ path: String, _ method: String, _ query: [(String, String)] = []) -> JSONValue? {
    site.get(0, query).json?["paths"]?[path]?[method]
  }

  /// The parameters of an operation, those that it shares with others included.
  private func parameters(_ path: String, _ method: String, _ query: [(String, String)] = []) -> [JSONValue] {
    let document = site.get(0, query).json ?? .null
    return document["paths"]?[path]?[method]?["parameters"]?.array?.map { parameter in
      guard let reference = parameter["$ref"]?.string else { return parameter }
      return JSONPointer(String(reference.dropFirst()))?.value(in: document) ?? .null
    } ?? []
  }

  private func names(_ parameters: [JSONValue]) -> [String] { parameters.map { $0["name"]?.string ?? "" } }

  private static let hosts = ["fields", "max_chars", "max_bytes", "max_tokens"]

  @Test func tellsOfEveryRoute() {
    let document = site.get().json
    #expect(document?["openapi"] == "3.1.0" && document?["info"]?["version"] == "9")
    #expect(document?["servers"] == [["url": "https://shop.example"]])
    #expect(document?["paths"]?.object?.keys.sorted() == ["/shop", "/shop/open", "/shop/{id}"])
    #expect(
      document?["tags"]
        == [["name": "shop", "description": "Sells.", "x-displayName": "Shop", "x-version": "2.1"]])
    let make = document?["paths"]?["/shop"]?["post"]
    #expect(make?["operationId"] == "shop_make" && make?["tags"] == ["shop"])
    #expect(make?["summary"] == "Make a thing")
    #expect(make?["description"] == "Made at once.\n\nNeeds the scope `shop:write`.")
    #expect(make?["security"] == [["bearer": ["shop:write"]], ["apiKey": ["shop:write"]]])
    #expect(make?["requestBody"]?["content"]?["application/json"]?["example"] == ["name": "Ada"])
    #expect(document?["paths"]?["/shop/open"]?["get"]?["security"] == [])
  }

  @Test func parametersComeFromTheSchemas() {
    let list = parameters("/shop", "get")
    #expect(
      list.prefix(2) == [
        [
          "name": "limit", "in": "query", "description": "Items of a page.", "example": 20,
          "schema": ["type": "integer", "minimum": 1, "default": 20],
        ],
        [
          "name": "tag", "in": "query", "required": true, "example": ["text"],
          "schema": ["type": "array", "items": ["type": "string"]],
        ],
      ])
    #expect(names(list.dropFirst(2) + []) == DocumentTests.hosts + ["Prefer", "If-None-Match"])
    // One path has one name for each place.
    #expect(operation("/shop/{id}", "delete")?["parameters"]?.array?.first?["name"] == "id")
    let id = operation("/shop/{id}", "get")?["parameters"]?.array?.first
    #expect(id?["description"] == "Its id.")
    // No path can hold a control character.
    #expect(id?["schema"] == ["type": "string", "pattern": #"^[^\x00-\x1f\x7f]*$"#])
  }

  @Test func everyAnswerIsThere() {
    let make = operation("/shop", "post")?["responses"]?.object ?? [:]
    #expect(
      make.keys.sorted() == [
        "2XX", "400", "401", "403", "404", "408", "409", "413", "414", "415", "417", "422", "429", "431",
        "500",
        "501", "503", "504", "505",
      ])
    #expect(make["409"]?["description"]?.string?.hasPrefix("`shop.sold_out`: Nothing is left.\n\n") == true)
    // What the host means by it, too.
    #expect(make["422"]?["description"]?.string?.hasPrefix("`shop.odd`\n\nThe body is not") == true)
    let open = operation("/shop/open", "get")?["responses"]?.object ?? [:]
    #expect(open["401"] == nil && open["403"] == nil && open["422"] == nil && open["304"] != nil)
    #expect(open["409"] == nil && open["428"] == nil)
    // Each reference leads somewhere.
    let document = site.get().json
    for (_, response) in open {
      guard let reference = response["$ref"]?.string else { continue }
      #expect(JSONPointer(String(reference.dropFirst()))?.value(in: document ?? .null) != nil, "\(reference)")
    }
  }

  @Test func whatGoesIsMarked() {
    let drop = operation("/shop/{id}", "delete")
    #expect(drop?["deprecated"] == true && drop?["x-sunset"] == "2027-01-01T00:00:00.000Z")
    #expect(drop?["x-deprecation-link"] == "https://example.com/new")
    #expect(drop?["description"]?.string?.contains("answers until 2027-01-01") == true)
    // Its answers say so, too; those of others do not.
    let document = site.get().json
    let headers = document?["paths"]?["/shop/{id}"]?["delete"]?["responses"]?["2XX"]?["headers"]
    #expect(headers?["Deprecation"] == ["$ref": "#/components/headers/Deprecation"])
    #expect(headers?["Sunset"] == ["$ref": "#/components/headers/Sunset"])
    for name in ["Deprecation", "Sunset"] {
      #expect(document?["components"]?["headers"]?[name]?["description"]?.string?.isEmpty == false)
    }
    let others = document?["paths"]?["/shop/{id}"]?["get"]?["responses"]?["200"]?["headers"]
    #expect(others?["ETag"] != nil && others?["Deprecation"] == nil && others?["Sunset"] == nil)
    let plain = operation("/shop/{id}", "get")
    #expect(plain?["deprecated"] == nil && plain?["x-sunset"] == nil)
  }

  /// A GPT reads it first, within the length of its texts.
  @Test(arguments: [0, 1, 200, 300])
  func whatGoesIsMarkedForAGPT(length: Int) {
    let text = String(repeating: "é", count: length)
    site.serve(
      #"""
      {"id":"old","version":"1","routes":[{"method":"GET","path":"/","operation":"x","summary":"S","description":"\#(text)",
       "deprecated":{"since":"2026-01-01T00:00:00Z","sunset":"2027-01-01T00:00:00Z"}}]}
      """#)
    let gpt = operation("/old", "get", [("automation", "old"), ("profile", "gpt")])
    #expect(gpt?["deprecated"] == true && gpt?["x-sunset"] == "2027-01-01T00:00:00.000Z")
    let warning = "Deprecated since 2026-01-01T00:00:00.000Z; answers until 2027-01-01T00:00:00.000Z."
    let whole = warning + (length == 0 ? "" : " " + text)
    let said = gpt?["description"]?.string ?? ""
    #expect(
      said.unicodeScalars.count == min(300, whole.unicodeScalars.count) && said.hasPrefix(warning), "\(said)")
    #expect(said == whole || said.hasSuffix("é…"))
  }

  @Test func olderVersionHasNothingOfTheNewer() {
    let answer = site.get(0, [("version", "3.0")])
    #expect(answer.json?["openapi"] == "3.0.3")
    #expect(
      answer.json?["components"]?["schemas"]?["shop_get.response.link"] == [
        "type": "string", "nullable": true,
      ])
    #expect(answer.json?["paths"]?["/shop"]?["get"]?["security"] == [["bearer": []], ["apiKey": []]])
    #expect(!answer.body.contains("$defs") && !answer.body.contains(#""type":["#))
  }

  @Test func whatMakesAWriteSafeIsAParameter() {
    site.serve(
      #"""
      {"id":"safe","version":"1","routes":[
       {"method":"POST","path":"/","operation":"x","confirm":true,"dry_run":true,"idempotency":"required"},
       {"method":"POST","path":"/plain","operation":"y"},{"method":"POST","path":"/none","operation":"z","idempotency":"none"}]}
      """#)
    let post = parameters("/safe", "post")
    #expect(names(post) == DocumentTests.hosts + ["Idempotency-Key", "X-Confirm", "Prefer"])
    #expect(post[4]["required"] == true && operation("/safe", "post")?["responses"]?["428"] != nil)
    #expect(post.last?["description"]?.string?.contains("`dry-run`") == true)
    let plain = parameters("/safe/plain", "post")
    #expect(names(plain) == DocumentTests.hosts + ["Idempotency-Key", "Prefer"])
    #expect(plain[4]["required"] == nil && plain.last?["description"]?.string?.contains("dry-run") == false)
    #expect(names(parameters("/safe/none", "post")) == DocumentTests.hosts + ["Prefer"])
    #expect(operation("/safe/none", "post")?["responses"]?["409"] == nil)
    // A GPT sends no headers of its own.
    let gpt = [("automation", "safe"), ("profile", "gpt")]
    #expect(names(parameters("/safe", "post", gpt)) == ["idempotency_key", "confirm", "dry_run"])
    #expect(names(parameters("/safe/plain", "post", gpt)) == ["idempotency_key"])
    #expect(parameters("/safe", "post", gpt).first?["required"] == true)
    #expect(parameters("/safe/plain", "post", gpt).first?["required"] == nil)
    let none = operation("/safe/none", "post", gpt)
    #expect(none != nil && none?["parameters"] == nil)
  }

  @Test func whatTheRouteCallsSoItselfIsNotTheHosts() {
    site.serve(
      #"""
      {"id":"own","version":"1","routes":[{"method":"GET","path":"/","operation":"x","query":{"type":"object",
       "properties":{"fields":{"type":"boolean"},"max_chars":{"type":"integer"}}}}]}
      """#)
    let all = parameters("/own", "get")
    #expect(names(all) == ["fields", "max_chars", "max_bytes", "max_tokens", "Prefer", "If-None-Match"])
    #expect(all[0]["schema"] == ["type": "boolean"] && all[1]["schema"] == ["type": "integer"])
  }

  @Test func aVersionIsExpectedWhereTheHandlerLooksAtIt() {
    site.serve(
      #"""
      {"id":"own","version":"1","routes":[
       {"method":"PATCH","path":"/{id}","operation":"x","errors":[{"status":412,"code":"own.changed"}]},
       {"method":"DELETE","path":"/{id}","operation":"y"}]}
      """#)
    #expect(names(parameters("/own/{id}", "patch")).contains("If-Match"))
    #expect(!names(parameters("/own/{id}", "delete")).contains("If-Match"))
    let gpt = [("automation", "own"), ("profile", "gpt")]
    #expect(names(parameters("/own/{id}", "patch", gpt)) == ["id", "idempotency_key", "if_match"])
    #expect(names(parameters("/own/{id}", "delete", gpt)) == ["id", "idempotency_key"])
  }

  @Test(arguments: ["3.1", "3.0"])
  func aSuccessHasTheStatusThatIsKnown(version: String) {
    site.serve(
      #"""
      {"id":"own","version":"1","routes":[
       {"method":"GET","path":"/","operation":"a"},{"method":"GET","path":"/b","operation":"b","status":203},
       {"method":"POST","path":"/","operation":"c","status":201,"response":{"type":"object"}},
       {"method":"DELETE","path":"/","operation":"d","status":204},{"method":"PUT","path":"/","operation":"e"}]}
      """#)
    let document = site.get(0, [("version", version)]).json
    func successes(_ path: String, _ method: String) -> [String] {
      let responses = document?["paths"]?[path]?[method]?["responses"]?.object ?? [:]
      return responses.keys.filter { $0.hasPrefix("2") }
    }
    #expect(successes("/own", "get") == ["200"] && successes("/own/b", "get") == ["203"])
    #expect(successes("/own", "post") == ["201"] && successes("/own", "delete") == ["204"])
    #expect(successes("/own", "put") == ["2XX"])
    let made = document?["paths"]?["/own"]?["post"]?["responses"]?["201"]
    #expect(made?["content"]?.object?.keys.sorted() == ["application/json", "text/markdown"])
    #expect(document?["paths"]?["/own"]?["delete"]?["responses"]?["204"]?["content"] == nil)
  }

  @Test func aCallThatMayOutlastItsClientMayBecomeAJob() {
    let site = DocumentSite(.init(jobAfter: .seconds(1)))
    site.serve(
      #"""
      {"id":"own","version":"1","requires":["council.stream/1"],"routes":[
       {"method":"POST","path":"/","operation":"a","deadline_ms":1001},
       {"method":"POST","path":"/b","operation":"b","deadline_ms":1000},
       {"method":"POST","path":"/c","operation":"c","deadline_ms":1001,"stream":true}]}
      """#)
    let document = site.get().json
    func accepted(_ path: String) -> JSONValue? {
      document?["paths"]?[path]?["post"]?["responses"]?["202"]
    }
    #expect(accepted("/own") == ["$ref": "#/components/responses/Accepted"])
    #expect(accepted("/own/b") == nil && accepted("/own/c") == nil)
    let shared = document?["components"]?["responses"]?["Accepted"]
    #expect(shared?["headers"]?["Location"] != nil && shared?["headers"]?["Retry-After"] != nil)
    #expect(
      shared?["content"]?["application/json"]?["schema"]?["required"] == [
        "job", "status", "poll", "poll_after_s",
      ])
    let prefers = document?["components"]?["parameters"]?.object?.keys.filter { $0.hasPrefix("Prefer") }
    #expect(prefers?.sorted() == ["Prefer", "PreferAsync"])
  }

  // MARK: The host's own paths

  private static let failure: [String: JSONValue] = [
    "application/json": [
      "$ref": "#/$defs/problem", "$defs": ["problem": ["type": "object", "required": ["ok"]]],
    ]
  ]

  private static let passing: [OwnRoute] = [
    OwnRoute(
      .post, "/functions/call", maxBodyBytes: 10,
      manual: OwnManual(
        "council_call_function", "Call",
        answers: [
          .init("2XX", "Done", ["application/json": [:]]), .init("4XX", "Not", failure),
          .init("5XX", "Broken", failure),
        ], refusals: [403, 404], passesOn: .calls)),
    OwnRoute(
      .get, "/jobs/{id}",
      manual: OwnManual(
        "council_get_job", "Get it",
        answers: [.init("202", "Runs"), .init("2XX", "So", ["application/json": [:]]), .init("404", "None")],
        passesOn: .jobs)),
  ]

  /// The statuses of the two, in a document of these routes.
  private func passed(_ routes: String) -> (call: [String], job: [String], document: JSONValue?) {
    let site = DocumentSite(.init(jobAfter: .seconds(1)), own: DocumentTests.passing)
    site.serve(#"{"id":"shop","version":"1","routes":[\#(routes)]}"#)
    let document = site.get().json
    func statuses(_ path: String, _ method: String) -> [String] {
      document?["paths"]?[path]?[method]?["responses"]?.object?.keys.sorted() ?? []
    }
    return (statuses("/functions/call", "post"), statuses("/jobs/{id}", "get"), document)
  }

  private static let always = ["400", "401", "404", "408", "413", "414", "417", "429", "431"]
  private static let broken = ["500", "501", "503", "505"]

  @Test func whatPassesOnAnswersNamesTheirStatuses() {
    let drop =
      #"{"method":"DELETE","path":"/","operation":"drop","status":204,"deadline_ms":1000,"errors":[{"status":423,"code":"shop.held"}]}"#
    let made = passed(drop)
    // An answer without a body has one there.
    let writes = [
      "400", "401", "403", "404", "408", "409", "413", "414", "415", "417", "422", "423", "429", "431",
    ]
    #expect(made.call == ["200"] + writes + ["500", "501", "503", "504", "505"])
    // Nothing here may become a job.
    #expect(made.job == ["202"] + DocumentTests.always + DocumentTests.broken)
    let lasting = passed(#"{"method":"PUT","path":"/","operation":"fill","status":201,"deadline_ms":2000}"#)
    #expect(lasting.call.prefix(3) == ["200", "201", "202"] && lasting.call.contains("410"))
    #expect(lasting.job.prefix(2) == ["201", "202"] && lasting.job.contains("409"))
    // A status that its route does not know is any.
    let open = passed(#"{"method":"PUT","path":"/","operation":"fill","deadline_ms":2000}"#)
    #expect(open.call.contains("2XX") && open.job.contains("2XX"))
    #expect(!(made.call + made.job + lasting.call + lasting.job).contains { $0.hasSuffix("XX") })
  }

  @Test func whatPassesOnAnswersSaysOnceWhatTheyLookLike() {
    let document = passed(#"{"method":"POST","path":"/","operation":"fill","status":201}"#).document
    let responses = document?["paths"]?["/functions/call"]?["post"]?["responses"]
    for status in ["400", "422", "503"] {
      #expect(
        responses?[status]?["content"]?["application/json"]?["schema"] == [
          "$ref": "#/components/schemas/council_call_function.response.problem"
        ], "\(responses?[status] ?? .null)")
    }
    #expect(responses?["503"]?["description"] == "Broken" && responses?["201"]?["description"] == "Done")
    #expect(
      document?["components"]?["schemas"]?["council_call_function.response.problem"]?["required"] == ["ok"])
  }

  private static let own: [OwnRoute] = [
    OwnRoute(
      .post, "/mine", key: .required, maxBodyBytes: 10, manual: OwnManual("council_mine", "Mine", answers: [])
    ),
    OwnRoute(
      .get, "/jobs/{id}",
      manual: OwnManual("council_get_job", "Get it", answers: [.init("2XX", "So"), .init("4XX", "No")])),
    OwnRoute(.get, "/silent"),
  ]

  @Test func theHostsOwnPathsAreInTheWholeDocument() {
    let server = "https://shop.example"
    let site = DocumentSite(.init(serverURL: server), own: DocumentTests.own)
    site.serve(DocumentTests.shop)
    let document = site.get().json
    let paths = document?["paths"]
    #expect(paths?["/silent"] == nil)
    #expect(paths?["/mine"]?["post"]?["security"] == [["bearer": []], ["apiKey": []]])
    #expect(paths?["/jobs/{id}"]?["get"]?["security"] == [[:], ["bearer": []], ["apiKey": []]])
    #expect(paths?["/jobs/{id}"]?["get"]?["parameters"]?.array?.map { $0["name"] } == ["id"])
    let responses = paths?["/jobs/{id}"]?["get"]?["responses"]
    #expect(responses?["2XX"]?["description"] == "So" && responses?["4XX"]?["description"] == "No")
    // What a range says is not said again.
    #expect(responses?["400"] == nil && responses?["500"] != nil)
    #expect(document?["tags"]?.array?.last?["name"] == "council")
    #expect(site.get(1).body.contains("<code>/jobs/{id}</code>"))
    #expect(site.get(0, [("automation", "shop")]).json?["paths"]?["/mine"] == nil)
    // To a GPT they are nothing, but for the job of a call that may become one.
    let gpt = [("profile", "gpt")]
    #expect(site.get(0, gpt).json?["paths"]?.object?.keys.contains { !$0.hasPrefix("/shop") } == false)
    let slow = DocumentSite(.init(serverURL: server, jobAfter: .seconds(1)), own: DocumentTests.own)
    slow.serve(DocumentTests.shop)
    let withJobs = slow.get(0, gpt).json?["paths"]
    #expect(withJobs?["/jobs/{id}"]?["get"] != nil && withJobs?["/mine"] == nil)
    #expect(withJobs?["/shop"]?["post"]?["responses"]?.object?.keys.sorted() == ["200", "202", "default"])
  }

  @Test func whoHasNoKeySeesOfThemWhatTheSettingSays() {
    for (view, isThere) in [(AnonymousView.all, true), (.public, false)] {
      let site = DocumentSite(.init(anonymous: view), own: DocumentTests.own)
      let paths = site.get().json?["paths"]
      #expect((paths?["/mine"] != nil) == isThere && paths?["/jobs/{id}"] != nil)
      #expect(site.get(0, [], site.caller(["x:y"])).json?["paths"]?["/mine"] != nil)
    }
  }

  @Test func aSchemaThatRefersToItselfEverywhereHasAnEnd() {
    let members = (0..<20).map { ##""m\##($0)":{"$ref":"#"}"## }.joined(separator: ",")
    let parts = Array(repeating: ##"{"$ref":"#"}"##, count: 20).joined(separator: ",")
    site.serve(
      #"""
      {"id":"loop","version":"1","routes":[
       {"method":"POST","path":"/","operation":"x","body":{"type":"object","properties":{\#(members)}}},
       {"method":"GET","path":"/","operation":"y","query":{"type":"object","properties":{"a":{"$ref":"#/properties/b"},
        "b":{"anyOf":[\#(parts)]}}}}]}
      """#)
    let post = operation("/loop", "post")
    #expect(
      post?["requestBody"]?["content"]?["application/json"]?["schema"]?["properties"]?.object?.count == 20)
    #expect(parameters("/loop", "get").count == 8)
  }

  // MARK: Who sees what

  @Test func aKeySeesWhatItMayCall() {
    let reader = site.get(0, [], site.caller(["shop:read"])).json
    #expect(reader?["paths"]?["/shop"]?.object?.keys.sorted() == ["get"])
    #expect(reader?["paths"]?["/shop/open"] != nil && reader?["paths"]?["/shop/{id}"]?["delete"] == nil)
    let stranger = site.get(0, [], site.caller(["other:read"])).json
    #expect(stranger?["paths"]?.object?.keys.sorted() == ["/shop/open"])
    #expect(site.get(0, [("automation", "nothing")]).code == "automation.not_found")
  }

  @Test func theSettingSaysWhatIsSeenWithoutAKey() {
    for (view, paths) in [(AnonymousView.all, 3), (.public, 1), (.none, nil)] {
      let site = DocumentSite(.init(anonymous: view))
      site.serve(DocumentTests.shop)
      let answer = site.get()
      #expect(answer.json?["paths"]?.object?.count == paths)
      if view == .none { #expect(answer.status == 401 && answer.code == "access.key_missing") }
      #expect(site.get(0, [], site.caller(["shop:*"])).json?["paths"]?.object?.count == 3)
      #expect(site.get(1).body.contains("<code>/shop</code>") == (view == .all))
    }
  }

  @Test func oneAutomationHasADocumentOfItsOwn() {
    site.serve(#"{"id":"other","version":"1","routes":[{"method":"GET","path":"/","operation":"x"}]}"#)
    #expect(site.get().json?["paths"]?.object?.count == 4)
    let one = site.get(0, [("automation", "other")]).json
    #expect(one?["paths"]?.object?.keys.sorted() == ["/other"] && one?["info"]?["title"] == "other")
    #expect(one?["info"]?["version"] == "1")
  }

  @Test func whatIsAskedMustBeKnown() {
    for (query, code) in [
      ([("color", "red")], "request.query_parameter_unknown"),
      ([("version", "2.0")], "request.query_parameter_invalid"),
      ([("version", "3.0"), ("version", "3.1")], "request.query_parameter_invalid"),
      ([("profile", "x")], "request.query_parameter_invalid"),
      ([("part", "2")], "request.query_parameter_invalid"),
      ([("automation", "")], "request.query_parameter_invalid"),
      ([("profile", "gpt"), ("part", "0")], "request.query_parameter_invalid"),
    ] {
      let answer = site.get(0, query)
      #expect(answer.status == 400 && answer.code == code, "\(query)")
    }
  }

  // MARK: Conditional requests, reloads

  @Test func isSentAgainOnlyWhenItChanged() throws {
    let first = site.get()
    let tag = try #require(first.headers["ETag"])
    #expect(
      first.headers["Vary"] == "Authorization, X-API-Key" && first.headers["Cache-Control"] == "no-cache")
    for known in [tag, "W/\(tag)", "\"x\", \(tag)", "*"] {
      let again = site.get(0, [], headers: [("if-none-match", known)])
      #expect(again.status == 304 && again.body.isEmpty && again.headers["ETag"] == tag, "\(known)")
    }
    #expect(site.get(0, [], headers: [("if-none-match", "\"other\"")]).status == 200)
    // The same again is the same document; one route more is not.
    site.serve(DocumentTests.shop)
    #expect(site.get().headers["ETag"] == tag)
    site.serve(#"{"id":"other","version":"1","routes":[{"method":"GET","path":"/","operation":"x"}]}"#)
    let after = site.get(0, [], headers: [("if-none-match", tag)])
    #expect(after.status == 200 && after.json?["paths"]?["/other"] != nil)
  }

  @Test func aDocumentBeyondItsLimitIsRefused() {
    let site = DocumentSite(.init(maxBytes: 100))
    site.serve(DocumentTests.shop)
    #expect(site.get().code == "openapi.too_large" && site.get().status == 422)
  }

  // MARK: The page

  @Test func thePageListsOperationsWithoutScripts() {
    let page = site.get(1)
    #expect(page.headers["Content-Type"] == "text/html; charset=utf-8")
    #expect(
      page.headers["Content-Security-Policy"]?.hasPrefix("default-src 'none'; script-src 'self'") == true)
    #expect(page.body.contains("<b>POST</b> <code>/shop</code>") && page.body.contains("Make a thing"))
    #expect(!page.body.contains("<script") && !page.body.contains("://"))
    #expect(site.get(2, file: "start.js").status == 404)
  }

  @Test func textsOfAManifestAreNoMarkup() {
    site.serve(
      #"{"id":"evil","version":"1","routes":[{"method":"GET","path":"/","operation":"x","summary":"<script>a('&\")</script>"}]}"#
    )
    let page = site.get(1).body
    #expect(page.contains("&lt;script&gt;a('&amp;&quot;)&lt;/script&gt;") && !page.contains("<script>a"))
  }

  @Test func withAssetsThePageStartsThem() throws {
    let assets = try #require(PageAssets(digests: OpenSSLDigests()) { Array("/* \($0) */".utf8) })
    let site = DocumentSite(assets: assets)
    site.serve(DocumentTests.shop)
    #expect(site.get(1).body.contains(#"<script src="/docs/assets/start.js">"#))
    let script = site.get(2, file: "swagger-ui-bundle.js")
    #expect(
      script.body == "/* swagger-ui-bundle.js */"
        && script.headers["Content-Type"]?.hasPrefix("text/java") == true)
    #expect(site.get(2, file: "../council.sqlite").status == 404)
    #expect(PageAssets(digests: OpenSSLDigests()) { $0.hasSuffix(".css") ? [] : nil } == nil)
  }
}
