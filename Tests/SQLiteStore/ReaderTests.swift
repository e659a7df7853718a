import Application
import Domain
import Kernel
import RecordsContract
import SQLiteStore
import Synchronization
import Testing

@Suite struct ReaderTests {
  private static let indexed = CollectionDeclaration(
    name: "accounts",
    fields: [
      FieldDeclaration(name: "name", type: .string, indexed: true),
      FieldDeclaration(name: "balance", type: .integer, indexed: true),
      FieldDeclaration(name: "status", type: .string),
    ], indexes: [["status", "balance"]])

  /// Every page costs what the first one costs, in steps of the engine, and reads an index without sorting.
  @Test func aCursorThatIsTooLongSaysWhatToDo() throws {
    let store = try StoreUnderTest()
    for letter in ["a", "b"] {
      try store.records.insert("{\"name\":\"\(String(repeating: letter, count: 4000))\"}", id: letter)
    }
    let page = try store.records.json(.find, #"{"order":["name"],"limit":1}"#)
    let cursor = try #require(page["next"]?.string)
    let problem = store.records.problem(.find, "{\"order\":[\"name\"],\"after\":\"\(cursor)\"}")
    #expect(problem.status == 400 && problem.code == "records.invalid_cursor")
    #expect(problem.detail.contains("4096 bytes"), "\(problem.detail)")
  }

  @Test(arguments: [
    (#""order":["-created_at"]"#, "created_at"), (#""order":["balance"]"#, "balance"),
    (#""order":["-balance"]"#, "balance"), (#""order":["name"]"#, "name"),
    (#""order":["-id"]"#, "PRIMARY KEY"),
    (#""order":[]"#, "PRIMARY KEY"), (#""where":{"status":"s1"},"order":["-balance"]"#, "status,balance"),
  ])
  func aLatePageCostsAsTheFirst(_ query: String, _ index: String) throws {
    let store = try StoreUnderTest(SQLiteConfiguration(), [ReaderTests.indexed])
    // Every third balance is null, and each value occurs often.
    try store.fill(6000) { number in
      let balance = number % 3 == 0 ? "null" : "\(number % 50)"
      return "{\"name\":\"n\(number % 700)\",\"balance\":\(balance),\"status\":\"s\(number % 2)\"}"
    }
    func explain(_ after: String?) throws -> PageExplanation {
      let after = after.map { ",\"after\":\"\($0)\"" } ?? ""
      return try store.store.explain(collection: 0, input: "{\(query)\(after),\"limit\":20}".utf8.span)
    }
    let first = try explain(nil)
    #expect(first.records == 20)
    var cursor: String?
    var pages = 0
    var worst = 0
    while true {
      let after = cursor.map { ",\"after\":\"\($0)\"" } ?? ""
      let page = try store.records.json(.find, "{\(query)\(after),\"limit\":20}")
      pages += 1
      guard let next = page["next"]?.string else { break }
      cursor = next
      guard pages % 40 == 0 else { continue }
      let explanation = try explain(next)
      worst = max(worst, explanation.steps)
      for line in explanation.plan {
        #expect(line.hasPrefix("SEARCH accounts USING"), "\(line)")
        #expect(!line.contains("TEMP B-TREE"), "\(line)")
      }
    }
    #expect(pages >= 150)
    // A page may touch up to three ranges; each costs a few steps to start.
    #expect(worst <= first.steps + 150, "first \(first.steps), worst \(worst)")
    #expect(first.plan.allSatisfy { $0.contains(index) || index == "PRIMARY KEY" }, "\(first.plan)")
  }

  @Test func oneRecordIsFoundByItsKeyAndByItsUniqueField() throws {
    let store = try StoreUnderTest()
    try store.fill(500) { "{\"email\":\"e\($0)\"}" }
    let byEmail = try store.store.explain(collection: 0, input: #"{"where":{"email":"e7"}}"#.utf8.span)
    #expect(byEmail.plan.contains { $0.contains("unique:accounts:email") })
    #expect(byEmail.steps < 100)
    let byPrefix = try store.store.explain(
      collection: 0, input: #"{"where":{"email":{"prefix":"e49"}},"order":["email"]}"#.utf8.span)
    #expect(byPrefix.records == 11)
    #expect(byPrefix.plan.count == 1 && byPrefix.plan[0].hasPrefix("SEARCH"))
  }

  @Test func statementsAreKeptInBoundedNumber() throws {
    var configuration = SQLiteConfiguration()
    configuration.maxStatements = 8
    let store = try StoreUnderTest(configuration)
    try store.records.insert(#"{"name":"x"}"#, id: "a")
    for size in 1...40 {
      let names = (0..<size).map { "{\"name\":\"\($0)\"}" }.joined(separator: ",")
      _ = try store.records.json(.find, "{\"where\":{\"or\":[\(names)]}}")
      #expect(try store.records.call(.get, key: "a").version == 1)
    }
    #expect(try store.store.statementsOfThisThread() == 8)
  }

  @Test func listsOfEveryLengthShareFewStatements() throws {
    let store = try StoreUnderTest()
    for size in 1...128 {
      let list = (0..<size).map(String.init).joined(separator: ",")
      _ = try store.records.json(.find, "{\"where\":{\"balance\":{\"in\":[\(list)]}}}")
    }
    #expect(try store.store.statementsOfThisThread() == 8)
  }

  @Test func threadsBeyondTheLimitShareAConnection() throws {
    var configuration = SQLiteConfiguration()
    configuration.maxReaders = 1
    let store = try StoreUnderTest(configuration)
    try store.fill(200) { "{\"name\":\"n\($0)\"}" }
    let right = Atomic<Int>(0)
    let records = store.records.store
    let threads = (0..<6).map { thread in
      OSThread("reader") {
        for index in 0..<50 {
          let id = StoreUnderTest.id((thread * 31 + index) % 200)
          let record = try? RecordsUnderTest(records).json(.get, key: id)
          if record?["id"]?.string == id { right.add(1, ordering: .relaxed) }
        }
      }
    }
    for thread in threads { thread.join() }
    #expect(right.load(ordering: .relaxed) == 300)
  }

  @Test func aRunawayReadIsStopped() throws {
    let store = try StoreUnderTest()
    try store.fill(3000) { "{\"name\":\"\(String(repeating: "n", count: 50))\($0)\"}" }
    store.store.close()
    var configuration = SQLiteConfiguration()
    configuration.timeLimit = .zero
    let hasty = SQLiteRecordStores(folder: store.folder.path, configuration: configuration)
    let records = try RecordsUnderTest(hasty, collections: [StoreUnderTest.plain])
    for operation in [RecordOperation.find, .count] {
      let problem = records.problem(operation, #"{"where":{"name":{"contains":"zz"}}}"#)
      #expect(problem.status == 504)
      #expect(problem.code == "records.timeout")
    }
    // What is short is never stopped, and the connection goes on working.
    #expect(try records.json(.get, key: StoreUnderTest.id(7))["id"] != nil)
    #expect(try records.page("{}").count == 20)
  }

  @Test func aRecordOfManyFieldsIsOneObject() throws {
    let fields = (0..<200).map {
      FieldDeclaration(name: "f\($0)", type: .integer, defaultValue: .integer(Int64($0)))
    }
    let store = try StoreUnderTest(
      SQLiteConfiguration(), [CollectionDeclaration(name: "accounts", fields: fields)])
    let record = try store.records.json(.insert, "{}")
    #expect(record.object?.count == 204)
    #expect(record["f199"] == 199)
    let id = try #require(record["id"]?.string)
    #expect(try store.records.json(.get, key: id) == record)
  }
}
