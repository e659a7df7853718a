import Domain
package import Kernel

/// What of the live table a document tells its reader. Can be asked on any thread.
package struct DocumentView: Sendable {
  package let audience: Documents.Audience
  private let showsKeyed: Bool
  private let isNothing: Bool
  private let shows: @Sendable (LiveRoute) -> Bool

  package init(_ caller: Caller, _ anonymous: AnonymousView) {
    if let grant = caller.grant {
      let table = caller.table
      shows = { route in route.scope.map { table.allows(grant, $0) } ?? true }
      audience = .scopes(grant.scopes)
      isNothing = false
      showsKeyed = true
      return
    }
    switch anonymous {
    case .all: shows = { _ in true }
    case .public: shows = { $0.scope == nil }
    case .none: shows = { _ in false }
    }
    audience = .anonymous
    showsKeyed = anonymous == .all
    isNothing = anonymous == .none
  }

  /// Throws 401 `access.key_missing` where callers without a key are told nothing.
  package func refuseStrangers() throws(Problem) {
    guard isNothing else { return }
    throw Problem(
      401, "access.key_missing", "Documents need a key here. Send it as 'Authorization: Bearer <key>'.")
  }

  /// Whether the reader is told of a path of the host's own.
  package func shows(_ route: OwnRoute) -> Bool {
    !isNothing && route.manual != nil && (showsKeyed || route.key != .required)
  }

  /// The routes of one automation, in the order of its manifest.
  package func routes(_ automation: LiveAutomation) -> [LiveRoute] { automation.routes.filter(shows) }

  /// Those of one automation, or of all, in the order of the automations' names and of their manifests: the same list
  /// every time, which models' caches want. Throws 404 `automation.not_found` for one that shows none.
  package func routes(_ snapshot: Snapshot, of automation: String?) throws(Problem) -> [LiveRoute] {
    guard let automation else { return snapshot.automations.flatMap { routes($0) } }
    let found = snapshot.automation(named: automation).map { routes($0) } ?? []
    guard !found.isEmpty else {
      throw Problem(
        404, "automation.not_found",
        "No automation '\(automation.prefix(63))' serves that this caller may call.")
    }
    return found
  }
}
