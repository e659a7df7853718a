import Application
import Domain
import Kernel

/// A request to one route, and how to send it by hand.
struct PluginCall: Sendable {
  var route: Int
  var method: String
  /// With the query, percent-encoded.
  var target: String
  var body: [UInt8]?
  /// Whether the route's own schemas take it; nil where nobody knows.
  var isValid: Bool?
  /// Its route is answered 428 first.
  var needsConfirmation = false

  func curl(_ key: String = "$KEY") -> String {
    var text = "curl -i -X \(method) -H \"Authorization: Bearer \(key)\""
    // What the answer 428 to the same call without it names.
    if needsConfirmation { text += " -H \"X-Confirm: $CONFIRM\"" }
    if let body {
      text += " -H 'Content-Type: application/json'"
      if body.count <= 2000, let whole = String(validating: body, as: UTF8.self), !whole.utf8.contains(0) {
        text += " --data-binary '" + whole.replacing("'", with: "'\\''") + "'"
      } else {
        text += " --data-binary @BODY  # \(body.count) bytes: the seed makes them again"
      }
    }
    // A shell takes it, a reader does not.
    if target.utf8.count > 1000 {
      return text
        + " 'http://127.0.0.1:8080\(target.prefix(60))…'  # \(target.utf8.count) bytes: the seed makes them again"
    }
    return text + " 'http://127.0.0.1:8080\(target.replacing("'", with: "%27"))'"
  }
}

/// Makes calls of a plugin's routes from its manifest.
final class CallMaker: @unchecked Sendable {
  // `known` is the one thing that changes, behind its monitor: that is what makes this class Sendable.
  private struct Route {
    var path: SchemaSampler?
    var query: SchemaSampler?
    var body: SchemaSampler?
    var response: SchemaSampler?
  }

  private static let maxKnown = 200

  let manifest: Manifest
  private let routes: [Route]
  /// What could not be made, for the report.
  let notes: [String]
  /// Ids that answers told of: a path with one of them finds something.
  private let known = Monitor<[String]>([])

  init(_ manifest: Manifest, _ compiler: any SchemaCompiler) throws(Problem) {
    self.manifest = manifest
    routes = try manifest.routes.map { route throws(Problem) in
      Route(
        path: try route.pathSchema.map { schema throws(Problem) in try SchemaSampler(schema, compiler) },
        query: try route.querySchema.map { schema throws(Problem) in try SchemaSampler(schema, compiler) },
        body: try route.bodySchema.map { schema throws(Problem) in try SchemaSampler(schema, compiler) },
        response: try route.responseSchema.map { schema throws(Problem) in try SchemaSampler(schema, compiler)
        })
    }
    var notes: [String] = []
    for (route, sampler) in zip(manifest.routes, routes) {
      for (what, sampler) in [
        ("path parameters", sampler.path), ("query", sampler.query), ("body", sampler.body),
      ] {
        var random = SeededNumbers(1)
        if let sampler, sampler.valid(&random) == nil {
          notes.append("\(route.operation): no value was found that the schema of its \(what) takes")
        }
      }
    }
    self.notes = notes
  }

  /// A call that the route's schemas take, as far as one was found.
  func valid(_ number: Int, _ random: inout SeededNumbers) -> PluginCall {
    let route = manifest.routes[number]
    let query = (routes[number].query?.valid(&random)?.object ?? [:]).filter { _ in true }
    let body = route.method.takesBody ? routes[number].body.flatMap { $0.valid(&random) } : nil
    let isWhole =
      (routes[number].query == nil || routes[number].query?.accepts(.object(query)) == true)
      && (routes[number].body == nil || !route.method.takesBody || body != nil)
    return PluginCall(
      route: number, method: route.method.rawValue, target: target(number, query, &random),
      body: body.map { JSON.encode($0) }, isValid: isWhole ? true : nil, needsConfirmation: route.confirm)
  }

