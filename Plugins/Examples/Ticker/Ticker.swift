public import CouncilPlugin

/// Counts down, and whoever follows sees it: how a route streams.
///
///     curl -N -H "Authorization: Bearer $KEY" 'http://127.0.0.1:8080/ticker/countdown?from=5&pause_ms=1000'
struct Ticker: Automation {
  static let id = "ticker"
  static let version = "1.0.0"
  static let title = "Ticker"
  static let summary = "Counts down, and tells how far it is."

  struct Progress: Encodable {
    var progress: Int64
    var total: Int64
  }

  var routes: Routes {
    GET("/countdown", "Count down") { request in
      let from = try request.query.integer("from") ?? 10
      let pause = Duration.milliseconds(try request.query.integer("pause_ms") ?? 100)
      return EventStream(retry: .seconds(5)) { events in
        for done in 0..<from {
          try await events.send(
            ServerEvent(event: "progress", data: Progress(progress: done, total: from), id: "\(done)"))
          // Ends early when the client leaves: the task is cancelled then.
          try await Task.sleep(for: pause)
        }
        try await events.send(ServerEvent(event: "done", data: Progress(progress: from, total: from)))
      }
    }
    // No schema holds a stream: words say which events come.
    .described(
      "Answers with server-sent events: `progress` after each step, `done` at the end. The data of each is a JSON object: "
        + "`progress`, the steps that are done, and `total`, those there are."
    )
    .query([
      "type": "object", "additionalProperties": false,
      "properties": [
        "from": [
          "type": "integer", "minimum": 0, "maximum": 100_000, "default": 10, "examples": [3],
          "description": "How many steps",
        ],
        "pause_ms": [
          "type": "integer", "minimum": 0, "maximum": 60_000, "default": 100, "examples": [20],
          "description": "Milliseconds between two steps",
        ],
      ],
    ])
  }
}

@c(council_plugin_entry_v1) public func entry() -> PluginTable { export(Ticker.self) }
