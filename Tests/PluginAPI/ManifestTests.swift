import CouncilTesting
import Testing

@testable import Accounts
@testable import CouncilPlugin

/// What an automation states of itself, member by member: PluginAPI/Manifest.md is the format.
@Suite struct ManifestTests {
  private struct Everything: Automation {
    static let id = "everything", version = "1.2.3", title = "Everything", summary = "Each option once."

    enum Thing: Record {
      static let collection = "things"
      static let fields: [Field] = [
        .string("label", length: 1...20, pattern: "^x").required().unique().described("What it is")
          .example("x1"),
        .string("state", oneOf: ["new", "old"]).defaulting(to: "new").indexed().described("How it is"),
        .integer("count", atLeast: 0), .number("weight", atMost: 1.5), .boolean("lent"), .timestamp("due"),
        .json("notes"),
      ]
      static let indexes = [["state", "due"]]
      static let queries = [NamedQuery("by_state", ["where": ["state": "$state"]])]
      static let listing = Listing(
        of: Thing.self, filters: [.equal(to: "state"), .atLeast("count"), .atMost("due", as: "before")],
        order: ["label"],
        pageSize: 5, largestPage: 50)
    }

    @Records var things: RecordsOf<Thing>
    @Records var again: RecordsOf<Thing>
    @Configuration(schema: ["type": "object"]) var settings: [String: Int] = [:]

    var routes: Routes {
      GET("/", "List things") { try things.page($0.query) }.lists(Thing.self).inline()
      POST("/", "Make thing!") { try things.insert($0.body) }.creates(Thing.self).operation("make").scope(
        "things:make"
      )
      .limit(5, perSeconds: 60).deadline(.milliseconds(1500)).maxBodyBytes(1024).confirmed().dryRun()
      .idempotency(.required)
      PUT("/{id}/of/{owner_id}", "Put") { _ async -> Response in .noContent }.path(true).query([:])
        .body(false).response([:])
      GET("/open", "Open") { _ in NoContent() }.public()
    }
  }

  private func manifest() throws -> JSON { try FakeHost(Everything.self).manifest }

