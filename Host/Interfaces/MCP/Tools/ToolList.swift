import Application
import Domain
import Kernel

/// The tools of a caller: a route each, by name.
enum ToolList {
  static func index(_ snapshot: Snapshot) -> ListIndex<LiveRoute> {
    ListIndex(snapshot.automations.flatMap(\.routes).map { ($0.operation.name, $0) })
  }

  static func tool(_ route: LiveRoute, _ era: Era, elicits: Bool) -> JSONValue {
    let operation = route.operation
    let hints = operation.hints
    var tool: [String: JSONValue] = [
      "name": .string(operation.name),
      "title": .string(operation.title),
      "description": .string(description(route)),
      "inputSchema": schema(route, elicits: elicits),
      "annotations": [
        "title": .string(operation.title), "readOnlyHint": .bool(hints.readOnly),
        "destructiveHint": .bool(hints.destructive), "idempotentHint": .bool(hints.idempotent),
        "openWorldHint": .bool(hints.openWorld),
      ],
    ]
    tool["outputSchema"] = ResultSchema.of(route, era)
    return .object(tool)
  }

  /// A client that asks its user confirms by itself: its model sees no argument for that.
  private static func schema(_ route: LiveRoute, elicits: Bool) -> JSONValue {
    let schema = route.operation.arguments.schema
    let name = SafetyWords.Word.confirm.name.description
    guard elicits, route.declaration.confirm, route.operation.arguments.places[name] == .query(name),
      case .object(var members) = schema, case .object(var properties)? = members["properties"]
    else { return schema }
    properties[name] = nil
    members["properties"] = .object(properties)
    return .object(members)
  }

  private static func description(_ route: LiveRoute) -> String {
    let operation = route.operation
    let text = operation.text.isEmpty ? operation.title : operation.text
    guard let deprecation = route.declaration.deprecation else { return text }
    var warning = "\n\nDeprecated since \(deprecation.since.text)"
    if let sunset = deprecation.sunset { warning += ", gone after \(sunset.text)" }
    if let link = deprecation.link { warning += "; see \(link)" }
    return text + warning + "."
  }
}
