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
  /// As many of them as ``maxScopeBytes`` take, as a challenge lists them (RFC 6750, section 3); nil for none. The metadata
  /// has all.
  let scopeWords: String?

  static let maxScopeBytes = 1024

  /// `jobAfter`: after what time a call becomes a job; nil: none does.
  init(_ snapshot: Snapshot, jobAfter: Duration?) {
    lasting = snapshot.automations.flatMap { $0.routes.filter { $0.outlasts(jobAfter) } }
    tools = ToolList.index(snapshot, withJobs: !lasting.isEmpty)
    let shown = ResourceList.all(snapshot)
    resources = ListIndex(shown.map { ($0.uri, $0) })
    templates = ListIndex(shown.flatMap(ResourceList.templates))
    scopes = Set(snapshot.automations.flatMap { $0.routes.compactMap(\.declaration.scope) }).sorted()
    scopeWords = ListIndexes.words(scopes)
  }

  private static func words(_ scopes: [String]) -> String? {
    var words = ""
    for scope in scopes {
      let next = words.isEmpty ? scope : "\(words) \(scope)"
      if next.utf8.count > maxScopeBytes { break }
      words = next
    }
    return words.isEmpty ? nil : words
  }

  func shows(_ item: ToolList.Listed, to caller: Caller) -> Bool {
    switch item {
    case .route(let route): caller.may(route)
    case .job: lasting.contains { caller.may($0) }
    }
  }
}