  @Test func namesItselfAndWhatItNeeds() throws {
    let manifest = try manifest()
    #expect(
      manifest.members?.map(\.name) == [
        "id", "version", "title", "summary", "requires", "config", "records", "routes",
      ])
    #expect(manifest["id"] == "everything")
    #expect(manifest["version"] == "1.2.3")
    #expect(manifest["requires"] == ["council.http/1", "council.records/1"])
    #expect(manifest["config"] == ["type": "object"])
  }

  @Test func declaresEachCollectionOnce() throws {
    #expect(
      try manifest()["records"] == [
        [
          "name": "things",
          "fields": [
            [
              "name": "label", "type": "string", "required": true, "unique": true, "min_length": 1,
              "max_length": 20,
            ],
            ["name": "state", "type": "string", "indexed": true, "default": "new", "enum": ["new", "old"]],
            ["name": "count", "type": "integer", "minimum": 0],
            ["name": "weight", "type": "number", "maximum": 1.5],
            ["name": "lent", "type": "boolean"], ["name": "due", "type": "timestamp"],
            ["name": "notes", "type": "json"],
          ],
          "indexes": [["state", "due"]],
          "queries": [["name": "by_state", "query": ["where": ["state": "$state"]]]],
        ]
      ])
  }

  @Test func derivesTheSchemaOfAListingFromFields() throws {
    let route = try #require(try manifest()["routes"]?.array?[0])
    #expect(route["execution"] == "inline")
    #expect(route["operation"] == "list_things")
    #expect(
      route["query"] == [
        "type": "object",
        "properties": [
          "state": [
            "type": "string", "enum": ["new", "old"],
            "description": "Only those whose state is this. state: How it is",
          ],
          "min_count": ["type": "integer", "description": "Only those whose count is this or more"],
          "before": [
            "type": "string", "format": "date-time", "description": "Only those whose due is this or earlier",
          ],
          "order": [
            "type": "string", "enum": ["label", "-label"],
            "description": "What the list is sorted by; '-' turns it round",
          ],
          "limit": [
            "type": "integer", "minimum": 1, "maximum": 50, "default": 5, "description": "Records on a page",
          ],
          "after": [
            "type": "string", "minLength": 1, "maxLength": 1024,
            "description": "The `next` of the page before: the list goes on behind it",
          ],
        ],
        "additionalProperties": false, "examples": [["limit": 5]],
      ])
  }

  @Test func statesTheOptionsOfARoute() throws {
    let route = try #require(try manifest()["routes"]?.array?[1])
    #expect(route["method"] == "POST")
    #expect(route["execution"] == "blocking")
    #expect(route["operation"] == "make")
    #expect(route["scope"] == "things:make")
    #expect(route["limit"] == ["requests": 5, "per_s": 60])
    #expect(route["deadline_ms"] == 1500)
    #expect(route["max_body_bytes"] == 1024)
    #expect(route["confirm"] == true)
    #expect(route["dry_run"] == true)
    #expect(route["idempotency"] == "required")
    #expect(route["body"]?["required"] == ["label"])
    #expect(route["body"]?["properties"]?["label"]?["pattern"] == "^x")
    #expect(route["body"]?["properties"]?["label"]?["description"] == "What it is")
    #expect(route["body"]?["properties"]?["label"]?["examples"] == ["x1"])
  }

  @Test func statesTheStatusThatTheTypeOfAnAnswerHas() throws {
    let routes = try #require(try manifest()["routes"]?.array)
    // A record, a page, nothing; of a Response only its handler knows.
    #expect(routes.map { $0["status"] } == [200, 200, nil, 204])
    #expect(GET("/", "Text") { _ in Response.text("x") }.status(203).manifest["status"] == 203)
    #expect(POST("/", "Greet") { _ in Greeting() }.manifest["status"] == 200)
    #expect(POST("/", "Greet") { _ in Greeting() }.status(202).manifest["status"] == 202)
  }

  private struct Greeting: Encodable, Answer { var message = "Hello" }

  @Test func makesAnAsynchronousRouteInlineAndTakesSchemasByHand() throws {
    let route = try #require(try manifest()["routes"]?.array?[2])
    #expect(route["execution"] == "inline")
    #expect(route["path_parameters"] == true)
    #expect(route["query"] == [:])
    #expect(route["body"] == false)
    #expect(try manifest()["routes"]?.array?[3]["public"] == true)
  }

  @Test func asksForTextInEveryPathParameterUnlessToldOtherwise() throws {
    let route = try #require(try FakeHost(Accounts.self).manifest["routes"]?.array?[2])
    #expect(
      route["path_parameters"] == [
        "type": "object",
        "properties": [
          "id": [
            "type": "string", "minLength": 1, "maxLength": 200,
            "description": "The id of the record, as answers say it",
            "examples": ["019ab2c4-7d10-7e3a-9c55-2f8e6b1d4a70"],
          ]
        ],
        "required": ["id"], "additionalProperties": false,
      ])
  }

  @Test func saysOfAPathParameterWhatItIsTold() {
    let route = GET("/{id}/of/{owner}/{rest}", "Get") { _ in NoContent() }
      .parameter("owner", "Whose", example: "ada").parameter("id", "Which", example: "7")
    let parameters = route.manifest["path_parameters"]
    #expect(parameters?["properties"]?["owner"]?["description"] == "Whose")
    #expect(parameters?["properties"]?["id"]?["examples"] == ["7"])
    #expect(
      parameters?["properties"]?["rest"] == ["type": "string", "minLength": 1, "maxLength": 200])
    #expect(parameters?["required"] == ["id", "owner", "rest"])
  }

  @Test func letsAPatchRemoveWhatIsNotRequired() throws {
    #expect(Everything.Thing.changesSchema["properties"]?["state"]?["enum"] == ["new", "old", nil])
    #expect(Everything.Thing.changesSchema["properties"]?["count"]?["type"] == ["integer", "null"])
    #expect(Everything.Thing.changesSchema["properties"]?["label"]?["type"] == "string")
    #expect(Everything.Thing.changesSchema["minProperties"] == 1)
  }
}
