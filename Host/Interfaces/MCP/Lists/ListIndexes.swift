import Application
import Domain

/// What one state of the routes has for lists, each sorted once.
final class ListIndexes: Sendable {
  let tools: ListIndex<LiveRoute>
  let resources: ListIndex<ResourceList.Shown>
  let templates: ListIndex<ResourceList.Template>
  /// That some route asks for, sorted.
  let scopes: [String]

  init(_ snapshot: Snapshot) {
    tools = ToolList.index(snapshot)
    let shown = ResourceList.all(snapshot)
    resources = ListIndex(shown.map { ($0.uri, $0) })
    templates = ListIndex(shown.flatMap(ResourceList.templates))
    scopes = Set(snapshot.automations.flatMap { $0.routes.compactMap(\.declaration.scope) }).sorted()
  }
}
