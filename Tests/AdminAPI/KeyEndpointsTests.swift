import AdminAPI
import Application
import Domain
import Doubles
import Kernel
import Testing

struct KeyEndpointsTests {
  @Test func aKeyIsShownOnceAndWorks() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("*")
    let issued = fixture.send(
      .post, "/admin/v1/keys", key: key,
      body: #"{"principal":"agent","name":"first","scopes":["admin:read"],"limit":{"requests":5,"per_s":60}}"#
    )
    let text = issued.json["key"]?.string ?? ""
    #expect(issued.status == 201 && text.hasPrefix("ck_") && issued.headers["cache-control"] == "no-store")
    #expect(issued.json["limit"] == ["requests": 5, "per_s": 60])
    #expect(fixture.send(.get, "/admin/v1/automations", key: text).status == 200)

    let list = fixture.send(.get, "/admin/v1/keys", key: key)
    #expect(
      list.json["items"]?.array?.count == 2 && !list.text.contains(text) && !list.text.contains("digest"))
    let acts = JSON.text(.array(fixture.audit.acts.map { .object($0.details) })) + fixture.log.text
    #expect(!acts.contains(text), "the key's text is written down")
  }

  @Test(arguments: [
    ("admin:keys", "admin:keys", true), ("admin:keys", "admin:read", false), ("admin:*", "admin:read", true),
    ("admin:*", "admin:*", true), ("admin:*", "*", false), ("admin:*", "accounts:read", false),
    ("*", "*", true), ("*", "accounts:*", true), ("admin:keys", "admin:*", false),
  ])
  func nobodyGivesWhatTheyDoNotHold(held: String, wanted: String, isAllowed: Bool) throws {
    let fixture = try AdminFixture()
    let answer = fixture.send(
      .post, "/admin/v1/keys", key: try fixture.key(held), body: #"{"principal":"p","scopes":["\#(wanted)"]}"#
    )
    #expect(answer.status == (isAllowed ? 201 : 403), "\(answer.text)")
    if !isAllowed { #expect(answer.code == "access.scope_escalation") }
  }

  @Test func aKeyIsNotRotatedByOneThatHoldsLess() throws {
    let fixture = try AdminFixture()
    let strong = try fixture.keys.issue(Keys.Issue(principal: "root", name: "", scopes: ["*"]))
    let answer = fixture.send(
      .post, "/admin/v1/keys/\(strong.key.id)/rotate", key: try fixture.key(AdminScope.keys))
    #expect(answer.status == 403 && answer.code == "access.scope_escalation")
    #expect(fixture.send(.get, "/admin/v1/automations", key: strong.key.text).status == 200)
  }

  @Test func aScopeThatIsNoneIsRefused() throws {
    let fixture = try AdminFixture()
    let answer = fixture.send(
      .post, "/admin/v1/keys", key: try fixture.key("*"), body: #"{"principal":"p","scopes":["No Scope"]}"#)
    #expect(answer.status == 422 && answer.code == "scope.invalid")
  }

  @Test func aRevokedKeyStopsAtOnce() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    let other = try fixture.keys.issue(Keys.Issue(principal: "p", name: "", scopes: ["admin:read"]))
    let revoked = fixture.send(.delete, "/admin/v1/keys/\(other.key.id)", key: key)
    #expect(revoked.status == 200 && revoked.json["state"] == "revoked")
    #expect(fixture.send(.get, "/admin/v1/automations", key: other.key.text).code == "access.key_revoked")
    #expect(fixture.send(.delete, "/admin/v1/keys/000000000000", key: key).code == "key.not_found")
  }

  /// The store takes nothing: the caller is told, and nothing is half done.
  @Test func whatIsNotStoredIsSaidToHaveFailed() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    let other = try fixture.keys.issue(Keys.Issue(principal: "p", name: "", scopes: ["admin:read"]))
    let before = fixture.send(.get, "/admin/v1/keys", key: key).json["items"]?.array?.count
    fixture.keyStore.failures.withLock {
      $0.writing = Problem(503, "control.unavailable", "its disk is full", retryAfterSeconds: 30)
    }
    for (method, path, body) in [
      (.post, "/keys", #"{"principal":"q","scopes":["admin:read"]}"#), (.delete, "/keys/\(other.key.id)", ""),
      (.post, "/keys/\(other.key.id)/rotate", ""),
    ] as [(HTTPMethod, String, String)] {
      let answer = fixture.send(method, "/admin/v1" + path, key: key, body: body)
      #expect(answer.status == 503 && answer.code == "control.unavailable", "\(path): \(answer.text)")
      #expect(answer.headers["retry-after"] == "30" && answer.json["key"] == nil)
    }
    #expect(fixture.audit.acts.suffix(3).map(\.status) == [503, 503, 503])
    #expect(fixture.send(.get, "/admin/v1/automations", key: other.key.text).status == 200)
    fixture.keyStore.failures.withLock { $0.writing = nil }
    #expect(fixture.send(.get, "/admin/v1/keys", key: key).json["items"]?.array?.count == before)
    #expect(fixture.send(.delete, "/admin/v1/keys/\(other.key.id)", key: key).status == 200)
    #expect(fixture.send(.get, "/admin/v1/automations", key: other.key.text).code == "access.key_revoked")
  }

  @Test func aRotatedKeyHasASuccessorAndItsGrace() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    for (body, oldWorks) in [(#"{"grace_s":3600}"#, true), ("", false)] {
      let other = try fixture.keys.issue(Keys.Issue(principal: "p", name: "", scopes: ["admin:read"]))
      let rotated = fixture.send(.post, "/admin/v1/keys/\(other.key.id)/rotate", key: key, body: body)
      #expect(rotated.status == 201 && rotated.json["principal"] == "p")
      #expect(rotated.json["replaces"]?["id"] == .string(other.key.id))
      let successor = rotated.json["key"]?.string
      #expect(fixture.send(.get, "/admin/v1/automations", key: successor).status == 200)
      let old = fixture.send(.get, "/admin/v1/automations", key: other.key.text)
      #expect(oldWorks ? old.status == 200 : old.code == "access.key_expired")
    }
  }

  @Test func keysComeInPagesNewestFirst() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    for number in 1...5 {
      _ = try fixture.keys.issue(Keys.Issue(principal: "p\(number)", name: "", scopes: ["a:b"]))
    }
    var seen: [String] = []
    var after = ""
    for _ in 0..<4 {
      let page = fixture.send(.get, "/admin/v1/keys?limit=2\(after)", key: key).json
      seen += page["items"]?.array?.compactMap { $0["id"]?.string } ?? []
      guard let next = page["next"]?.string else { break }
      after = "&after=" + next
    }
    #expect(seen.count == 6 && Set(seen).count == 6)
    let all = try fixture.keys.page(after: nil, limit: 100)
    #expect(seen == all.sorted { KeyCursor($0) > KeyCursor($1) }.map(\.id))
    #expect(fixture.send(.get, "/admin/v1/keys?after=nonsense", key: key).status == 400)
  }

  @Test func aListSaysWhenAKeyWasLastUsed() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    let items = fixture.send(.get, "/admin/v1/keys", key: key).json["items"]?.array ?? []
    #expect(items.count == 1 && items[0]["last_used"]?.string?.hasSuffix("Z") == true)
  }
}
