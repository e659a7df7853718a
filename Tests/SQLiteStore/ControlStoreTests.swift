import Application
import Domain
import Kernel
import SQLiteStore
import Testing

@Suite struct ControlStoreTests {
  private let folder = TemporaryFolder()

  private func open() throws(Problem) -> SQLiteControlStore {
    try SQLiteControlStore(path: folder.path + "/home/council.sqlite")
  }

  private func key(_ number: Int, created: Int64? = nil) -> KeyRecord {
    KeyRecord(
      id: String("00000000000\(number)".suffix(12)),
      digest: [UInt8](repeating: UInt8(number % 256), count: 32),
      principal: "agent-\(number)", name: "key \(number)", scopes: ["accounts:read", "accounts:write"],
      limit: number % 2 == 0 ? RateLimitRecord(requests: number + 1, periodSeconds: 60) : nil,
      created: Timestamp(microseconds: created ?? Int64(number)),
      expires: number % 3 == 0 ? Timestamp(microseconds: 99) : nil)
  }

  private func all(_ store: SQLiteControlStore) throws -> [KeyRecord] {
    var keys: [KeyRecord] = []
    try store.forEach { keys.append($0) }
    return keys
  }

  private func generation(_ automation: String, _ number: Int) -> GenerationRecord {
    GenerationRecord(
      automation: automation, number: number, sha256: "ab\(number)",
      file: "generations/\(automation)/\(number).so",
      source: number % 2 == 0 ? "/x.so" : nil, version: "1.\(number)", config: "{}",
      isolation: number % 2 == 0 ? .inProcess : .process(runners: number),
      loaded: Timestamp(microseconds: Int64(number)))
  }

  // MARK: Keys

  @Test func keysComeBackAsTheyWere() throws {
    let keys =
      (0..<20).map { key($0) } + [
        KeyRecord(
          id: "zzzzzzzzzzzz", digest: [], principal: "", name: "é", scopes: [],
          created: Timestamp(microseconds: -1))
      ]
    try open().insert(keys)
    #expect(try all(open()) == keys)
  }

  @Test func aTakenIdLeavesNoneOfThemBehind() throws {
    let store = try open()
    try store.insert([key(1)])
    let problem = #expect(throws: Problem.self) { try store.insert([key(2), key(1), key(3)]) }
    #expect(problem?.code == "control.key_exists")
    #expect(problem?.members["id"] == "000000000001")
    #expect(try all(store).map(\.id) == ["000000000001"])
    try store.insert([key(2), key(3)])
    #expect(try all(store).count == 3)
  }

  @Test func aKeyIsAddedAndAnotherChangedOrNeither() throws {
    let store = try open()
    try store.insert([key(1), key(2)])
    var old = key(2)
    old.expires = Timestamp(microseconds: 7)
    try store.insert(key(3), updating: old)
    #expect(try all(store) == [key(1), old, key(3)])
    var again = old
    again.expires = Timestamp(microseconds: 9)
    let problem = #expect(throws: Problem.self) { try store.insert(key(1), updating: again) }
    #expect(problem?.code == "control.key_exists")
    #expect(try all(store) == [key(1), old, key(3)])
  }

  @Test func updatesExpiryRevocationAndLastUseOnly() throws {
    let store = try open()
    try store.insert([key(1), key(3)])
    var changed = key(3)
    changed.name = "other"
    changed.expires = nil
    changed.revoked = Timestamp(microseconds: 7)
    changed.lastUsed = Timestamp(microseconds: 8)
    try store.update([changed, key(9)])
    var expected = key(3)
    expected.expires = nil
    expected.revoked = Timestamp(microseconds: 7)
    expected.lastUsed = Timestamp(microseconds: 8)
    #expect(try all(store) == [key(1), expected])
    #expect(try store.find(expected.id) == expected)
    #expect(try store.find("none") == nil)
  }

  @Test func pagesAreNewestFirstAndMeetEachKeyOnce() throws {
    let store = try open()
    // Three keys share each instant.
    let keys = (0..<20).map { key($0, created: Int64($0 / 3)) }
    try store.insert(keys.shuffled())
    var seen: [KeyRecord] = []
    var cursor: KeyCursor?
    while true {
      let page = try store.page(after: cursor, limit: 7)
      seen += page
      guard page.count == 7 else { break }
      cursor = page.last.map { KeyCursor($0) }
    }
    #expect(seen.map(\.id) == keys.map(\.id).reversed())
    #expect(try store.page(after: nil, limit: 0).isEmpty)
  }

