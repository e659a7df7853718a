import Application
import Domain
import Doubles
import Kernel
import Testing

/// `/functions.json`.
@Suite struct FunctionListTests {
  private let site = FunctionSite()

  private func names(_ answer: FunctionSite.Answer) -> [String] {
    (answer.json?["tools"]?.array ?? []).compactMap { ($0["function"]?["name"] ?? $0["name"])?.string }
  }

  @Test func listsWhatTheCallerMayCall() {
    let all = ["a_get", "a_create", "a_whole", "a_open", "a_limited", "a_remove"]
    #expect(names(site.list()) == all)
    #expect(names(site.list(key: site.writer)) == all)
    #expect(names(site.list(key: site.reader)) == ["a_get", "a_open", "a_limited"])
    #expect(names(FunctionSite(anonymous: .public).list()) == ["a_open"])
    let none = FunctionSite(anonymous: .none)
    #expect(none.list().status == 401 && none.list(key: none.writer).status == 200)
  }

  private static let key: JSONValue = [
    "type": "string", "description": "A new UUID for each operation; the same one to repeat the call.",
  ]

  /// Strict: what may be left out is there, and may be null.
  @Test func whatMakesAWriteSafeIsAnArgument() throws {
    let manifest = """
      {"id":"a","version":"1","routes":[
       {"method":"POST","path":"/","operation":"plain"},
       {"method":"POST","path":"/needed","operation":"needed","idempotency":"required"},
       {"method":"POST","path":"/none","operation":"none","idempotency":"none"},
       {"method":"PATCH","path":"/","operation":"change","dry_run":true,"errors":[{"status":412,"code":"a.changed"}]},
       {"method":"DELETE","path":"/","operation":"own","query":{"type":"object","properties":{"idempotency_key":{"type":"integer"}}}},
       {"method":"GET","path":"/","operation":"read"}]}
      """
    let tools = try #require(FunctionSite(manifest: manifest).list().json?["tools"]?.array)
    func arguments(_ name: String) -> [String: JSONValue] {
      let function = tools.first { $0["function"]?["name"]?.string == "a_\(name)" }?["function"]
      let parameters = function?["parameters"]
      let properties = parameters?["properties"]?.object ?? ["none": true]
      #expect(function?["strict"] == true && parameters?["additionalProperties"] == false)
      #expect(parameters?["required"]?.array?.compactMap(\.string) == properties.keys.sorted())
      return properties
    }
    #expect(arguments("plain").keys.sorted() == ["idempotency_key"])
    #expect(arguments("plain")["idempotency_key"]?["type"] == ["string", "null"])
    #expect(arguments("needed")["idempotency_key"] == FunctionListTests.key)
    #expect(arguments("none").isEmpty && arguments("read").isEmpty)
    let change = arguments("change")
    #expect(change.keys.sorted() == ["dry_run", "idempotency_key", "if_match"])
    #expect(change.values.allSatisfy { $0["type"]?.array?.contains("null") == true })
    #expect(arguments("own")["idempotency_key"]?["type"] == ["integer", "null"])
  }

