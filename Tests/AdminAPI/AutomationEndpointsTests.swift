import AdminAPI
import Application
import Domain
import Doubles
import Kernel
import Testing

struct AutomationEndpointsTests {
  private static let upload = [("content-type", "application/octet-stream")]

  @Test func anAutomationIsLoadedListedShownAndUnloaded() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    fixture.files.put("/tmp/hello.so", fixture.manifest())
    let loaded = fixture.send(.post, "/admin/v1/automations", key: key, body: #"{"path":"/tmp/hello.so"}"#)
    #expect(loaded.status == 201 && loaded.json["automation"] == "hello" && loaded.json["generation"] == 1)
    #expect(loaded.json["steps_ms"]?["probe"] != nil)

    let list = fixture.send(.get, "/admin/v1/automations", key: key).json["items"]?.array ?? []
    #expect(list.count == 1 && list[0]["id"] == "hello" && list[0]["state"] == "active")
    #expect(list[0]["draining"] == [] && list[0]["requests_inside"] == 0 && list[0]["route_count"] == 1)

    let shown = fixture.send(.get, "/admin/v1/automations/hello", key: key).json
    #expect(shown["source"] == "/tmp/hello.so")
    guard case .object(var route)? = shown["routes"]?.array?.first else {
      Issue.record("no route: \(shown)")
      return
    }
    // What a list of tools costs depends on words.
    #expect(route.removeValue(forKey: "tokens")?.integer ?? 0 > 20 && shown["routes"]?.array?.count == 1)
    #expect(
      route == [
        "method": "GET", "path": "/hello/{name}", "operation": "greet", "scope": "hello:read",
        "execution": "blocking", "summary": "", "moved_to_workers": false,
        "name": "hello_greet", "title": "greet", "strict": true, "confirm": false, "dry_run": false,
        "idempotency": "none", "stream": false, "deprecated": false,
        "hints": ["read_only": true, "destructive": false, "idempotent": true, "open_world": false],
      ])
    #expect(shown["generations"]?.array?.count == 1)

