import Kernel
import Testing

/// Confirmations of a route of whose calls the host keeps nothing, over an upgrade.
@Suite(.serialized) struct ConfirmationTests {
  private static let manifest =
    #"{"id":"hog","version":"1","routes":["#
    + #"{"method":"DELETE","path":"/{id}","operation":"remove","confirm":true,"idempotency":"none"}]}"#

  @Test func aTokenOfTheHostBeforeTakesEffectOnce() throws {
    let host = try HostUnderTest(load: [Fixtures.plugin("hog", manifest: ConfirmationTests.manifest)])
    let key = try host.issueKey(["hog:*"])
    let asked = try host.call("DELETE", "/hog/a", key: key)
    let token = try #require(asked.json?["confirm"]?.string, "\(asked)")
    let old = host.servingPID
    #expect(try host.admin("POST", "/host/upgrade").status == 200)
    #expect(host.successor(of: old) != nil)
    #expect(try host.call("DELETE", "/hog/a", key: key, headers: ["X-Confirm: \(token)"]).status == 200)
    let again = try host.call("DELETE", "/hog/a", key: key, headers: ["X-Confirm: \(token)"])
    #expect(again.status == 428 && again.code == "confirmation.used", "\(again)")
    #expect(try host.confirm("DELETE", "/hog/a", key: key).status == 200)
    #expect(host.stop() == 0)
  }

  // MARK: One flag

  private static let fleet =
    #"{"id":"fleet","version":"1","routes":["#
    + #"{"method":"POST","path":"/{id}/sink","operation":"sink","confirm":true},"#
    + #"{"method":"POST","path":"/{id}/survey","operation":"survey","confirm":true,"hints":{"read_only":true}},"#
    + #"{"method":"POST","path":"/{id}/paint","operation":"paint"},"#
    + #"{"method":"POST","path":"/{id}/look","operation":"look","hints":{"read_only":true}}]}"#

  /// What a manifest says with `confirm` is what a GPT, an MCP client and an HTTP client meet.
  @Test func oneFlagIsConsequentialForAGPTAQuestionOverMCPAnd428OverHTTP() throws {
    let host = try HostUnderTest(
      load: [Fixtures.plugin(manifest: ConfirmationTests.fleet)],
      settings: "documents: {server_url: \"https://agents.example\"}\n")
    let key = try host.issueKey(["fleet:*"])
    let gpt = try host.call("GET", "/openapi.json?profile=gpt", key: key)
    let listed = try host.mcp("tools/list", key: key)["result"]?["tools"]?.array ?? []
    let asks = #"{"elicitation":{"form":{}}}"#
    // Confirmed, destructive, read only.
    for (name, confirms, destroys, reads) in [
      ("sink", true, true, false), ("survey", true, false, true), ("paint", false, false, false),
      ("look", false, false, true),
    ] {
      let operation = gpt.json?["paths"]?["/fleet/{id}/\(name)"]?["post"]
      #expect(operation?["x-openai-isConsequential"]?.bool == (confirms || !reads), "\(name): \(gpt)")
      let parameters = operation?["parameters"]?.array?.compactMap { $0["name"]?.string } ?? []
      #expect(parameters.contains("confirm") == confirms, "\(name): \(parameters)")

      let tool = listed.first { $0["name"]?.string == "fleet_\(name)" }
      #expect(tool?["annotations"]?["destructiveHint"]?.bool == destroys, "\(name): \(listed)")
      #expect(tool?["annotations"]?["readOnlyHint"]?.bool == reads, "\(name): \(listed)")
      #expect((tool?["inputSchema"]?["properties"]?["confirm"] != nil) == confirms, "\(name): \(listed)")
      let first = try host.callTool("fleet_\(name)", #"{"id":"a"}"#, key: key, capabilities: asks)
      #expect(
        first["result"]?["resultType"]?.string == (confirms ? "input_required" : "complete"), "\(first)")
      if confirms {
        #expect(first["result"]?["inputRequests"]?["confirm"]?["method"] == "elicitation/create", "\(first)")
        let state = try #require(first["result"]?["requestState"]?.string)
        let agreed =
          #","requestState":"\#(state)","inputResponses":{"confirm":{"action":"accept","content":{"confirm":true}}}"#
        let done = try host.callTool("fleet_\(name)", #"{"id":"a"}"#, agreed, key: key, capabilities: asks)
        #expect(done["result"]?["resultType"] == "complete" && done["result"]?["isError"] != true, "\(done)")
      }

      let asked = try host.call("POST", "/fleet/b/\(name)", key: key)
      #expect(asked.status == (confirms ? 428 : 200), "\(name): \(asked)")
      if confirms { #expect(try host.confirm("POST", "/fleet/c/\(name)", key: key).status == 200) }
    }
    #expect(host.stop() == 0)
  }
}
