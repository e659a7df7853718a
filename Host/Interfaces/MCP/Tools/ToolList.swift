import Application
import Domain
import Kernel

/// The tools of a caller: a route each, by name. Where a call may become a job, those with which jobs are asked for beside them.
enum ToolList {
  enum Listed: Sendable {
    case route(LiveRoute)
    case job(JobOperation)
  }

  static func index(_ snapshot: Snapshot, withJobs: Bool) -> ListIndex<Listed> {
    var items = snapshot.automations.flatMap(\.routes).map { ($0.operation.name, Listed.route($0)) }
    if withJobs { items += JobOperation.allCases.map { ($0.name, Listed.job($0)) } }
    return ListIndex(items)
  }

  static func tool(_ item: Listed, _ era: Era, elicits: Bool, jobAfter: Duration?) -> JSONValue {
    switch item {
    case .route(let route): tool(route, era, elicits: elicits, jobAfter: jobAfter)
    case .job(let job): .object(tool(job.name, job.title, job.text, JobOperation.arguments, job.hints))
    }
  }

  private static func tool(_ route: LiveRoute, _ era: Era, elicits: Bool, jobAfter: Duration?) -> JSONValue {
    let operation = route.operation
    var tool = tool(
      operation.name, operation.title, description(route), schema(route, elicits: elicits), operation.hints)
    tool["outputSchema"] = ResultSchema.of(route, era, jobAfter: jobAfter)
    return .object(tool)
  }

  private static func tool(
    _ name: String, _ title: String, _ description: String, _ arguments: JSONValue, _ hints: RouteHints
  ) -> [String: JSONValue] {
    [
      "name": .string(name), "title": .string(title), "description": .string(description),
      "inputSchema": arguments,
      "annotations": [
        "title": .string(title), "readOnlyHint": .bool(hints.readOnly),
        "destructiveHint": .bool(hints.destructive), "idempotentHint": .bool(hints.idempotent),
        "openWorldHint": .bool(hints.openWorld),
      ],
    ]
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
