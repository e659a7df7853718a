import AdminAPI
import Application
import Domain
import Doubles
import Kernel
import Testing

/// Sets, canaries and recordings over the admin API.
struct ReloadEndpointsTests {
  let fixture: AdminFixture
  let key: String

  init() throws {
    fixture = try AdminFixture()
    key = try fixture.key("admin:*")
    for id in ["one", "two"] {
      fixture.files.put("/\(id).so", fixture.manifest(id))
      fixture.files.put("/\(id)-2.so", fixture.manifest(id, version: "2"))
      _ = fixture.send(.post, "/admin/v1/automations", key: key, body: #"{"path":"/\#(id).so"}"#)
    }
  }

  @Test func aSetIsReloadedRolledBackAndAudited() {
    let body =
      #"{"automations":[{"id":"one","path":"/one-2.so"},{"id":"two","path":"/two-2.so","config":{}}]}"#
    let done = fixture.send(.post, "/admin/v1/reload", key: key, body: body)
    #expect(done.status == 200 && done.json["automations"]?.array?.map { $0["version"] } == ["2", "2"])
    #expect(fixture.audit.acts.last?.action == "automation.reload_set")
    #expect(fixture.audit.acts.last?.target == "one,two")
    let back = fixture.send(
      .post, "/admin/v1/rollback", key: key,
      body: #"{"automations":[{"id":"one"},{"id":"two","generation":1}]}"#)
    #expect(
      back.status == 200 && back.json["automations"]?.array?.map { $0["version"] } == ["1.0.0", "1.0.0"])
  }

  @Test(arguments: [
    (#"{}"#, "/automations"), (#"{"automations":[1]}"#, "/automations/0"),
    (#"{"automations":[{"id":"one","path":"x.so"}]}"#, "/automations/0/path"),
    (#"{"automations":[{"path":"/x.so"}]}"#, "/automations/0/id"),
    (#"{"automations":[{"id":"one","sha":"1"}]}"#, "/automations/0/sha"),
    (#"{"automations":[{"id":"one","config":1}]}"#, "/automations/0/config"),
  ])
  func aWrongSetIsRefusedByItsPlace(body: String, pointer: String) {
    let answer = fixture.send(.post, "/admin/v1/reload", key: key, body: body)
    #expect(answer.status == 422 && answer.json["errors"]?.array?.first?["pointer"]?.string == pointer)
  }

  @Test func aKeyThatMayReloadLoadsNothingNew() throws {
    fixture.files.put("/three.so", fixture.manifest("three"))
    let body = #"{"automations":[{"id":"one"},{"id":"three","path":"/three.so"}]}"#
    let reload = try fixture.key("admin:reload")
    #expect(fixture.send(.post, "/admin/v1/reload", key: reload, body: body).code == "access.scope_missing")
    #expect(fixture.send(.post, "/admin/v1/reload", key: key, body: body).status == 200)
    #expect(fixture.send(.post, "/admin/v1/reload", key: reload, body: body).status == 200)
  }

  @Test func anEmptyOrUnknownSetIsRefused() {
    let empty = fixture.send(.post, "/admin/v1/reload", key: key, body: #"{"automations":[]}"#)
    #expect(empty.code == "automation.set_invalid")
    let unknown = fixture.send(.post, "/admin/v1/reload", key: key, body: #"{"automations":[{"id":"none"}]}"#)
    #expect(unknown.code == "automation.not_found")
  }

  @Test func aCanaryIsStartedShownAndEnded() {
    let body = #"{"path":"/one-2.so","canary":{"percent":20,"seconds":600}}"#
    let started = fixture.send(.post, "/admin/v1/automations/one/reload", key: key, body: body)
    #expect(started.status == 202 && started.json["state"] == "running" && started.json["percent"] == 20)
    let shown = fixture.send(.get, "/admin/v1/automations/one", key: key).json
    #expect(shown["canary"]?["generation"] == 2 && shown["version"] == "1.0.0")
    #expect(shown["generations"]?.array?.map { $0["state"] } == ["canary", "active"])
    for (method, path) in [
      (HTTPMethod.post, "one/reload"), (.post, "one/rollback"), (.delete, "one"),
    ] {
      let refused = fixture.send(method, "/admin/v1/automations/\(path)", key: key)
      #expect(refused.status == 409, "\(path): \(refused.text)")
    }
    let ended = fixture.send(.post, "/admin/v1/automations/one/canary/abort", key: key)
    #expect(ended.status == 200 && ended.json["state"] == "aborted")
    #expect(
      fixture.send(.post, "/admin/v1/automations/one/canary/promote", key: key).code == "canary.not_running")
    let query = #"%7B%22header%22:%22X-New%22%7D"#
    let upload = fixture.send(
      .post, "/admin/v1/automations/one/reload?canary=\(query)", key: key,
      headers: [("content-type", "application/octet-stream")], body: fixture.manifest("one", version: "3"))
    #expect(upload.status == 202 && upload.json["header"] == "x-new" && upload.json["percent"] == 0)
    #expect(
      fixture.send(.post, "/admin/v1/automations/one/canary/promote", key: key).json["state"] == "promoted")
    #expect(fixture.send(.get, "/admin/v1/automations/one", key: key).json["version"] == "3")
  }

  @Test(arguments: [
    (#"{"percent":0}"#, "/canary/percent"), (#"{"percent":100}"#, "/canary/percent"),
    (#"{"seconds":0}"#, "/canary/seconds"), (#"{"seconds":86401}"#, "/canary/seconds"),
    (#"{"share":"chance"}"#, "/canary/share"), (#"{"header":"a b"}"#, "/canary/header"),
    (#"{"max_error_margin":1.5}"#, "/canary/max_error_margin"),
    (#"{"max_mean_ratio":0.5}"#, "/canary/max_mean_ratio"),
    (#"{"max_p99_ratio":"2"}"#, "/canary/max_p99_ratio"),
    (#"{"when_too_few":"wait"}"#, "/canary/when_too_few"), (#"{"min_requests":0}"#, "/canary/min_requests"),
    (#"{"slack_ms":-1}"#, "/canary/slack_ms"), (#"{"window":1}"#, "/canary/window"),
  ])
  func aWrongRuleIsRefusedByItsPlace(rule: String, pointer: String) {
    let answer = fixture.send(
      .post, "/admin/v1/automations/one/reload", key: key, body: #"{"path":"/one-2.so","canary":\#(rule)}"#)
    #expect(answer.status == 422 && answer.json["errors"]?.array?.first?["pointer"]?.string == pointer)
    #expect(fixture.automations.canary(of: "one") == nil)
  }

  @Test func aRecordingIsStartedShownAndStopped() throws {
    let path = "/admin/v1/automations/one/recording"
    let started = fixture.send(.post, path, key: key, body: #"{"seconds":60,"max":10,"redact":["email"]}"#)
    #expect(started.status == 201 && started.json["state"] == "running")
    #expect(
      fixture.send(.get, "/admin/v1/automations/one", key: key).json["recording"]?["state"] == "running")
    #expect(fixture.send(.delete, path, key: key).json["state"] == "ended")
    #expect(fixture.send(.delete, path, key: key).code == "recording.not_running")
    #expect(fixture.send(.post, path, key: key, body: #"{"max":0}"#).status == 422)
    #expect(fixture.send(.post, path, key: key, body: #"{"headers":["Authorization"]}"#).status == 422)
    // What agents send is not for a build's key.
    #expect(fixture.send(.post, path, key: try fixture.key("admin:reload")).status == 403)
  }

  @Test func aReplayNeedsAHostThatCanReplay() {
    let body = #"{"path":"/one-2.so","require_replay":"x.jsonl"}"#
    let answer = fixture.send(.post, "/admin/v1/automations/one/reload", key: key, body: body)
    #expect(answer.status == 501 && answer.json["step"] == "replay")
  }

  /// Read-only calls alone, unless the body or, beside an upload, the query asks for the others.
  @Test func aReplayRunsCallsThatChangeSomethingWhenAsked() throws {
    let replays = CleanReplays()
    let fixture = try AdminFixture(replay: replays)
    let key = try fixture.key("admin:*")
    fixture.files.put("/one.so", fixture.manifest("one"))
    let path = "/admin/v1/automations/one/reload"
    #expect(
      fixture.send(.post, "/admin/v1/automations", key: key, body: #"{"path":"/one.so"}"#).status == 201)
    let upload = [("content-type", "application/octet-stream")]
    for (query, writes) in [("", false), ("&replay_writes=false", false), ("&replay_writes=true", true)] {
      let sent = fixture.send(
        .post, "\(path)?require_replay=x.jsonl\(query)", key: key, headers: upload,
        body: fixture.manifest("one"))
      #expect(sent.status == 200 && replays.asked.last == RequiredReplay("x.jsonl", writes: writes))
    }
    for (member, writes) in [
      ("", false), (#","replay_writes":false"#, false), (#","replay_writes":true"#, true),
    ] {
      let one = #""path":"/one.so","require_replay":"y.jsonl"\#(member)"#
      for (path, body) in [
        (path, "{\(one)}"), ("/admin/v1/reload", #"{"automations":[{"id":"one",\#(one)}]}"#),
      ] {
        #expect(fixture.send(.post, path, key: key, body: body).status == 200)
        #expect(replays.asked.last == RequiredReplay("y.jsonl", writes: writes), "\(body)")
      }
    }
    let count = replays.asked.count
    #expect(count == 9)
    for query in [
      "require_replay=x&replay_writes=1", "require_replay=x&replay_writes=", "replay_writes=true",
    ] {
      let refused = fixture.send(
        .post, "\(path)?\(query)", key: key, headers: upload, body: fixture.manifest("one"))
      #expect(refused.status == 400 && refused.code == "request.query_parameter_invalid", "\(query)")
    }
    for body in [#"{"require_replay":"x","replay_writes":"true"}"#, #"{"replay_writes":true}"#] {
      let refused = fixture.send(.post, path, key: key, body: body)
      #expect(refused.status == 422, "\(refused.text)")
      #expect(refused.json["errors"]?.array?.map { $0["pointer"] } == ["/replay_writes"], "\(refused.text)")
    }
    #expect(replays.asked.count == count && fixture.files.incoming == 0)
  }
}
