import Domain
import Kernel

/// The rules of the linter that look at one route.
struct LintRoute {
  private let route: RouteDeclaration
  private let operation: Operation
  private let at: String

  init(_ route: RouteDeclaration, _ operation: Operation, _ at: String) {
    self.route = route
    self.operation = operation
    self.at = at
  }

  func look(_ report: inout LintReport) {
    texts(&report)
    hints(&report)
    for (name, schema) in [
      ("path_parameters", route.pathSchema), ("query", route.querySchema), ("body", route.bodySchema),
    ] {
      guard let schema else { continue }
      LintSchema(schema, "\(at)/\(name)").lookAtInput(&report)
    }
    pathParameters(&report)
    response(&report)
    function(&report)
  }

  // MARK: Texts

  private func texts(_ report: inout LintReport) {
    if route.summary.isEmpty {
      report.add(
        .error, "summary_missing", at + "/summary",
        "'\(route.operation)' has no summary: nothing tells a model what it does. Say it in one sentence.")
    }
    let length = route.summary.unicodeScalars.count
    if length > LintManifest.maxSummary {
      report.add(
        .warning, "summary_long", at + "/summary",
        "The summary has \(length) characters; a GPT takes \(LintManifest.maxSummary). Put the rest into 'description'."
      )
    }
    let details = route.details.unicodeScalars.count
    if details > LintManifest.maxDescription {
      report.add(
        .warning, "description_long_for_gpt", at + "/description",
        "The description has \(details) characters; a GPT takes \(LintManifest.maxDescription), and the document for "
          + "GPT Actions is refused with it. Say it shorter, or say it of the parameters.")
    }
    let whole = operation.text.unicodeScalars.count
    if whole > FunctionTool.maxDescription {
      report.add(
        .warning, "description_long", at + "/description",
        "Summary and description have \(whole) characters; a function's are cut after \(FunctionTool.maxDescription)."
      )
    }
  }

  // MARK: Hints

  /// Against what RFC 9110, section 9.2, says of the methods.
  private func hints(_ report: inout LintReport) {
    let (hints, place, method) = (route.hints, at + "/hints", route.method)
    func contradiction(_ name: String, _ text: String) {
      report.add(.error, "hint_contradicts_method", "\(place)/\(name)", text)
    }
    if method == .get {
      if hints.destructive {
        contradiction("destructive", "A GET is safe: make what destroys a POST, PATCH or DELETE.")
      }
      if !hints.readOnly {
        contradiction("read_only", "A GET is safe: make what changes something a POST, PUT or PATCH.")
      }
      if !hints.idempotent { contradiction("idempotent", "A GET can be repeated: caches and clients do.") }
    } else if hints.readOnly, method != .post {
      contradiction("read_only", "A \(method.rawValue) changes something: it is not read_only.")
    }
    if method == .put || method == .delete, !hints.idempotent {
      contradiction(
        "idempotent", "A \(method.rawValue) is idempotent: clients send it again when an answer is lost.")
    }
    if hints.destructive, method != .get, !route.confirm {
      report.add(
        .warning, "unconfirmed", at + "/confirm",
        "'\(route.operation)' is destructive and takes effect at the first call: say \"confirm\": true, so that a model "
          + "has to mean it.")
    }
  }

  // MARK: Path parameters and answers

  /// Those that no schema describes.
  private func pathParameters(_ report: inout LintReport) {
    guard case .success(let pattern) = RoutePattern.parse(route.path) else { return }
    for name in pattern.parameterNames where route.pathSchema?["properties"]?[name] == nil {
      report.add(
        .warning, "description_missing", at + "/path_parameters",
        "The path parameter '\(name)' is not described: give it a schema with a description.")
    }
  }

  private func response(_ report: inout LintReport) {
    guard let schema = route.responseSchema else {
      if route.streams {
        // No schema holds a stream: what comes in it can be said in words only.
        if route.details.isEmpty {
          report.add(
            .warning, "response_missing", at + "/description",
            "'\(route.operation)' streams, and does not say what: say in 'description' which events come, and what is in them."
          )
        }
        return
      }
      // A DELETE usually has nothing to say.
      if route.method != .delete {
        report.add(
          .warning, "response_missing", at + "/response",
          "'\(route.operation)' does not say what it answers: declare 'response', which the host also holds it to."
        )
      }
      return
    }
    LintSchema(schema, at + "/response").lookAtOutput(&report)
  }

  // MARK: As a function

  private func function(_ report: inout LintReport) {
    let tool = FunctionTool(operation, route)
    for name in operation.arguments.places.keys.sorted() where !LintRoute.isArgument(name) {
      report.add(
        .warning, "argument_name", manifestPointer("/properties" + SchemaReference.step(name)),
        "'\(name.prefix(100))' is no name that every model's API takes: at most 64 letters, digits, '_', '-' and '.'."
      )
    }
    for obstacle in tool.obstacles {
      report.add(
        .warning, obstacle.kind == .depth ? "depth" : "not_strict", manifestPointer(obstacle.pointer),
        "A strict function cannot have this, so '\(tool.name)' is listed without: it \(obstacle.reason).")
    }
    report.costs.append(
      LintReport.Cost(operation: route.operation, tokens: tool.tokens, isStrict: tool.isStrict))
  }

  private static func isArgument(_ name: String) -> Bool {
    StrictSchema.isName(name.replacing(".", with: "_"))
  }

  /// Where a place of the arguments' schema stands in the manifest.
  private func manifestPointer(_ pointer: String) -> String {
    let steps = pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
    guard steps.count >= 2 else { return at }
    let rest = steps.dropFirst(2).map { "/" + $0 }.joined()
    let name = steps[1].replacing("~1", with: "/").replacing("~0", with: "~")
    switch steps[0] {
    case "$defs":
      // `path_`, `query_` or `body_` stands before the name that the manifest has.
      for (owner, part) in [("path", "path_parameters"), ("query", "query"), ("body", "body")] {
        if name == owner { return "\(at)/\(part)\(rest)" }
        guard name.hasPrefix(owner + "_") else { continue }
        let own = String(name.dropFirst(owner.count + 1))
        return "\(at)/\(part)/$defs\(SchemaReference.step(own))\(rest)"
      }
      return at
    default:
      switch operation.arguments.places[name] {
      case .path(let own): return place(of: own, in: route.pathSchema, "path_parameters") + rest
      case .query(let own): return place(of: own, in: route.querySchema, "query") + rest
      case .member: return "\(at)/body/properties\(SchemaReference.step(name))\(rest)"
      case .body: return "\(at)/body\(rest)"
      case nil: return at
      }
    }
  }
  /// Where a parameter is declared, which may be in what the schema refers to.
  private func place(of name: String, in schema: JSONValue?, _ part: String) -> String {
    let declared = schema.map(SchemaProperties.of)?[name]?.place ?? ["properties", name]
    return "\(at)/\(part)\(JSONPointer.text(declared))"
  }
}
