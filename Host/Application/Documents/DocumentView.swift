import Domain
package import Kernel

/// What of the live table a document tells its reader.
package struct DocumentView: Sendable {
  package let audience: Documents.Audience
  private let shows: @Sendable (LiveRoute) -> Bool

  /// Throws 401 `access.key_missing` where callers without a key are told nothing.
  package init(_ caller: Caller, _ anonymous: AnonymousView) throws(Problem) {
    if let grant = caller.grant {
      let table = caller.table
      shows = { route in route.scope.map { table.allows(grant, $0) } ?? true }
      audience = .scopes(grant.scopes)
      return
    }
    switch anonymous {
    case .all: shows = { _ in true }
    case .public: shows = { $0.scope == nil }
    case .none:
      throw Problem(
        401, "access.key_missing", "Documents need a key here. Send it as 'Authorization: Bearer <key>'.")
    }
    audience = .anonymous
  }

  /// The routes of one automation, in the order of its manifest.
  package func routes(_ automation: LiveAutomation) -> [LiveRoute] { automation.routes.filter(shows) }
}
