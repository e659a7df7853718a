import Application
import Domain
import Kernel
import RecordsContract
import SQLiteStore
import Testing

@Suite struct MigrationTests {
  private static func declare(_ fields: FieldDeclaration...) -> CollectionDeclaration {
    CollectionDeclaration(name: "accounts", fields: fields)
  }

  private static func code(unique: Bool, searchable: Bool = false) -> FieldDeclaration {
    FieldDeclaration(name: "code", type: .string, unique: unique, searchable: searchable)
  }

  /// START opens the new declaration, and a plugin that then fails is closed again.
  @Test func aStartThatFailsLeavesTheOldGenerationAsItWas() throws {
    let store = try StoreUnderTest(
      SQLiteConfiguration(), [Self.declare(Self.code(unique: true, searchable: true))])
    try store.records.insert(#"{"code":"one"}"#, id: "a")
    let failed = try store.stores.openStore(
      automation: "bank",
      collections: [
        Self.declare(Self.code(unique: false), FieldDeclaration(name: "level", type: .integer, unique: true))
      ])
    // Nothing that the old generation stands on is gone, also while both are open.
    #expect(store.records.problem(.insert, #"{"code":"one"}"#).members["field"] == "code")
    #expect(try store.records.page(#"{"search":"one"}"#) == ["a"])
    failed.close()
    #expect(store.records.problem(.insert, #"{"code":"one"}"#).members["field"] == "code")
    #expect(try store.records.page(#"{"search":"one"}"#) == ["a"])
    try store.records.insert(#"{"code":"two"}"#, id: "b")
    #expect(try store.records.page(#"{"search":"two"}"#) == ["b"])
    let plan = try store.stores.plan(
      automation: "bank", collections: [Self.declare(Self.code(unique: true, searchable: true))])
    #expect(plan.isEmpty)
  }

  @Test func aUniqueIndexOfAStartThatFailedGoesWithIt() throws {
    let store = try StoreUnderTest(SQLiteConfiguration(), [Self.declare(Self.code(unique: false))])
    let failed = try store.stores.openStore(
      automation: "bank", collections: [Self.declare(Self.code(unique: true))])
    failed.close()
    try store.records.insert(#"{"code":"same"}"#)
    try store.records.insert(#"{"code":"same"}"#)
  }

  @Test func whatOnlyTheOldGenerationNeededGoesWhenItIsClosed() throws {
    let store = try StoreUnderTest(SQLiteConfiguration(), [Self.declare(Self.code(unique: true))])
    let new = try RecordsUnderTest(store.stores, collections: [Self.declare(Self.code(unique: false))])
    try new.insert(#"{"code":"same"}"#)
    #expect(new.problem(.insert, #"{"code":"same"}"#).code == "records.conflict")
    store.store.close()
    try new.insert(#"{"code":"same"}"#)
  }

  // MARK: Files that are not ours

  @Test func anEmptyFileIsNewAndOthersAreRefused() throws {
    let folder = TemporaryFolder()
    let collections = [Self.declare(Self.code(unique: false))]
    func problem(_ automation: String) -> [Problem] {
      let stores = SQLiteRecordStores(folder: folder.path)
      var problems: [Problem] = []
      do throws(Problem) { _ = try stores.plan(automation: automation, collections: collections) } catch {
        problems.append(error)
      }
      do throws(Problem) { _ = try stores.open(automation: automation, collections: collections) } catch {
        problems.append(error)
      }
      return problems
    }
    try folder.write([], to: "empty.sqlite")
    #expect(problem("empty").isEmpty)
    try folder.write(
      Array("this is no database, whatever its name says, and it is long".utf8), to: "text.sqlite")
    try folder.write([UInt8](repeating: 0x5A, count: 8192), to: "noise.sqlite")
    for name in ["text", "noise"] {
      let before = try folder.read("\(name).sqlite")
      #expect(problem(name).map { $0.members["cause"] } == ["corrupt", "corrupt"])
      #expect(try folder.read("\(name).sqlite") == before)
    }
    for (name, sql) in [
      ("foreign", "CREATE TABLE t(x)"), ("numbered", "CREATE TABLE t(x); PRAGMA user_version=1"),
    ] {
      try Connection(
        path: folder.path + "/\(name).sqlite", mode: .create, busyTimeout: .zero, maxValueBytes: 1 << 20
      ).execute(sql)
      let before = try folder.read("\(name).sqlite")
      #expect(problem(name).map(\.code) == ["records.foreign_file", "records.foreign_file"])
      #expect(try folder.read("\(name).sqlite") == before)
    }
  }

  /// The file of a host that knew no search and no versions.
  @Test func aFileOfAnEarlierHostIsTakenOver() throws {
    let store = try StoreUnderTest(SQLiteConfiguration(), [Self.declare(Self.code(unique: false))])
    try store.records.insert(#"{"code":"moon"}"#, id: "a")
    store.store.close()
    let connection = try store.foreign()
    try connection.execute("UPDATE _council_schemas SET is_current=1")
    try connection.execute("DROP TABLE _council_current")
    try connection.execute("DROP TABLE _council_search")
    try connection.execute("PRAGMA user_version=1")
    let searchable = [Self.declare(Self.code(unique: false, searchable: true))]
    #expect(try store.stores.plan(automation: "bank", collections: searchable).count == 1)
    let records = try RecordsUnderTest(store.stores, collections: searchable)
    #expect(try records.page(#"{"search":"moon"}"#) == ["a"])
  }

  /// What a version declares beside another is hidden from that one, and not removed when the other changes.
  @Test func versionsShareRecordsAndForgetNothingOfEachOther() throws {
    let store = try StoreUnderTest(SQLiteConfiguration(), [Self.declare(Self.code(unique: false))])
    try store.records.insert(#"{"code":"moon"}"#, id: "a")
    let note = FieldDeclaration(name: "note", type: .string)
    var second = Self.declare(Self.code(unique: false))
    second.fields.append(note)
    second.indexes.append(["note"])
    #expect(try store.stores.plan(automation: "bank", version: 2, collections: [second]).count == 2)
    let beside = try store.stores.open(automation: "bank", version: 2, collections: [second])
    // The first one changes: what only the second has stays, its index too.
    var next = Self.declare(Self.code(unique: false))
    next.fields.append(FieldDeclaration(name: "tier", type: .string))
    #expect(try store.stores.plan(automation: "bank", collections: [next]).count == 1)
    let changed = try store.stores.open(automation: "bank", collections: [next])
    let indexes = try store.foreign().prepare("SELECT count(*) FROM _council_indexes WHERE fields='note'")
    #expect(try indexes.step() && indexes.integer(0) == 1)
    // What the version itself had, it may not lose.
    let less = Self.declare(Self.code(unique: false), FieldDeclaration(name: "level", type: .integer))
    let problem = #expect(throws: Problem.self) {
      try store.stores.plan(automation: "bank", version: 2, collections: [less])
    }
    #expect(problem?.members["changes"]?.array?.first?["field"] == "note")
    changed.close()
    beside.close()
  }
}
