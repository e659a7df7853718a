package import Domain
package import Kernel
import Synchronization

/// The routing state that one request sees from start to end: every automation that serves, immutable.
package final class Snapshot: Sendable {
  package let automations: [LiveAutomation]
  private let byID: AutomationIndex
  private let byRoot: AutomationIndex

  private let unavailable: [String: Unavailability]
  /// Counts the changes of what serves: two automations read from one snapshot belong together.
  package let version: Int

  package init(
    _ automations: [LiveAutomation], unavailable: [String: Unavailability] = [:], version: Int = 0
  ) {
    self.unavailable = unavailable
    self.version = version
    self.automations = automations.sorted { $0.generation.manifest.id < $1.generation.manifest.id }
    let manifests = self.automations.map(\.generation.manifest)
    byID = AutomationIndex(manifests.map { ($0.id, nil) })
    byRoot = AutomationIndex(
      manifests.map { ($0.versionOf == nil || $0.number == nil ? $0.id : $0.family, $0.number) })
  }

  package static let empty = Snapshot([])

  /// The automation whose root a path has: the first of its segments, or the first two. [event]
  package func automation(_ head: Arena, _ segments: Span<ByteRange>) -> LiveAutomation? {
    guard segments.count > 0 else { return nil }
    if let number = byRoot.find(head.span(segments[0])) { return automations[number] }
    guard segments.count > 1 else { return nil }
    return byRoot.find(head.span(segments[0]), head.span(segments[1])).map { automations[$0] }
  }

  /// Why an automation of that root does not serve that should. Only asked where ``automation(_:_:)`` found none.
  package func unavailability(_ head: Arena, _ segments: Span<ByteRange>) -> Unavailability? {
    guard !unavailable.isEmpty, segments.count > 0 else { return nil }
    let first = String(head.span(segments[0]))
    if let known = unavailable[first] { return known }
    guard segments.count > 1, let number = AutomationIndex.number(head.span(segments[0])) else { return nil }
    return unavailable["\(String(head.span(segments[1])))-v\(number)"]
  }

  package func automation(named id: String) -> LiveAutomation? { automation(named: id.utf8.span) }

  package func automation(named id: Span<UInt8>) -> LiveAutomation? { byID.find(id).map { automations[$0] } }
}

/// Why an automation that is stored as active does not serve.
package enum Unavailability: String, Sendable {
  /// No generation of it came back when the host started.
  case failed
  /// It crashed the host too often.
  case crashed
}

/// Where an automation stands that is stored as active.
package enum Standing: String, Sendable, CaseIterable {
  /// The generation serves that is stored.
  case active
  /// That one crashed the host too often: an earlier one serves in its place.
  case standIn = "stand_in"
  /// It does not serve: see ``Unavailability``.
  case failed, crashed

  init(_ why: Unavailability) {
    self =
      switch why {
      case .failed: .failed
      case .crashed: .crashed
      }
  }
}

/// One automation as it serves now.
package final class LiveAutomation: Sendable {
  package let generation: Generation
  package let routes: [LiveRoute]
  package let table: RouteTable
  /// How many segments of a path its root has.
  package let rootSegments: Int
  /// What happens to its requests beside being served; nil but for a while, and then the request path never looks.
  package let extras: ServingExtras?
  /// What reading its records without a route needs; nil where it shows none.
  package let readScope: RequiredScopeID?
  /// Numbers of the routes by the operations they are.
  private let operations: SegmentMap

  package init(generation: Generation, routes: [LiveRoute], readScope: RequiredScopeID? = nil) {
    self.readScope = readScope
    self.generation = generation
    self.routes = routes
    rootSegments = generation.manifest.rootSegments
    var operations = SegmentMap()
    for route in routes { operations.insert(0, route.declaration.operation.utf8.span, route.number) }
    self.operations = operations
    table = RouteTable(routes.map { ($0.declaration.method, $0.pattern) })
    extras = nil
  }

  /// The same automation, with extras.
  init(_ automation: LiveAutomation, _ extras: ServingExtras) {
    generation = automation.generation
    routes = automation.routes
    table = automation.table
    rootSegments = automation.rootSegments
    operations = automation.operations
    readScope = automation.readScope
    self.extras = extras
  }

  package func route(operation: Span<UInt8>) -> LiveRoute? {
    operations.find(0, operation).map { routes[$0] }
  }
}

