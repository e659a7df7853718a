package import Domain
package import Kernel

/// An operation as agents see it, for those who look after it: its name, what it promises, what a caller may say to make it
/// safe, and what it costs in a list of tools.
package struct OperationSummary: Sendable {
  /// Members for the JSON object of a route.
  package let members: [String: JSONValue]

  package init(_ route: LiveRoute) { self.init(route.operation, route.declaration) }

  /// Of a route that no host has loaded.
  package init(_ manifest: Manifest, _ route: RouteDeclaration) {
    guard case .success(let pattern) = RoutePattern.parse(route.path) else {
      preconditionFailure("the manifest was read, and its paths with it")
    }
    self.init(
      Operation(automation: manifest.id, root: manifest.root, declaration: route, pattern: pattern), route)
  }

  private init(_ operation: Operation, _ route: RouteDeclaration) {
    let (tool, hints) = (FunctionTool(operation, route), route.hints)
    members = [
      "name": .string(operation.name), "title": .string(operation.title),
      "hints": [
        "read_only": .bool(hints.readOnly), "destructive": .bool(hints.destructive),
        "idempotent": .bool(hints.idempotent), "open_world": .bool(hints.openWorld),
      ],
      "confirm": .bool(route.confirm), "dry_run": .bool(route.dryRun),
      "idempotency": .string(route.idempotency.rawValue), "stream": .bool(route.streams),
      "deprecated": .bool(route.deprecation != nil), "tokens": .integer(Int64(tool.tokens)),
      "strict": .bool(tool.isStrict),
    ]
  }
}