  @Test func aVisitMayCallTheStore() throws {
    let store = try open()
    try store.insert([key(1), key(2)])
    var found = 0
    try store.forEach { key in if (try? store.find(key.id)) == key { found += 1 } }
    #expect(found == 2)
  }

  // MARK: Catalog

  @Test func numbersAreNeverGivenTwice() throws {
    let store = try open()
    #expect(try store.nextNumber(of: "a") == 1)
    #expect(try store.nextNumber(of: "a") == 2)
    #expect(try store.nextNumber(of: "b") == 1)
    let given = Monitor<[Int]>([])
    let threads = (0..<4).map { _ in
      OSThread("numbers") {
        for _ in 0..<10 {
          if let number = try? store.nextNumber(of: "a") { given.withLock { $0.append(number) } }
        }
      }
    }
    for thread in threads { thread.join() }
    #expect(given.withLock { $0.sorted() } == Array(3...42))
    #expect(try open().nextNumber(of: "a") == 43)
  }

  @Test func theActiveSetIsWhatWasActivatedLast() throws {
    let store = try open()
    try store.activate([generation("a", 1), generation("b", 1)])
    try store.activate([generation("a", 2)])
    #expect(try store.activeSet() == [generation("a", 2), generation("b", 1)])
    #expect(try store.generations(of: "a") == [generation("a", 2), generation("a", 1)])
    #expect(try store.generations(of: nil).count == 3)
    try store.activate([generation("a", 1)])
    try store.deactivate("b")
    let again = try open()
    #expect(try again.activeSet() == [generation("a", 1)])
    #expect(try again.generations(of: "b") == [generation("b", 1)])
    try again.forget([generation("a", 1), generation("a", 2), generation("b", 1)])
    #expect(try again.generations(of: nil) == [generation("a", 1)])
    #expect(try again.activeSet() == [generation("a", 1)])
  }

  @Test func quarantineIsKeptUntilItIsReleased() throws {
    let store = try open()
    let record = QuarantineRecord(
      sha256: "ab", code: "plugin.probe.crashed", detail: "it's gone", since: Timestamp(microseconds: 5))
    try store.quarantine(record)
    #expect(try open().quarantined("ab") == record)
    #expect(try store.quarantine() == [record])
    #expect(try store.quarantined("cd") == nil)
    #expect(try store.release("ab"))
    #expect(try !store.release("ab"))
    #expect(try store.quarantine().isEmpty)
  }

  // MARK: The file

  @Test func aFileOfALaterHostIsRefused() throws {
    _ = try open()
    let connection = try Connection(
      path: folder.path + "/home/council.sqlite", mode: .existing, busyTimeout: .zero, maxValueBytes: 1 << 20)
    try connection.execute("PRAGMA user_version=99")
    let problem = #expect(throws: Problem.self) { try open() }
    #expect(problem?.code == "control.newer_layout")
    #expect(problem?.members["found"] == 99)
    #expect(folder.mode(of: "home/council.sqlite") == 0o600)
  }

  @Test(arguments: ["CREATE TABLE t(x)", "CREATE TABLE keys(x)", "CREATE TABLE t(x); PRAGMA user_version=1"])
  func anotherProgramsDatabaseIsRefusedAndNotTouched(sql: String) throws {
    try Connection(
      path: folder.path + "/other.sqlite", mode: .create, busyTimeout: .zero, maxValueBytes: 1 << 20
    ).execute(sql)
    let before = try folder.read("other.sqlite")
    let problem = #expect(throws: Problem.self) {
      try SQLiteControlStore(path: folder.path + "/other.sqlite")
    }
    #expect(problem?.status == 409)
    #expect(problem?.code == "control.foreign_file")
    #expect(try folder.read("other.sqlite") == before)
  }

  @Test func anEmptyFileIsNew() throws {
    try folder.write([], to: "empty.sqlite")
    let store = try SQLiteControlStore(path: folder.path + "/empty.sqlite")
    #expect(try store.activeSet().isEmpty)
  }

  @Test func whatCannotBeUsedIsUnavailable() throws {
    try folder.write([UInt8](repeating: 0x5A, count: 4096), to: "broken.sqlite")
    let broken = #expect(throws: Problem.self) {
      try SQLiteControlStore(path: folder.path + "/broken.sqlite")
    }
    #expect(broken?.status == 503)
    #expect(broken?.code == "control.unavailable")
    #expect(broken?.members["cause"] == "corrupt")
    let below = #expect(throws: Problem.self) {
      try SQLiteControlStore(path: folder.path + "/broken.sqlite/x/y")
    }
    #expect(below?.code == "control.unavailable")
  }
}
