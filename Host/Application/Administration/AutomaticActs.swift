import Kernel

/// What the host does by itself to what it serves, as ending a canary: held to what an admin's acts are. None happens while
/// another host takes over, and each has its row in the audit trail, without a principal.
package final class AutomaticActs: Sendable {
  private let audit: any AuditTrail
  private let host: (any HostControl)?
  private let log: any LogSink

  /// `host`: nil where nobody supervises.
  package init(audit: any AuditTrail, host: (any HostControl)?, log: any LogSink) {
    self.audit = audit
    self.host = host
    self.log = log
  }

  /// Throws `host.handing_over` (503) without having called `body` while another host takes over.
  func perform<Result>(_ body: () throws(Problem) -> Result) throws(Problem) -> Result {
    guard let host else { return try body() }
    try host.beginAct()
    defer { host.endAct() }
    return try body()
  }

  /// Writes down what was done; it cannot be taken back, so a trail that fails is a line of the log.
  func record(_ action: String, _ target: String, _ details: [String: JSONValue]) {
    let act = AdminAct(
      time: .now, principal: "", key: "", action: action, target: target, status: 200, requestID: "",
      details: details)
    do throws(Problem) { try audit.record(act) } catch {
      log.log(
        .critical, "admin", "an act of the host is not in the audit trail: \(error.detail)",
        ["action": .string(action), "target": .string(target)])
    }
  }
}
