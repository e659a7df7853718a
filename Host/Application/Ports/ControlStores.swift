package import Domain
package import Kernel

/// Where keys are kept. Writes are durable when they return. [control]
package protocol KeyStore: AnyObject, Sendable {
  /// Visits every key that is kept, expired and revoked ones too.
  func forEach(_ visit: (KeyRecord) -> Void) throws(Problem)
  func insert(_ keys: [KeyRecord]) throws(Problem)
  /// Adds a key, and writes what ``update(_:)`` does of another one: both, or neither.
  func insert(_ key: KeyRecord, updating other: KeyRecord) throws(Problem)
  /// Writes expiry, revocation and last use of a key that exists. A revocation is for good: nothing takes it back.
  func update(_ keys: [KeyRecord]) throws(Problem)
  /// Writes last uses and nothing else, so that it cannot undo what happens to a key meanwhile.
  func recordUses(_ uses: [KeyTable.Use]) throws(Problem)
  func find(_ id: String) throws(Problem) -> KeyRecord?
  /// At most `limit` keys, newest first, that stand after the cursor in that order.
  func page(after cursor: KeyCursor?, limit: Int) throws(Problem) -> [KeyRecord]
  /// nil, or why what is stored cannot be read now, in words without a path. It may block for a second or so; any
  /// thread, beside every other call. [not event]
  var readFault: String? { get }
}

/// A place in the list of keys: newest first, those of one instant by descending id.
package struct KeyCursor: Sendable, Comparable {
  package var created: Timestamp
  package var id: String

  package init(created: Timestamp, id: String) {
    self.created = created
    self.id = id
  }

  package init(_ record: KeyRecord) { self.init(created: record.created, id: record.id) }

  /// nil for text that ``text`` does not give.
  package init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, let microseconds = Int64(parts[0]), KeyID(String(parts[1])) != nil else {
      return nil
    }
    self.init(created: Timestamp(microseconds: microseconds), id: String(parts[1]))
  }

  package var text: String { "\(created.microseconds).\(id)" }

  /// Earlier in the list is greater.
  package static func < (a: KeyCursor, b: KeyCursor) -> Bool { (a.created, a.id) < (b.created, b.id) }
}

/// By a walk over all keys: right for any store, and replaced by one that has indexes.
extension KeyStore {
  package func find(_ id: String) throws(Problem) -> KeyRecord? {
    var found: KeyRecord?
    try forEach { if $0.id == id { found = $0 } }
    return found
  }

  package func page(after cursor: KeyCursor?, limit: Int) throws(Problem) -> [KeyRecord] {
    var page: [KeyRecord] = []
    func trim() {
      page.sort { KeyCursor($0) > KeyCursor($1) }
      page.removeLast(max(0, page.count - limit))
    }
    try forEach { record in
      if let cursor, KeyCursor(record) >= cursor { return }
      page.append(record)
      // Twice the page at most is held, whatever the number of keys.
      if page.count > limit * 2 { trim() }
    }
    trim()
    return page
  }
}

/// One generation as the catalog remembers it.
package struct GenerationRecord: Sendable, Equatable {
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
  /// Where its code runs; kept over reloads that do not say.
  package var isolation: Isolation
  package var loaded: Timestamp

  package init(
    automation: String, number: Int, sha256: String, file: String, source: String?, version: String,
    config: String, isolation: Isolation = .inProcess, loaded: Timestamp
  ) {
    self.automation = automation
    self.number = number
    self.sha256 = sha256
    self.file = file
    self.source = source
    self.version = version
    self.config = config
    self.isolation = isolation
    self.loaded = loaded
  }
}

package struct QuarantineRecord: Sendable, Equatable {
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
