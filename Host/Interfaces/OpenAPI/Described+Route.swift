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
    isConsequential = declaration.confirm || !declaration.hints.readOnly
    streams = declaration.streams
    mayBeReplayed = declaration.idempotency != .none
    words = Described.words(declaration, inQuery: route.safety.query)
    place = "/routes/\(route.number)"
  }

  private static func words(_ route: RouteDeclaration, inQuery query: SafetyWords.Set) -> [Word] {
    func parameter(_ word: SafetyWords.Word) -> String? { query.holds(word) ? word.name.description : nil }
    var words: [Word] = []
    if route.idempotency != .none {
      words.append(
        Word(
          header: "Idempotency-Key", parameter: parameter(.key),
          description:
            "A new UUID for each operation, and the same one when the call is repeated: it takes effect once.",
          isRequired: route.idempotency == .required,
          schema: [
            "type": "string", "minLength": 1, "maxLength": .integer(Int64(SafetyWords.maxBytes)),
            "pattern": "^[!-~]([ -~]*[!-~])?$",
          ], isWanted: route.idempotency == .required))
    }
    if route.confirm {
      words.append(
        Word(
          header: "X-Confirm", parameter: parameter(.confirm),
          description: "Left out at first; then `confirm` of the answer 428, which says what would happen.",
          schema: ["type": "string"], isWanted: true))
    }
    if route.dryRun {
      words.append(
        Word(
          header: "Prefer", parameter: parameter(.dryRun),
          description: "`dry-run`: answers what would happen, and changes nothing.",
          schema: ["type": "string"],
          isWanted: true))
    }
    return words
  }
}
