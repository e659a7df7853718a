package import Application
package import Domain

/// What the supervisor says to a host: one JSON document a message.
package struct Notice: Codable, Sendable {
  package enum Kind: String, Codable, Sendable {
    /// The first of all, right after the start.
    case begin
    case freeze, goOn, yield, takeOver, leave, drain, predecessorGone
    /// Prove that every thread that serves comes round: say `alive`.
    case areYouAlive
    /// A host ended that this one did not replace.
    case crashed
    /// Settings that take effect at once.
    case settings
    /// Another host changed a key.
    case keyChanged
  }

  package var kind: Kind
  package var cause: String?
  package var begin: Begin?
  package var crashes: [CrashReport]?
  package var logLevel: LogLevel?
  package var key: String?

  package init(_ kind: Kind) { self.kind = kind }
}

/// What a host has to know before it does anything.
package struct Begin: Codable, Sendable {
  /// Waits for `takeOver` before it serves.
  package var isStandby: Bool
  /// Loads what the command line names: until a host of this supervisor has done it.
  package var loadsPlugins: Bool
  /// Hosts that ended unasked, and hosts that handed over, since the supervisor began.
  package var restarts: Int
  package var handOvers: Int
  /// Of hosts before, not yet known to be in the control store.
  package var crashes: [CrashReport]

  package init(
    isStandby: Bool = false, loadsPlugins: Bool = true, restarts: Int = 0, handOvers: Int = 0,
    crashes: [CrashReport] = []
  ) {
    self.isStandby = isStandby
    self.loadsPlugins = loadsPlugins
    self.restarts = restarts
    self.handOvers = handOvers
    self.crashes = crashes
  }
}

/// What a host says to its supervisor.
package struct HostWord: Codable, Sendable {
  package enum Kind: String, Codable, Sendable {
    case standby, serving, frozen, busy, yielded, wantsHandOver, alive
    /// These crashes are in the control store.
    case noted
    case keyChanged
  }

  package var kind: Kind
  package var cause: String?
  package var crashes: [String]?
  package var key: String?

  package init(_ kind: Kind) { self.kind = kind }
}

package enum Messages {
  /// Of one message. Sixteen crashes with all their frames are a third of it.
  package static let maxBytes = 192 << 10
  /// Crashes that wait for a host to note them; older ones are dropped.
  package static let maxCrashes = 16
}