    #expect(fixture.send(.delete, "/admin/v1/automations/hello", key: key).status == 200)
    #expect(fixture.send(.get, "/admin/v1/automations", key: key).json["items"] == [])
    let gone = fixture.send(.get, "/admin/v1/automations/hello", key: key).json
    #expect(gone["state"] == "unloaded" && gone["generations"]?.array?.first?["state"] == "kept")
    #expect(fixture.send(.delete, "/admin/v1/automations/hello", key: key).code == "automation.not_found")
  }

  @Test func aSecondLoadIsAConflictUnlessItMayReplace() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    fixture.files.put("/tmp/hello.so", fixture.manifest())
    let body = #"{"path":"/tmp/hello.so"}"#
    #expect(fixture.send(.post, "/admin/v1/automations", key: key, body: body).status == 201)
    let second = fixture.send(.post, "/admin/v1/automations", key: key, body: body)
    #expect(second.status == 409 && second.code == "automation.exists" && second.json["step"] == "plan")
    let third = fixture.send(.post, "/admin/v1/automations?replace=true", key: key, body: body)
    #expect(third.status == 201 && third.json["generation"] == 2)
    #expect(fixture.send(.post, "/admin/v1/automations?replace=1", key: key, body: body).status == 400)
  }

  @Test func anUploadIsLoadedAndItsHashChecked() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    let text = fixture.manifest()
    let wrong = fixture.send(
      .post, "/admin/v1/automations", key: key,
      headers: Self.upload + [("x-content-sha256", String(repeating: "a", count: 64))], body: text)
    #expect(wrong.status == 422 && wrong.code == "plugin.file.hash_mismatch")
    #expect(fixture.files.incoming == 0)
    let right = fixture.send(
      .post, "/admin/v1/automations", key: key,
      headers: Self.upload + [("x-content-sha256", WeakDigests.digest(text.utf8.span).hex)], body: text)
    #expect(right.status == 201)
    #expect(fixture.files.incoming == 0)
    let malformed = fixture.send(
      .post, "/admin/v1/automations", key: key, headers: Self.upload + [("x-content-sha256", "abc")],
      body: text)
    #expect(malformed.status == 400 && malformed.code == "request.header_invalid")
  }

  @Test func anUploadBringsItsConfigurationInAHeader() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    let manifest =
      #"{"id":"hello","version":"1","config":{},"routes":[{"method":"GET","path":"/","operation":"greet"}]}"#
    let config = Base64URL.encode(Array(#"{"greeting":"Grüezi"}"#.utf8))
    let loaded = fixture.send(
      .post, "/admin/v1/automations", key: key, headers: Self.upload + [("x-automation-config", config)],
      body: manifest)
    #expect(loaded.status == 201, "\(loaded.text)")
    #expect(
      fixture.send(.get, "/admin/v1/automations/hello/config", key: key).json["config"] == [
        "greeting": "Grüezi"
      ])
    for bad in ["{}", Base64URL.encode(Array("{".utf8))] {
      let refused = fixture.send(
        .post, "/admin/v1/automations?replace=true", key: key,
        headers: Self.upload + [("x-automation-config", bad)],
        body: manifest)
      #expect(refused.status == 400)
    }
  }

  @Test func anUploadThatIsRefusedOrCutOffIsAbandoned() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    let cut = fixture.begin(.post, "/admin/v1/automations", key: key, headers: Self.upload)
    if case .stream = fixture.admin.begin(cut.exchange) {} else { Issue.record("no stream") }
    cut.abort()
    #expect(fixture.files.abandoned == 1)
    let unknown = fixture.send(
      .post, "/admin/v1/automations/none/reload", key: key, headers: Self.upload, body: "x")
    #expect(unknown.code == "automation.not_found" && fixture.files.abandoned == 2)
    let bad = fixture.send(
      .post, "/admin/v1/automations?replace=maybe", key: key, headers: Self.upload, body: "x")
    #expect(bad.status == 400 && fixture.files.abandoned == 3)
  }

  @Test func aReloadWithoutAFileTakesThePathOfTheLoad() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    fixture.files.put("/tmp/hello.so", fixture.manifest())
    _ = fixture.send(.post, "/admin/v1/automations", key: key, body: #"{"path":"/tmp/hello.so"}"#)
    fixture.files.put("/tmp/hello.so", fixture.manifest(version: "2.0.0"))
    let reloader = try fixture.key(AdminScope.reload)
    let reloaded = fixture.send(.post, "/admin/v1/automations/hello/reload", key: reloader)
    #expect(reloaded.status == 200 && reloaded.json["version"] == "2.0.0" && reloaded.json["previous"] == 1)
    #expect(reloaded.json["draining"] == false)
  }

  @Test func anAutomationThatWasUploadedHasNoPathToReloadFrom() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    _ = fixture.send(.post, "/admin/v1/automations", key: key, headers: Self.upload, body: fixture.manifest())
    #expect(
      fixture.send(.post, "/admin/v1/automations/hello/reload", key: key).code == "automation.no_source")
    let sent = fixture.send(
      .post, "/admin/v1/automations/hello/reload", key: key, headers: Self.upload,
      body: fixture.manifest(version: "2"))
    #expect(sent.status == 200 && sent.json["version"] == "2")
  }

  @Test func aFailedReloadLeavesTheOldGenerationServing() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    _ = fixture.send(.post, "/admin/v1/automations", key: key, headers: Self.upload, body: fixture.manifest())
    let failed = fixture.send(
      .post, "/admin/v1/automations/hello/reload", key: key, headers: Self.upload, body: "not a plugin")
    #expect(failed.status == 422 && failed.code == "plugin.elf.not_elf" && failed.json["step"] == "validate")
    #expect(
      fixture.send(.get, "/admin/v1/automations/hello", key: key).json["generation"] == 1)
  }

  @Test func aRollbackGoesBackAndKeepsTheSourceOfReloads() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    fixture.files.put("/tmp/hello.so", fixture.manifest())
    _ = fixture.send(.post, "/admin/v1/automations", key: key, body: #"{"path":"/tmp/hello.so"}"#)
    fixture.files.put("/tmp/hello.so", fixture.manifest(version: "2.0.0"))
    _ = fixture.send(.post, "/admin/v1/automations/hello/reload", key: key)
    let back = fixture.send(.post, "/admin/v1/automations/hello/rollback", key: key)
    #expect(back.status == 200 && back.json["version"] == "1.0.0" && back.json["generation"] == 3)
    #expect(fixture.send(.get, "/admin/v1/automations/hello", key: key).json["source"] == "/tmp/hello.so")
    let named = fixture.send(
      .post, "/admin/v1/automations/hello/rollback", key: key, body: #"{"generation":2}"#)
    #expect(named.json["version"] == "2.0.0")
    let unknown = fixture.send(
      .post, "/admin/v1/automations/hello/rollback", key: key, body: #"{"generation":9}"#)
    #expect(unknown.status == 404 && unknown.code == "automation.no_such_generation")
  }

  @Test func aConfigurationIsReplacedByANewGenerationOfTheSameFile() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    let manifest =
      #"{"id":"hello","version":"1","config":{"type":"object"},"routes":[{"method":"GET","path":"/","operation":"greet"}]}"#
    fixture.files.put("/tmp/hello.so", manifest)
    _ = fixture.send(
      .post, "/admin/v1/automations", key: key, body: #"{"path":"/tmp/hello.so","config":{"a":1}}"#)
    let reader = try fixture.key(AdminScope.read)
    #expect(fixture.send(.get, "/admin/v1/automations/hello/config", key: reader).status == 403)
    let changed = fixture.send(.put, "/admin/v1/automations/hello/config", key: key, body: #"{"a":2}"#)
    #expect(changed.status == 200 && changed.json["generation"] == 2)
    let shown = fixture.send(.get, "/admin/v1/automations/hello/config", key: key)
    #expect(shown.json["config"] == ["a": 2] && shown.json["schema"] == ["type": "object"])
    #expect(fixture.send(.put, "/admin/v1/automations/hello/config", key: key, body: "[]").status == 422)
    #expect(fixture.send(.get, "/admin/v1/automations/hello", key: key).json["source"] == "/tmp/hello.so")
  }

  @Test func aFileIsReleasedFromQuarantineOnce() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    let sha256 = String(repeating: "ab", count: 32)
    fixture.catalog.quarantine(
      QuarantineRecord(sha256: sha256, code: "plugin.probe.crashed", detail: "SIGSEGV", since: .now))
    let items = fixture.send(.get, "/admin/v1/quarantine", key: key).json["items"]?.array ?? []
    #expect(items.count == 1 && items[0]["sha256"] == .string(sha256))
    #expect(fixture.send(.delete, "/admin/v1/quarantine/\(sha256.uppercased())", key: key).status == 200)
    #expect(fixture.send(.delete, "/admin/v1/quarantine/\(sha256)", key: key).code == "quarantine.not_found")
  }
}
