package import Domain
package import Kernel

/// What admins ask of the process that they talk to.
package protocol HostControl: AnyObject, Sendable {
  /// An act begins. Throws `host.handing_over` (503) while another host takes over: only one may change anything.
  func beginAct() throws(Problem)
  func endAct()
  /// Starts a fresh host that takes over, and waits until it serves. Throws `host.hand_over_failed` (409) with the cause:
  /// this host then goes on as if nothing had happened; `host.handing_over` (503) where another serves already. [control]
  func handOver(_ cause: String) throws(Problem) -> HandOverReport
}

package struct HandOverReport: Sendable {
  package var milliseconds: Double

  package init(milliseconds: Double) { self.milliseconds = milliseconds }

  package var json: JSONValue { ["total_ms": .number(milliseconds)] }
}

/// Remembers hosts that ended unasked, a bounded number of the newest. Every method is one durable transaction. [control]
package protocol CrashStore: AnyObject, Sendable {
  /// One that is known already is passed over.
  func note(_ crashes: [CrashReport]) throws(Problem)
  /// Newest first; of one automation, or of all, those without a culprit included.
  func crashes(of automation: String?, limit: Int) throws(Problem) -> [CrashReport]
  /// What the crash policy asks of those with a culprit; of one automation, or of all.
  func crashTimes(of automation: String?) throws(Problem) -> [CrashPolicy.Crash]
  /// How many are kept, by automation; under "" those without a culprit.
  func crashCounts() throws(Problem) -> [String: Int]
}
