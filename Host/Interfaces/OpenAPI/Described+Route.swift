import Application
import Domain
import Kernel

extension Described {
  /// A live route. `number` is its place in its manifest.
  init(_ route: LiveRoute) {
    let declaration = route.declaration
    self.init(
      name: route.operation.name, tag: route.generation.manifest.id, method: declaration.method,
      pattern: route.pattern, prefix: String(route.template.dropLast(declaration.path.count)))
    if let title = declaration.title, title != declaration.summary { self.title = title }
    summary = declaration.summary.isEmpty ? declaration.title ?? "" : declaration.summary
    description = declaration.details
    deprecation = declaration.deprecation.map { gone in
      Deprecation(since: gone.since.text, sunset: gone.sunset?.text, link: gone.link)
    }
    scopes = declaration.scope.map { [$0] } ?? []
    path = declaration.pathSchema
    query = declaration.querySchema
    body = declaration.bodySchema
    successes = [Success(status: nil, schema: declaration.responseSchema)]
    compiled = route.schemas
    refusals = Refusals.of(route)
    faults = declaration.errors.map { error in
      Fault(status: error.status, code: error.code, description: error.description)
    }
    isConsequential = !declaration.hints.readOnly
    place = "/routes/\(route.number)"
  }
}
