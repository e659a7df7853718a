import Application
import Domain
import Kernel
import Testing

@testable import OpenAPI

@Suite struct GPTProfileTests {
  private func text(_ count: Int) -> String { String(repeating: "a", count: count) }

  private func site(_ routes: [String]) -> DocumentSite {
    let site = DocumentSite(.init(serverURL: "https://api.example.com"))
    site.serve(#"{"id":"big","version":"1","routes":[\#(routes.joined(separator: ","))]}"#)
    return site
  }

  private func route(_ number: Int, _ more: String = "") -> String {
    #"{"method":"GET","path":"/r\#(number)","operation":"r\#(number)"\#(more)}"#
  }

  @Test func aDocumentHasAtMostThirtyOperations() {
    let whole = site((1...30).map { route($0) }).get(0, [("profile", "gpt")]).json
    #expect(whole?["paths"]?.object?.count == 30 && whole?["x-parts"] == 1)
    let site = site((1...31).map { route($0) })
    let first = site.get(0, [("profile", "gpt")]).json
    #expect(first?["paths"]?.object?.count == 30 && first?["x-part"] == 1 && first?["x-parts"] == 2)
    let second = site.get(0, [("profile", "gpt"), ("part", "2")]).json
    #expect(second?["paths"]?.object?.keys.sorted() == ["/big/r31"])
    let third = site.get(0, [("profile", "gpt"), ("part", "3")])
    #expect(third.status == 404 && third.code == "openapi.no_such_part" && third.json?["parts"] == 2)
  }

  /// What a GPT is answered with 202 it can ask for, by the same document.
  @Test func whereACallMayBecomeAJobThereIsAnOperationToAskForIt() {
    let job = OwnRoute(.get, "/jobs/{id}", manual: OwnManual("council_get_job", "Get it", answers: []))
    let site = DocumentSite(.init(serverURL: "https://api.example.com", jobAfter: .seconds(1)), own: [job])
    let (short, long) = (#","deadline_ms":1000"#, #","deadline_ms":1001"#)
    func serve(_ id: String, _ routes: [String]) {
      site.serve(#"{"id":"\#(id)","version":"1","routes":[\#(routes.joined(separator: ","))]}"#)
    }
    func parts(_ id: String? = nil) -> [[String]] {
      var parts: [[String]] = []
      while true {
        let query = [("profile", "gpt"), ("part", String(parts.count + 1))]
        let answer = site.get(0, query + (id.map { [("automation", $0)] } ?? []))
        if answer.status == 404 { return parts }
        let paths = answer.json?["paths"]?.object ?? [:]
        let mayLast = paths.values.contains {
          $0["get"]?["responses"]?["202"] != nil && $0["get"]?["operationId"] != "council_get_job"
        }
        #expect(paths.keys.contains("/jobs/{id}") == mayLast, "\(answer.body)")
        #expect(answer.json?["x-part"] == .integer(Int64(parts.count + 1)))
        parts.append(paths.keys.filter { $0 != "/jobs/{id}" })
        #expect(paths.count <= 30 && !paths.isEmpty)
      }
    }
    serve("short", (1...30).map { route($0, short) })
    #expect(parts("short").map(\.count) == [30])
    serve("one", [route(1, long)])
    #expect(parts("one") == [["/one/r1"]])
    serve("fits", (1...28).map { route($0, short) } + [route(29, long)])
    #expect(parts("fits").map(\.count) == [29])
    // The thirtieth is the job's.
    serve("more", (1...29).map { route($0, short) } + [route(30, long)])
    #expect(parts("more").map(\.count) == [29, 1])
    serve("first", [route(1, long)] + (2...30).map { route($0, short) })
    #expect(parts("first").map(\.count) == [29, 1])
    serve("middle", (1...70).map { route($0, $0 == 35 ? long : short) })
    let middle = parts("middle")
    #expect(middle.map(\.count) == [30, 29, 11])
    #expect(Set(middle.joined()).count == 70)
    // Of all automations, too.
    #expect(Set(parts().joined()).count == 190 && parts().count == 7)
  }

  @Test func saysWhatIsAskedAboutFirst() {
    let site = site([
      route(1), #"{"method":"POST","path":"/","operation":"post"}"#,
      #"{"method":"POST","path":"/search","operation":"search","hints":{"read_only":true}}"#,
      // What only reads may still be worth a question: it costs, or tells much.
      #"{"method":"POST","path":"/dear","operation":"dear","hints":{"read_only":true},"confirm":true}"#,
    ])
    let paths = site.get(0, [("profile", "gpt")]).json?["paths"]
    #expect(paths?["/big/r1"]?["get"]?["x-openai-isConsequential"] == false)
    #expect(paths?["/big"]?["post"]?["x-openai-isConsequential"] == true)
    #expect(paths?["/big/search"]?["post"]?["x-openai-isConsequential"] == false)
    let dear = paths?["/big/dear"]?["post"]
    #expect(dear?["x-openai-isConsequential"] == true)
    #expect(dear?["parameters"]?.array?.contains { $0["name"] == "confirm" } == true)
    // One way to show a key.
    #expect(paths?["/big"]?["post"]?["security"] == [["bearer": []]])
  }

  @Test func textsHaveLimitsAndEveryOneBeyondIsNamed() {
    func parameter(_ count: Int) -> String {
      #","query":{"type":"object","properties":{"q":{"type":"string","description":"\#(text(count))"}}}"#
    }
    let fits = site([
      route(1, #","summary":"\#(text(300))","description":"\#(text(300))""# + parameter(700))
    ])
    #expect(fits.get(0, [("profile", "gpt")]).status == 200)
    let body =
      #"{"method":"POST","path":"/","operation":"post","body":{"properties":{"a":{"description":"\#(text(701))"}}}}"#
    let long = site([
      route(1, #","summary":"\#(text(301))""#), route(2, #","description":"\#(text(301))""#),
      route(3, parameter(701)), body,
    ])
    let answer = long.get(0, [("profile", "gpt")])
    #expect(answer.status == 422 && answer.code == "openapi.gpt_limits")
    let errors = answer.json?["errors"]?.array ?? []
    #expect(
      errors == [
        [
          "pointer": "/paths/~1big~1r1/get/summary", "length": 301, "limit": 300, "automation": "big",
          "manifest_pointer": "/routes/0/summary",
        ],
        [
          "pointer": "/paths/~1big~1r2/get/description", "length": 301, "limit": 300, "automation": "big",
          "manifest_pointer": "/routes/1/description",
        ],
        [
          "pointer": "/paths/~1big~1r3/get/parameters/0/description", "length": 701, "limit": 700,
          "automation": "big", "manifest_pointer": "/routes/2/query/properties/q/description",
        ],
        [
          "pointer":
            "/paths/~1big/post/requestBody/content/application~1json/schema/properties/a/description",
          "length": 701, "limit": 700, "automation": "big",
          "manifest_pointer": "/routes/3/body/properties/a/description",
        ],
      ])
    // The other documents have no such limits.
    #expect(long.get().status == 200)
  }

  @Test(arguments: [
    ("", false), ("/", false), ("http://api.example.com", false), ("https://", false),
    ("https://api.example.com:8443/x", false), ("https://[::1]:8443", false),
    ("https://api.example.com", true),
    ("https://api.example.com:443/base", true), ("https://[2001:db8::1]", true),
  ])
  func actionsCallAHostByItsAddressOverTLS(url: String, isTaken: Bool) {
    let site = DocumentSite(.init(serverURL: url))
    site.serve(#"{"id":"big","version":"1","routes":[\#(route(1))]}"#)
    let answer = site.get(0, [("profile", "gpt")])
    #expect(answer.status == (isTaken ? 200 : 422), "\(answer.body)")
    if isTaken { return #expect(answer.json?["servers"] == [["url": .string(url)]]) }
    #expect(answer.code == "openapi.server_url" && answer.body.contains("documents.server_url"))
    #expect(site.get().status == 200)
  }

  /// What looks like a description in a value is none; a property of that name has one of its own.
  @Test func onlyDescriptionsAreCounted() {
    let long = text(701)
    let site = site([
      #"{"method":"POST","path":"/","operation":"post","body":{"examples":[{"description":"\#(long)"}],"#
        + #""properties":{"a":{"const":{"description":"\#(long)"}},"description":{"description":"\#(text(700))"}}}}"#
    ])
    #expect(site.get(0, [("profile", "gpt")]).status == 200)
    let other = self.site([
      #"{"method":"POST","path":"/","operation":"post","body":{"properties":{"description":{"description":"\#(long)"}}}}"#
    ])
    let errors = other.get(0, [("profile", "gpt")]).json?["errors"]?.array ?? []
    #expect(errors.map { $0["manifest_pointer"] } == ["/routes/0/body/properties/description/description"])
  }
}
