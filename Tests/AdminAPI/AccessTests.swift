import AdminAPI
import Application
import Domain
import Doubles
import Kernel
import Testing

struct AdminAccessTests {
  @Test func everyEndpointButHealthAndMetricsNeedsAKey() throws {
    let fixture = try AdminFixture()
    for endpoint in AdminEndpoint.allCases {
      let row = endpoint.row
      let path = endpoint.path(["x", "y"].prefix(row.path.contains("{") ? 1 : 0).map { $0 })
      let answer = fixture.send(row.method, path)
      if row.scopes.isEmpty {
        #expect(answer.status != 401, "\(endpoint)")
      } else {
        #expect(answer.status == 401 && answer.code == "access.key_missing", "\(endpoint)")
        #expect(answer.headers["www-authenticate"] == "Bearer realm=\"council-admin\"")
      }
    }
  }

  @Test func aKeyWithoutOneOfTheScopesIsRefusedAndOneWithAnyOfThemIsLetIn() throws {
    let fixture = try AdminFixture()
    let all = [AdminScope.read, AdminScope.write, AdminScope.reload, AdminScope.keys, AdminScope.audit]
    for scope in all {
      let key = try fixture.key(scope)
      for endpoint in AdminEndpoint.allCases where !endpoint.row.scopes.isEmpty {
        let answer = fixture.send(
          endpoint.row.method, endpoint.path(endpoint.row.path.contains("{") ? ["x"] : []), key: key)
        let isForbidden = answer.status == 403 && answer.code == "access.scope_missing"
        #expect(isForbidden == !endpoint.row.scopes.contains(scope), "\(scope) \(endpoint) \(answer.text)")
      }
    }
  }

  @Test func theWildcardOfAdminGrantsEverything() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    for endpoint in AdminEndpoint.allCases {
      let answer = fixture.send(
        endpoint.row.method, endpoint.path(endpoint.row.path.contains("{") ? ["x"] : []), key: key)
      #expect(answer.status != 401 && answer.status != 403, "\(endpoint) \(answer.text)")
    }
  }

  @Test func aKeyIsLimitedLikeAnyOther() throws {
    let fixture = try AdminFixture(rate: RateLimit(requests: 2, per: .seconds(3600)))
    let key = try fixture.key("admin:*")
    let first = fixture.send(.get, "/admin/v1/log-level", key: key)
    #expect(first.status == 200 && first.headers["ratelimit-policy"] == "\"default\";q=2;w=3600")
    #expect(fixture.send(.get, "/admin/v1/log-level", key: key).status == 200)
    let third = fixture.send(.get, "/admin/v1/log-level", key: key)
    #expect(third.status == 429 && third.code == "limit.exceeded" && third.headers["retry-after"] != nil)
  }

  @Test(arguments: [
    "localhost", "localhost:8081", "LOCALHOST:8081", "127.0.0.1", "127.0.0.1:8081", "127.255.0.9:1",
    "[::1]", "[::1]:8081", "admin.internal", "admin.internal:8081",
  ])
  func aLoopbackOrConfiguredHostNamePasses(host: String) throws {
    let fixture = try AdminFixture(limits: AdminApplication.Limits(hostNames: ["admin.internal"]))
    #expect(fixture.send(.get, "/health/live", host: host).status == 200)
  }

  @Test(arguments: [
    "evil.example", "evil.example:8081", "127.0.0.1.evil.example", "localhost.evil.example", "128.0.0.1",
    "127.0.0.256",
    "127.0.0", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:123456", "[::2]", "[::1", "[::1]x", "",
    "localhost:80@evil",
  ])
  func anyOtherHostNameIsRefused(host: String) throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    for target in ["/metrics", "/admin/v1/automations"] {
      let answer = fixture.send(.get, target, key: key, host: host)
      #expect(answer.status == 421 && answer.code == "admin.host_refused")
    }
  }

  @Test func aRequestWithoutHostIsRefused() throws {
    #expect(try AdminFixture().send(.get, "/health/live", host: nil).code == "admin.host_refused")
  }

  @Test func metricsNeedAKeyWhenConfiguredSo() throws {
    let open = try AdminFixture()
    let answer = open.send(.get, "/metrics")
    #expect(answer.status == 200 && answer.text.hasPrefix("# TYPE up"))
    #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")

    let closed = try AdminFixture(limits: AdminApplication.Limits(metricsNeedKey: true))
    #expect(closed.send(.get, "/metrics").status == 401)
    #expect(closed.send(.get, "/metrics", key: try closed.key("accounts:*")).status == 403)
    let letIn = closed.send(.get, "/metrics", key: try closed.key(AdminScope.read))
    #expect(letIn.status == 200 && letIn.text == answer.text)
    #expect(letIn.headers["content-type"] == answer.headers["content-type"])
  }

  @Test func healthSaysWhetherTheHostServes() throws {
    let fixture = try AdminFixture()
    #expect(fixture.send(.get, "/health/live").status == 200)
    let early = fixture.send(.get, "/health/ready")
    #expect(early.status == 503 && early.headers["retry-after"] == "1")
    fixture.health.isServing = true
    #expect(fixture.send(.get, "/health/ready").status == 200)
  }
}

