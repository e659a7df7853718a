/// What documents list for a caller without a key.
package enum AnonymousView: String, Sendable, CaseIterable {
  /// Every route: what exists is no secret, calling it needs a key.
  case all
  /// Routes that need no key.
  case `public`
  /// Nothing: 401.
  case none
}
