import CouncilPlugin

/// One route of the manifest: what it matches, and what it refuses before the handler sees it.
struct FakeRoute: Sendable {
  private enum Segment: Sendable, Equatable {
    case literal(String)
    case parameter(String)
  }

  let number: Int
  let method: String
  let isInline: Bool
  let streams: Bool
  private let segments: [Segment]
  private let path: SchemaCheck?
  private let query: SchemaCheck?
  private let body: SchemaCheck?
  private let response: SchemaCheck?
  private let maxBodyBytes: Int
  private let takesDryRuns: Bool

  init(number: Int, _ declaration: JSON) throws {
    self.number = number
    method = declaration["method"]?.string ?? ""
    isInline = declaration["execution"]?.string == "inline"
    streams = declaration["stream"] == true
    segments = (declaration["path"]?.string ?? "").split(separator: "/").map { part in
      part.hasPrefix("{") && part.hasSuffix("}")
        ? .parameter(String(part.dropFirst().dropLast())) : .literal(String(part))
    }
    path = declaration["path_parameters"].map { SchemaCheck($0) }
    query = declaration["query"].map { SchemaCheck($0) }
    body = declaration["body"].map { SchemaCheck($0) }
    response = declaration["response"].map { SchemaCheck($0) }
    takesDryRuns = declaration["dry_run"] == true
    maxBodyBytes = Int(declaration["max_body_bytes"]?.integer ?? 1 << 20)
  }

  // MARK: Matching

  /// The route of a path below the automation, or the problem that the host answers with.
  static func match(
    _ routes: [FakeRoute], _ method: String, _ path: [String]
  ) -> Result<(route: FakeRoute, parameters: [String: String]), FakeResponse> {
    let fitting = routes.compactMap { route in route.parameters(of: path).map { (route, $0) } }
    // A literal goes before a parameter, from the left.
    guard let best = fitting.min(by: { $0.0.rank.lexicographicallyPrecedes($1.0.rank) }) else {
      return .failure(.problem(404, "route.not_found", "No route has this path."))
    }
    let here = fitting.filter { $0.0.rank == best.0.rank }
    let wanted = method == "HEAD" ? "GET" : method
    guard let found = here.first(where: { $0.0.method == wanted }) else {
      var problem = FakeResponse.problem(405, "request.method_not_allowed", "The path has other methods.")
      problem.headers = [Response.Header("Allow", here.map(\.0.method).joined(separator: ", "))]
      return .failure(problem)
    }
    return .success((found.0, found.1))
  }

  private var rank: [Int] { segments.map { if case .literal = $0 { 0 } else { 1 } } }

  private func parameters(of path: [String]) -> [String: String]? {
    guard path.count == segments.count else { return nil }
    var parameters: [String: String] = [:]
    for (segment, text) in zip(segments, path) {
      switch segment {
      case .literal(let literal): if literal != text { return nil }
      case .parameter(let name): parameters[name] = text
      }
    }
    return parameters
  }

  // MARK: Validating

  /// The problem of a request that breaks the route's schemas.
  func refusal(of exchange: FakeExchange) -> FakeResponse? {
    if let path {
      let values = exchange.parameters.sorted { $0.key < $1.key }
        .map { JSON.Member($0.key, path.coerced($0.key, [$0.value])) }
      if let fault = path.fault(in: .object(values)) {
        return .invalid(400, "request.path_parameter_invalid", fault)
      }
    }
    if let query {
      var values: [JSON.Member] = []
      for pair in exchange.queryPairs where !values.contains(where: { $0.name == pair.name }) {
        values.append(JSON.Member(pair.name, query.coerced(pair.name, exchange.queryValues(pair.name))))
      }
      if let fault = query.fault(in: .object(values)) {
        return .invalid(400, "request.query_parameter_invalid", fault)
      }
    }
    if exchange.body.count > maxBodyBytes {
      return .problem(413, "request.body_too_large", "The body is over \(maxBodyBytes) bytes.")
    }
    if let body {
      if exchange.body.isEmpty {
        return .problem(400, "request.body_missing", "This route needs a JSON body.")
      }
      let document: JSON
      do { document = try JSON(parsing: exchange.body) } catch {
        return .problem(400, "request.json_invalid", "The body is not valid JSON: \(error)")
      }
      if let fault = body.fault(in: document) { return .invalid(422, "request.body_invalid", fault) }
    }
    if exchange.isDryRun, !takesDryRuns {
      return .problem(422, "dry_run.unsupported", "This route cannot be tried without effect.")
    }
    return nil
  }
}

extension FakeRoute {
  /// The answer of a handler, or the problem in its place when it is not what the manifest declares. The host tells its
  /// caller less: what is wrong stands in its log.
  func checked(_ answer: FakeResponse, to method: String) -> FakeResponse {
    guard let response, (200...299).contains(answer.status), answer.status != 204, answer.status != 205,
      !(method == "HEAD" && answer.body.isEmpty)
    else { return answer }
    let type = answer.contentType.lowercased().prefix { $0 != ";" && $0 != " " }
    guard type == "application/json" || type.hasSuffix("+json") else {
      return .problem(500, "plugin.answer_invalid", "the Content-Type is not application/json")
    }
    guard let document = try? JSON(parsing: answer.body) else {
      return .problem(500, "plugin.answer_invalid", "the body is not valid JSON")
    }
    guard let fault = response.fault(in: document) else { return answer }
    return .invalid(500, "plugin.answer_invalid", fault)
  }
}

extension FakeResponse {
  fileprivate static func invalid(_ status: Int, _ code: String, _ fault: SchemaCheck.Fault) -> FakeResponse {
    .problem(
      status, code, "\(fault.pointer): \(fault.reason)",
      [
        "errors": [
          [
            "pointer": .string(fault.pointer), "keyword": .string(fault.keyword),
            "message": .string(fault.reason),
          ]
        ]
      ])
  }
}
