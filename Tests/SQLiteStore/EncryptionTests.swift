import Application
import Cryptography
import Domain
import Kernel
import RecordsContract
import SQLiteStore
import Testing

@Suite struct EncryptionTests {
  private static func key(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }

  private static let people = CollectionDeclaration(
    name: "people",
    fields: [
      FieldDeclaration(name: "passport", type: .string, unique: true, encrypted: true),
      FieldDeclaration(name: "note", type: .string, encrypted: true),
    ])

  private let folder = TemporaryFolder()

  private func stores(_ keys: UInt8...) -> SQLiteRecordStores {
    SQLiteRecordStores(
      folder: folder.path, cipher: OpenSSLFieldCipher(keys: keys.map { Self.key($0) }))
  }

  private func records(_ keys: UInt8...) throws -> RecordsUnderTest {
    let cipher = OpenSSLFieldCipher(keys: keys.map { Self.key($0) })
    return try RecordsUnderTest(
      SQLiteRecordStores(folder: folder.path, cipher: cipher), collections: [Self.people])
  }

  private func call(
    _ records: RecordsUnderTest, _ operation: RecordOperation, key: String = "", _ input: String = ""
  ) throws -> JSONValue { try records.json(operation, in: "people", key: key, input) }

  private func foreign() throws -> Connection {
    try Connection(
      path: folder.path + "/bank.sqlite", mode: .existing, busyTimeout: .zero, maxValueBytes: 1 << 20)
  }

  private func contains(_ text: String) throws -> Bool {
    let wanted = Array(text.utf8)
    for name in ["bank.sqlite", "bank.sqlite-wal", "bank.sqlite-shm"] where folder.exists(name) {
      if try folder.read(name).contains(wanted) { return true }
    }
    return false
  }

