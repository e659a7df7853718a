import Application
import Domain
import Doubles
import Kernel
import Testing

/// Keys whose store cannot be read: nothing opens, whatever is in memory.
@Suite struct KeyStoreFaultTests {
  private let store = MemoryKeyStore()
  private let keys: Keys
  private let good: IssuedKey
  private static let unreadable = Problem(503, "control.unavailable", "it cannot be read")

  init() throws {
    let table = try KeyTable(
      capacity: 10, defaultLimit: RateLimit(requests: 10, per: .seconds(1)), seed: (1, 2))
    keys = Keys(table: table, store: store, digests: WeakDigests())
    good = try keys.issue(.init(principal: "agent", name: "k", scopes: ["a:read"])).key
  }

  /// What a request that begins then is told: nil when its key opens.
  private func refusal(_ text: String?, at began: Instant = .now) -> Problem? {
    let headers = text.map { [("x-api-key", $0)] } ?? []
    do throws(Problem) {
      _ = try keys.authenticate(.asking("GET", "/", headers: headers, at: began))
      return nil
    } catch { return error }
  }

  @Test func everyKeyIsRefusedAlikeWhileTheStoreCannotBeRead() {
    #expect(keys.lookAtStore(lease: .seconds(60)) == nil && refusal(good.text) == nil)
    store.failures.withLock { $0.fault = "its file is gone" }
    #expect(refusal(good.text) == nil, "nobody has looked")
    #expect(keys.lookAtStore(lease: .seconds(60)) == "its file is gone")
    for text in [good.text, String(good.text.dropLast()) + "x", "nonsense", ""] {
      let refusal = refusal(text)
      #expect(refusal?.status == 503 && refusal?.code == "access.unavailable", "'\(text)'")
      #expect(refusal?.retryAfterSeconds == 2)
    }
    #expect(refusal(nil)?.code == "access.key_missing", "who shows none is asked for one")
    store.failures.withLock { $0.fault = nil }
    #expect(refusal(good.text) != nil, "nobody has looked")
    #expect(keys.lookAtStore(lease: .seconds(60)) == nil)
    #expect(refusal(good.text) == nil && refusal("nonsense")?.code == "access.key_unknown")
  }

  @Test func aLookThatDoesNotComeBackEndsAsAFaultDoes() {
    #expect(refusal(good.text, at: .now + .seconds(1_000_000)) == nil, "where nobody looks")
    // The lease begins between these two.
    let before = Instant.now
    _ = keys.lookAtStore(lease: .seconds(60))
    let after = Instant.now
    #expect(refusal(good.text, at: before + .seconds(60) + .nanoseconds(-1)) == nil)
    #expect(refusal(good.text, at: after + .seconds(60))?.code == "access.unavailable")
    _ = keys.lookAtStore(lease: .seconds(3600))
    #expect(refusal(good.text, at: after + .seconds(60)) == nil)
  }

  @Test func whatWasChangedMeanwhileIsTakenOverBeforeKeysOpenAgain() throws {
    let ended = try keys.issue(.init(principal: "agent", name: "e", scopes: ["a:read"])).key
    let lost = try keys.issue(.init(principal: "agent", name: "l", scopes: ["a:read"])).key
    let other = Keys(
      table: try KeyTable(
        capacity: 10, defaultLimit: RateLimit(requests: 10, per: .seconds(1)), seed: (3, 4)),
      store: store, digests: WeakDigests())
    #expect(try other.restore() == 3)
    store.failures.withLock { $0.fault = "its file is gone" }
    _ = keys.lookAtStore(lease: .seconds(60))
    _ = try other.revoke(ended.id)
    let new = try other.issue(.init(principal: "agent", name: "n", scopes: ["a:read"])).key
    store.inserts.withLock { batches in
      batches = batches.map { batch in batch.filter { $0.id != lost.id } }
    }
    // It can be opened, and its keys not be read.
    store.failures.withLock { failures in
      failures.fault = nil
      failures.reading = KeyStoreFaultTests.unreadable
    }
    #expect(keys.lookAtStore(lease: .seconds(60)) == "it cannot be read")
    #expect(refusal(good.text)?.code == "access.unavailable")
    store.failures.withLock { $0.reading = nil }
    #expect(keys.lookAtStore(lease: .seconds(60)) == nil)
    #expect(refusal(good.text) == nil && refusal(new.text) == nil)
    #expect(refusal(ended.text)?.code == "access.key_revoked")
    #expect(refusal(lost.text)?.status == 401, "what is not stored opens nothing")
  }

