package import Domain
package import Kernel

/// The step PLAN: a manifest against the running system. Nothing changes; every conflict is listed at once.
package struct PlanGeneration: Sendable {
  /// What passed: the patterns and compiled schemas that LOAD and START use.
  package struct Plan: Sendable {
    package var patterns: [RoutePattern]
    package var schemas: [RouteSchemas]
    /// What opening the records would change.
    package var migration: [String]
  }

  /// Extensions this host has.
  package static let extensions: Set<String> = [
    "council.http/1", "council.records/1", "council.log/1", Manifest.streams,
  ]

  private let schemas: any SchemaCompiler
  private let stores: any RecordStores

  package init(schemas: any SchemaCompiler, stores: any RecordStores) {
    self.schemas = schemas
    self.stores = stores
  }

  package func callAsFunction(
    _ manifest: Manifest, config: [UInt8]
  ) throws(Problem) -> Plan {
    var conflicts: [Problem] = []
    let missing = manifest.requires.filter { !PlanGeneration.extensions.contains($0) }
    if !missing.isEmpty {
      conflicts.append(
        Problem(
          422, "plugin.abi.extension_missing",
          "This host does not have \(missing.joined(separator: ", ")); it has "
            + PlanGeneration.extensions.sorted().joined(separator: ", ") + ".",
          members: ["missing": .array(missing.map(JSONValue.string))]))
    }
    let patterns = patterns(manifest, &conflicts)
    var compiled: [RouteSchemas] = []
    // Routes that ask for the same share one program: ten thousand `{id}`s fit into the processor's cache.
    var known: [JSONValue: any CompiledSchema] = [:]
    for (number, route) in manifest.routes.enumerated() {
      let at = "/routes/\(number)"
      compiled.append(
        RouteSchemas(
          path: compile(route.pathSchema, at + "/path_parameters", &known, &conflicts),
          query: compile(route.querySchema, at + "/query", &known, &conflicts),
          body: compile(route.bodySchema, at + "/body", &known, &conflicts),
          response: compile(route.responseSchema, at + "/response", &known, &conflicts)))
    }
    check(config, manifest, &conflicts)
    var migration: [String] = []
    if !manifest.collections.isEmpty {
      do throws(Problem) {
        migration = try stores.plan(
          automation: manifest.family, version: manifest.number, collections: manifest.collections)
      } catch { conflicts.append(error.inManifest) }
    }
    if let problem = PlanGeneration.combine(conflicts) { throw problem }
    return Plan(patterns: patterns, schemas: compiled, migration: migration)
  }

  private func patterns(_ manifest: Manifest, _ conflicts: inout [Problem]) -> [RoutePattern] {
    // The manifest was read by `Manifest.parse`, which refuses a path that is no pattern.
    let patterns = manifest.routes.compactMap { try? RoutePattern.parse($0.path).get() }
    let routes = zip(manifest.routes, patterns).map { (method: $0.method, pattern: $1) }
    for conflict in RouteConflict.find(routes) {
      let first = manifest.routes[conflict.first]
      let second = manifest.routes[conflict.second]
      conflicts.append(
        Problem(
          409, "plugin.route.\(conflict.kind.rawValue)",
          "\(first.method.rawValue) \(first.path) (\(first.operation)) and \(second.method.rawValue) "
            + "\(second.path) (\(second.operation)) "
            + (conflict.kind == .duplicate ? "are the same route." : "match the same paths."),
          members: [
            "routes": [.integer(Int64(conflict.first)), .integer(Int64(conflict.second))]
          ]))
    }
    return patterns
  }

  /// Also of `true`: whatever a schema takes is JSON of bounded depth without repeated members.
  private func compile(
    _ schema: JSONValue?, _ at: String, _ known: inout [JSONValue: any CompiledSchema],
    _ conflicts: inout [Problem]
  ) -> (any CompiledSchema)? {
    guard let schema else { return nil }
    if let program = known[schema] { return program }
    do throws(Problem) {
      let program = try schemas.compile(schema)
      known[schema] = program
      return program
    } catch {
      var problem = error
      problem.detail = "\(at): \(problem.detail)"
      problem.members["pointer"] = .string(at)
      conflicts.append(problem)
      return nil
    }
  }

  private func check(_ config: [UInt8], _ manifest: Manifest, _ conflicts: inout [Problem]) {
    let document = JSONDocument()
    do throws(JSONError) { try document.parse(config.span) } catch {
      conflicts.append(Problem(422, "automation.config_invalid", "The configuration is not JSON: \(error)."))
      return
    }
    guard let schema = manifest.configSchema else {
      var members = document.root.members
      if document.root.kind != .object || members.next() {
        conflicts.append(
          Problem(
            422, "automation.config_invalid", "This plugin takes no configuration: {} is all it accepts."))
      }
      return
    }
    var known: [JSONValue: any CompiledSchema] = [:]
    guard let compiled = compile(schema, "/config", &known, &conflicts) else { return }
    let violations = compiled.validate(document.root, limit: 20)
    if !violations.isEmpty {
      conflicts.append(
        Problem(
          422, "automation.config_invalid",
          "The configuration breaks the plugin's schema: \(violations[0].pointer) \(violations[0].message)",
          members: ["errors": .array(violations.map(\.json))]))
    }
  }

  /// One conflict is itself; several become one problem that lists them.
  private static func combine(_ conflicts: [Problem]) -> Problem? {
    guard conflicts.count > 1 else { return conflicts.first }
    return Problem(
      409, "plugin.plan.conflicts",
      "\(conflicts.count) conflicts; the first: \(conflicts[0].detail)",
      members: [
        "conflicts": .array(
          conflicts.map { problem in
            var all = problem.members
            all["code"] = .string(problem.code)
            all["detail"] = .string(problem.detail)
            return .object(all)
          })
      ])
  }
}

extension SchemaViolation {
  package var json: JSONValue {
    ["pointer": .string(pointer), "keyword": .string(keyword), "message": .string(message)]
  }
}

extension Problem {
  /// A problem of the collections as the manifest's author sees it: its pointers lead into the manifest.
  fileprivate var inManifest: Problem {
    guard let errors = members["errors"]?.array else { return self }
    let issues = errors.map {
      RecordIssue("/records" + ($0["pointer"]?.string ?? ""), $0["reason"]?.string ?? "")
    }
    var problem = self
    problem.detail = RecordIssue.text(issues)
    problem.members["errors"] = .array(issues.map(\.json))
    if members["pointer"] != nil { problem.members["pointer"] = .string(issues.first?.pointer ?? "/records") }
    return problem
  }
}
