package import Kernel

/// Every key, in memory, as the request path reads it: without a lock, an allocation or a reference count.
///
/// Readers may be any number of threads, at any time. Changes come from the control thread; a lock orders them
/// should there be several. A key that was found stays where it is as long as the table lives, so a
/// ``KeyGrant`` may be kept for the length of a request. Keys are never taken out: a revoked one stays, to be
/// refused by name, and 144 bytes of memory each is what a million of them cost.
package final class KeyTable: Sendable {
  /// Which granted scopes hold which required ones.
  package let scopes: ScopeMatrix

  let entries: KeyEntries
  private let index: KeyIndex
  private let limits: LimitList
  private let writer = Monitor(())

  /// `capacity` bounds the number of keys; `seed` is random.
  package init(
    capacity: Int = 4_194_304, defaultLimit: RateLimit, scopes: ScopeMatrix = ScopeMatrix(),
    seed: (UInt64, UInt64)
  ) throws(Problem) {
    precondition(capacity > 0 && capacity < Int(UInt32.max))
    self.scopes = scopes
    limits = try LimitList(defaultLimit)
    entries = KeyEntries(capacity: capacity + 1)
    index = KeyIndex(capacity: 32, seed: seed)
    // Entry 0 is what an unknown id is compared with: no key's digest is this one but by accident of 2^-256.
    let dummy = Digest256([UInt8](repeating: 0xA5, count: Digest256.byteCount))!
    _ = entries.append(
      KeyID(low: 0, high: 0), digest: dummy, principal: "".utf8.span, validUntil: 0,
      rights: KeyRights.revoked.word, lastUsed: 0)
  }

  package var count: Int { writer.withLock { _ in entries.count - 1 } }
}

// MARK: - The request path

/// What the text of a key turned out to be.
package enum KeyVerdict: Sendable, Equatable {
  case valid(KeyGrant)
  /// No key has this id, or its secret is another one: the caller must not learn which.
  case unknown
  /// The secret was right.
  case expired(KeyGrant)
  case revoked(KeyGrant)
}

/// A key that was found, and what it may do: one consistent reading.
package struct KeyGrant: Sendable, Equatable {
  let number: UInt32
  let limit: UInt16
  package let scopes: ScopeSetID
}

extension KeyTable {
  /// Judges a key by its id and the SHA-256 of its whole text. An unknown id takes the same way: its
  /// digest is compared with one that nothing has. [any]
  package func authenticate(_ id: KeyID, digest: Digest256, at now: Timestamp) -> KeyVerdict {
    let number = index.find(id) { entries.id($0) == id }
    let matches = entries.digest(number) == digest
    guard matches, number != 0 else { return .unknown }
    let rights = KeyRights(word: entries.rights(number))
    let grant = KeyGrant(number: UInt32(number), limit: rights.limit, scopes: rights.scopes)
    if rights.isRevoked { return .revoked(grant) }
    if now.microseconds >= entries.validUntil(number) { return .expired(grant) }
    return .valid(grant)
  }

  /// What a key that was let in before may do now; nil once it is revoked or expired. [any]
  package func now(_ grant: KeyGrant, at now: Timestamp) -> KeyGrant? {
    let number = Int(grant.number)
    let rights = KeyRights(word: entries.rights(number))
    guard !rights.isRevoked, now.microseconds < entries.validUntil(number) else { return nil }
    return KeyGrant(number: grant.number, limit: rights.limit, scopes: rights.scopes)
  }

  package func allows(_ grant: KeyGrant, _ required: RequiredScopeID) -> Bool {
    scopes.allows(grant.scopes, required)
  }

  /// Takes one request of the key's own quota. [any]
  package func take(_ grant: KeyGrant, at now: Instant) -> RateDecision {
    entries.take(Int(grant.number), limits.gcra(grant.limit), at: now)
  }

  /// The limit that ``take(_:at:)`` counts against, for headers.
  package func limit(of grant: KeyGrant) -> RateLimit { limits.limit(grant.limit) }

  /// Characters that an answer to this key may have; `Int.max` where the key does not say.
  package func answerLimit(of grant: KeyGrant) -> Int {
    let limit = entries.answerLimit(Int(grant.number))
    return limit == 0 ? .max : limit
  }

  /// Remembers when a key was last used, to the second. [any]
  package func touch(_ grant: KeyGrant, at now: Timestamp) {
    let seconds = UInt32(truncatingIfNeeded: now.microseconds / 1_000_000)
    // A line that does not change stays in every core's cache.
    if entries.lastUsed(Int(grant.number)) < seconds { entries.setLastUsed(Int(grant.number), seconds) }
  }

  package func id(of grant: KeyGrant) -> KeyID { entries.id(Int(grant.number)) }
}

// MARK: - Changes

extension KeyTable {
  /// Takes memory for so many keys at once, so that loading them does not grow the index step by step. [control]
  package func reserve(_ count: Int) {
    writer.withLock { _ in index.reserve(min(count, entries.capacity)) { entries.id($0) } }
  }

  /// Adds a key. [control]
  ///
  /// Throws `key.invalid`, `scope.invalid`, `limit.invalid` (422), `key.exists` (409), `key.table_full` (503).
  package func insert(_ record: KeyRecord) throws(Problem) {
    let (id, digest) = try KeyTable.check(record)
    let rights = try rights(of: record)
    try writer.withLock { _ throws(Problem) in
      guard index.find(id, { entries.id($0) == id }) == 0 else {
        throw Problem(409, "key.exists", "a key with this id exists", members: ["key": .string(record.id)])
      }
      let number = entries.append(
        id, digest: digest, principal: record.principal.utf8.span, answerLimit: record.answerLimit ?? 0,
        validUntil: KeyTable.end(record), rights: rights.word,
        lastUsed: UInt32(truncatingIfNeeded: max(0, record.lastUsed?.microseconds ?? 0) / 1_000_000))
      guard let number else {
        throw Problem(503, "key.table_full", "no more than \(entries.capacity - 1) keys fit")
      }
      index.insert(id, number) { entries.id($0) }
    }
  }

