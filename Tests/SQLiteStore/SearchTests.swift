import Application
import Domain
import Kernel
import RecordsContract
import SQLiteStore
import Testing

@Suite struct SearchTests {
  private static let notes = CollectionDeclaration(
    name: "notes",
    fields: [
      FieldDeclaration(name: "text", type: .string, searchable: true),
      FieldDeclaration(name: "level", type: .integer, indexed: true),
    ])

  @Test(arguments: [
    #"{"search":"moon"}"#, #"{"search":"moon","order":["-level"],"where":{"level":{"gt":1}}}"#,
  ])
  func goesByTheFullTextIndex(query: String) throws {
    let store = try StoreUnderTest(SQLiteConfiguration(), [Self.notes])
    for number in 0..<50 {
      let text = number % 25 == 0 ? "moon" : "sun"
      _ = try store.records.call(.insert, in: "notes", "{\"text\":\"\(text)\",\"level\":\(number)}")
    }
    let explanation = try store.store.explain(collection: 0, input: query.utf8.span)
    #expect(explanation.plan[0].hasPrefix("SCAN w VIRTUAL TABLE INDEX"), "\(explanation.plan)")
    #expect(explanation.plan[1].contains("INTEGER PRIMARY KEY"), "\(explanation.plan)")
    #expect(explanation.plan[2] == "SEARCH notes USING PRIMARY KEY (id=?)", "\(explanation.plan)")
  }

  /// A writer that opens the file anew has to make the triggers anew.
  @Test func theIndexIsKeptByTheNextWriterToo() throws {
    let folder = TemporaryFolder()
    for word in ["one", "two", "three"] {
      let records = try RecordsUnderTest(
        SQLiteRecordStores(folder: folder.path), collections: [Self.notes])
      _ = try records.call(.put, in: "notes", key: "n", "{\"text\":\"\(word) common\"}")
      let page = try records.json(.find, in: "notes", "{\"search\":\"\(word)\"}")
      #expect(page["items"]?.array?.count == 1)
      #expect(try records.json(.count, in: "notes", #"{"search":"common"}"#)["count"] == 1)
      records.store.close()
    }
    let connection = try Connection(
      path: folder.path + "/bank.sqlite", mode: .existing, busyTimeout: .zero, maxValueBytes: 1 << 20)
    try connection.execute(
      "INSERT INTO \"search:notes:words\"(\"search:notes:words\") VALUES('integrity-check')")
  }

  /// While one host hands over to another, both write.
  @Test func whatAnotherProcessMakesOfTheIndexIsKeptToo() throws {
    let plain = CollectionDeclaration(name: "notes", fields: [FieldDeclaration(name: "text", type: .string)])
    let old = try StoreUnderTest(StoreUnderTest.patient, [plain])
    _ = try old.records.call(.insert, in: "notes", key: "a", #"{"text":"moon"}"#)
    let stores = SQLiteRecordStores(folder: old.folder.path, configuration: StoreUnderTest.patient)
    var indexed = plain
    indexed.fields[0].searchable = true
    let new = try RecordsUnderTest(stores, collections: [indexed])
    let query = #"{"search":"moon"}"#
    _ = try old.records.call(.insert, in: "notes", key: "b", #"{"text":"moon"}"#)
    #expect(try new.json(.count, in: "notes", query)["count"] == 2)
    _ = try old.records.call(.delete, in: "notes", key: "a")
    _ = try new.call(.insert, in: "notes", key: "a", #"{"text":"moon"}"#)
    #expect(try new.json(.count, in: "notes", query)["count"] == 2)
    try old.foreign().execute(
      "INSERT INTO \"search:notes:words\"(\"search:notes:words\") VALUES('integrity-check')")
    new.store.close()
    let last = try RecordsUnderTest(stores, collections: [plain])
    _ = try old.records.call(.put, in: "notes", key: "b", #"{"text":"sun"}"#)
    #expect(try last.json(.get, in: "notes", key: "b")["text"] == "sun")
  }

  @Test func aMigrationThatFailsLeavesNoIndexAndNoTrigger() throws {
    let plain = CollectionDeclaration(name: "notes", fields: [FieldDeclaration(name: "text", type: .string)])
    let store = try StoreUnderTest(SQLiteConfiguration(), [plain])
    _ = try store.records.call(.insert, in: "notes", #"{"text":"x"}"#)
    _ = try store.records.call(.insert, in: "notes", #"{"text":"x"}"#)
    var broken = Self.notes
    broken.fields[0].unique = true
    #expect(throws: Problem.self) {
      try store.stores.openStore(automation: "bank", collections: [broken])
    }
    _ = try store.records.call(.insert, in: "notes", #"{"text":"moon"}"#)
    let new = try RecordsUnderTest(store.stores, collections: [Self.notes])
    #expect(try new.json(.count, in: "notes", #"{"search":"moon"}"#)["count"] == 1)
  }
}
