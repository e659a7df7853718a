import AdminAPI
import Application
import Domain
import Doubles
import Kernel
import Synchronization
import Testing

struct AuditingTests {
  @Test func anActIsOneRowOfItsOwnAndAReadIsARequest() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    _ = fixture.send(.get, "/admin/v1/keys", key: key)
    #expect(fixture.audit.rows.count == 1 && fixture.audit.acts.isEmpty)
    let changed = fixture.send(.put, "/admin/v1/log-level", key: key, body: #"{"level":"debug"}"#)
    #expect(fixture.audit.rows.count == 1 && fixture.audit.acts.count == 1)
    let act = try #require(fixture.audit.acts.first)
    #expect(act.action == "log_level.set" && act.status == 200 && act.principal == "tester")
    #expect(
      act.details == ["before": "info", "level": "debug"] && act.requestID == changed.headers["x-request-id"])
    #expect(key.contains(act.key))
  }

  @Test func aRefusedActIsARowWithItsCode() throws {
    let fixture = try AdminFixture()
    _ = fixture.send(.delete, "/admin/v1/automations/none", key: try fixture.key("admin:*"))
    let act = try #require(fixture.audit.acts.first)
    #expect(act.action == "automation.unload" && act.target == "none" && act.status == 404)
    #expect(act.details["code"] == "automation.not_found")
  }

  @Test func refusalsBeforeTheActAreRequests() throws {
    let fixture = try AdminFixture()
    _ = fixture.send(.delete, "/admin/v1/automations/none")
    _ = fixture.send(.get, "/nothing")
    #expect(fixture.audit.rows.count == 2 && fixture.audit.acts.isEmpty)
  }

  @Test func healthAndMetricsAreNotAuditedAndNeedNoAudit() throws {
    let fixture = try AdminFixture()
    fixture.audit.state.withLock { $0.isFull = true }
    #expect(fixture.send(.get, "/health/live").status == 200 && fixture.send(.get, "/metrics").status == 200)
    #expect(fixture.audit.rows.count == 0)
  }

  @Test func whatCannotBeAuditedIsNotDone() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    fixture.audit.state.withLock { $0.isFull = true }
    let answer = fixture.send(.put, "/admin/v1/log-level", key: key, body: #"{"level":"debug"}"#)
    #expect(answer.status == 503 && answer.code == "audit.unavailable" && fixture.log.level == .info)
  }

  @Test func anActWhoseRowIsNotTakenIsAnswered503ThatSaysItWasDone() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    fixture.audit.state.withLock { $0.failure = Problem(503, "audit.unavailable", "The disk is full.") }
    let answer = fixture.send(.put, "/admin/v1/log-level", key: key, body: #"{"level":"debug"}"#)
    #expect(answer.status == 503 && answer.code == "audit.failed" && answer.json["done"] == true)
    #expect(fixture.log.level == .debug)
  }

  @Test func aKeyWhoseRowIsNotTakenIsRevokedAndNotShown() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    fixture.audit.state.withLock { $0.failure = Problem(503, "audit.unavailable", "The disk is full.") }
    let answer = fixture.send(
      .post, "/admin/v1/keys", key: key, body: #"{"principal":"p","scopes":["admin:read"]}"#)
    #expect(answer.code == "audit.failed" && answer.json["done"] == false && answer.json["key"] == nil)
    let made = try fixture.keys.page(after: nil, limit: 10).first { $0.principal == "p" }
    #expect(made?.revoked != nil)
  }

  @Test(arguments: [nil, 3600] as [Int?])
  func aRotationWhoseRowIsNotTakenLeavesTheOldKeyAsItWas(lifetime: Int?) throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    let old = try fixture.keys.issue(
      .init(principal: "p", name: "n", scopes: ["admin:read"], lifetime: lifetime.map { .seconds($0) }))
    fixture.audit.state.withLock { $0.failure = Problem(503, "audit.unavailable", "The disk is full.") }
    let answer = fixture.send(.post, "/admin/v1/keys/\(old.key.id)/rotate", key: key, body: #"{"grace_s":0}"#)
    #expect(answer.code == "audit.failed" && answer.json["done"] == false && answer.json["key"] == nil)
    let kept = try fixture.keys.find(old.key.id)
    #expect(kept.revoked == nil && kept.expires == old.record.expires)
    let successor = try fixture.keys.page(after: nil, limit: 10).first {
      $0.principal == "p" && $0.id != old.key.id
    }
    #expect(successor?.revoked != nil)
    fixture.audit.state.withLock { $0.failure = nil }
    #expect(fixture.send(.get, "/admin/v1/automations", key: old.key.text).status == 200)
  }

  @Test func theTrailIsReadInPages() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key(AdminScope.audit)
    fixture.audit.state.withLock { $0.documents = (1...3).map { ["seq": .integer($0)] } }
    let page = fixture.send(.get, "/admin/v1/audit?limit=2", key: key).json
    #expect(page["items"] == [["seq": 1], ["seq": 2]] && page["next"] == 2)
    let rest = fixture.send(.get, "/admin/v1/audit?after=2&limit=2", key: key).json
    #expect(rest["items"] == [["seq": 3]] && rest["next"] == .null)
    #expect(fixture.send(.get, "/admin/v1/audit?after=-1", key: key).status == 400)
  }

  @Test func aBrokenTrailIsAConflict() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key(AdminScope.audit)
    #expect(fixture.send(.post, "/admin/v1/audit/verify", key: key).json["last_hash"] == "ff")
    fixture.audit.state.withLock { $0.broken = Problem(409, "audit.broken", "Row 7.", members: ["seq": 7]) }
    let answer = fixture.send(.post, "/admin/v1/audit/verify", key: key)
    #expect(answer.status == 409 && answer.code == "audit.broken" && answer.json["seq"] == 7)
  }
}