  /// Takes over expiry, revocation, scopes and limit of a key; digest, principal and limit of answers never change. [control]
  ///
  /// Throws what ``insert(_:)`` does, and `key.not_found` (404).
  package func update(_ record: KeyRecord) throws(Problem) {
    let (id, _) = try KeyTable.check(record)
    let rights = try rights(of: record)
    try writer.withLock { _ throws(Problem) in
      let number = index.find(id) { entries.id($0) == id }
      guard number != 0 else {
        throw Problem(404, "key.not_found", "no key has this id", members: ["key": .string(record.id)])
      }
      entries.set(number, validUntil: KeyTable.end(record), rights: rights.word)
    }
  }

  /// Adds a key, or takes over what ``update(_:)`` does of one that is there. Throws what they do. [control]
  package func put(_ record: KeyRecord) throws(Problem) {
    let isThere = KeyID(record.id).map { id in index.find(id) { entries.id($0) == id } != 0 } ?? false
    try isThere ? update(record) : insert(record)
  }

  /// Ends the keys that `isOver` names, as if they were revoked. Walks the whole table. [control]
  package func end(where isOver: (KeyID) -> Bool) {
    writer.withLock { _ in
      for number in 1..<max(1, entries.count) where isOver(entries.id(number)) {
        entries.set(number, validUntil: 0, rights: KeyRights.revoked.word)
      }
    }
  }

  /// Replaces the limit of all keys that have none of their own. [control]
  package func setDefaultLimit(_ limit: RateLimit) throws(Problem) { try limits.setDefault(limit) }

  /// When a key was last used, for the store to keep.
  package struct Use: Sendable, Equatable {
    package var key: KeyID
    package var at: Timestamp
  }

  /// The keys used at `since` or later. Walks the whole table: for the background, once a minute. [control]
  package func uses(since: Timestamp) -> [Use] {
    let first = UInt32(truncatingIfNeeded: max(0, since.microseconds) / 1_000_000)
    let count = writer.withLock { _ in entries.count }
    var uses: [Use] = []
    for number in 1..<max(1, count) {
      let seconds = entries.lastUsed(number)
      guard seconds != 0, seconds >= first else { continue }
      uses.append(
        Use(key: entries.id(number), at: Timestamp(microseconds: Int64(seconds) * 1_000_000)))
    }
    return uses
  }

  /// When the key was last used, to the second; nil when it was not since this table was filled, or is unknown. [any]
  package func lastUse(of id: KeyID) -> Timestamp? {
    let number = index.find(id) { entries.id($0) == id }
    let seconds = number == 0 ? 0 : entries.lastUsed(number)
    return seconds == 0 ? nil : Timestamp(microseconds: Int64(seconds) * 1_000_000)
  }

  private func rights(of record: KeyRecord) throws(Problem) -> KeyRights {
    let set = try scopes.set(record.scopes)
    let limit = try record.limit.map { limit throws(Problem) in
      try limits.intern(RateLimit(requests: limit.requests, per: .seconds(limit.periodSeconds)))
    }
    return KeyRights(scopes: set, limit: limit ?? LimitList.defaultNumber, isRevoked: record.revoked != nil)
  }

  private static func end(_ record: KeyRecord) -> Int64 { record.expires?.microseconds ?? .max }

  /// The longest principal, in bytes of UTF-8.
  package static let maxPrincipalBytes = 255

  private static func check(_ record: KeyRecord) throws(Problem) -> (KeyID, Digest256) {
    guard let id = KeyID(record.id), let digest = Digest256(record.digest) else {
      throw Problem(
        422, "key.invalid", "a key's id is 12 characters of 0-9 and a-z, its digest 32 bytes")
    }
    let principal = record.principal.utf8
    guard (1...maxPrincipalBytes).contains(principal.count),
      principal.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
    else {
      throw Problem(
        422, "key.invalid", "a principal is 1 to \(maxPrincipalBytes) bytes without control characters")
    }
    if let limit = record.answerLimit, !KeyRecord.answerLimits.contains(limit) {
      throw Problem(
        422, "key.invalid",
        "a limit of answers is from \(KeyRecord.answerLimits.lowerBound) to \(KeyRecord.answerLimits.upperBound) characters"
      )
    }
    return (id, digest)
  }
}

/// What a key may do, as one word: 15 bits of scope set, 16 of limit, one that it is revoked.
struct KeyRights {
  var scopes: ScopeSetID
  var limit: UInt16
  var isRevoked: Bool

  static let revoked = KeyRights(scopes: ScopeSetID(number: 0), limit: 0, isRevoked: true)

  init(scopes: ScopeSetID, limit: UInt16, isRevoked: Bool) {
    self.scopes = scopes
    self.limit = limit
    self.isRevoked = isRevoked
  }

  init(word: UInt32) {
    scopes = ScopeSetID(number: UInt16(word & 0x7FFF))
    limit = UInt16(truncatingIfNeeded: word >> 15)
    isRevoked = word >> 31 != 0
  }

  var word: UInt32 { UInt32(scopes.number) | UInt32(limit) << 15 | (isRevoked ? 1 << 31 : 0) }
}
