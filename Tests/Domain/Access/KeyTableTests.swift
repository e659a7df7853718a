import Domain
import Kernel
import Synchronization
import Testing

@Suite struct KeyTextTests {
  private let random = (0..<40).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }

  @Test func whatIsIssuedParses() throws {
    let key = KeyText.issue(random: random)
    #expect(key.text.utf8.count == 59)
    #expect(parse(Array(key.text.utf8))?.text == key.id)
    #expect(KeyText.issue(random: random).text == key.text)
  }

  @Test func theSecretHoldsAllItsRandomBytes() throws {
    let key = KeyText.issue(random: random)
    #expect(Base64URL.decode(String(key.text.suffix(43))) == Array(random.suffix(32)))
  }

  @Test func neverPrintsItsSecret() {
    let key = KeyText.issue(random: random)
    var dumped = ""
    dump(key, to: &dumped)
    for text in ["\(key)", String(reflecting: key), dumped] {
      #expect(!text.contains(key.text.suffix(43)))
    }
  }

  @Test func refusesEveryChangeOfShape() {
    let good = Array(KeyText.issue(random: random).text.utf8)
    #expect(parse(good) != nil)
    #expect(parse(Array(good.dropLast())) == nil)
    #expect(parse(good + [65]) == nil)
    #expect(parse([]) == nil)
    for place in good.indices {
      var bad = good
      bad[place] = UInt8(ascii: ".")
      #expect(parse(bad) == nil, "place \(place)")
    }
    for place in 3..<15 {
      var bad = good
      bad[place] = UInt8(ascii: "A")
      #expect(parse(bad) == nil)
    }
  }

  @Test func survivesRandomBytes() {
    var source = Xorshift(seed: 7)
    for _ in 0..<20_000 {
      var text = Array(KeyText.issue(random: random).text.utf8)
      for _ in 0..<Int(source.next() % 4) {
        text[Int(source.next() % UInt64(text.count))] = UInt8(truncatingIfNeeded: source.next())
      }
      if source.next() % 4 == 0 { text.removeLast(Int(source.next() % 59)) }
      let parsed = KeyText.parse(text.span)
      #expect((parsed != nil) == isKeyText(text))
    }
  }

  private func isKeyText(_ text: [UInt8]) -> Bool {
    let secret = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    let id = Set("abcdefghijklmnopqrstuvwxyz0123456789".utf8)
    return text.count == 59 && text.starts(with: "ck_".utf8) && text[15] == UInt8(ascii: "_")
      && text[3..<15].allSatisfy(id.contains) && text[16...].allSatisfy(secret.contains)
  }
}

@Suite struct KeyTableTests {
  private let now = Timestamp(microseconds: 1_000_000_000)

  @Test func findsAKeyByItsIdAndDigest() throws {
    let table = try makeTable()
    try table.insert(record(1, principal: "agent-1", scopes: ["accounts:*"]))
    guard case .valid(let grant) = table.authenticate(id(1), digest: digest(1), at: now) else {
      Issue.record("refused")
      return
    }
    #expect(table.id(of: grant) == id(1))
    #expect(String(table.principal(of: grant)) == "agent-1")
    #expect(table.allows(grant, try table.scopes.require("accounts:read")))
    #expect(!table.allows(grant, try table.scopes.require("hello:say")))
    #expect(table.limit(of: grant) == RateLimit(requests: 200, per: .seconds(60)))
  }

  @Test func anotherSecretAndAnotherIdAreTheSameAnswer() throws {
    let table = try makeTable()
    try table.insert(record(1))
    #expect(table.authenticate(id(1), digest: digest(2), at: now) == .unknown)
    #expect(table.authenticate(id(2), digest: digest(1), at: now) == .unknown)
    let dummy = Digest256([UInt8](repeating: 0xA5, count: 32))!
    #expect(table.authenticate(id(2), digest: dummy, at: now) == .unknown)
  }

  @Test func aKeyEndsAtItsInstant() throws {
    let table = try makeTable()
    try table.insert(record(1, expires: now))
    let before = Timestamp(microseconds: now.microseconds - 1)
    guard case .valid = table.authenticate(id(1), digest: digest(1), at: before),
      case .expired = table.authenticate(id(1), digest: digest(1), at: now)
    else {
      Issue.record("wrong side of the limit")
      return
    }
  }

  @Test func revocationCountsAtOnce() throws {
    let table = try makeTable()
    var key = record(1)
    try table.insert(key)
    key.revoked = now
    try table.update(key)
    guard case .revoked = table.authenticate(id(1), digest: digest(1), at: now) else {
      Issue.record("still accepted")
      return
    }
    #expect(table.authenticate(id(1), digest: digest(2), at: now) == .unknown)
  }

  @Test func updatesScopesAndLimits() throws {
    let table = try makeTable()
    var key = record(1, scopes: ["a:read"])
    try table.insert(key)
    key.scopes = ["b:read"]
    key.limit = RateLimitRecord(requests: 1, periodSeconds: 60)
    try table.update(key)
    let grant = try grant(1, in: table)
    #expect(table.allows(grant, try table.scopes.require("b:read")))
    #expect(!table.allows(grant, try table.scopes.require("a:read")))
    let start = Instant(nanoseconds: 1)
    #expect(table.take(grant, at: start).isAllowed && !table.take(grant, at: start).isAllowed)
  }

  @Test func theDefaultLimitChangesForAllWithoutTheirOwn() throws {
    let table = try makeTable()
    try table.insert(record(1))
    try table.insert(record(2, limit: RateLimitRecord(requests: 200, periodSeconds: 60)))
    try table.setDefaultLimit(RateLimit(requests: 5, per: .seconds(1)))
    #expect(table.limit(of: try grant(1, in: table)).requests == 5)
    #expect(table.limit(of: try grant(2, in: table)).requests == 200)
  }

