import Application
import Domain

/// What one state of the routes has for lists, each sorted once.
final class ListIndexes: Sendable {
  let tools: ListIndex<ToolList.Listed>
  /// Whose calls may become jobs: who may call one sees the tools with which jobs are asked for.
  private let lasting: [LiveRoute]
  let resources: ListIndex<ResourceList.Shown>
  let templates: ListIndex<ResourceList.Template>
  /// That some route asks for, sorted.
  let scopes: [String]

  /// `jobAfter`: after what time a call becomes a job; nil: none does.
  init(_ snapshot: Snapshot, jobAfter: Duration?) {
    lasting = snapshot.automations.flatMap { $0.routes.filter { $0.outlasts(jobAfter) } }
    tools = ToolList.index(snapshot, withJobs: !lasting.isEmpty)
    let shown = ResourceList.all(snapshot)
    resources = ListIndex(shown.map { ($0.uri, $0) })
    templates = ListIndex(shown.flatMap(ResourceList.templates))
    scopes = Set(snapshot.automations.flatMap { $0.routes.compactMap(\.declaration.scope) }).sorted()
  }

  func shows(_ item: ToolList.Listed, to caller: Caller) -> Bool {
    switch item {
    case .route(let route): caller.may(route)
    case .job: lasting.contains { caller.may($0) }
    }
  }
}