  /// A call with something wrong or strange in it.
  func mutated(_ number: Int, _ random: inout SeededNumbers) -> PluginCall {
    var call = valid(number, &random)
    let route = manifest.routes[number]
    if let sampler = routes[number].body, let body = call.body.flatMap({ try? JSONValue.parse($0.span) }),
      random.chance(70)
    {
      let bytes = Mutations.body(body, &random)
      call.body = bytes
      let isGood = sampler.violations(bytes)?.isEmpty ?? false
      call.isValid = isGood ? call.isValid : false
      return call
    }
    // Parameters are text: what is a wrong type for one schema is right for another, so nothing is expected but manners.
    call.isValid = nil
    let query = (routes[number].query?.schema["properties"]?.object ?? [:]).keys.sorted()
    var members: [String: JSONValue] = [:]
    for name in query.shuffled(using: &random).prefix(3) {
      members[name] = .string(Texts.plain(random.pick([0, 1, 7, 300]), &random))
    }
    if random.chance(30) { members["unexpected"] = "x" }
    call.target = target(number, members, &random, strange: random.chance(60))
    if route.method.takesBody, random.chance(30) { call.body = Array("{}".utf8) }
    return call
  }

  /// A call whose path and query are fixed by the seed alone: the same in every host.
  func fixed(_ number: Int, round: Int, seed: UInt64) -> PluginCall {
    var random = SeededNumbers(seed, 77, number, round)
    let saved = known.withLock { known in
      defer { known = [] }
      return known
    }
    defer { known.withLock { $0 = saved } }
    return valid(number, &random)
  }

  // MARK: The target

  private func target(
    _ number: Int, _ query: [String: JSONValue], _ random: inout SeededNumbers, strange: Bool = false
  ) -> String {
    let route = manifest.routes[number]
    let values = strange ? [:] : routes[number].path?.valid(&random)?.object ?? [:]
    var path = manifest.root
    for segment in route.path.split(separator: "/") {
      guard segment.hasPrefix("{") else {
        path += "/" + segment
        continue
      }
      let name = String(segment.dropFirst().dropLast())
      path += "/" + PercentEncoding.component(parameter(name, values[name], &random, strange: strange))
    }
    if route.path.hasSuffix("/") { path += "/" }
    let pairs = query.sorted { $0.key < $1.key }.flatMap { name, value in
      (value.array ?? [value]).map {
        PercentEncoding.component(name) + "=" + PercentEncoding.component($0.parameterText)
      }
    }
    return pairs.isEmpty ? path : path + "?" + pairs.joined(separator: "&")
  }

  private func parameter(
    _ name: String, _ value: JSONValue?, _ random: inout SeededNumbers, strange: Bool
  ) -> String {
    let ids = known.withLock { $0 }
    if !ids.isEmpty, random.chance(60), !strange { return random.pick(ids) }
    let text = strange ? Texts.plain(random.pick([1, 3, 40, 600]), &random) : value?.parameterText ?? "1"
    // Dots alone are a step in the tree of paths, and NUL is refused everywhere.
    return text.isEmpty || text.allSatisfy({ $0 == "." }) ? "1" : text
  }

  // MARK: Answers

  /// What an answer breaks of the schema that its route declares; nil when it holds.
  func violation(_ call: PluginCall, _ answer: IncomingAnswer) -> String? {
    guard (200...299).contains(answer.status), answer.status != 204, answer.status != 205,
      call.method != "HEAD",
      let schema = routes[call.route].response
    else { return nil }
    // As the host judges it: outside this test it withholds what is wrong.
    guard let type = answer["content-type"], MediaType.isJSON(type.utf8.span) else {
      if manifest.routes[call.route].streams { return nil }
      return "the answer's Content-Type is not application/json"
    }
    guard let all = schema.violations(answer.body) else { return "the answer's body is no JSON" }
    return all.first.map { "the answer breaks the declared schema at \"\($0.pointer)\": \($0.message)" }
  }

  /// Remembers the ids in an answer.
  func learn(_ answer: IncomingAnswer) {
    guard (200...299).contains(answer.status), answer.body.count < 100_000,
      let document = try? JSONValue.parse(answer.body.span)
    else { return }
    let found = ([document] + (document["items"]?.array ?? [])).compactMap { $0["id"]?.string }
    guard !found.isEmpty else { return }
    known.withLock { known in
      known += found.prefix(CallMaker.maxKnown)
      if known.count > CallMaker.maxKnown { known.removeFirst(known.count - CallMaker.maxKnown) }
    }
  }
}

extension HTTPMethod {
  var takesBody: Bool { self == .post || self == .put || self == .patch }
  /// Reads only, by what HTTP says of it.
  var isSafe: Bool { self == .get || self == .head }
}

extension JSONValue {
  /// As a path or a query spells it.
  fileprivate var parameterText: String {
    switch self {
    case .string(let text): text
    default: JSON.text(self)
    }
  }
}
