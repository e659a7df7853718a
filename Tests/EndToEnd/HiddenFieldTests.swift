import Kernel
import Testing

/// A field that is stored and that no answer has, on every way to a record and in every document.
@Suite struct HiddenFieldTests {
  @Test(arguments: ["none", "process"])
  func aFieldThatTheResponseLacksIsNowhere(isolation: String) throws {
    let host = try HostUnderTest(
      load: [Fixtures.plugin("hidden")],
      settings: "documents: {server_url: \"https://agents.example\"}\nisolation:\n  default: \(isolation)\n")
    let key = try host.issueKey(["hidden:*"])
    var heard: [String] = []
    func ask(
      _ method: String, _ target: String, _ headers: [String] = [], body: String? = nil, status: Int = 200
    ) throws -> JSONValue? {
      let answer = try host.call(method, target, key: key, headers: headers, body: body)
      #expect(answer.status == status, "\(target): \(answer)")
      heard.append("\(target) \(answer.headers) \(answer.body)")
      return answer.json
    }
    func call(_ name: String, _ arguments: String, status: Int = 200) throws -> JSONValue? {
      try ask(
        "POST", "/functions/call", body: #"{"name":"\#(name)","arguments":\#(arguments)}"#, status: status)
    }
    func tool(_ name: String, _ arguments: String) throws -> JSONValue? {
      let answer = try host.callTool(name, arguments, key: key)
      heard.append("\(name) \(answer)")
      return answer["result"]
    }

    // It is stored: a query finds the record by it.
    let made = try ask("POST", "/hidden", body: #"{"name":"ada"}"#)
    let id = try #require(made?["id"]?.string, "\(made ?? .null)")
    let shown: JSONValue = ["id": .string(id), "name": "ada"]
    #expect(made == shown)
    #expect(try ask("GET", "/hidden/count")?["count"] == 1)

    #expect(try ask("GET", "/hidden/\(id)") == shown)
    #expect(try ask("GET", "/hidden")?["items"] == [shown])
    #expect(try ask("GET", "/hidden/\(id)", ["Accept: text/markdown"]) == nil)
    #expect(try call("hidden_look", #"{"id":"\#(id)"}"#)?["result"] == shown)
    #expect(try call("hidden_list", "{}")?["result"]?["items"] == [shown])
    #expect(try tool("hidden_look", #"{"id":"\#(id)"}"#)?["structuredContent"] == shown)
    #expect(try tool("hidden_list", "{}")?["structuredContent"]?["items"] == [shown])
    for uri in ["council://hidden/things", "council://hidden/things/\(id)"] {
      let read = try host.mcp("resources/read", #""uri":"\#(uri)""#, name: uri, key: key)
      #expect(read["result"]?["contents"]?.array?.first?["text"]?.string?.contains("ada") == true, "\(read)")
      heard.append("\(read)")
    }

    // A handler that answers with it after all is not let through.
    let withheld = try ask("GET", "/hidden/\(id)/whole", status: 500)
    #expect(withheld?["code"] == "plugin.answer_invalid")
    let refused = try call("hidden_whole", #"{"id":"\#(id)"}"#, status: 500)
    #expect(refused?["problem"]?["code"] == "plugin.answer_invalid")
    #expect(try tool("hidden_whole", #"{"id":"\#(id)"}"#)?["isError"] == true)

    for document in [
      "/openapi.json", "/openapi.json?version=3.0", "/openapi.json?profile=gpt", "/functions.json",
      "/functions.json?api=responses", "/llms.txt", "/.well-known/api-catalog", "/docs",
    ] {
      _ = try ask("GET", document)
      #expect(heard.last?.contains("idden") == true, "\(document)")
    }
    for list in ["tools/list", "resources/list", "resources/templates/list"] {
      let listed = try host.mcp(list, key: key)
      #expect("\(listed)".contains("hidden"), "\(listed)")
      heard.append("\(listed)")
    }
    for text in heard {
      #expect(!text.contains("shadow") && !text.contains("s3same"), "\(text)")
    }
    // Whoever asks for it by its name is told that there is none; the name comes back to the one who said it.
    let wanted = try host.call("GET", "/hidden/\(id)?fields=shadow_code", key: key)
    #expect(wanted.status == 400 && wanted.code == "request.field_unknown", "\(wanted)")
    #expect(wanted.json?["known"] == ["id", "name"], "\(wanted)")
    #expect(host.stop() == 0)
  }
}
