import CouncilPlugin

/// What is kept: the host makes the table, and adds id, version, created_at and updated_at.
enum Note: Record {
  static let collection = "notes"
  static let fields: [Field] = [
    .string("text", length: 1...2000).required().described("What to remember").example("Water the plants"),
    .string("label", length: 1...40).indexed().described("What the note belongs to").example("home"),
  ]
}

struct __NAME__: Automation {
  static let id = "__ID__", version = "0.1.0"
  static let summary = "Short notes with a label."

  @Records var notes: RecordsOf<Note>

  var routes: Routes {
    GET("/", "List notes") { try notes.page($0.query) }.lists(Note.self)
    POST("/", "Create note") { try notes.insert($0.body).created() }.creates(Note.self)
    GET("/{id}", "Get note") { try notes.get($0.parameter("id")) }.reads(Note.self).inline()
    // Cannot be undone: the host asks back first.
    DELETE("/{id}", "Delete note") { try notes.delete($0.parameter("id"), version: $0.ifMatch) }.confirmed()
  }
}

@c(council_plugin_entry_v1) public func entry() -> PluginTable { export(__NAME__.self) }
