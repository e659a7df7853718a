import Application
import Domain
import Kernel

// Paths of the host's own, and calls of routes by name that come in through them.

/// Every path of the host's own but its health, in one table.
struct OwnTable: Sendable {
  final class Entry: Sendable {
    let path: any OwnPath
    /// Of its routes.
    let number: Int
    let route: OwnRoute
    let parameterNames: [[UInt8]]
    /// The path's number in the meter.
    let series: Int

    init(_ path: any OwnPath, _ number: Int, _ route: OwnRoute, _ pattern: RoutePattern, series: Int) {
      self.path = path
      self.number = number
      self.route = route
      parameterNames = pattern.parameterNames.map { Array($0.utf8) }
      self.series = series
    }
  }

  let entries: [Entry]
  let table: RouteTable

  init(_ paths: [any OwnPath], meter: any RequestMeter) {
    var entries: [Entry] = []
    var routes: [(method: HTTPMethod, pattern: RoutePattern)] = []
    for path in paths {
      for (number, route) in path.routes.enumerated() {
        guard case .success(let pattern) = RoutePattern.parse(route.path) else {
          preconditionFailure("\(route.path) is no pattern")
        }
        let series = meter.series(automation: "", route: route.path, method: route.method.rawValue)
        entries.append(Entry(path, number, route, pattern, series: series))
        routes.append((route.method, pattern))
      }
    }
    precondition(RouteConflict.find(routes).isEmpty, "two of the host's own paths are the same")
    self.entries = entries
    table = RouteTable(routes)
  }
}

extension Gateway {
  // MARK: The head

  /// True when the path is the host's own: `call.own` says which, or OPTIONS is answered. [event]
  func findOwn(_ exchange: Exchange, _ call: Call, _ thread: EventThread) throws(Problem) -> Bool {
    thread.matched.removeAll(keepingCapacity: true)
    let head = exchange.head
    let ranges = exchange.segments
    let segments = RouteTable.Segments(of: head.span(head.all), at: ranges.span, from: 0)
    switch own.table.match(exchange.method, segments, parameters: &thread.matched) {
    case .notFound: return false
    case .route(let number):
      let entry = own.entries[number]
      call.own = entry
      for (index, place) in thread.matched.enumerated() {
        exchange.parameters.append(
          Field(name: head.append(entry.parameterNames[index]), value: exchange.segments[place]))
      }
      return true
    case .methodNotAllowed(let allowed):
      guard exchange.method != .options || exchange.methodIsTrace else {
        answerOptions(exchange, allow: allowed.allow)
        return true
      }
      throw Gateway.methodNotAllowed(allowed)
    }
  }

  static func methodNotAllowed(_ allowed: RouteTable.MethodSet) -> Problem {
    Problem(
      405, "request.method_not_allowed", "This path takes \(allowed.allow).",
      members: ["allow": .string(allowed.allow)])
  }

  /// Recognises and limits the caller. [event]
  func begin(_ own: OwnTable.Entry, _ exchange: Exchange, _ call: Call) throws(Problem) {
    switch own.route.key {
    case .none: break
    case .optional:
      if exchange.has(.authorization) || exchange.has(.apiKey) { try authenticate(exchange, call) }
    case .required: try authenticate(exchange, call)
    }
    let now = exchange.started
    if let grant = call.grant {
      call.limit = ports.keys.table.limit(of: grant)
      call.decision = ports.keys.table.take(grant, at: now)
    } else {
      call.limit = limits.anonymous
      call.decision = cells.take(CallerTag(peer: exchange.peer, route: 0), anonymousRate, at: now)
    }
    try refuseBeyondLimit(call)
  }

  // MARK: The whole request

  /// Answers a request to one of the host's own paths, or runs the call that it became. [event]
  func answer(_ exchange: Exchange, _ call: Call, _ thread: EventThread) -> Completion {
    guard let own = call.own else { return .answered }
    if let patience = own.route.patience {
      exchange.deadline = .now + patience
      // No generation has this serial.
      exchange.beginWaiting(for: -1, until: exchange.deadline)
    }
    do throws(Problem) {
      if own.path === jobs {
        let head = exchange.head
        let id = String(head.span(exchange.parameters[0].value))
        return try answerJob(exchange, call, id: id, cancels: own.number == 1)
      }
      let caller = Caller(
        call.grant, ports.keys.table, answerLimit: min(call.answerLimit, limits.answerCharacters))
      switch try own.path.answer(exchange, own.number, caller, thread.snapshots.look()) {
      case .answered: return .answered
      case .told(let labels):
        call.labels = labels
        return .answered
      case .pending: return .pending
      case .call(let routeCall):
        call.routeCall = routeCall
        return try run(routeCall, exchange, call, thread)
      case .job(let routeCall, let id, let cancels):
        call.routeCall = routeCall
        return try answerJob(exchange, call, id: id, cancels: cancels)
      }
    } catch {
      refuse(exchange, error)
      return .answered
    }
  }

  /// The steps from the match on. The caller is known and has paid for the request; a route with a limit of its own
  /// takes that, too.
  private func run(
    _ routeCall: RouteCall, _ exchange: Exchange, _ call: Call, _ thread: EventThread
  ) throws(Problem) -> Completion {
    exchange.endWaiting()
    let (path, query) = (exchange.rawPath.count, exchange.rawQuery.count)
    guard path + query + (query > 0 ? 1 : 0) <= limits.targetBytes else {
      throw Problem(
        414, "http.target_too_long",
        "Path and query of this call have more than \(limits.targetBytes) bytes. Make its arguments shorter.")
    }
    if let fault = RequestTarget.split(exchange) { throw fault }
    guard let route = try match(exchange, call, thread),
      route.operation.name == routeCall.route?.operation.name
    else { throw Gateway.notFound }
    if route.scope != nil, call.grant == nil { try authenticate(exchange, call) }
    if route.limit != nil { try limit(exchange, call, route) }
    try authorize(call, route)
    call.answerLimit = min(call.answerLimit, limits.answerCharacters)
    guard exchange.body.count <= route.maxBodyBytes else {
      throw Problem(
        413, "http.body_too_large",
        "The body may have at most \(route.maxBodyBytes) bytes on this route. Send less, or in several calls."
      )
    }
    return try handle(exchange, call, route, thread)
  }
}
