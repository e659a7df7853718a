import Application
import Domain
import Doubles
import JSONSchema
import Kernel
import Testing

/// Tools whose calls may outlast their client.
@Suite struct JobTests {
  private static let manifest = """
    {"id":"things","version":"1","requires":["council.stream/1"],"routes":[
     {"method":"GET","path":"/brief","operation":"brief","scope":"things:brief","response":{"type":"object"}},
     {"method":"GET","path":"/long","operation":"long","deadline_ms":60000,"response":{"$defs":{"name":{"type":"string"}},
      "type":"object","properties":{"name":{"$ref":"#/$defs/name"}},"required":["name"],"additionalProperties":false}},
     {"method":"GET","path":"/inner","operation":"inner","deadline_ms":60000,"response":{"type":"object",
      "properties":{"a":{"type":"string"},"b":{"$ref":"#/properties/a"}}}},
     {"method":"GET","path":"/news","operation":"news","deadline_ms":60000,"stream":true,"scope":"things:news"}]}
    """
  private static let pair = ["jobs_cancel", "jobs_get"]
  private let answer: FakePlugin.Behaviour = .says(200, "application/json", #"{"name":"n"}"#)

  private func site(jobAfter: Duration? = .seconds(40)) -> MCPSite {
    MCPSite(manifest: JobTests.manifest, behaviour: answer, jobAfter: jobAfter)
  }

  private func tools(_ site: MCPSite, _ key: String, modern: Bool = true) -> [String: JSONValue] {
    let answer = modern ? site.modern("tools/list", key: key) : site.previous("tools/list", key: key)
    let all = answer.result?["tools"]?.array ?? []
    return Dictionary(uniqueKeysWithValues: all.map { ($0["name"]?.string ?? "", $0) })
  }

  @Test func whoMayCallWhatLastsHasToolsToAskForJobs() throws {
    let site = site()
    for modern in [true, false] {
      let tools = tools(site, site.reader, modern: modern)
      #expect(tools.keys.sorted() == JobTests.pair + ["things_inner", "things_long"])
      let get = try #require(tools["jobs_get"])
      #expect(get["inputSchema"]?["required"] == ["job"] && get["annotations"]?["readOnlyHint"] == true)
      #expect(tools["jobs_cancel"]?["annotations"]?["destructiveHint"] == true)
      #expect(get["description"]?.string?.isEmpty == false && get["title"]?.string?.isEmpty == false)
    }
    // Not who calls only what is brief or streams; not where there are no jobs.
    let brief = try site.keys.issue(
      .init(principal: "b", name: "b", scopes: ["things:brief", "things:news"]))
    #expect(tools(site, brief.key.text).keys.sorted() == ["things_brief", "things_news"])
    let none = self.site(jobAfter: nil)
    #expect(tools(none, none.reader).keys.sorted() == ["things_inner", "things_long"])
    let later = self.site(jobAfter: .seconds(60))
    #expect(tools(later, later.reader).keys.sorted() == ["things_inner", "things_long"])
  }

  @Test func theResultOfACallThatLastsIsAsItsSchemaSays() throws {
    let site = site()
    let tools = tools(site, site.owner)
    let schema = try #require(tools["things_long"]?["outputSchema"])
    #expect(schema["type"] == "object")
    let compiled = try JSONSchemaCompiler().compile(schema)
    func fits(_ content: JSONValue) throws -> Bool {
      let document = JSONDocument()
      try document.parse(JSON.encode(content).span)
      return compiled.validate(document.root, limit: 1).isEmpty
    }
    let call = site.modern(
      "tools/call", #""name":"things_long","arguments":{}"#, name: "things_long", key: site.owner,
      headers: [("prefer", "respond-async")])
    let handle = try #require(call.result?["structuredContent"])
    #expect(!call.isError && handle["status"] == "running")
    #expect(try fits(handle) && fits(["name": "n"]))
    #expect(try !fits(["name": 7]) && !fits([:]) && !fits(["job": "x", "status": "done"]))
    #expect(call.text.flatMap { try? JSONValue.parse($0.utf8.span) } == handle)
    #expect(handle["detail"]?.string?.contains("jobs_get") == true)

    let job = try #require(handle["job"]?.string)
    for _ in 0..<2 {
      let ended = site.call("jobs_get", #"{"job":"\#(job)"}"#, key: site.owner)
      #expect(!ended.isError && ended.result?["structuredContent"] == ["name": "n"], "\(ended)")
    }
    let other = site.call("jobs_get", #"{"job":"\#(job)"}"#, key: site.reader)
    #expect(other.isError && other.text?.contains("job.not_found") == true, "\(other)")
    let gone = site.call("jobs_cancel", #"{"job":"\#(job)"}"#, key: site.owner)
    #expect(!gone.isError && gone.text?.contains("204") == true, "\(gone)")
    #expect(site.call("jobs_get", #"{"job":"\#(job)"}"#, key: site.owner).isError)
    // Without a schema of its own meaning at another place, nothing is promised.
    #expect(tools["things_inner"]?["outputSchema"] == nil && tools["things_brief"]?["outputSchema"] != nil)
    let none = self.site(jobAfter: nil)
    #expect(self.tools(none, none.owner)["things_inner"]?["outputSchema"] != nil)
  }

  @Test func aJobAnswersInTheEraOfWhoAsks() throws {
    let site = site()
    let call = site.previous(
      "tools/call", #"{"name":"things_long","arguments":{}}"#, key: site.reader,
      headers: [("prefer", "respond-async")])
    let job = try #require(call.result?["structuredContent"]?["job"]?.string, "\(call)")
    let ended = site.previous(
      "tools/call", #"{"name":"jobs_get","arguments":{"job":"\#(job)"}}"#, key: site.reader)
    #expect(ended.result?["structuredContent"] == ["name": "n"] && ended.result?["resultType"] == nil)
    for wrong in ["{}", "null", #"{"job":1}"#, "[]"] {
      let refused = site.call("jobs_get", wrong, key: site.reader)
      #expect(refused.status == 200 && refused.isError && refused.text?.contains("call.argument") == true)
    }
    #expect(site.modern("tools/call", #""name":"jobs_get""#, name: "jobs_get", key: site.reader).isError)
  }
}