struct ControlThreadsTests {
  private func load(_ fixture: AdminFixture, _ id: String, _ key: String) -> Running {
    let running = fixture.begin(
      .post, "/admin/v1/automations", key: key, headers: [("content-type", "application/octet-stream")])
    running.start(Array(fixture.manifest(id).utf8))
    return running
  }

  @Test func readsAreAnsweredWhileEveryActThreadIsBusy() throws {
    let fixture = try AdminFixture(limits: AdminApplication.Limits(controlThreads: 2, queuedJobs: 2))
    let key = try fixture.key("admin:*")
    fixture.inspector.open(false)
    let first = load(fixture, "one", key)
    #expect(fixture.inspector.waitForProbes(1))
    let second = load(fixture, "two", key)
    #expect(fixture.send(.get, "/admin/v1/log-level", key: key).status == 200)
    fixture.inspector.open(true)
    #expect(first.finish().status == 201 && second.finish().status == 201)
  }

  @Test func aFullQueueIsAnswered503AndItsUploadAbandoned() throws {
    let fixture = try AdminFixture(limits: AdminApplication.Limits(controlThreads: 2, queuedJobs: 1))
    let key = try fixture.key("admin:*")
    fixture.inspector.open(false)
    let inside = load(fixture, "one", key)
    #expect(fixture.inspector.waitForProbes(1))
    let waiting = load(fixture, "two", key)
    let refused = load(fixture, "three", key).finish()
    #expect(refused.status == 503 && refused.code == "admin.busy" && refused.headers["retry-after"] != nil)
    #expect(fixture.files.abandoned == 1)
    #expect(fixture.send(.get, "/admin/v1/log-level", key: key).status == 200)
    fixture.inspector.open(true)
    #expect(inside.finish().status == 201 && waiting.finish().status == 201)
  }

  @Test func anActWhoseCallerIsGoneIsStillDoneAndAudited() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    fixture.inspector.open(false)
    let gone = load(fixture, "one", key)
    #expect(fixture.inspector.waitForProbes(1))
    gone.abort()
    fixture.inspector.open(true)
    fixture.admin.stop()
    #expect(fixture.audit.acts.map(\.action) == ["automation.load"] && fixture.automations.live("one") != nil)
  }

  @Test func whatWaitsWhenTheHostEndsIsAnswered503AndAudited() throws {
    let fixture = try AdminFixture(limits: AdminApplication.Limits(controlThreads: 2, queuedJobs: 4))
    let key = try fixture.key("admin:*")
    fixture.inspector.open(false)
    let inside = load(fixture, "one", key)
    #expect(fixture.inspector.waitForProbes(1))
    let waiting = load(fixture, "two", key)
    let ender = OSThread("ender") { [admin = fixture.admin] in admin.stop() }
    let answer = waiting.finish()
    #expect(answer.status == 503 && answer.code == "admin.stopping" && fixture.files.abandoned == 1)
    fixture.inspector.open(true)
    #expect(inside.finish().status == 201)
    ender.join()
    #expect(fixture.audit.acts.map(\.status).sorted() == [201, 503])
  }
}
