import Application
import Domain
import Kernel
import RecordsContract
import SQLiteStore

/// A store in a folder of its own, and the file beside it for a second process to lock.
struct StoreUnderTest {
  let folder = TemporaryFolder()
  let stores: SQLiteRecordStores
  let store: SQLiteRecordStore
  let records: RecordsUnderTest

  static let plain = CollectionDeclaration(
    name: "accounts",
    fields: [
      FieldDeclaration(name: "name", type: .string),
      FieldDeclaration(name: "email", type: .string, unique: true),
      FieldDeclaration(name: "balance", type: .integer, defaultValue: 0),
    ])

  /// For tests that hold a lock: no machine is so slow that the lock's waiting time ends first.
  static var patient: SQLiteConfiguration {
    var configuration = SQLiteConfiguration()
    configuration.busyTimeout = .seconds(60)
    configuration.maxQueueWait = .seconds(60)
    return configuration
  }

  init(
    _ configuration: SQLiteConfiguration = patient,
    _ collections: [CollectionDeclaration] = [plain]
  ) throws(Problem) {
    stores = SQLiteRecordStores(folder: folder.path, configuration: configuration)
    store = try stores.openStore(automation: "bank", collections: collections)
    records = RecordsUnderTest(store)
  }

  var figures: WriterFigures { stores.figures(of: "bank")! }

  /// What another process would have: a connection that knows nothing of the store.
  func foreign() throws -> Connection {
    try Connection(
      path: folder.path + "/bank.sqlite", mode: .existing, busyTimeout: .zero, maxValueBytes: 1 << 20)
  }

  /// Inserts many in batches.
  func fill(_ count: Int, _ document: (Int) -> String) throws {
    for start in stride(from: 0, to: count, by: 100) {
      let operations = (start..<min(start + 100, count)).map {
        "{\"op\":\"insert\",\"id\":\"\(StoreUnderTest.id($0))\",\"document\":\(document($0))}"
      }
      _ = try records.call(.batch, "{\"operations\":[\(operations.joined(separator: ","))]}")
    }
  }

  static func id(_ number: Int) -> String { "r" + String("000000\(number)".suffix(6)) }
}
