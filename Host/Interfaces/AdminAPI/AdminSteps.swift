import Application
import Domain
import Kernel

// The steps of an admin request in its order; AdminApplication.swift is the list.

extension AdminApplication {
  // MARK: Match

  /// Splits the target and finds the endpoint. Answers nothing yet: what is wrong is audited first.
  func locate(
    _ exchange: Exchange, _ call: AdminCall, _ thread: AdminThread
  ) -> Result<AdminRoute, Problem> {
    do throws(Problem) {
      try HostName.check(exchange, allowed: limits.hostNames)
      if let problem = RequestTarget.split(exchange) { throw problem }
      if exchange.methodIsUnknown {
        throw Problem(501, "request.method_unknown", "The method is none that this host knows.")
      }
      let route = try routes.match(exchange, parameters: &thread.matched)
      call.route = route
      for (name, place) in zip(route.parameterNames, thread.matched) {
        exchange.parameters.append(
          Field(name: exchange.head.append(name), value: exchange.segments[place]))
      }
      return .success(route)
    } catch { return .failure(error) }
  }

  // MARK: Authenticate, limit, authorize

  func authenticate(_ exchange: Exchange, _ call: AdminCall) throws(Problem) {
    let grant = try ports.keys.authenticate(exchange)
    call.grant = grant
    let table = ports.keys.table
    exchange.principal = exchange.head.append(table.principal(of: grant))
  }

  func limit(_ exchange: Exchange, _ call: AdminCall) throws(Problem) {
    guard let grant = call.grant else { return }
    let decision = ports.keys.table.take(grant, at: exchange.started)
    call.decision = decision
    if !decision.isAllowed {
      throw Problem(
        429, "limit.exceeded",
        "The limit of requests is reached. Send the request again after the time in Retry-After.",
        retryAfterSeconds: decision.retryAfterSeconds)
    }
  }

  func authorize(_ call: AdminCall, _ route: AdminRoute) throws(Problem) {
    guard let grant = call.grant else { return }
    let table = ports.keys.table
    guard route.scopes.contains(where: { table.allows(grant, $0) }) else {
      let names = route.row.scopes.isEmpty ? [AdminScope.read] : route.row.scopes
      throw Problem(
        403, "access.scope_missing",
        "This needs the scope '\(names.joined(separator: "' or '"))', which the key does not hold. "
          + "Ask an admin for a key that does.",
        members: ["scopes": .array(names.map(JSONValue.string))])
    }
  }

  // MARK: Body

  func expectBody(
    _ exchange: Exchange, _ call: AdminCall, _ route: AdminRoute
  ) throws(Problem) -> HeadDecision {
    switch route.endpoint {
    case .loadAutomation, .reloadAutomation:
      let head = exchange.head
      if exchange.has(.contentType),
        head.span(exchange[.contentType]).hasPrefix(ignoringCase: "application/octet-stream")
      {
        let upload = PendingUpload(try ports.files.upload())
        call.upload = upload
        return .stream(to: upload, maxBytes: limits.maxUploadBytes)
      }
      return .readBody(maxBytes: limits.maxJSONBytes)
    default:
      return .readBody(maxBytes: limits.maxJSONBytes)
    }
  }

  // MARK: What needs no key

  /// Health and metrics: read from memory, so they are answered on the event thread, and not audited.
  func answerOpenly(_ exchange: Exchange, _ route: AdminRoute) {
    if route.endpoint == .describe {
      let document = ports.documents[route.row.path]
      return document.map { $0.answer(exchange) } ?? refuse(exchange, AdminApplication.noDocument)
    }
    exchange.addHeader("Cache-Control", "no-store")
    if route.endpoint == .metrics {
      exchange.status = 200
      exchange.addHeader("Content-Type", "\(AdminApplication.metricsType)")
      exchange.answerBody.append(ports.meter.exposition())
      return
    }
    let report = route.endpoint == .live ? ports.health.live : ports.health.ready
    exchange.status = report.isHealthy ? 200 : 503
    exchange.addHeader("Content-Type", "application/json")
    if !report.isHealthy { exchange.addHeader("Retry-After", "1") }
    exchange.answerBody.append(json: report.json)
  }

