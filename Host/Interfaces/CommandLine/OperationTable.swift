import Application
import Domain
import Kernel

/// Operations as agents see them, as a table: from the routes of a host's answer, or of a manifest.
enum OperationTable {
  /// A route of a manifest, with the members that a host gives it.
  static func route(_ route: RouteDeclaration, of manifest: Manifest) -> JSONValue {
    let members: [String: JSONValue] = [
      "method": .string(route.method.rawValue), "path": .string(manifest.root + route.path),
      "operation": .string(route.operation), "summary": .string(route.summary),
      "scope": route.scope.map(JSONValue.string) ?? .null, "execution": .string(route.execution.rawValue),
    ]
    return .object(members.merging(OperationSummary(manifest, route).members) { mine, _ in mine })
  }

  static func text(_ routes: [JSONValue], _ style: Style) -> String {
    var table = Table(["NAME", "HINTS", "SAFETY", "STRICT", "TOKENS", "TITLE"])
    for route in routes {
      table.add([
        route.cell("name"), hints(route), safety(route), route.cell("strict"), route.cell("tokens"),
        route.cell("title"),
      ])
    }
    let tokens = routes.reduce(0) { $0 + ($1["tokens"]?.integer ?? 0) }
    return table.text(style)
      + "\n\(routes.count) operation(s) cost a model about \(tokens) tokens in a list (bytes / 4)"
  }

  private static func hints(_ route: JSONValue) -> String {
    list(
      [
        ("read_only", "reads"), ("destructive", "destroys"), ("idempotent", "idempotent"),
        ("open_world", "open world"),
      ].filter { route["hints"]?[$0.0]?.bool == true }.map(\.1))
  }

  private static func safety(_ route: JSONValue) -> String {
    var words = [("confirm", "confirm"), ("dry_run", "dry run")].filter { route[$0.0]?.bool == true }.map(\.1)
    switch route["idempotency"]?.string {
    case "required": words.append("key required")
    case "optional": words.append("key")
    default: break
    }
    words += [("stream", "streams"), ("deprecated", "deprecated")].filter { route[$0.0]?.bool == true }.map(
      \.1)
    return list(words)
  }

  private static func list(_ words: [String]) -> String {
    words.isEmpty ? "-" : words.joined(separator: ", ")
  }
}
