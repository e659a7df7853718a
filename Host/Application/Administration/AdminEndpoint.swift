package import Domain
import Kernel

/// Everything an admin can do over HTTP: one case per method and path of the admin listener.
///
/// The listener routes by this table and the command line calls by it, so neither can have what the other lacks.
package enum AdminEndpoint: String, CaseIterable, Sendable {
  case live = "health.live"
  case ready = "health.ready"
  case metrics = "metrics"
  case listAutomations = "automations.list"
  case showAutomation = "automations.show"
  case followCalls = "automations.calls"
  case loadAutomation = "automations.load"
  case reloadAutomation = "automations.reload"
  case rollBackAutomation = "automations.rollback"
  case unloadAutomation = "automations.unload"
  case reloadSet = "automations.reload_set"
  case rollBackSet = "automations.rollback_set"
  case promoteCanary = "automations.promote"
  case abortCanary = "automations.abort"
  case startRecording = "automations.record"
  case stopRecording = "automations.record_stop"
  case readConfiguration = "automations.config"
  case changeConfiguration = "automations.configure"
  case showUsage = "automations.usage"
  case listQuarantine = "quarantine.list"
  case releaseQuarantine = "quarantine.release"
  case issueKey = "keys.issue"
  case listKeys = "keys.list"
  case revokeKey = "keys.revoke"
  case rotateKey = "keys.rotate"
  case readAudit = "audit.read"
  case verifyAudit = "audit.verify"
  case readLogLevel = "log_level.get"
  case changeLogLevel = "log_level.set"
  case upgradeHost = "host.upgrade"
  case listCrashes = "crashes.list"
  case describe = "api.describe"

  package struct Row: Sendable {
    package var method: HTTPMethod
    /// As in a manifest: `/admin/v1/keys/{id}`.
    package var path: String
    /// Any one of these lets a key in; none: no key is needed.
    package var scopes: [String]
    /// What the audit trail calls it: nil for what changes nothing.
    package var act: String?
    /// The query parameters it takes.
    package var query: [String]

    fileprivate init(
      _ method: HTTPMethod, _ path: String, _ scopes: [String], act: String? = nil, query: [String] = []
    ) {
      self.method = method
      self.path = path
      self.scopes = scopes
      self.act = act
      self.query = query
    }
  }

  package var row: Row {
    let read = AdminScope.read
    let write = AdminScope.write
    return switch self {
    case .live: Row(.get, "/health/live", [])
    case .ready: Row(.get, "/health/ready", [])
    case .metrics: Row(.get, "/metrics", [])
    case .listAutomations: Row(.get, "/admin/v1/automations", [read])
    case .showAutomation: Row(.get, "/admin/v1/automations/{id}", [read])
    // Who called what with which key: what the audit trail says.
    case .followCalls:
      Row(.get, "/admin/v1/automations/{id}/calls", [AdminScope.audit], query: ["after", "wait_ms"])
    case .loadAutomation:
      Row(.post, "/admin/v1/automations", [write], act: "automation.load", query: ["replace", "isolation"])
    case .reloadAutomation:
      Row(
        .post, "/admin/v1/automations/{id}/reload", [AdminScope.reload, write], act: "automation.reload",
        query: ["canary", "require_replay", "replay_writes", "isolation"])
    case .rollBackAutomation:
      Row(
        .post, "/admin/v1/automations/{id}/rollback", [AdminScope.reload, write], act: "automation.rollback")
    case .unloadAutomation: Row(.delete, "/admin/v1/automations/{id}", [write], act: "automation.unload")
    // Not below an automation's path: one could be named `reload`.
    case .reloadSet: Row(.post, "/admin/v1/reload", [AdminScope.reload, write], act: "automation.reload_set")
    case .rollBackSet:
      Row(.post, "/admin/v1/rollback", [AdminScope.reload, write], act: "automation.rollback_set")
    case .promoteCanary:
      Row(
        .post, "/admin/v1/automations/{id}/canary/promote", [AdminScope.reload, write],
        act: "automation.canary_promote")
    case .abortCanary:
      Row(
        .post, "/admin/v1/automations/{id}/canary/abort", [AdminScope.reload, write],
        act: "automation.canary_abort")
    // What agents send and get is nothing that a build needs to see.
    case .startRecording:
      Row(.post, "/admin/v1/automations/{id}/recording", [write], act: "automation.record")
    case .stopRecording:
      Row(.delete, "/admin/v1/automations/{id}/recording", [write], act: "automation.record_stop")
    // A configuration may hold what only those may know who may change it.
    case .readConfiguration: Row(.get, "/admin/v1/automations/{id}/config", [write])
    case .changeConfiguration:
      Row(.put, "/admin/v1/automations/{id}/config", [write], act: "automation.configure")
    case .showUsage: Row(.get, "/admin/v1/usage", [read])
    case .listQuarantine: Row(.get, "/admin/v1/quarantine", [read])
    case .releaseQuarantine: Row(.delete, "/admin/v1/quarantine/{sha256}", [write], act: "quarantine.release")
    case .issueKey: Row(.post, "/admin/v1/keys", [AdminScope.keys], act: "key.issue")
    case .listKeys: Row(.get, "/admin/v1/keys", [read, AdminScope.keys], query: ["after", "limit"])
    case .revokeKey: Row(.delete, "/admin/v1/keys/{id}", [AdminScope.keys], act: "key.revoke")
    case .rotateKey: Row(.post, "/admin/v1/keys/{id}/rotate", [AdminScope.keys], act: "key.rotate")
    case .readAudit: Row(.get, "/admin/v1/audit", [AdminScope.audit], query: ["after", "limit"])
    case .verifyAudit: Row(.post, "/admin/v1/audit/verify", [AdminScope.audit], act: "audit.verify")
    case .readLogLevel: Row(.get, "/admin/v1/log-level", [read])
    case .upgradeHost: Row(.post, "/admin/v1/host/upgrade", [write], act: "host.upgrade")
    case .listCrashes: Row(.get, "/admin/v1/crashes", [read])
    // What there is to ask for names nobody and nothing that runs here.
    case .describe: Row(.get, "/admin/v1/openapi.json", [])
    case .changeLogLevel: Row(.put, "/admin/v1/log-level", [write], act: "log_level.set")
    }
  }

  /// The path with its parameters, in order, percent-encoded (RFC 3986).
  package func path(_ parameters: [String] = []) -> String {
    guard case .success(let pattern) = RoutePattern.parse(row.path) else {
      preconditionFailure("\(row.path) is no pattern")
    }
    var rest = parameters[...]
    var path = ""
    for segment in pattern.segments {
      switch segment {
      case .literal(let text): path += "/" + text
      case .parameter: path += "/" + PercentEncoding.component(rest.removeFirst())
      }
    }
    return path
  }
}

/// What an admin's key may hold. `admin:*` is all of them.
package enum AdminScope {
  /// See automations, crashes, the quarantine, keys (never their secrets) and the log level.
  package static let read = "admin:read"
  /// Load, reload, roll back, unload and configure automations; release from quarantine; set the log level;
  /// hand over to a fresh host.
  package static let write = "admin:write"
  /// Reload and roll back: what an author's build needs.
  package static let reload = "admin:reload"
  /// Issue, list, revoke and rotate keys, of scopes that one holds.
  package static let keys = "admin:keys"
  /// Read and verify the audit trail.
  package static let audit = "admin:audit"
}

package enum PercentEncoding {
  /// Text as one component of a URL: everything but RFC 3986's unreserved characters is escaped.
  package static func component(_ text: String) -> String {
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        bytes.append(byte)
      default: bytes += [UInt8(ascii: "%"), Hex.digit(byte >> 4), Hex.digit(byte & 15)]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
