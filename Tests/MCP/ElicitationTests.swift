import Application
import Domain
import Doubles
import Kernel
import Testing

@testable import MCP

/// Calls that their user has to agree to. The handler here stands for the host's own step: it wants a token in X-Confirm.
@Suite struct ElicitationTests {
  private let site = MCPSite(
    behaviour: .runs { exchange in
      let head = exchange.head
      let isConfirmed = exchange.headers.contains {
        head.span($0.name).isEqual(to: "x-confirm") && head.span($0.value).isEqual(to: "token-1")
      }
      guard !isConfirmed else { return }
      _ = exchange.claim(exchange.handle)
      exchange.answer(
        Problem(428, "confirmation.required", "Nothing was done yet.", members: ["confirm": "token-1"]))
    })
  private static let forms = #"{"elicitation":{"form":{}}}"#

  private func delete(_ capabilities: String, _ more: String = "") -> MCPSite.Answer {
    site.call("things_delete_thing", #"{"id":"7"}"#, key: site.writer, capabilities: capabilities, more: more)
  }

  private func reply(_ response: String, state: String = "token-1") -> MCPSite.Answer {
    delete(
      ElicitationTests.forms, #","requestState":"\#(state)","inputResponses":{"confirm":\#(response)}"#)
  }

  @Test(arguments: [forms, #"{"elicitation":{}}"#, #"{"elicitation":{"form":{},"url":{}}}"#])
  func aClientThatCanAskIsAskedTo(capabilities: String) throws {
    let answer = delete(capabilities)
    #expect(answer.status == 200 && answer.result?["resultType"] == "input_required", "\(answer)")
    #expect(answer.result?["requestState"] == "token-1" && answer.result?["content"] == nil)
    let request = try #require(answer.result?["inputRequests"]?["confirm"])
    #expect(request["method"] == "elicitation/create" && request["params"]?["mode"] == "form")
    #expect(request["params"]?["message"] == "Delete a thing\nDELETE /things/7")
    #expect(request["params"]?["requestedSchema"]?["required"] == ["confirm"])
    // The token is for the client, not for its model.
    #expect(site.audit.rows.last?.status == 428)
  }

  @Test(arguments: ["{}", #"{"elicitation":{"url":{}}}"#, #"{"elicitation":true}"#, #"{"sampling":{}}"#])
  func oneThatCannotTellsItsModel(capabilities: String) {
    let answer = delete(capabilities)
    #expect(answer.isError && answer.text?.contains("confirmation.required") == true, "\(answer)")
    #expect(answer.text?.contains("token-1") == true)
  }

  @Test func theEraBeforeTellsTheModel() {
    let answer = site.previous(
      "tools/call", #"{"name":"things_delete_thing","arguments":{"id":"7"}}"#, key: site.writer)
    #expect(answer.isError && answer.text?.contains("token-1") == true, "\(answer)")
  }

  @Test func whoAgreesGetsWhatWasAskedFor() {
    let answer = reply(#"{"action":"accept","content":{"confirm":true}}"#)
    #expect(!answer.isError && answer.text == #"{"route":2}"#, "\(answer)")
  }

  @Test(arguments: [
    #"{"action":"decline"}"#, #"{"action":"cancel"}"#, #"{"action":"accept"}"#,
    #"{"action":"accept","content":{}}"#,
    #"{"action":"accept","content":{"confirm":false}}"#, #"{"action":"accept","content":{"confirm":"true"}}"#,
    #"{"action":"other"}"#,
  ])
  func anythingButYesIsNo(response: String) {
    let answer = reply(response)
    #expect(answer.isError && answer.text?.contains("did not agree") == true, "\(answer)")
  }

  @Test func aForeignTokenIsAskedAboutAgain() {
    let answer = reply(#"{"action":"accept","content":{"confirm":true}}"#, state: "token-2")
    #expect(answer.result?["resultType"] == "input_required", "\(answer)")
    for missing in [
      #","requestState":"token-1""#,
      #","inputResponses":{"confirm":{"action":"accept","content":{"confirm":true}}}"#,
      #","requestState":"token-1","inputResponses":{"other":{"action":"accept"}}"#,
    ] {
      #expect(delete(ElicitationTests.forms, missing).result?["resultType"] == "input_required")
    }
  }

  @Test(arguments: ["a b", "a\\n", "\u{e9}", String(repeating: "a", count: 513)])
  func whatIsNoTokenIsRefused(state: String) {
    let answer = reply(#"{"action":"accept","content":{"confirm":true}}"#, state: state)
    #expect(answer.status == 400 && answer.error == -32602, "\(answer)")
  }
}

/// The same with the host's own step, which gives out the tokens.
@Suite struct ConfirmationTests {
  private let site = MCPSite()
  private static let forms = #"{"elicitation":{"form":{}}}"#
  private static let agreed = #"{"confirm":{"action":"accept","content":{"confirm":true}}}"#

  private func purge(_ id: String, _ more: String = "", key: String? = nil) -> MCPSite.Answer {
    site.call(
      "things_purge_thing", #"{"id":"\#(id)"}"#, key: key ?? site.owner,
      capabilities: ConfirmationTests.forms,
      more: more)
  }

  private func agree(_ state: String) -> String {
    #","requestState":"\#(state)","inputResponses":\#(ConfirmationTests.agreed)"#
  }

  @Test func aTokenIsOfOneCallByOneKey() throws {
    let asked = purge("7")
    let state = try #require(asked.result?["requestState"]?.string, "\(asked)")
    let other = try site.keys.issue(.init(principal: "agent", name: "p", scopes: ["things:purge"])).key.text
    #expect(purge("8", agree(state)).result?["resultType"] == "input_required")
    #expect(purge("7", agree(state), key: other).result?["resultType"] == "input_required")
    #expect(purge("7", agree(state + "A")).result?["resultType"] == "input_required")
    let done = purge("7", agree(state))
    #expect(!done.isError && done.text == #"{"route":5}"#, "\(done)")
  }

  @Test func aModelThatIsAskedByItsHostSeesNoArgumentForIt() {
    func names(_ capabilities: String) -> [String] {
      let answer = site.modern("tools/list", key: site.owner, capabilities: capabilities)
      let tool = answer.result?["tools"]?.array?.first { $0["name"] == "things_purge_thing" }
      return tool?["inputSchema"]?["properties"]?.object?.keys.sorted() ?? []
    }
    #expect(names(ConfirmationTests.forms) == ["id", "idempotency_key"])
    #expect(names("{}") == ["confirm", "id", "idempotency_key"])
  }

  @Test func aModelWithoutSuchAHostSendsTheToken() throws {
    let asked = site.call("things_purge_thing", #"{"id":"7"}"#, key: site.owner)
    let text = try #require(asked.text)
    #expect(asked.isError && text.contains("confirmation.required"))
    let start = try #require(text.lastIndex(of: "{"))
    let token = try JSONValue.parse(Array(text[start...].utf8).span)["confirm"]?.string ?? ""
    let done = site.call("things_purge_thing", #"{"id":"7","confirm":"\#(token)"}"#, key: site.owner)
    #expect(!done.isError && done.text == #"{"route":5}"#, "\(done)")
  }
}