struct AdminShapeTests {
  @Test func anUnknownPathIs404AndAKnownOneWithAnotherMethod405WithAllow() throws {
    let fixture = try AdminFixture()
    #expect(fixture.send(.get, "/admin/v1/nothing").code == "admin.not_found")
    let answer = fixture.send(.patch, "/admin/v1/keys")
    #expect(answer.status == 405 && answer.headers["allow"] == "GET, HEAD, POST, OPTIONS")
    let options = fixture.send(.options, "/admin/v1/keys")
    #expect(
      options.status == 204 && options.headers["allow"] == "GET, HEAD, POST, OPTIONS" && options.text.isEmpty)
  }

  @Test func everyAnswerCarriesItsRequestIDAndTrace() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    for (target, key) in [("/health/live", nil), ("/nothing", nil), ("/admin/v1/keys", key)] {
      let answer = fixture.send(.get, target, key: key, headers: [("traceparent", trace)])
      #expect(answer.headers["x-request-id"]?.utf8.count == 32)
      #expect(answer.headers["traceparent"]?.hasPrefix("00-0af7651916cd43dd8448eb211c80319c-") == true)
      #expect(answer.headers["cache-control"] == "no-store")
    }
  }

  @Test func aRefusalOfTheEdgeCarriesThemToo() throws {
    let fixture = try AdminFixture()
    let running = fixture.begin(.get, "/")
    fixture.admin.refuse(running.exchange, Problem(400, "http.malformed", "The request is malformed."))
    let answer = running.finish()
    #expect(answer.status == 400 && answer.headers["x-request-id"]?.utf8.count == 32)
    #expect(fixture.audit.rows.count == 0)
  }

  @Test func aProblemIsAProblemDocument() throws {
    let answer = try AdminFixture().send(.get, "/admin/v1/keys")
    #expect(answer.headers["content-type"] == "application/problem+json")
    #expect(answer.json["status"] == 401 && answer.json["type"] == "urn:council:problem:access.key_missing")
  }

  @Test(arguments: [
    (#"{"level":"debug","extra":1}"#, 422, "request.body_invalid"),
    (#"{"level":"loud"}"#, 422, "request.body_invalid"), (#"{"level":3}"#, 422, "request.body_invalid"),
    ("{}", 422, "request.body_invalid"), ("[]", 422, "request.body_invalid"),
    ("", 400, "request.body_missing"), (#"{"level":"#, 400, "request.json_invalid"),
    (#"{"level":"debug","level":"info"}"#, 400, "request.json_invalid"),
  ])
  func aBodyThatIsNotWhatIsAskedForIsRefused(body: String, status: Int, code: String) throws {
    let fixture = try AdminFixture()
    let answer = fixture.send(.put, "/admin/v1/log-level", key: try fixture.key("admin:*"), body: body)
    #expect(answer.status == status && answer.code == code, "\(answer.text)")
    #expect(fixture.log.level == .info)
  }

  @Test func everyFaultOfABodyIsListed() throws {
    let fixture = try AdminFixture()
    let answer = fixture.send(
      .post, "/admin/v1/keys", key: try fixture.key("admin:*"),
      body: #"{"principle":"x","scopes":[],"limit":{"requests":0,"period":1},"expires_in_s":0}"#)
    let pointers = answer.json["errors"]?.array?.compactMap { $0["pointer"]?.string } ?? []
    #expect(
      Set(pointers) == [
        "/principle", "/principal", "/scopes", "/limit/requests", "/limit/period", "/limit/per_s",
        "/expires_in_s",
      ])
  }

  @Test func aBodyAboveTheLimitIsRefused() throws {
    let fixture = try AdminFixture(limits: AdminApplication.Limits(maxJSONBytes: 17))
    let key = try fixture.key("admin:*")
    #expect(fixture.send(.put, "/admin/v1/log-level", key: key, body: #"{"level":"debug"}"#).status == 200)
    #expect(fixture.send(.put, "/admin/v1/log-level", key: key, body: #"{"level":"debug" }"#).status == 413)
  }

  @Test func aBodyOfAnotherTypeIsRefused() throws {
    let fixture = try AdminFixture()
    let answer = fixture.send(
      .put, "/admin/v1/log-level", key: try fixture.key("admin:*"), headers: [("content-type", "text/plain")],
      body: #"{"level":"debug"}"#)
    #expect(answer.status == 415 && answer.code == "request.media_type")
  }

  @Test func aQueryParameterThatIsNotKnownOrRepeatsIsRefused() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    #expect(fixture.send(.get, "/admin/v1/keys?page=2", key: key).code == "request.query_parameter_unknown")
    #expect(
      fixture.send(.get, "/admin/v1/keys?limit=1&limit=2", key: key).code == "request.query_parameter_invalid"
    )
  }

  @Test(arguments: [("0", 400), ("1", 200), ("1000", 200), ("1001", 400), ("x", 400)])
  func aPageHasOneToAThousandItems(limit: String, status: Int) throws {
    let fixture = try AdminFixture()
    #expect(
      fixture.send(.get, "/admin/v1/keys?limit=\(limit)", key: try fixture.key("admin:*")).status == status)
  }

  @Test func theLogLevelChangesAtOnce() throws {
    let fixture = try AdminFixture()
    let key = try fixture.key("admin:*")
    #expect(fixture.send(.get, "/admin/v1/log-level", key: key).json["level"] == "info")
    #expect(
      fixture.send(.put, "/admin/v1/log-level", key: key, body: #"{"level":"error"}"#).json["level"]
        == "error")
    #expect(fixture.log.level == .error)
  }

  @Test func requestsAreMeasured() throws {
    let fixture = try AdminFixture()
    _ = fixture.send(.get, "/health/live")
    _ = fixture.send(.get, "/nothing")
    #expect(fixture.meter.count(200) == 1 && fixture.meter.count(404) == 1)
  }
}
