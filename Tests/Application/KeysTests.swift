import Application
import Doubles
import Domain
import Kernel
import Patience
import Testing

/// Changes of one key that meet.
@Suite struct KeysTests {
  /// Keys in memory, and one thing that happens on another thread in the middle of a write.
  private final class MeetingStore: KeyStore {
    private let inner = MemoryKeyStore()
    private let meeting = Monitor<(@Sendable () -> Void)?>(nil)

    /// `other` begins when a key is written, or the uses of keys, and has a while to end before that goes on.
    func meet(_ other: @escaping @Sendable () -> Void) { meeting.withLock { $0 = other } }

    private func happen() {
      guard let other = meeting.withLock({ $0.take() }) else { return }
      let ended = Monitor(false)
      OSThread("other") {
        other()
        ended.signal(all: true) { $0 = true }
      }.leave()
      // What has to wait for this write cannot end before it: then this is over at its limit.
      _ = ended.wait(until: .now + .milliseconds(300)) { $0 ? true : nil }
    }

    func forEach(_ visit: (KeyRecord) -> Void) throws(Problem) { try inner.forEach(visit) }
    func insert(_ keys: [KeyRecord]) throws(Problem) {
      happen()
      try inner.insert(keys)
    }
    func insert(_ key: KeyRecord, updating other: KeyRecord) throws(Problem) {
      happen()
      try inner.insert(key, updating: other)
    }
    func update(_ keys: [KeyRecord]) throws(Problem) {
      happen()
      try inner.update(keys)
    }
    func recordUses(_ uses: [KeyTable.Use]) throws(Problem) {
      happen()
      try inner.recordUses(uses)
    }
    var readFault: String? { inner.readFault }
  }

  private let store = MeetingStore()
  private let keys: Keys

  init() throws {
    let table = try KeyTable(
      capacity: 100, defaultLimit: RateLimit(requests: 10, per: .seconds(1)), seed: (1, 2))
    keys = Keys(table: table, store: store, digests: SumDigests())
  }

  private func issue() throws -> IssuedKey {
    try keys.issue(.init(principal: "agent", name: "k", scopes: ["a:read"])).key
  }

  private func verdict(_ key: IssuedKey) throws -> KeyVerdict {
    let text = key.text.utf8
    let id = KeyText.parse(text.span)
    return keys.table.authenticate(try #require(id), digest: SumDigests().sha256(text.span), at: .now)
  }

  private func isRevoked(_ key: IssuedKey) throws -> Bool {
    guard case .revoked = try verdict(key) else { return false }
    return try keys.find(key.id).revoked != nil
  }

  @Test func aKeyThatIsRevokedWhileItIsRotatedStaysRevoked() throws {
    let key = try issue()
    let revoked = Monitor(false)
    store.meet { [keys] in
      _ = try? keys.revoke(key.id)
      revoked.signal(all: true) { $0 = true }
    }
    // The successor is written, and with it the end of the old key.
    _ = try keys.rotate(key.id, grace: .seconds(3600))
    #expect(revoked.eventually { $0 ? true : nil } == true)
    #expect(try isRevoked(key))
    // In memory and in the store alike: a restart does not bring it back.
    #expect(try keys.find(key.id).expires != nil)
  }

  @Test func aKeyThatIsRevokedWhileUsesAreWrittenDownStaysRevoked() throws {
    let key = try issue()
    guard case .valid(let grant) = try verdict(key) else {
      Issue.record("a new key is valid")
      return
    }
    keys.table.touch(grant, at: .now)
    let revoked = Monitor(false)
    store.meet { [keys] in
      _ = try? keys.revoke(key.id)
      revoked.signal(all: true) { $0 = true }
    }
    try keys.storeUses(since: Timestamp(microseconds: 0))
    #expect(revoked.eventually { $0 ? true : nil } == true)
    #expect(try isRevoked(key))
  }
}

/// Digests that differ when the bytes do, often enough for a test.
private final class SumDigests: Digests {
  func sha256(_ bytes: Span<UInt8>) -> Digest256 {
    var all = [UInt8](repeating: 0, count: Digest256.byteCount)
    for index in bytes.indices { all[index % all.count] = all[index % all.count] &* 31 &+ bytes[index] }
    return Digest256(all)!
  }

  func hmacSHA256(key: Span<UInt8>, _ bytes: Span<UInt8>) -> Digest256 { preconditionFailure("not used") }
  func isEqual(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Bool { preconditionFailure("not used") }
  func sha256Stream() -> any DigestStream { preconditionFailure("not used") }
  func hmacSHA256Stream(key: Span<UInt8>) -> any DigestStream { preconditionFailure("not used") }
}
