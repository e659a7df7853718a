import CouncilPlugin
import CouncilTesting
import Testing

/// What ``Field/searchable()``, ``Field/encrypted()`` and ``Expiry`` are in a test of an author.
@Suite struct FieldOptionTests {
  enum Session: Record {
    static let collection = "sessions"
    static let fields: [Field] = [
      .string("text").searchable(), .string("token").unique().encrypted(), .string("note").encrypted(),
      .timestamp("ends_at"),
    ]
    static let expiry: Expiry? = .in("ends_at", after: 3600)
  }

  struct Sessions: Automation {
    static let id = "sessions", version = "1"
    @Records var sessions: RecordsOf<Session>

    var routes: Routes {
      GET("/", "List") { try sessions.page($0.query) }.lists(Session.self)
      GET("/find/{word}", "Find") { try sessions.search($0.parameter("word")) }
      GET("/by/{token}", "By token") {
        try sessions.find(["where": ["token": .string($0.parameter("token"))]])
      }
      GET("/by-note/{note}", "By note") {
        try sessions.find(["where": ["note": .string($0.parameter("note"))]])
      }
      GET("/{id}", "Get") { try sessions.get($0.parameter("id")) }.reads(Session.self)
      PUT("/{id}", "Put") { try sessions.put($0.parameter("id"), $0.body) }
      PUT("/{id}/minute", "Put for a minute") {
        try sessions.put($0.parameter("id"), ["text": "short"], seconds: 60)
      }
    }
  }

  private let host: FakeHost

  init() throws { host = try FakeHost(Sessions.self) }

  @Test func theManifestStatesThem() {
    let collection = host.manifest["records"]?.array?.first
    #expect(collection?["expires"] == ["field": "ends_at", "after_s": 3600])
    #expect(collection?["fields"]?.array?[0]["searchable"] == true)
    #expect(collection?["fields"]?.array?[1]["encrypted"] == true)
    // An encrypted field can be filtered by, not ordered by.
    let query = host.manifest["routes"]?.array?[0]["query"]?["properties"]
    #expect(query?["token"] != nil)
    #expect(query?["order"]?["enum"] == ["created_at", "-created_at"])
  }

  @Test func aRecordEndsWhenItsTimeHasPassed() throws {
    #expect(try host.call("PUT", "/sessions/a/minute").status == 200)
    #expect(
      try host.call("PUT", "/sessions/b", body: ["text": "long"]).json["ends_at"]
        == "2026-01-01T01:00:00.001Z")
    host.advance(seconds: 59)
    #expect(try host.call("GET", "/sessions/a").status == 200)
    host.advance(seconds: 1)
    #expect(try host.call("GET", "/sessions/a").status == 404)
    #expect(try host.call("GET", "/sessions/").json["items"]?.array?.count == 1)
    host.advance(seconds: 3600)
    #expect(try host.call("GET", "/sessions/b").status == 404)
    host.advance(seconds: 60 * 86_400)
    let late = try host.call("PUT", "/sessions/c", body: ["ends_at": 86_400])
    #expect(late.json["ends_at"]?.string?.hasPrefix("2026-03-03T01:01") == true)
  }

  @Test func putReplacesWhatIsThere() throws {
    #expect(try host.call("PUT", "/sessions/a", body: ["text": "one"]).json["version"] == 1)
    #expect(try host.call("PUT", "/sessions/a", body: ["text": "two"]).json["version"] == 2)
    #expect(try host.call("GET", "/sessions/a").json["text"] == "two")
  }

  @Test func wordsAreFoundWhole() throws {
    _ = try host.call("PUT", "/sessions/a", body: ["text": "Red shoes, size 42"])
    for (word, count) in [
      ("red", 1), ("SHOES", 1), ("shoe", 0), ("42", 1), ("size%20red", 1), ("red%20blue", 0),
    ] {
      #expect(try host.call("GET", "/sessions/find/\(word)").json["items"]?.array?.count == count, "\(word)")
    }
    #expect(try host.call("GET", "/sessions/find/!").code == "records.invalid_query")
  }

  @Test func anEncryptedFieldIsFoundByEqualityWhereItMayBe() throws {
    _ = try host.call("PUT", "/sessions/a", body: ["token": "t", "note": "n"])
    #expect(try host.call("GET", "/sessions/by/t").json["items"]?.array?.count == 1)
    #expect(try host.call("GET", "/sessions/by-note/n").code == "records.invalid_query")
  }
}
