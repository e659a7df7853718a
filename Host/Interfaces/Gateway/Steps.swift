import Application
import Domain
import Kernel

// The steps of the request path in its order; RequestPath.swift is the list.

extension Gateway {
  // MARK: Match

  /// Finds the route and pins its generation. nil: the path is the host's own, or the host itself has answered.
  func match(_ exchange: Exchange, _ call: Call, _ thread: EventThread) throws(Problem) -> LiveRoute? {
    if exchange.methodIsUnknown {
      throw Problem(501, "request.method_unknown", "The method is none that this host knows.")
    }
    // A generation that retires between the look and the entry is replaced in the snapshot already.
    for _ in 0..<Gateway.attempts {
      let snapshot = thread.snapshots.look()
      let ranges = exchange.segments
      guard var automation = snapshot.automation(exchange.head, ranges.span) else {
        if try findOwn(exchange, call, thread) { return nil }
        switch snapshot.unavailability(exchange.head, ranges.span) {
        case .failed: throw Gateway.unavailable
        case .crashed: throw Gateway.crashed
        case nil: throw Gateway.notFound
        }
      }
      if let extras = automation.extras { automation = choose(extras, automation, exchange, call) }
      guard let route = try find(exchange, automation, thread) else { return nil }
      call.route = route
      if route.generation.enter() {
        call.isInside = true
        locate(exchange, route, thread)
        return route
      }
    }
    throw Problem(
      503, "automation.changing", "The automation is being replaced. Send the request again.",
      retryAfterSeconds: 1)
  }

  private static let attempts = 16

  /// nil: the caller asked what the path takes, and is told.
  private func find(
    _ exchange: Exchange, _ automation: LiveAutomation, _ thread: EventThread
  ) throws(Problem) -> LiveRoute? {
    thread.matched.removeAll(keepingCapacity: true)
    let head = exchange.head
    let ranges = exchange.segments
    let segments = RouteTable.Segments(
      of: head.span(head.all), at: ranges.span, from: automation.rootSegments)
    switch automation.table.match(exchange.method, segments, parameters: &thread.matched) {
    case .route(let number): return automation.routes[number]
    case .notFound: throw Gateway.notFound
    case .methodNotAllowed(let allowed):
      if exchange.method == .options {
        answerOptions(exchange, allow: allowed.allow)
        return nil
      }
      throw Gateway.methodNotAllowed(allowed)
    }
  }

  static let unavailable = Problem(
    503, "automation.unavailable",
    "This automation did not come back when the host started; an admin has to look.", retryAfterSeconds: 30)

  static let crashed = Problem(
    503, "automation.crashed",
    "This automation crashed too often and is left out until an admin reloads it or goes back to an earlier one.",
    retryAfterSeconds: 30)

  static let notFound = Problem(
    404, "route.not_found", "No route has this path.")

  /// Writes down where the matched parts stand: the path below the automation, and the parameters.
  private func locate(_ exchange: Exchange, _ route: LiveRoute, _ thread: EventThread) {
    let head = exchange.head
    for (index, place) in thread.matched.enumerated() {
      let name = head.append(route.parameterNames[index])
      exchange.parameters.append(Field(name: name, value: exchange.segments[place + route.rootSegments]))
    }
    let start = head.count
    for segment in exchange.segments.dropFirst(route.rootSegments) {
      head.append(UInt8(ascii: "/"))
      head.copy(segment)
    }
    if head.count == start { head.append(UInt8(ascii: "/")) }
    exchange.path = ByteRange(offset: start, count: head.count - start)
  }

  // MARK: Authenticate

  /// Recognises the caller by its key. A public route takes everybody.
  func authenticate(_ exchange: Exchange, _ call: Call, _ route: LiveRoute) throws(Problem) {
    guard route.scope != nil else { return }
    try authenticate(exchange, call)
  }

  func authenticate(_ exchange: Exchange, _ call: Call) throws(Problem) {
    let grant = try ports.keys.authenticate(exchange)
    call.grant = grant
    let table = ports.keys.table
    exchange.principal = exchange.head.append(table.principal(of: grant))
  }

  // MARK: Limit rate