  /// A page for people, or what it needs; false: the path is none.
  func answerPage(_ exchange: Exchange) throws(Problem) -> Bool {
    guard !ports.documents.isEmpty else { return false }
    let head = exchange.head
    let path = String(head.span(exchange.rawPath))
    guard let document = ports.documents[path] else { return false }
    guard exchange.method == .get || exchange.method == .head else {
      throw Problem(
        405, "request.method_not_allowed", "This path takes GET, HEAD.", members: ["allow": "GET, HEAD"])
    }
    document.answer(exchange)
    return true
  }

  static let noDocument = Problem(404, "admin.not_found", "This host has no document of its admin API.")

  static let metricsType: StaticString = "text/plain; version=0.0.4; charset=utf-8"

  func answerOptions(_ exchange: Exchange, _ problem: Problem) {
    guard case .string(let allowed)? = problem.members["allow"] else { return refuse(exchange, problem) }
    exchange.status = 204
    exchange.addHeader("Allow", allowed)
  }

  // MARK: What every answer carries

  func decorate(_ exchange: Exchange, _ call: AdminCall) {
    let head = exchange.head
    exchange.addHeader("X-Request-Id", head.span(exchange.requestID))
    exchange.addHeader("traceparent", head.span(exchange.traceparent))
    exchange.addHeader("X-Content-Type-Options", "nosniff")
    guard let decision = call.decision, let grant = call.grant else { return }
    let policy = RateLimitHeaders.appendPolicy(ports.keys.table.limit(of: grant), to: head)
    let state = RateLimitHeaders.appendState(decision, to: head)
    exchange.addHeader("RateLimit-Policy", head.span(policy))
    exchange.addHeader("RateLimit", head.span(state))
  }

  func logRequest(_ exchange: Exchange, _ call: AdminCall, _ nanoseconds: Int64) {
    let head = exchange.head
    ports.log.log(
      exchange.status >= 500 ? .error : .debug, "admin", "request",
      [
        "request_id": .string(String(head.span(exchange.requestID))),
        "trace_id": .string(String(head.span(exchange.traceparent).extracting(3..<35))),
        "status_code": .integer(Int64(exchange.status)),
        "duration_ms": .number(Double(nanoseconds / 1000) / 1000),
        "method": .string(exchange.method.rawValue),
        "route": .string(call.route?.row.path ?? ""),
        "operation": .string(call.route?.endpoint.rawValue ?? ""),
      ])
  }
}

/// Against DNS rebinding: a page that made its own name point here sends that name as Host.
enum HostName {
  /// Lets `localhost`, loopback addresses and configured names pass, with any port; throws `admin.host_refused` (421).
  static func check(_ exchange: Exchange, allowed: [String]) throws(Problem) {
    let head = exchange.head
    let text = String(head.span(exchange[.host])).lowercased()
    if exchange.knownCount[KnownHeader.host.rawValue] == 1, let name = name(of: text),
      isLoopback(name) || allowed.contains(name)
    {
      return
    }
    throw Problem(
      421, "admin.host_refused",
      "The admin listener answers to localhost, loopback addresses and names of its configuration, not to this Host."
    )
  }

  /// The name before the port; nil for what is no host and port.
  static func name(of text: String) -> String? {
    if text.hasPrefix("[") {
      guard let end = text.firstIndex(of: "]") else { return nil }
      return isPort(text[text.index(after: end)...]) ? String(text[...end]) : nil
    }
    let colon = text.firstIndex(of: ":") ?? text.endIndex
    return isPort(text[colon...]) ? String(text[..<colon]) : nil
  }

  private static func isPort(_ text: Substring) -> Bool {
    guard let first = text.first else { return true }
    let digits = text.dropFirst()
    return first == ":" && (1...5).contains(digits.count) && digits.utf8.allSatisfy { (48...57).contains($0) }
  }

  static func isLoopback(_ name: String) -> Bool {
    if name == "localhost" || name == "[::1]" { return true }
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127"
      && parts.allSatisfy { part in
        (1...3).contains(part.count) && part.utf8.allSatisfy { (48...57).contains($0) }
          && (Int(part) ?? 256) < 256
      }
  }
}
