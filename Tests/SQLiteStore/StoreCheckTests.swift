import Application
import Domain
import Kernel
import Testing

@testable import SQLiteStore

/// When a database that is open counts as one that cannot be read.
@Suite struct StoreCheckTests {
  private let folder = TemporaryFolder()
  private static let page = 4096

  @Test func keysCannotBeReadWhereTheirPagesAreDamaged() throws {
    let name = "council.sqlite"
    let key = KeyRecord(
      id: "000000000001", digest: [UInt8](repeating: 1, count: 32), principal: "p", name: "", scopes: ["a:b"],
      created: Timestamp(microseconds: 1))
    try SQLiteControlStore(path: "\(folder.path)/\(name)").insert([key])
    let store = try SQLiteControlStore(path: "\(folder.path)/\(name)")
    #expect(store.readFault == nil && store.fault == nil)
    let whole = try folder.read(name)
    // The first page holds no keys: what looks at nothing else finds nothing.
    let damaged =
      whole.prefix(StoreCheckTests.page) + [UInt8](repeating: 0, count: whole.count - StoreCheckTests.page)
    try folder.write(Array(damaged), to: name)
    #expect(store.readFault == "its file is damaged" && store.fault == nil)
    try folder.write(Array(whole.prefix(StoreCheckTests.page)), to: name)
    #expect(store.readFault == "its file is damaged", "it was cut off")
    try folder.write([], to: name)
    #expect(store.readFault == "its file is damaged", "it is empty")
    try folder.write(whole, to: name)
    #expect(store.readFault == nil)
    var found: [KeyRecord] = []
    try store.forEach { found.append($0) }
    #expect(found == [key])
  }

  /// Who writes waits for whoever else does; who only reads is kept out by nobody for long.
  @Test func aLockThatStaysIsAFaultOfReadingAlone() throws {
    let path = folder.path + "/locked.sqlite"
    let other = try Connection(path: path, mode: .create, busyTimeout: .zero, maxValueBytes: 1 << 20)
    try other.execute("CREATE TABLE t(a)")
    let check = StoreCheck(path: path, configuration: SQLiteConfiguration())
    #expect(check.readFault("SELECT a FROM t") == nil && check.fault == nil)
    // Without a log beside the file, this keeps readers out.
    try other.execute("BEGIN EXCLUSIVE")
    #expect(check.readFault("SELECT a FROM t") == "another process keeps it locked")
    #expect(check.fault == nil)
    try other.execute("ROLLBACK")
    #expect(check.readFault("SELECT a FROM t") == nil)
  }
}
