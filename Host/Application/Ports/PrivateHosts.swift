package import Domain
package import Kernel

/// What a host of one's own is made for: one plugin, and a copy of the records of its automation.
package struct PrivateHostOrder: Sendable {
  package var automation: String
  /// The plugin's file, absolute.
  package var plugin: String
  package var config: [UInt8]
  /// Where its code runs, as in the host that it stands for.
  package var isolation: Isolation
  /// The home folder whose records are copied; nil for none.
  package var home: String?
  /// The file with the keys of encrypted fields; nil where there are none.
  package var encryptionKeys: String?

  package init(
    automation: String, plugin: String, config: [UInt8], isolation: Isolation = .inProcess, home: String?,
    encryptionKeys: String? = nil
  ) {
    self.automation = automation
    self.plugin = plugin
    self.config = config
    self.isolation = isolation
    self.home = home
    self.encryptionKeys = encryptionKeys
  }
}

/// A host that serves nobody else, in a folder that goes with it. One thread.
package protocol PrivateHost: AnyObject {
  /// Throws `replay.host_lost` (502) when no answer comes.
  func send(
    _ method: String, _ target: String, headers: [(name: String, value: String)], body: [UInt8]?
  ) throws(Problem) -> IncomingAnswer
  /// Ends the process and deletes its folder; a second call does nothing.
  func stop()
}
