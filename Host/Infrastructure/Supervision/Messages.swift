package import Application
package import Domain
package import Kernel

/// What the supervisor says to a host: one JSON document a message.
package struct Notice: Sendable {
  package enum Kind: String, Sendable {
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

  package var json: JSONValue {
    var json: [String: JSONValue] = ["kind": .string(kind.rawValue)]
    json["cause"] = cause.map(JSONValue.string)
    json["begin"] = begin?.json
    json["crashes"] = crashes.map { .array($0.map(\.stored)) }
    json["logLevel"] = logLevel.map { .integer(Int64($0.rawValue)) }
    json["key"] = key.map(JSONValue.string)
    return .object(json)
  }

  /// nil when it is none that this version knows.
  package init?(_ bytes: [UInt8]) {
    guard let json = try? JSONValue.parse(bytes.span),
      let kind = json["kind"]?.string.flatMap(Kind.init(rawValue:))
    else { return nil }
    self.init(kind)
    cause = json["cause"]?.string
    begin = json["begin"].flatMap(Begin.init(json:))
    crashes = json["crashes"]?.array?.compactMap(CrashReport.init(stored:))
    logLevel = json["logLevel"]?.integer.flatMap { LogLevel(rawValue: Int($0)) }
    key = json["key"]?.string
  }
}

/// What a host has to know before it does anything.
package struct Begin: Sendable {
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

  var json: JSONValue {
    [
      "isStandby": .bool(isStandby), "loadsPlugins": .bool(loadsPlugins),
      "restarts": .integer(Int64(restarts)),
      "handOvers": .integer(Int64(handOvers)), "crashes": .array(crashes.map(\.stored)),
    ]
  }

  init?(json: JSONValue) {
    guard let isStandby = json["isStandby"]?.bool, let loadsPlugins = json["loadsPlugins"]?.bool,
      let restarts = json["restarts"]?.integer, let handOvers = json["handOvers"]?.integer,
      let crashes = json["crashes"]?.array
    else { return nil }
    self.init(
      isStandby: isStandby, loadsPlugins: loadsPlugins, restarts: Int(restarts), handOvers: Int(handOvers),
      crashes: crashes.compactMap(CrashReport.init(stored:)))
  }
}

/// What a host says to its supervisor.
package struct HostWord: Sendable {
  package enum Kind: String, Sendable {
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

  package var json: JSONValue {
    var json: [String: JSONValue] = ["kind": .string(kind.rawValue)]
    json["cause"] = cause.map(JSONValue.string)
    json["crashes"] = crashes.map { .array($0.map(JSONValue.string)) }
    json["key"] = key.map(JSONValue.string)
    return .object(json)
  }

  /// nil when it is none that this version knows.
  package init?(_ bytes: [UInt8]) {
    guard let json = try? JSONValue.parse(bytes.span),
      let kind = json["kind"]?.string.flatMap(Kind.init(rawValue:))
    else { return nil }
    self.init(kind)
    cause = json["cause"]?.string
    crashes = json["crashes"]?.array?.compactMap(\.string)
    key = json["key"]?.string
  }
}

package enum Messages {
  /// Of one message. Sixteen crashes with all their frames are a third of it.
  package static let maxBytes = 192 << 10
  /// Crashes that wait for a host to note them; older ones are dropped.
  package static let maxCrashes = 16
}