  /// The caller's own limit, or the route's where that has one; on a public route, the address's.
  func limit(_ exchange: Exchange, _ call: Call, _ route: LiveRoute) throws(Problem) {
    let now = exchange.started
    let decision: RateDecision
    if let grant = call.grant {
      if let limit = route.limit, let rate = route.rate {
        call.limit = limit
        decision = cells.take(
          CallerTag(key: ports.keys.table.id(of: grant), route: route.limitTag), rate, at: now)
      } else {
        call.limit = ports.keys.table.limit(of: grant)
        decision = ports.keys.table.take(grant, at: now)
      }
    } else {
      call.limit = route.limit ?? limits.anonymous
      decision = cells.take(
        CallerTag(peer: exchange.peer, route: route.limitTag), route.rate ?? anonymousRate, at: now)
    }
    call.decision = decision
    try refuseBeyondLimit(call)
  }

  func refuseBeyondLimit(_ call: Call) throws(Problem) {
    if let decision = call.decision, !decision.isAllowed {
      throw Problem(
        429, "limit.exceeded",
        "The limit of requests is reached. Send the request again after the time in Retry-After.",
        retryAfterSeconds: decision.retryAfterSeconds)
    }
  }

  // MARK: Authorize

  func authorize(_ call: Call, _ route: LiveRoute) throws(Problem) {
    guard let scope = route.scope, let grant = call.grant else { return }
    if !ports.keys.table.allows(grant, scope) {
      let name = route.declaration.scope ?? ""
      throw Problem(
        403, "access.scope_missing",
        "This needs the scope '\(name)', which the key does not hold. Ask an admin for a key that does.",
        members: ["scope": .string(name)])
    }
  }

  // MARK: Validate

  func validate(_ exchange: Exchange, _ route: LiveRoute, _ thread: EventThread) throws(Problem) {
    if let schema = route.schemas.path {
      try validate(exchange.parameters, exchange, schema, thread, "request.path_parameter_invalid")
    }
    if let schema = route.schemas.query {
      try validate(exchange.query, exchange, schema, thread, "request.query_parameter_invalid")
    }
    if let schema = route.schemas.body { try validateBody(exchange, schema, route, thread) }
  }

  private func validate(
    _ fields: [Field], _ exchange: Exchange, _ schema: any CompiledSchema, _ thread: EventThread,
    _ code: String
  ) throws(Problem) {
    thread.scratch.removeAll()
    do throws(ParameterDocument.OutOfRange) {
      try ParameterDocument.write(fields, of: exchange.head, as: schema, to: thread.scratch)
    } catch {
      let head = exchange.head
      let fault = SchemaViolation(
        pointer: "/" + String(head.span(error.name)), keyword: "type",
        message: "must be from -9223372036854775808 to 9223372036854775807")
      throw Gateway.invalid(400, code, [fault])
    }
    let (scratch, json) = (thread.scratch, thread.json)
    do throws(JSONError) { try json.parse(scratch.span(scratch.all)) } catch {
      throw Problem(400, code, "A parameter cannot be read: \(error).")
    }
    let violations = schema.validate(json.root, limit: limits.violations)
    if !violations.isEmpty { throw Gateway.invalid(400, code, violations) }
  }

  private func validateBody(
    _ exchange: Exchange, _ schema: any CompiledSchema, _ route: LiveRoute, _ thread: EventThread
  ) throws(Problem) {
    let (head, body, json) = (exchange.head, exchange.body, thread.json)
    if exchange.has(.contentType), !MediaType.isJSON(head.span(exchange[.contentType])) {
      throw Problem(415, "request.media_type", "The body must be application/json.")
    }
    guard body.count > 0 else {
      throw Problem(400, "request.body_missing", "This route needs a JSON body.")
    }
    do throws(JSONError) { try json.parse(body.span(body.all)) } catch {
      throw Problem(400, "request.json_invalid", "The body is not valid JSON: \(error.explanation)")
    }
    if route.safety.isNamed(in: json.root) {
      try route.safety.take(fromBodyOf: exchange, json.root)
      do throws(JSONError) { try json.parse(body.span(body.all)) } catch {
        throw Problem(400, "request.json_invalid", "The body is not valid JSON: \(error.explanation)")
      }
    }
    let violations = schema.validate(json.root, limit: limits.violations)
    if !violations.isEmpty { throw Gateway.invalid(422, "request.body_invalid", violations) }
  }

  private static func invalid(_ status: Int, _ code: String, _ violations: [SchemaViolation]) -> Problem {
    let first = violations[0]
    return Problem(
      status, code, "\(first.pointer.isEmpty ? "/" : first.pointer): \(first.message)",
      members: ["errors": .array(violations.map(\.json))])
  }
}