  @Test func aChangeThatCannotBeReadClosesAtOnce() throws {
    let key = try keys.issue(.init(principal: "agent", name: "k", scopes: ["a:read"])).key
    _ = keys.lookAtStore(lease: .seconds(60))
    var record = try keys.find(key.id)
    record.revoked = .now
    try store.update([record])
    store.failures.withLock { $0.reading = KeyStoreFaultTests.unreadable }
    #expect(throws: Problem.self) { try keys.refresh(key.id) }
    #expect(refusal(key.text)?.code == "access.unavailable")
    #expect(refusal(good.text)?.code == "access.unavailable")
    store.failures.withLock { $0.reading = nil }
    #expect(keys.lookAtStore(lease: .seconds(60)) == nil)
    #expect(refusal(key.text)?.code == "access.key_revoked" && refusal(good.text) == nil)
  }

  // MARK: Writes

  private static let full = Problem(503, "control.unavailable", "its disk is full", retryAfterSeconds: 30)

  /// Everything that is stored.
  private func all() throws -> [KeyRecord] {
    var all: [KeyRecord] = []
    try store.forEach { all.append($0) }
    return all
  }

  @Test func aKeyThatIsNotStoredIsNotValid() throws {
    let before = try all()
    store.failures.withLock { $0.writing = KeyStoreFaultTests.full }
    let handedOver = Monitor<IssuedKey?>(nil)
    let problem = #expect(throws: Problem.self) {
      try keys.issue(.init(principal: "p", name: "", scopes: ["a:read"])) { key throws(Problem) in
        handedOver.withLock { $0 = key }
        #expect(refusal(key.text)?.code == "access.key_unknown", "it is no key yet")
      }
    }
    #expect(problem?.code == "control.unavailable" && problem?.retryAfterSeconds == 30)
    let key = try #require(handedOver.withLock { $0 })
    #expect(refusal(key.text)?.status == 401)
    store.failures.withLock { $0.writing = nil }
    #expect(try all() == before && refusal(key.text)?.status == 401)
    #expect(refusal(good.text) == nil, "the others are what they were")
  }

  @Test func aRevocationThatIsNotStoredHasFailedAndCanBeAskedForAgain() throws {
    let told = Monitor<[String]>([])
    keys.onChange { id in told.withLock { $0.append(id) } }
    store.failures.withLock { $0.writing = KeyStoreFaultTests.full }
    let problem = #expect(throws: Problem.self) { try keys.revoke(good.id) }
    #expect(problem?.code == "control.unavailable")
    #expect(try keys.find(good.id).revoked == nil && refusal(good.text) == nil)
    #expect(told.withLock { $0 } == [], "nobody is told of what did not happen")
    store.failures.withLock { $0.writing = nil }
    #expect(try keys.revoke(good.id).revoked != nil)
    #expect(refusal(good.text)?.code == "access.key_revoked" && told.withLock { $0 } == [good.id])
  }

  @Test func aRotationThatIsNotStoredLeavesTheKeyAndNoSuccessor() throws {
    let before = try all()
    store.failures.withLock { $0.writing = KeyStoreFaultTests.full }
    #expect(throws: Problem.self) { try keys.rotate(good.id, grace: .zero) }
    store.failures.withLock { $0.writing = nil }
    #expect(try all() == before && refusal(good.text) == nil)

    // Nor is half of one taken back.
    let rotation = try keys.rotate(good.id, grace: .zero)
    let after = try all()
    store.failures.withLock { $0.writing = KeyStoreFaultTests.full }
    #expect(throws: Problem.self) { try keys.undo(rotation) }
    #expect(refusal(rotation.key.text) == nil && refusal(good.text)?.code == "access.key_expired")
    store.failures.withLock { $0.writing = nil }
    #expect(try all() == after)
    try keys.undo(rotation)
    #expect(refusal(rotation.key.text)?.code == "access.key_revoked" && refusal(good.text) == nil)
  }
}
