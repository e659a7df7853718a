package import Kernel

/// What a plugin states about itself: routes, records, needs. Read by ``Manifest/parse(_:)``; every name in it
/// has been checked against the rules of PluginAPI/Manifest.md, so the rest of the host trusts it.
package struct Manifest: Sendable, Equatable {
  /// 1 MiB: a manifest is read before anything is known about who wrote it.
  package static let maxBytes = 1 << 20
  /// The extension that routes which stream need.
  package static let streams = "council.stream/1"

  /// `[a-z][a-z0-9-]{0,62}`: the first path segment of its routes.
  package var id: String
  /// Free text of at most 64 characters; semantic versions are recommended.
  package var version: String
  /// The automation that this is another version of: `accounts` for the id `accounts-v2`. The two serve side by side,
  /// this one below `/v2/accounts`, on the same records.
  package var versionOf: String?
  package var title: String
  package var summary: String
  /// Extension ids the plugin cannot live without, `council.records/1`.
  package var requires: [String]
  /// JSON Schema 2020-12 of the automation's configuration; nil takes the empty object only.
  package var configSchema: JSONValue?
  package var collections: [CollectionDeclaration]
  package var routes: [RouteDeclaration]

  package init(
    id: String, version: String, title: String = "", summary: String = "", requires: [String] = [],
    configSchema: JSONValue? = nil, collections: [CollectionDeclaration] = [],
    routes: [RouteDeclaration] = [], versionOf: String? = nil
  ) {
    self.versionOf = versionOf
    self.id = id
    self.version = version
    self.title = title
    self.summary = summary
    self.requires = requires
    self.configSchema = configSchema
    self.collections = collections
    self.routes = routes
  }
}

extension Manifest {
  /// Whose records these are, and whose scopes: of every version the same.
  package var family: String { versionOf ?? id }

  /// What a key needs for the records that the manifest shows without a route.
  package var readScope: String { "\(family):read" }

  /// `/accounts`, `/v2/accounts`: what stands before every route's path.
  package var root: String { (number.map { "/v\($0)" } ?? "") + "/" + family }

  /// How many segments ``root`` has.
  package var rootSegments: Int { versionOf == nil ? 1 : 2 }

  /// 2 and above, for one that is a version of another.
  package var number: Int? { versionOf == nil ? nil : Names.version(of: id)?.number }
}

/// One route as its plugin declares it.
package struct RouteDeclaration: Sendable, Equatable {
  /// Where the handler runs: DESIGN, section 4.
  package enum Execution: String, Sendable {
    /// On the event thread; the handler promises not to block.
    case inline
    /// On a worker thread.
    case blocking
  }

  package var method: HTTPMethod
  /// Below the automation's root: `/`, `/{id}`, `/{id}/entries`.
  package var path: String
  /// Unique in the manifest, `[a-z][a-z0-9_]{0,63}`: what documents, logs and audit rows name.
  package var operation: String
  /// For people; nil takes the summary.
  package var title: String?
  package var summary: String
  /// What the summary has no room for.
  package var details: String
  package var hints: RouteHints
  /// Problems that the handler itself answers with, beside the host's own.
  package var errors: [DeclaredError]
  package var deprecation: Deprecation?
  package var execution: Execution
  /// What the caller's key must hold; nil for a public route, which needs no key.
  package var scope: String?
  /// JSON Schemas of an object with the path parameters, of one with the query parameters, and of the body.
  package var pathSchema: JSONValue?
  package var querySchema: JSONValue?
  package var bodySchema: JSONValue?
  package var responseSchema: JSONValue?
  /// Of a success, where it is always the same; nil where the handler chooses.
  package var status: Int?
  /// Overrides the caller's own limit on this route.
  package var limit: RateLimit?
  /// Answered with 504 after this; nil takes the host's default.
  package var deadline: Duration?
  package var maxBodyBytes: Int?
  /// A call takes effect only when it is made again with the token that the first one was answered.
  package var confirm: Bool
  /// The handler may be run for what it would answer, its writes to records undone: it has no other effects.
  package var dryRun: Bool
  package var idempotency: Idempotency
  /// The handler may answer with a stream.
  package var streams: Bool

  package init(
    method: HTTPMethod, path: String, operation: String, summary: String = "",
    execution: Execution = .blocking, scope: String? = nil, pathSchema: JSONValue? = nil,
    querySchema: JSONValue? = nil, bodySchema: JSONValue? = nil, responseSchema: JSONValue? = nil,
    status: Int? = nil,
    limit: RateLimit? = nil, deadline: Duration? = nil, maxBodyBytes: Int? = nil, title: String? = nil,
    details: String = "", hints: RouteHints? = nil, errors: [DeclaredError] = [],
    deprecation: Deprecation? = nil, confirm: Bool = false, dryRun: Bool = false,
    idempotency: Idempotency = .none, streams: Bool = false
  ) {
    self.title = title
    self.details = details
    self.hints = hints ?? RouteHints(of: method, confirmed: confirm)
    self.errors = errors
    self.deprecation = deprecation
    self.method = method
    self.path = path
    self.operation = operation
    self.summary = summary
    self.execution = execution
    self.scope = scope
    self.pathSchema = pathSchema
    self.querySchema = querySchema
    self.bodySchema = bodySchema
    self.responseSchema = responseSchema
    self.status = status
    self.limit = limit
    self.deadline = deadline
    self.maxBodyBytes = maxBodyBytes
    self.confirm = confirm
    self.dryRun = dryRun
    self.idempotency = idempotency
    self.streams = streams
  }
}

/// What a route does with an Idempotency-Key.
package enum Idempotency: String, Sendable {
  /// None is looked at: the route only reads, or keeps repeated calls apart by itself.
  case none
  /// A call that names one takes effect once; one without is as any other.
  case optional
  /// A call without one is refused.
  case required
}

/// `requests` per `period`, refilled evenly; a burst of all of them at once is allowed.
package struct RateLimit: Sendable, Equatable, Hashable {
  package var requests: Int
  package var period: Duration

  package init(requests: Int, per period: Duration) {
    self.requests = requests
    self.period = period
  }
}

package enum HTTPMethod: String, Sendable, CaseIterable {
  case get = "GET"
  case head = "HEAD"
  case post = "POST"
  case put = "PUT"
  case patch = "PATCH"
  case delete = "DELETE"
  case options = "OPTIONS"

  /// A request changes nothing (RFC 9110, section 9.2.1).
  package var isSafe: Bool {
    switch self {
    case .get, .head, .options: true
    case .post, .put, .patch, .delete: false
    }
  }
}
