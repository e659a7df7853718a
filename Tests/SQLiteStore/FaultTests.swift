import Application
import Domain
import Kernel
import RecordsContract
import SQLiteStore
import Testing

@Suite struct FaultTests {
  @Test(arguments: [
    (5, "busy"), (5 | 2 << 8, "busy"), (6, "busy"), (15, "busy"), (13, "disk_full"), (8, "read_only"),
    (3, "read_only"), (10, "io_error"), (10 | 4 << 8, "io_error"), (11, "corrupt"), (26, "corrupt"),
    (14, "cannot_open"), (7, "out_of_memory"),
  ])
  func whatTheEngineCannotDoIsUnavailable(_ code: Int32, _ cause: String) {
    let problem = SQLiteError(code: code, message: "").problem(SQLiteConfiguration())
    #expect(problem.status == 503)
    #expect(problem.code == "records.unavailable")
    #expect(problem.members["cause"]?.string == cause)
  }

  @Test func otherCodesHaveAnswersOfTheirOwn() {
    func problem(_ code: Int32) -> Problem {
      SQLiteError(code: code, message: "m").problem(SQLiteConfiguration())
    }
    #expect(problem(9).code == "records.timeout")
    #expect(problem(18).code == "records.too_large")
    #expect(problem(1).code == "records.internal")
    #expect(problem(19).code == "records.internal")
  }

  @Test func aFullFileRefusesWritesAndLosesNothing() throws {
    var configuration = SQLiteConfiguration()
    configuration.maxFileBytes = 60 * 4096
    let store = try StoreUnderTest(configuration)
    var kept: [String] = []
    var problem: Problem?
    for index in 0..<1000 where problem == nil {
      do throws(Problem) {
        let id = StoreUnderTest.id(index)
        _ = try store.records.call(.insert, key: id, "{\"name\":\"\(String(repeating: "x", count: 2000))\"}")
        kept.append(id)
      } catch {
        problem = error
      }
    }
    #expect(problem?.code == "records.unavailable")
    #expect(problem?.members["cause"] == "disk_full")
    #expect(kept.count > 10)
    for id in kept { #expect(try store.records.call(.get, key: id).version == 1) }
    for id in kept.prefix(5) { _ = try store.records.call(.delete, key: id) }
    try store.records.insert(#"{"name":"fits again"}"#)
  }

  @Test func aDamagedFileIsToldAndNotWrittenTo() throws {
    let folder = TemporaryFolder()
    try folder.write([UInt8](repeating: 0x5A, count: 8192), to: "bank.sqlite")
    let stores = SQLiteRecordStores(folder: folder.path)
    let problem = #expect(throws: Problem.self) {
      try stores.open(automation: "bank", collections: [StoreUnderTest.plain])
    }
    #expect(problem?.code == "records.unavailable")
    #expect(problem?.members["cause"] == "corrupt")
    #expect(folder.size(of: "bank.sqlite") == 8192)
    let planned = #expect(throws: Problem.self) {
      try stores.plan(automation: "bank", collections: [StoreUnderTest.plain])
    }
    #expect(planned?.members["cause"] == "corrupt")
  }