  @Test func remembersTheLastUse() throws {
    let table = try makeTable()
    try table.insert(record(1))
    try table.insert(record(2))
    table.touch(try grant(2, in: table), at: now)
    #expect(table.uses(since: Timestamp(microseconds: 0)).map(\.key) == [id(2)])
    #expect(table.uses(since: now).count == 1)
    #expect(table.uses(since: now + .seconds(1)).isEmpty)
  }

  @Test(arguments: [1, 55, 56, 57, 255])
  func keepsPrincipalsOfEveryLength(length: Int) throws {
    let table = try makeTable()
    let principal = String((0..<length).map { Character(UnicodeScalar(UInt8(97 + $0 % 26))) })
    try table.insert(record(1, principal: principal))
    #expect(String(table.principal(of: try grant(1, in: table))) == principal)
  }

  @Test func refusesWhatIsNotAKey() throws {
    let table = try makeTable()
    var short = record(1)
    short.digest.removeLast()
    var foreign = record(1)
    foreign.id = "ABCDEFGHIJKL"
    let invalid = [
      short, foreign, record(1, principal: ""), record(1, principal: "a\n"),
      record(1, principal: String(repeating: "a", count: 256)),
    ]
    for key in invalid {
      #expect(#expect(throws: Problem.self) { try table.insert(key) }?.code == "key.invalid")
    }
    let limited = record(1, limit: RateLimitRecord(requests: 0, periodSeconds: 1))
    #expect(#expect(throws: Problem.self) { try table.insert(limited) }?.code == "limit.invalid")
    #expect(table.count == 0)
    try table.insert(record(1))
    #expect(#expect(throws: Problem.self) { try table.insert(record(1)) }?.code == "key.exists")
    #expect(#expect(throws: Problem.self) { try table.update(record(2)) }?.code == "key.not_found")
  }

  @Test func holdsItsCapacityAndNoMore() throws {
    let table = try makeTable(capacity: 3)
    for number in 1...3 { try table.insert(record(number)) }
    #expect(#expect(throws: Problem.self) { try table.insert(record(4)) }?.code == "key.table_full")
    for number in 1...3 { _ = try grant(number, in: table) }
  }

  @Test func keepsEveryKeyWhileItGrows() throws {
    let table = try makeTable(capacity: 50_000)
    for number in 1...40_000 { try table.insert(record(number)) }
    for number in 1...40_000 { #expect(try grant(number, in: table).scopes.number == 0) }
    #expect(table.count == 40_000)
  }

  @Test func readersFindEveryPublishedKeyWhileAWriterAdds() throws {
    let table = try makeTable(capacity: 30_000)
    let shared = Shared()
    let now = now
    let readers = (0..<2).map { reader in
      OSThread("reader") {
        var source = Xorshift(seed: UInt64(reader) + 1)
        while !shared.isOver.load(ordering: .relaxed) {
          let last = shared.published.load(ordering: .acquiring)
          guard last > 0 else { continue }
          let number = Int(source.next() % UInt64(last)) + 1
          guard case .valid(let grant) = table.authenticate(id(number), digest: digest(number), at: now),
            String(table.principal(of: grant)) == "agent-\(number)"
          else {
            shared.missed.add(1, ordering: .relaxed)
            continue
          }
          _ = table.take(grant, at: Instant(nanoseconds: 1))
          table.touch(grant, at: now)
        }
      }
    }
    for number in 1...20_000 {
      try table.insert(record(number, principal: "agent-\(number)"))
      shared.published.store(number, ordering: .releasing)
    }
    shared.isOver.store(true, ordering: .relaxed)
    for reader in readers { reader.join() }
    #expect(shared.missed.load(ordering: .relaxed) == 0)
  }

  private final class Shared: Sendable {
    let published = Atomic<Int>(0)
    let missed = Atomic<Int>(0)
    let isOver = Atomic<Bool>(false)
  }

  private func grant(_ number: Int, in table: KeyTable) throws -> KeyGrant {
    let verdict = table.authenticate(id(number), digest: digest(number), at: now)
    guard case .valid(let grant) = verdict else { throw Problem(401, "test", "\(verdict)") }
    return grant
  }
}

private func parse(_ text: [UInt8]) -> KeyID? { KeyText.parse(text.span) }

private func makeTable(capacity: Int = 100) throws -> KeyTable {
  try KeyTable(capacity: capacity, defaultLimit: RateLimit(requests: 200, per: .seconds(60)), seed: (11, 12))
}

private func id(_ number: Int) -> KeyID { KeyID(idText(number))! }

private func idText(_ number: Int) -> String {
  let digits = String(number, radix: 36)
  return String(repeating: "0", count: 12 - digits.count) + digits
}

private func digest(_ number: Int) -> Digest256 {
  Digest256((0..<32).map { UInt8(truncatingIfNeeded: number >> ($0 % 4 * 8)) &+ UInt8($0) })!
}

private func record(
  _ number: Int, principal: String = "agent", scopes: [String] = [], limit: RateLimitRecord? = nil,
  expires: Timestamp? = nil
) -> KeyRecord {
  KeyRecord(
    id: idText(number), digest: digest(number).bytes, principal: principal, name: "test", scopes: scopes,
    limit: limit, created: Timestamp(microseconds: 0), expires: expires)
}

/// Marsaglia's xorshift64: the same numbers on every run.
struct Xorshift {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}
