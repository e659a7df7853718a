import Application
import Domain
import Kernel

/// One endpoint with everything that a request for it needs, worked out at start.
final class AdminRoute: Sendable {
  let endpoint: AdminEndpoint
  let row: AdminEndpoint.Row
  let parameterNames: [String]
  /// Any one of them lets a key in.
  let scopes: [RequiredScopeID]
  let labels: RouteLabels
  let series: Int

  init(
    _ endpoint: AdminEndpoint, scopes needed: [String], pattern: RoutePattern, scopes: ScopeMatrix,
    meter: any RequestMeter
  ) throws(Problem) {
    self.endpoint = endpoint
    row = endpoint.row
    parameterNames = pattern.parameterNames
    self.scopes = try needed.map { scope throws(Problem) in try scopes.require(scope) }
    let labels = JSON.text(
      ["automation": "admin", "operation": .string(endpoint.rawValue), "route": .string(row.path)]
        as JSONValue)
    self.labels = RouteLabels(json: Array(labels.utf8.dropFirst().dropLast()))
    series = meter.series(automation: "admin", route: row.path, method: row.method.rawValue)
  }

  /// Needs no key.
  var isOpen: Bool { scopes.isEmpty }
}

/// The endpoints, compiled.
struct AdminRoutes: Sendable {
  private let routes: [AdminRoute]
  private let table: RouteTable
  /// The series of requests that match nothing.
  let unmatched: Int

  init(scopes: ScopeMatrix, meter: any RequestMeter, metricsNeedKey: Bool) throws(Problem) {
    var routes: [AdminRoute] = []
    var patterns: [(method: HTTPMethod, pattern: RoutePattern)] = []
    for endpoint in AdminEndpoint.allCases {
      let row = endpoint.row
      guard case .success(let pattern) = RoutePattern.parse(row.path) else {
        preconditionFailure("\(row.path) is no pattern")
      }
      let needed = endpoint == .metrics && metricsNeedKey ? [AdminScope.read] : row.scopes
      routes.append(
        try AdminRoute(endpoint, scopes: needed, pattern: pattern, scopes: scopes, meter: meter))
      patterns.append((row.method, pattern))
    }
    self.routes = routes
    table = RouteTable(patterns)
    unmatched = meter.series(automation: "admin", route: "", method: "")
  }

  /// The endpoint of a request whose target was split; `parameters` receives the places of its segments.
  func match(_ exchange: Exchange, parameters: inout [Int]) throws(Problem) -> AdminRoute {
    parameters.removeAll(keepingCapacity: true)
    let head = exchange.head
    let ranges = exchange.segments
    let segments = RouteTable.Segments(of: head.span(head.all), at: ranges.span, from: 0)
    switch table.match(exchange.method, segments, parameters: &parameters) {
    case .route(let number): return routes[number]
    case .notFound:
      throw Problem(
        404, "admin.not_found", "No admin endpoint has this path. `council help` lists what there is.")
    case .methodNotAllowed(let allowed):
      throw Problem(
        405, "request.method_not_allowed", "This path takes \(allowed.allow).",
        members: ["allow": .string(allowed.allow)])
    }
  }
}
