package import Domain
package import Kernel
import Synchronization

/// API keys: recognises them on the request path, issues, rotates and revokes them for admins.
package final class Keys: Sendable {
  package let table: KeyTable
  private let store: any KeyStore
  private let digests: any Digests
  private let listeners = Monitor<[@Sendable (String) -> Void]>([])
  /// Held while a key is read, changed and written back: two changes of one key never mix.
  private let changes = Monitor(Standing())
  /// Until when what is in memory opens anything, in nanoseconds of ``Instant``: for good, where nobody looks after
  /// the store; 0 while it cannot be read.
  private let trusted = Atomic<Int64>(.max)

  private struct Standing {
    /// Something may be stored that is not in memory: the store was out of reach.
    var isBehind = false
  }

  package init(table: KeyTable, store: any KeyStore, digests: any Digests) {
    self.table = table
    self.store = store
    self.digests = digests
  }

  /// Calls `listener` with the id of each key that is revoked, rotated or otherwise changed, after it is stored.
  package func onChange(_ listener: @escaping @Sendable (String) -> Void) {
    listeners.withLock { $0.append(listener) }
  }

  private func tell(_ id: String) {
    for listener in listeners.withLock({ $0 }) { listener(id) }
  }

  /// Reads every stored key into memory; returns how many there are.
  package func restore() throws(Problem) -> Int {
    var failure: Problem?
    var count = 0
    try store.forEach { record in
      do throws(Problem) {
        try table.insert(record)
        count += 1
      } catch { failure = failure ?? error }
    }
    if let failure { throw failure }
    return count
  }

  // MARK: The store

  /// Looks whether the stored keys can be read, once in a while and for one thread. While they cannot, no key opens
  /// anything; nor does one `lease` after the last look that found them well, so that a look which does not return
  /// ends as a fault does. What was changed in between is taken over before keys open anything again.
  ///
  /// nil, or what is wrong, in words without a path. It may block. [not event]
  package func lookAtStore(lease: Duration) -> String? {
    let began = Instant.now
    let fault = store.readFault
    return changes.withLock { standing in
      if fault != nil { standing.isBehind = true }
      var fault = fault
      if fault == nil, standing.isBehind {
        do throws(Problem) {
          try takeOver()
          standing.isBehind = false
        } catch { fault = error.detail }
      }
      trusted.store(fault == nil ? (began + lease).nanoseconds : 0, ordering: .relaxed)
      return fault
    }
  }

  /// Makes what is in memory what is stored. A key that is not stored any more ends.
  private func takeOver() throws(Problem) {
    var stored: Set<KeyID> = []
    var failure: Problem?
    try store.forEach { record in
      if let id = KeyID(record.id) { stored.insert(id) }
      do throws(Problem) { try table.put(record) } catch { failure = failure ?? error }
    }
    if let failure { throw failure }
    table.end { !stored.contains($0) }
  }

  /// Another host changed a key: takes over what is stored of it. One that cannot be read may be a revocation: then
  /// no key opens anything until ``lookAtStore(lease:)`` has read them all.
  package func refresh(_ id: String) throws(Problem) {
    try changes.withLock { standing throws(Problem) in
      do throws(Problem) {
        guard let record = try store.find(id) else { return }
        try table.put(record)
      } catch {
        standing.isBehind = true
        trusted.store(0, ordering: .relaxed)
        throw error
      }
    }
  }

  // MARK: The request path

  /// The key that a request shows, as `Authorization: Bearer …` or `X-API-Key`. Throws 401: `access.key_missing`,
  /// `access.key_unknown`, `access.key_expired`, `access.key_revoked`; and 503 `access.unavailable`, whatever the key,
  /// while the stored keys cannot be read. [event]
  package func authenticate(_ exchange: Exchange) throws(Problem) -> KeyGrant {
    let text = try Keys.text(of: exchange)
    // Before anything is said of the key: a good one and a bad one are answered alike.
    guard exchange.started.nanoseconds < trusted.load(ordering: .relaxed) else { throw Keys.unavailable }
    let head = exchange.head
    guard let id = KeyText.parse(head.span(text)) else { throw Keys.unknown }
    let now = Timestamp.now
    switch table.authenticate(id, digest: digests.sha256(head.span(text)), at: now) {
    case .valid(let grant):
      table.touch(grant, at: now)
      return grant
    case .unknown: throw Keys.unknown
    case .expired:
      throw Problem(401, "access.key_expired", "This key has expired. Ask an admin for a new one.")
    case .revoked:
      throw Problem(401, "access.key_revoked", "This key was revoked. Ask an admin for a new one.")
    }
  }

  /// Where in the head a key stands that nobody has looked at yet; empty without exactly one. [event]
  package static func credential(of exchange: Exchange) -> ByteRange {
    guard exchange.has(.authorization) || exchange.has(.apiKey) else { return .empty }
    return (try? text(of: exchange)) ?? .empty
  }

  private static func text(of exchange: Exchange) throws(Problem) -> ByteRange {
    guard exchange.has(.authorization) else {
      guard exchange.has(.apiKey) else { throw missing }
      guard exchange.knownCount[KnownHeader.apiKey.rawValue] == 1 else { throw ambiguous }
      return exchange[.apiKey]
    }
    guard exchange.knownCount[KnownHeader.authorization.rawValue] == 1 else { throw ambiguous }
    let value = exchange[.authorization]
    let head = exchange.head
    let span = head.span(value)
    let scheme: StaticString = "bearer "
    guard span.count > scheme.utf8CodeUnitCount, span.hasPrefix(ignoringCase: scheme) else { throw missing }
    let length = scheme.utf8CodeUnitCount
    return ByteRange(offset: value.start + length, count: span.count - length)
  }

  private static let missing = Problem(
    401, "access.key_missing", "Send a key as 'Authorization: Bearer <key>' or 'X-API-Key: <key>'.")
  private static let unknown = Problem(401, "access.key_unknown", "No key like this is known.")
  private static let ambiguous = Problem(401, "access.key_ambiguous", "Send exactly one key.")
  private static let unavailable = Problem(
    503, "access.unavailable",
    "Keys cannot be checked now. Nothing was done; send the request again after the time in Retry-After.",
    retryAfterSeconds: 2)

  // MARK: Administration

  package struct Issue: Sendable {
    package var principal: String
    package var name: String
    package var scopes: [String]
    package var limit: RateLimitRecord?
    package var answerLimit: Int?
    package var lifetime: Duration?

    package init(
      principal: String, name: String, scopes: [String], limit: RateLimitRecord? = nil,
      answerLimit: Int? = nil, lifetime: Duration? = nil
    ) {
      self.principal = principal
      self.name = name
      self.scopes = scopes
      self.limit = limit
      self.answerLimit = answerLimit
      self.lifetime = lifetime
    }
  }

  /// Makes a key. Its text is in the result and nowhere else. [control]
  ///
  /// `handOver` gets the key before it is stored: when it throws, no key was made.
  package func issue(
    _ request: Issue, handOver: (IssuedKey) throws(Problem) -> Void = { _ in }
  ) throws(Problem) -> (key: IssuedKey, record: KeyRecord) {
    try changes.withLock { _ throws(Problem) in try issueLocked(request, handOver: handOver) }
  }

  private func issueLocked(
    _ request: Issue, handOver: (IssuedKey) throws(Problem) -> Void = { _ in }
  ) throws(Problem) -> (key: IssuedKey, record: KeyRecord) {
    let (key, record) = try make(request)
    try handOver(key)
    try add(record) { () throws(Problem) in try store.insert([record]) }
    return (key, record)
  }

  private func make(_ request: Issue) throws(Problem) -> (key: IssuedKey, record: KeyRecord) {
    guard !request.scopes.isEmpty, request.scopes.count <= 64 else {
      throw Problem(422, "key.scopes_invalid", "A key holds 1 to 64 scopes.")
    }
    let key = KeyText.issue(random: randomBytes(KeyText.randomBytes))
    let now = Timestamp.now
    let record = key.record(
      digest: digests.sha256(key.text.utf8.span), principal: request.principal, name: request.name,
      scopes: request.scopes, limit: request.limit, answerLimit: request.answerLimit, created: now,
      expires: request.lifetime.map { now + $0 })
    return (key, record)
  }

  /// Into memory first, which may have no room or refuse the record; then what `store` does.
  private func add(_ record: KeyRecord, storing: () throws(Problem) -> Void) throws(Problem) {
    try table.insert(record)
    do throws(Problem) { try storing() } catch {
      // Nobody has seen the key's text; what is in memory must not outlive what is stored.
      var ended = record
      ended.revoked = record.created
      try table.update(ended)
      throw error
    }
  }

  /// One page of the keys, newest first; `after` is the ``KeyCursor`` of the last one seen.
  package func page(after cursor: KeyCursor?, limit: Int) throws(Problem) -> [KeyRecord] {
    var page = try store.page(after: cursor, limit: limit)
    for index in page.indices {
      // The table knows of uses that the background has not written down yet.
      guard let id = KeyID(page[index].id), let used = table.lastUse(of: id) else { continue }
      page[index].lastUsed = max(used, page[index].lastUsed ?? used)
    }
    return page
  }

  /// Ends a key at once. Where that cannot be stored it throws, and the key is what it was, in memory as in the
  /// store: every host and every restart say the same of it, and whoever asked can ask again.
  package func revoke(_ id: String) throws(Problem) -> KeyRecord {
    try changes.withLock { _ throws(Problem) in
      var record = try find(id)
      if record.revoked == nil { record.revoked = .now }
      try store.update([record])
      try table.put(record)
      tell(record.id)
      return record
    }
  }

  /// Issues a successor with the same principal, scopes and limits; the old key ends after `grace`. Both are stored in
  /// one step: where it throws, neither is.
  package func rotate(
    _ id: String, grace: Duration
  ) throws(Problem) -> Rotation {
    try changes.withLock { _ throws(Problem) in try rotateLocked(id, grace: grace) }
  }

  /// What a rotation did.
  package struct Rotation: Sendable {
    package var key: IssuedKey
    package var record: KeyRecord
    /// The old key as it is now, and when it would have ended.
    package var old: KeyRecord
    package var oldExpiry: Timestamp?
  }

  /// Takes a rotation back, in one step: the successor, which nobody has seen, is revoked, and the old key ends when it
  /// would have without it. A key that was revoked or rotated again meanwhile stays as that left it.
  package func undo(_ rotation: Rotation) throws(Problem) {
    try changes.withLock { _ throws(Problem) in
      var changed = [try find(rotation.record.id)]
      if changed[0].revoked == nil { changed[0].revoked = .now }
      var old = try find(rotation.old.id)
      if old.revoked == nil, old.expires == rotation.old.expires {
        old.expires = rotation.oldExpiry
        changed.append(old)
      }
      try store.update(changed)
      for record in changed {
        try table.put(record)
        tell(record.id)
      }
    }
  }

  private func rotateLocked(_ id: String, grace: Duration) throws(Problem) -> Rotation {
    var old = try find(id)
    let oldExpiry = old.expires
    guard old.revoked == nil else {
      throw Problem(409, "key.revoked", "Key \(id) is revoked; issue a new one.")
    }
    let lifetime = old.expires.map { Duration.microseconds($0.microseconds - old.created.microseconds) }
    let (key, record) = try make(
      Issue(
        principal: old.principal, name: old.name, scopes: old.scopes, limit: old.limit,
        answerLimit: old.answerLimit, lifetime: lifetime))
    let end = Timestamp.now + grace
    old.expires = min(end, old.expires ?? end)
    try add(record) { () throws(Problem) in try store.insert(record, updating: old) }
    try table.put(old)
    tell(old.id)
    return Rotation(key: key, record: record, old: old, oldExpiry: oldExpiry)
  }

  /// Throws `key.not_found` (404).
  package func find(_ id: String) throws(Problem) -> KeyRecord {
    guard let found = try store.find(id) else {
      throw Problem(404, "key.not_found", "No key has the id '\(id)'.")
    }
    return found
  }

  /// Writes down when keys were used, since the last time. [background]
  package func storeUses(since: Timestamp) throws(Problem) {
    let uses = table.uses(since: since)
    if !uses.isEmpty { try store.recordUses(uses) }
  }
}