/// A canary that takes some of an automation's requests, a recording that keeps some, or both.
package final class ServingExtras: Sendable {
  package let canary: Canary?
  package let recording: Recording?

  init(canary: Canary?, recording: Recording?) {
    self.canary = canary
    self.recording = recording
  }
}

/// One route with everything that a request on it needs, worked out when its generation loaded.
package final class LiveRoute: Sendable {
  package let number: Int
  package let declaration: RouteDeclaration
  package let pattern: RoutePattern
  /// `/accounts/{id}`: what logs, metrics and audit rows call it.
  package let template: String
  /// How many segments of a path stand before the declared one.
  package let rootSegments: Int
  package let generation: Generation
  package let parameterNames: [[UInt8]]
  package let scope: RequiredScopeID?
  /// The route's own limit, the same as arithmetic, and what names the route in the table of such limits: the
  /// same over a reload.
  package let limit: RateLimit?
  package let rate: GCRA?
  package let limitTag: UInt64
  package let deadlineNanoseconds: Int64
  package let maxBodyBytes: Int
  package let schemas: RouteSchemas
  package let outline: AnswerOutline
  /// The route changes something: what makes that safe is looked for.
  package let isGuarded: Bool
  package let safety: SafetyWords
  /// The route's number in the meter.
  package let series: Int
  package let labels: RouteLabels
  /// `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and `Link` of a route that goes; empty for all others.
  package let deprecationHeaders: [DeprecationHeader]
  /// The route as it is called by name.
  package let operation: Operation
  private let isMoved = Atomic<Bool>(false)

  package init(
    number: Int, declaration: RouteDeclaration, pattern: RoutePattern, generation: Generation,
    scope: RequiredScopeID?, deadline: Duration, maxBodyBytes: Int, schemas: RouteSchemas,
    meter: any RequestMeter
  ) throws(Problem) {
    let id = generation.manifest.id
    self.number = number
    self.declaration = declaration
    self.pattern = pattern
    template = generation.manifest.root + declaration.path
    rootSegments = generation.manifest.rootSegments
    self.generation = generation
    parameterNames = pattern.parameterNames.map { Array($0.utf8) }
    self.scope = scope
    limit = declaration.limit
    rate = try declaration.limit.map { limit throws(Problem) in try GCRA(limit) }
    limitTag = LiveRoute.tag("\(id) \(declaration.operation)")
    deadlineNanoseconds = (declaration.deadline ?? deadline).nanoseconds
    self.maxBodyBytes = declaration.maxBodyBytes ?? maxBodyBytes
    self.schemas = schemas
    outline = AnswerOutline(declaration)
    isGuarded = declaration.method != .get
    safety = SafetyWords(declaration)
    series = meter.series(
      automation: id, route: template, method: declaration.method.rawValue)
    let labels = JSON.text(
      [
        "automation": .string(id), "generation": .integer(Int64(generation.record.number)),
        "operation": .string(declaration.operation), "route": .string(template),
      ] as JSONValue)
    self.labels = RouteLabels(json: Array(labels.utf8.dropFirst().dropLast()))
    deprecationHeaders = declaration.deprecation?.headers ?? []
    operation = Operation(
      automation: id, root: generation.manifest.root, declaration: declaration, pattern: pattern)
  }

  /// Whether the handler runs on the event thread. [any]
  @inline(__always)
  package var isInline: Bool {
    declaration.execution == .inline && !isMoved.load(ordering: .relaxed)
  }

  /// Whether the route was moved to the workers. [any]
  package var isMovedToWorkers: Bool { isMoved.load(ordering: .relaxed) }

  /// The handler blocked although its manifest says "inline": workers run it as long as this generation serves. False:
  /// they do already. [any]
  package func moveToWorkers() -> Bool {
    declaration.execution == .inline && !isMoved.exchange(true, ordering: .relaxed)
  }

  /// FNV-1a, 64 bits.
  private static func tag(_ name: String) -> UInt64 {
    name.utf8.reduce(14_695_981_039_346_656_037) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 }
  }
}

/// The compiled schemas of one route.
package struct RouteSchemas: Sendable {
  package var path: (any CompiledSchema)?
  package var query: (any CompiledSchema)?
  package var body: (any CompiledSchema)?
  /// Of the body of a success; nil where none is declared, or answers are not checked.
  package var response: (any CompiledSchema)?

  package init(
    path: (any CompiledSchema)? = nil, query: (any CompiledSchema)? = nil,
    body: (any CompiledSchema)? = nil, response: (any CompiledSchema)? = nil
  ) {
    self.path = path
    self.query = query
    self.body = body
    self.response = response
  }
}
