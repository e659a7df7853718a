import CouncilPlugin

/// An automation that shows one side of the SDK per route.
struct Workshop: Automation {
  static let id = "workshop", version = "2.1.0"
  static let title = "Workshop"

  struct Settings: Codable, Sendable {
    var greeting = "Hello"
    var limit: Int?
  }

  struct Draft: Codable {
    var label: String
    var size: Int
  }

  struct Greeting: Codable, Answer {
    var greeting: String
    var limit: Int?
  }

  struct Boom: Error {}

  @Records var tools: RecordsOf<Tool>
  @Records var jobs: RecordsOf<Job>
  @Configuration(schema: [
    "type": "object", "properties": ["greeting": ["type": "string"], "limit": ["type": "integer"]],
  ]) var settings = Settings()
  @Log var log

  @RoutesBuilder private var reading: Routes {
    GET("/parts/{id}/of/{owner}", "Echo everything") { request in
      Response.json([
        "method": .string(request.method), "path": .string(request.path),
        "id": .string(try request.parameter("id")), "owner": .string(try request.parameter("owner")),
        "q": request.query["q"].map(JSON.string) ?? .null,
        "tags": .array(request.query.all("tag").map(JSON.string)),
        "header": request.header("X-Thing").map(JSON.string) ?? .null,
        "secret": request.header("Authorization").map(JSON.string) ?? .null,
        "principal": .string(request.principal), "traced": .bool(!request.traceparent.isEmpty),
        "soon": .bool(request.remaining > .zero), "over": .bool(request.isOver),
      ])
    }.operation("echo")
    GET("/later/{id}/of/{owner}", "Echo later") { request in
      await Task.yield()
      return Response.json([
        "method": .string(request.method), "path": .string(request.path),
        "id": .string(try request.parameter("id")), "owner": .string(try request.parameter("owner")),
        "q": request.query["q"].map(JSON.string) ?? .null,
        "tags": .array(request.query.all("tag").map(JSON.string)),
        "header": request.header("X-Thing").map(JSON.string) ?? .null,
        "secret": request.header("Authorization").map(JSON.string) ?? .null,
        "principal": .string(request.principal), "traced": .bool(!request.traceparent.isEmpty),
        "soon": .bool(request.remaining > .zero), "over": .bool(request.isOver),
      ])
    }
    GET("/greeting", "Greet") { _ in Greeting(greeting: settings.greeting, limit: settings.limit) }
    GET("/text", "Answer text") { _ in Response.text("plain").header("X-Made-By", "hand").status(203) }
    GET("/unknown-parameter", "Ask for no parameter") { Response.text(try $0.parameter("nothing")) }
  }

  @RoutesBuilder private var failing: Routes {
    GET("/fail/{how}", "Fail") { request -> Response in
      switch try request.parameter("how") {
      case "problem": throw ProblemError(418, "workshop.teapot", "Short and stout.")
      case "members":
        throw ProblemError(409, "workshop.busy", "Taken.", members: ["by": "Ada", "status": 200])
      case "badly-with-members": throw ProblemError(200, "workshop.fine", "", members: ["by": "Ada"])
      case "badly": throw ProblemError(200, "Not A Code", "")
      case "header": return Response.noContent.header("X-Bad", "a\r\nb")
      default: throw Boom()
      }
    }
    GET("/fail-later", "Fail later") { request -> Response in
      await Task.yield()
      throw ProblemError(418, "workshop.teapot", "Short and stout.")
    }
    POST("/decode", "Decode") { try Response.json($0.body(Draft.self)) }
    GET("/wait", "Wait") { request -> Response in
      do { try await Task.sleep(for: .seconds(3600)) } catch { request.log.info("cancelled") }
      return .noContent
    }
  }

  @RoutesBuilder private var storing: Routes {
    POST("/tools", "Make tool") { try tools.insert($0.body(Draft.self)).created() }.creates(Tool.self)
    POST("/tools/{id}/parts", "Make part") { try tools.insert($0.body).created() }
    POST("/named/{id}", "Make tool by id") { request in
      try tools.on(request).insert(request.body, id: request.parameter("id")).created()
    }
    GET("/tools/{id}/label", "Get label") { try tools.get($0.parameter("id"), fields: ["label"]) }
    PUT("/tools/{id}", "Replace tool") {
      try tools.replace($0.parameter("id"), with: $0.body(Draft.self), version: $0.ifMatch)
    }
    POST("/tools/{id}/grow", "Grow tool") { try tools.increment($0.parameter("id"), ["size": 5]) }
    GET("/tools", "List tools") { try tools.page($0.query) }.lists(Tool.self)
    GET("/large", "List large tools") {
      try tools.query("at_least", ["size": .integer($0.query.integer("size") ?? 0)])
    }
    GET("/count", "Count large tools") { _ in
      Response.json(["count": .integer(Int64(try tools.count(where: ["size": ["gte": 10]])))])
    }
    GET("/decoded", "Decode tools") { _ in
      Response.json(["labels": .array(try tools.find().decode(Draft.self).items.map { .string($0.label) })])
    }
    POST("/batch", "Change together") { request in
      try tools.batch([
        .insert(["label": "batched", "size": 1], id: "b"), .increment("b", ["size": 1], version: 1),
        .patch("b", ["label": "patched"]), .insert(["tool": "b"]).in(Job.self),
        .delete(request.query["delete"] ?? "b"),
      ])
    }
    POST("/inline", "Write inline") { try tools.insert($0.body) }.inline()
    GET("/jobs", "List jobs") { _ in try jobs.find() }
    DELETE("/quiet/{id}", "Delete quietly") { request in
      do { try tools.delete(request.parameter("id")) } catch let error as RecordsError
        where error.kind == .notFound
      {
        log.warning("\(error.code ?? "") \(error.status)")
      }
      return NoContent()
    }
  }

  var routes: Routes {
    reading
    failing
    storing
  }
}

enum Tool: Record {
  static let collection = "tools"
  static let fields: [Field] = [
    .string("label", length: 1...20).required().unique(), .integer("size", atLeast: 0, atMost: 99).indexed(),
    .timestamp("bought"), .json("notes"), .boolean("lent").defaulting(to: false),
    .number("weight", atLeast: 0.5),
  ]
  static let queries = [
    NamedQuery("at_least", ["where": ["size": ["gte": "$size"]], "order": ["-size"], "limit": 2])
  ]
}

enum Job: Record {
  static let collection = "jobs"
  static let fields: [Field] = [.string("tool")]
}