  @Test func noPlainTextReachesTheFileTheLogOrAnError() throws {
    let records = try records(1)
    _ = try call(records, .insert, key: "a", #"{"passport":"PLAINTEXT-1","note":"PLAINTEXT-2"}"#)
    _ = try call(records, .patch, key: "a", #"{"note":"PLAINTEXT-3"}"#)
    _ = try call(records, .insert, key: "id-in-plain", #"{"note":"PLAINTEXT-4"}"#)
    #expect(try contains("id-in-plain"))
    #expect(try !contains("PLAINTEXT"))
    let conflict = records.problem(.insert, in: "people", #"{"passport":"PLAINTEXT-1"}"#)
    #expect(!"\(conflict)".contains("PLAINTEXT"))
    records.store.close()
    #expect(try !contains("PLAINTEXT"))
  }

  @Test func equalValuesDifferOnTheDisk() throws {
    let records = try records(1)
    for id in ["a", "b"] { _ = try call(records, .insert, key: id, #"{"note":"the same"}"#) }
    let connection = try foreign()
    let statement = try connection.prepare("SELECT count(DISTINCT note),min(length(note)) FROM people")
    _ = try statement.step()
    #expect(statement.integer(0) == 2 && statement.integer(1) == 8 + 37)
  }

  @Test(arguments: [
    "UPDATE people SET note=(SELECT note FROM people WHERE id='b') WHERE id='a'",
    "UPDATE people SET note=passport WHERE id='a'", "UPDATE people SET note=x'00' WHERE id='a'",
    "UPDATE people SET note=zeroblob(60) WHERE id='a'",
  ])
  func aValueThatWasMovedOrChangedIsRefused(sql: String) throws {
    let records = try records(1)
    _ = try call(records, .insert, key: "a", #"{"passport":"1","note":"mine"}"#)
    _ = try call(records, .insert, key: "b", #"{"passport":"2","note":"theirs"}"#)
    try foreign().execute(sql)
    let problem = records.problem(.get, in: "people", key: "a")
    #expect(problem.status == 500 && problem.code == "records.value_damaged")
    #expect(try call(records, .get, key: "b")["note"] == "theirs")
    #expect(try call(records, .get, key: "a", #"{"fields":["passport"]}"#)["passport"] == "1")
  }

  @Test func aValueDoesNotOpenInAnotherAutomationNorLookLikeItsOwn() throws {
    let stores = stores(1)
    var records: [RecordsUnderTest] = []
    for automation in ["bank", "shop"] {
      records.append(
        RecordsUnderTest(try stores.openStore(automation: automation, collections: [Self.people])))
      _ = try call(records[records.count - 1], .insert, key: "a", #"{"passport":"1","note":"mine"}"#)
    }
    func connection(_ automation: String) throws -> Connection {
      try Connection(
        path: "\(folder.path)/\(automation).sqlite", mode: .existing, busyTimeout: .seconds(60),
        maxValueBytes: 1 << 20)
    }
    let kept = try ["bank", "shop"].map { automation in
      let statement = try connection(automation).prepare(
        "SELECT note,\"passport:fingerprint\" FROM people")
      #expect(try statement.step())
      return (note: statement.bytes(0), fingerprint: statement.text(1))
    }
    #expect(kept[0].fingerprint != kept[1].fingerprint)
    let move = try connection("shop").prepare("UPDATE people SET note=?")
    try move.bind(1, blob: kept[0].note)
    try move.run()
    #expect(records[1].problem(.get, in: "people", key: "a").code == "records.value_damaged")
  }

  /// What SQLite sorts goes to the disk else, as soon as it is much.
  @Test func whatIsDecryptedIsSortedInMemory() throws {
    _ = try records(1)
    let cipher = OpenSSLFieldCipher(keys: [Self.key(1)])
    let connection = try Connection(
      path: folder.path + "/bank.sqlite", mode: .existing, busyTimeout: .zero, maxValueBytes: 1 << 20,
      cipher: cipher)
    let statement = try connection.prepare("PRAGMA temp_store")
    #expect(try statement.step() && statement.integer(0) == 2)
  }

  /// Each value is looked for under every key, and SQLite takes 16,384 in one statement.
  @Test func moreValuesThanOneStatementTakesAreTheCallersMistake() throws {
    let values = (0..<128).map { "\"\($0)\"" }.joined(separator: ",")
    func query(_ clauses: Int) -> String {
      let all = (0..<clauses).map { _ in "{\"passport\":{\"in\":[\(values)]}}" }
      return "{\"where\":{\"or\":[\(all.joined(separator: ","))]}}"
    }
    var records = try records(1)
    _ = try call(records, .insert, key: "a", #"{"passport":"7"}"#)
    #expect(try call(records, .count, query(64))["count"] == 1)
    records.store.close()
    records = try self.records(2, 1)
    #expect(try call(records, .count, query(60))["count"] == 1)
    records.store.close()
    records = try self.records(3, 2, 1)
    for operation in [RecordOperation.count, .find] {
      let problem = records.problem(operation, in: "people", query(64))
      #expect(problem.status == 400 && problem.code == "records.invalid_query", "\(problem)")
    }
  }

  @Test func keysRotate() throws {
    var records = try records(1)
    _ = try call(records, .insert, key: "a", #"{"passport":"1","note":"old"}"#)
    _ = try call(records, .insert, key: "b", #"{"passport":"2"}"#)
    records.store.close()
    records = try self.records(2, 1)
    #expect(try call(records, .get, key: "a")["note"] == "old")
    #expect(try call(records, .find, #"{"where":{"passport":"1"}}"#)["items"]?.array?.count == 1)
    #expect(try call(records, .find, #"{"where":{"passport":{"ne":"1"}}}"#)["items"]?.array?.count == 1)
    // What the older key wrote is in the way still, and the record itself is not.
    #expect(records.problem(.insert, in: "people", #"{"passport":"1"}"#).members["field"] == "passport")
    #expect(
      records.problem(.patch, in: "people", key: "b", #"{"passport":"1"}"#).members["field"] == "passport")
    _ = try call(records, .replace, key: "a", #"{"passport":"1","note":"new"}"#)
    #expect(records.problem(.insert, in: "people", #"{"passport":"1"}"#).members["field"] == "passport")
    records.store.close()
    records = try self.records(2)
    #expect(try call(records, .get, key: "a")["note"] == "new")
    let problem = records.problem(.get, in: "people", key: "b")
    #expect(problem.status == 500 && problem.code == "records.key_missing")
    #expect(problem.detail.contains("records.encryption_key_file"))
    records.store.close()
    records = try self.records(2, 1)
    #expect(try call(records, .get, key: "b")["passport"] == "2")
  }

  @Test func withoutAKeyTheDeclarationIsRefusedBeforeAnythingHappens() throws {
    let stores = SQLiteRecordStores(folder: folder.path)
    for attempt in [
      { _ = try stores.plan(automation: "bank", collections: [Self.people]) },
      { _ = try stores.open(automation: "bank", collections: [Self.people]) },
    ] as [() throws -> Void] {
      let problem = #expect(throws: Problem.self) { try attempt() }
      #expect(problem?.code == "records.encryption_unconfigured")
      #expect(problem?.members["fields"] == ["people.passport", "people.note"])
      #expect(problem?.members["setting"] == "records.encryption_key_file")
    }
    #expect(!folder.exists("bank.sqlite"))
  }

  @Test func equalityGoesByTheIndexOfFingerprints() throws {
    let stores = stores(1)
    let store = try stores.openStore(automation: "bank", collections: [Self.people])
    let plan = try store.explain(collection: 0, input: #"{"where":{"passport":"1"}}"#.utf8.span).plan
    #expect(plan.contains { $0.contains("SEARCH people USING INDEX unique:people:passport") }, "\(plan)")
  }
}