  @Test func aDamagedPageIsToldWhereItIsRead() throws {
    let folder = TemporaryFolder()
    func fill() throws {
      let stores = SQLiteRecordStores(folder: folder.path)
      let records = try RecordsUnderTest(stores, collections: [StoreUnderTest.plain])
      for index in 0..<20 {
        try records.insert("{\"name\":\"\(String(repeating: "x", count: 3000))\"}", id: "id\(index)")
      }
      records.store.close()
    }
    try fill()
    var bytes = try folder.read("bank.sqlite")
    #expect(bytes.count > 40 * 1024)
    for index in bytes.count / 2..<bytes.count { bytes[index] = 0xA5 }
    try folder.write(bytes, to: "bank.sqlite")
    let stores = SQLiteRecordStores(folder: folder.path)
    let records = try RecordsUnderTest(stores, collections: [StoreUnderTest.plain])
    let problem = records.problem(.find, #"{"limit":200}"#)
    #expect(problem.code == "records.unavailable")
    #expect(problem.members["cause"] == "corrupt")
    #expect(problem.retryAfterSeconds == nil)
  }

  @Test func aFileOfALaterHostIsRefused() throws {
    let store = try StoreUnderTest()
    store.store.close()
    try store.foreign().execute("PRAGMA user_version=4")
    for attempt in [
      { try store.stores.plan(automation: "bank", collections: [StoreUnderTest.plain]).count },
      {
        try store.stores.open(automation: "bank", collections: [StoreUnderTest.plain])
          .collection(named: "accounts") ?? 0
      },
    ] as [() throws -> Int] {
      let problem = #expect(throws: Problem.self) { try attempt() }
      #expect(problem?.code == "records.newer_layout")
      #expect(problem?.members["found"] == 4)
    }
  }

  @Test func theConnectionIsFencedIn() throws {
    let store = try StoreUnderTest()
    let connection = try store.foreign()
    for sql in [
      "ATTACH ':memory:' AS other", "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql='x'",
      "SELECT \"no such column\"", "SELECT load_extension('x')",
      "SELECT '\(String(repeating: "x", count: 300_000))'", "CREATE TABLE t(x TEXT CHECK(x<>\"y\"))",
    ] {
      #expect(throws: SQLiteError.self, "\(sql.prefix(40))") { try connection.execute(sql) }
    }
    let trusted = try connection.prepare("PRAGMA trusted_schema")
    #expect(try trusted.step() && trusted.integer(0) == 0)
  }

  @Test func filesAreTheOwnersOnly() throws {
    let store = try StoreUnderTest()
    try store.records.insert(#"{"name":"x"}"#)
    for name in ["bank.sqlite", "bank.sqlite-wal", "bank.sqlite-shm"] {
      #expect(store.folder.mode(of: name) == 0o600, "\(name)")
    }
  }

  @Test func whatIsTooLargeIsToldOnBothSides() throws {
    let store = try StoreUnderTest()
    let room = RecordLimits().maxDocumentBytes - #"{"name":""}"#.utf8.count
    try store.records.insert("{\"name\":\"\(String(repeating: "x", count: room))\"}")
    let problem = store.records.problem(.insert, "{\"name\":\"\(String(repeating: "x", count: room + 1))\"}")
    #expect(problem.status == 413)
    #expect(problem.code == "records.too_large")
  }

  /// Writes of a process that is killed: each one that was acknowledged is there.
  @Test(.timeLimit(.minutes(2))) func everyAcknowledgedWriteSurvivesAKill() throws {
    let folder = TemporaryFolder()
    var acknowledged: [String] = []
    for round in 0..<3 {
      let child = try ChildProcess(product: "records-crash-writer", [folder.path, "\(round)"])
      for _ in 0..<200 { if let id = child.line() { acknowledged.append(id) } }
      child.kill()
      while let id = child.line() { acknowledged.append(id) }
    }
    #expect(acknowledged.count >= 600)
    let stores = SQLiteRecordStores(folder: folder.path)
    let records = try RecordsUnderTest(
      stores, automation: "crash",
      collections: [
        CollectionDeclaration(
          name: "accounts",
          fields: [
            FieldDeclaration(name: "name", type: .string, required: true),
            FieldDeclaration(name: "email", type: .string, unique: true),
          ])
      ])
    var missing = 0
    for id in acknowledged where (try? records.call(.get, key: id)) == nil { missing += 1 }
    #expect(missing == 0)
    let foreign = try Connection(
      path: folder.path + "/crash.sqlite", mode: .existing, busyTimeout: .zero, maxValueBytes: 1 << 20)
    let check = try foreign.prepare("PRAGMA integrity_check")
    #expect(try check.step() && check.text(0) == "ok")
  }
}
