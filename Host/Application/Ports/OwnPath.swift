package import Domain
package import Kernel

/// What answers paths of the host's own on the public listener: documents, MCP, functions. The gateway finds it,
/// recognises and limits the caller, audits and measures; it knows none by name.
package protocol OwnPath: AnyObject, Sendable {
  /// The paths, whose first segments no automation can have (``Names/reservedRoots``, or one with a dot).
  var routes: [OwnRoute] { get }

  /// Answers a whole request of `routes[number]`. A problem that it throws is sent as it is. [event]
  func answer(_ exchange: Exchange, _ number: Int, _ caller: Caller, _ snapshot: Snapshot) throws(Problem)
    -> OwnAnswer

  /// The request became a call, and that is answered: status, headers and body are the route's, or a problem's. Turns
  /// them into what the protocol says. Where ``Exchange/isStreaming``, the body is yet to come, and
  /// ``AnswerStream/translate(by:)`` turns it. Not called where the client left before. [event]
  func wrap(_ exchange: Exchange, _ call: RouteCall)

  /// A request of `routes[number]` is refused before it became a call; the problem is in the exchange. May say it in the
  /// protocol's words. `snapshot` is read where they speak of routes. [event]
  func refused(
    _ exchange: Exchange, _ number: Int, _ problem: Problem, _ snapshot: @autoclosure () -> Snapshot)
}

extension OwnPath {
  package func wrap(_ exchange: Exchange, _ call: RouteCall) {}
  package func refused(
    _ exchange: Exchange, _ number: Int, _ problem: Problem, _ snapshot: @autoclosure () -> Snapshot
  ) {}
}

/// One path of the host's own.
package struct OwnRoute: Sendable {
  package enum Key: Sendable {
    /// Is not looked at.
    case none
    /// Recognised where one is sent; one that is wrong is refused.
    case optional
    case required
  }

  package var method: HTTPMethod
  /// From the root: `/openapi.json`, `/jobs/{id}`.
  package var path: String
  package var key: Key
  /// A longer body is answered 413.
  package var maxBodyBytes: Int
  /// ``OwnAnswer/pending`` may come: the host then answers at this time in its place, with 504.
  package var patience: Duration?
  /// What `WWW-Authenticate` says in a 401.
  package var challenge: String

  /// For documents; without one they do not speak of it.
  package var manual: OwnManual?

  package static let challenge = "Bearer realm=\"council\""

  package init(
    _ method: HTTPMethod, _ path: String, key: Key = .optional, maxBodyBytes: Int = 0,
    patience: Duration? = nil,
    challenge: String = OwnRoute.challenge, manual: OwnManual? = nil
  ) {
    self.method = method
    self.path = path
    self.key = key
    self.maxBodyBytes = maxBodyBytes
    self.patience = patience
    self.challenge = challenge
    self.manual = manual
  }
}

package enum OwnAnswer {
  /// The answer is in the exchange; its body may be a stream (``Exchange/beginStream(_:)``), which its maker keeps and
  /// writes into.
  case answered
  /// As ``answered``, and the audit row says so of what was read of an automation.
  case told(RouteLabels)
  /// The exchange became the request of a route (``Exchange/become(_:target:body:)``): it goes on like any other, at its
  /// own limit, and ``OwnPath/wrap(_:_:)`` gets its answer.
  case call(RouteCall)
  /// The request is about a job, by name: it is answered as `GET /jobs/{id}` would be, or `DELETE` where it `cancels`, and
  /// ``OwnPath/wrap(_:_:)`` gets that answer.
  case job(RouteCall, id: String, cancels: Bool)
  /// Somebody answers later: claims the exchange by the handle that it had, writes the answer, delivers it.
  case pending
}

/// A request that became a call by name.
package final class RouteCall {
  /// As it was found by its name; a reload may put the next generation's in its place. nil for what the host does itself.
  package let route: LiveRoute?
  /// What the protocol has to know when it wraps the answer.
  package let state: AnyObject?
  /// Bytes that the whole answer may have at most. Set before a stream is wrapped; other answers are short enough by then.
  package var answerLimit = Int.max
  /// The same by who set it, in the envelope of the call. Set as ``answerLimit`` is.
  package var budget = AnswerBudget()
  /// What ``OwnPath/wrap(_:_:)`` will put around the answer.
  package let envelope: AnswerEnvelope

  package init(_ route: LiveRoute?, state: AnyObject? = nil, envelope: AnswerEnvelope) {
    self.route = route
    self.state = state
    self.envelope = envelope
  }
}

/// Who asks, and what that key may do.
package struct Caller: Sendable {
  /// nil for a caller without a key.
  package let grant: KeyGrant?
  package let table: KeyTable
  /// Characters that an answer to it may have.
  package let answerLimit: Int

  package init(_ grant: KeyGrant?, _ table: KeyTable, answerLimit: Int = .max) {
    self.grant = grant
    self.table = table
    self.answerLimit = answerLimit
  }

  /// Whether the route would let this caller in.
  package func may(_ route: LiveRoute) -> Bool {
    guard let scope = route.scope else { return true }
    return grant.map { table.allows($0, scope) } ?? false
  }

  /// What became of who asked, since.
  package enum Standing {
    case same
    /// May do other things now.
    case other(Caller)
    /// The key is revoked or expired.
    case over
  }

  /// A caller without a key stays the same. [any]
  package var standing: Standing {
    guard let grant else { return .same }
    guard let now = table.now(grant, at: .now) else { return .over }
    return now.scopes == grant.scopes ? .same : .other(Caller(now, table, answerLimit: answerLimit))
  }

  /// What a caller is told that lacks a scope: 401 without a key, 403 with one.
  package func refusal(_ scope: String) -> Problem {
    grant == nil
      ? Problem(
        401, "access.key_missing",
        "This needs a key with the scope '\(scope)': send it as 'Authorization: Bearer <key>'.",
        members: ["scope": .string(scope)])
      : Problem(
        403, "access.scope_missing",
        "This needs the scope '\(scope)', which the key does not hold. Ask an admin for a key that does.",
        members: ["scope": .string(scope)])
  }

  /// Equal for callers that may do the same; nil without a key.
  package var scopes: ScopeSetID? { grant?.scopes }
}