  @Test func aToolIsWhatChatCompletionsTakes() throws {
    let tool = try #require(site.list().json?["tools"]?.array?[1])
    #expect(
      tool == [
        "type": "function",
        "function": [
          "name": "a_create", "description": "Create", "strict": false,
          "parameters": [
            "type": "object", "required": ["name"], "additionalProperties": false,
            "properties": [
              "name": ["type": "string"], "note": ["type": ["string", "null"]], "age": ["type": "integer"],
              "idempotency_key": FunctionListTests.key,
            ],
          ],
        ],
      ])
    let get = try #require(site.list().json?["tools"]?.array?[0]["function"])
    #expect(get["strict"] == true && get["parameters"]?["required"] == ["id", "part", "tags"])
  }

  @Test func aToolIsWhatResponsesTakes() throws {
    let tool = try #require(site.list("?api=responses").json?["tools"]?.array?[3])
    #expect(
      tool == [
        "type": "function", "name": "a_open", "description": "Open to all", "strict": true,
        "parameters": ["type": "object", "properties": [:], "required": [], "additionalProperties": false],
      ])
  }

  @Test func saysWhyAFunctionIsNotStrict() throws {
    let loose = try #require(site.list().json?["not_strict"]?.array)
    #expect(loose.map { $0["name"]?.string } == ["a_create"])
    #expect(loose[0]["obstacles"]?.array?[0]["pointer"] == "/properties/note")
  }

  @Test func saysWhatGoes() {
    let text = site.list().json?["tools"]?.array?[5]["function"]?["description"]?.string
    #expect(text == "Deprecated, and gone after 2027-01-01T00:00:00.000Z; see /docs. Remove")
  }

  @Test func estimatesWhatItCosts() throws {
    let answer = site.list()
    let tools = try #require(answer.json?["tools"])
    let bytes = JSON.encode(tools).count
    #expect(answer.json?["tokens"]?["total"] == .integer(Int64((bytes - 1 + 3) / 4)))
  }

  @Test func oneAutomationAlone() {
    #expect(names(site.list("?automation=a")).count == 6)
    let none = site.list("?automation=b")
    #expect(none.status == 404 && none.code == "automation.not_found")
  }

  @Test(arguments: [
    "?api=assistants", "?api=", "?api=chat&api=chat", "?x=1", "?automation=a&automation=a", "?automation=",
    "?automation",
  ])
  func refusesOtherParameters(_ query: String) {
    let answer = site.list(query)
    #expect(answer.status == 400 && answer.code?.hasPrefix("request.query_parameter_") == true)
  }

  @Test func isKnownByItsTag() throws {
    let answer = site.list()
    let tag = try #require(answer.headers["ETag"])
    #expect(
      answer.headers["Vary"] == "Authorization, X-API-Key" && answer.headers["Cache-Control"] == "no-cache")
    let again = site.list(headers: [("if-none-match", tag)])
    #expect(again.status == 304 && again.body.isEmpty)
    #expect(site.list(key: site.reader).headers["ETag"] != tag)
    // The same routes have the same tag, whatever their generation.
    site.serve(.answers)
    #expect(site.list().headers["ETag"] == tag)
  }

  @Test func aListThatIsTooLongIsRefused() {
    let length = site.list().body.utf8.count
    #expect(FunctionSite(maxBytes: length).list().status == 200)
    #expect(FunctionSite(maxBytes: 500).list().code == "documents.too_large")
  }

  private static let long = """
    {"id":"a","version":"1","routes":[
     {"method":"GET","path":"/brief","operation":"brief","summary":"Brief","scope":"a:brief"},
     {"method":"GET","path":"/long","operation":"long","summary":"Long","deadline_ms":60000}]}
    """

  @Test func whereACallMayBecomeAJobThereAreFunctionsToAskForIt() throws {
    let site = FunctionSite(
      behaviour: .says(200, "application/json", #"{"n":1}"#), manifest: FunctionListTests.long,
      jobAfter: .seconds(40))
    let list = site.list("?automation=a", key: site.reader)
    #expect(names(list) == ["a_long", "jobs_get", "jobs_cancel"])
    #expect(list.json?["not_strict"] == [])
    for (jobAfter, scopes) in [
      (Duration?.none, ["a:read"]), (.seconds(60), ["a:read"]), (.seconds(40), ["a:brief"]),
    ] {
      let other = FunctionSite(manifest: FunctionListTests.long, jobAfter: jobAfter)
      let key = try other.keys.issue(.init(principal: "p", name: "p", scopes: scopes)).key.text
      #expect(names(other.list(key: key)) == [scopes == ["a:brief"] ? "a_brief" : "a_long"])
    }

    let call = site.send(
      "POST", "/functions/call", body: #"{"name":"a_long"}"#, key: site.reader,
      headers: [("prefer", "respond-async")])
    #expect(call.status == 202 && call.json?["ok"] == true && call.json?["status"] == 202)
    let job = try #require(call.route?["job"]?.string)
    #expect(call.route?["detail"]?.string?.contains("jobs_get") == true)
    let ended = site.call("jobs_get", #""{\"job\":\"\#(job)\"}""#, key: site.reader)
    #expect(ended.body == #"{"ok":true,"status":200,"result":{"n":1}}"#, "\(ended.body)")
    let stranger = site.call("jobs_get", #"{"job":"\#(job)"}"#, key: site.writer)
    #expect(stranger.status == 404 && stranger.code == "job.not_found" && stranger.json?["ok"] == false)
    let gone = site.call("jobs_cancel", #"{"job":"\#(job)"}"#, key: site.reader)
    #expect(gone.body == #"{"ok":true,"status":204,"result":null}"# && gone.status == 200)
    #expect(site.call("jobs_get", "{}", key: site.reader).code == "call.argument_missing")
    #expect(site.call("jobs_get", #"{"job":null}"#, key: site.reader).code == "call.argument_invalid")
  }
}
