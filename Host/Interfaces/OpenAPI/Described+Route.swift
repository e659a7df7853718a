import Application
import Domain
import Kernel

extension Described {
  /// A live route. A call that lasts longer than `jobAfter` becomes a job.
  init(_ route: LiveRoute, jobAfter: Duration) {
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
    // What a GET that says nothing else answers has always been 200.
    successes = [
      Success(
        status: declaration.status ?? (declaration.method == .get ? 200 : nil),
        schema: declaration.responseSchema)
    ]
    hasMarkdown = declaration.responseSchema != nil
    isList = route.outline.isList
    hostParameters = HostParameter.allCases.filter { route.outline.parameters.contains($0) }
    preferences = declaration.dryRun ? [.limits, .dryRun] : [.limits]
    if route.deadlineNanoseconds > jobAfter.nanoseconds, !declaration.streams {
      preferences.insert(.async)
    }
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

  /// A path of the host's own, in a document of these operations; nil for one that documents do not speak of.
  init?(_ route: OwnRoute, besides operations: [Described] = []) {
    guard let manual = route.manual, case .success(let pattern) = RoutePattern.parse(route.path) else {
      return nil
    }
    self.init(
      name: manual.operation, tag: Described.ownTag, method: route.method, pattern: pattern, prefix: "")
    summary = manual.summary
    description = manual.description
    key = route.key
    path = manual.path
    body = manual.body
    successes = []
    (others, refusals) = PassedAnswers.of(manual, Refusals.of(route), operations)
    // Whatever it calls is in the document itself, with its own answer to this.
    isConsequential = route.method != .get
  }

  /// No automation can have this name.
  static let ownTag = "council"

  private static func words(_ route: RouteDeclaration, inQuery query: SafetyWords.Set) -> [Word] {
    func parameter(_ word: SafetyWords.Word) -> String? { query.holds(word) ? word.name.description : nil }
    var words: [Word] = []
    if route.offers(.key) {
      words.append(
        Word(
          header: "Idempotency-Key", parameter: parameter(.key),
          description:
            "A new UUID for each operation, and the same one when the call is repeated: it takes effect once.",
          isRequired: route.idempotency == .required,
          schema: [
            "type": "string", "minLength": 1, "maxLength": .integer(Int64(SafetyWords.maxBytes)),
            "pattern": "^[!-~]([ -~]*[!-~])?$",
          ]))
    }
    if route.offers(.confirm) {
      words.append(
        Word(
          header: "X-Confirm", parameter: parameter(.confirm),
          description: "Left out at first; then `confirm` of the answer 428, which says what would happen.",
          schema: ["type": "string"]))
    }
    if route.offers(.ifMatch) {
      words.append(
        Word(
          header: "If-Match", parameter: parameter(.ifMatch),
          description:
            "The `ETag` or `version` that was read: the call takes effect only if that still is so.",
          schema: ["type": "string"]))
    }
    if route.offers(.dryRun) {
      words.append(
        Word(
          header: "Prefer", parameter: parameter(.dryRun),
          description: "`dry-run`: answers what would happen, and changes nothing.",
          schema: ["type": "string"]))
    }
    return words
  }
}
