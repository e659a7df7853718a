package import Domain
package import Kernel

/// Where keys are kept. Writes are durable when they return. [control]
package protocol KeyStore: AnyObject, Sendable {
  /// Visits every key that is kept, expired and revoked ones too.
  func forEach(_ visit: (KeyRecord) -> Void) throws(Problem)
  func insert(_ keys: [KeyRecord]) throws(Problem)
  /// Writes expiry, revocation and last use of a key that exists.
  func update(_ keys: [KeyRecord]) throws(Problem)
}

/// One generation as the catalog remembers it.
package struct GenerationRecord: Sendable, Equatable, Codable {
  package var automation: String
  package var number: Int
  /// Of the file, lower-case hex.
  package var sha256: String
  /// Below the home folder: `generations/accounts/3-ab12….so`.
  package var file: String
  /// The path the file came from, for a reload that names no file; nil for an upload.
  package var source: String?
  package var version: String
  /// The automation's configuration, JSON.
  package var config: String
  package var loaded: Timestamp

  package init(
    automation: String, number: Int, sha256: String, file: String, source: String?, version: String,
    config: String, loaded: Timestamp
  ) {
    self.automation = automation
    self.number = number
    self.sha256 = sha256
    self.file = file
    self.source = source
    self.version = version
    self.config = config
    self.loaded = loaded
  }
}

package struct QuarantineRecord: Sendable, Equatable, Codable {
  package var sha256: String
  package var code: String
  package var detail: String
  package var since: Timestamp

  package init(sha256: String, code: String, detail: String, since: Timestamp) {
    self.sha256 = sha256
    self.code = code
    self.detail = detail
    self.since = since
  }
}

/// The memory of the plugin host: which generations exist, which are active, which hashes are quarantined.
/// Every method is one durable transaction. [control]
package protocol Catalog: AnyObject, Sendable {
  /// The next generation number of an automation; never given twice.
  func nextNumber(of automation: String) throws(Problem) -> Int
  /// Generations of one automation, newest first; of all when nil.
  func generations(of automation: String?) throws(Problem) -> [GenerationRecord]
  /// The active generation of each automation.
  func activeSet() throws(Problem) -> [GenerationRecord]
  /// Makes these generations the active ones of their automations, and remembers them, in one step.
  func activate(_ generations: [GenerationRecord]) throws(Problem)
  /// The automation is no longer active; its generations stay known.
  func deactivate(_ automation: String) throws(Problem)
  func forget(_ generations: [GenerationRecord]) throws(Problem)

  func quarantined(_ sha256: String) throws(Problem) -> QuarantineRecord?
  func quarantine(_ record: QuarantineRecord) throws(Problem)
  func release(_ sha256: String) throws(Problem) -> Bool
  func quarantine() throws(Problem) -> [QuarantineRecord]
}
