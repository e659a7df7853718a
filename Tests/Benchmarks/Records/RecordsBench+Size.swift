import Application
import Domain
import Kernel
import SQLiteStore

/// What does not get slower with the number of records, and what a migration of many takes.
extension RecordsBench {
  /// A store of its own with so many records, written past the store: only reading and migrating are measured.
  func size(_ count: Int) throws {
    var declaration = RecordsBench.accounts
    var store: SQLiteRecordStore = try stores.openStore(automation: "size", collections: [declaration])
    let connection = try Connection(
      path: folder + "/records/size.sqlite", mode: .existing, busyTimeout: .seconds(60),
      maxValueBytes: 1 << 20)
    try connection.execute(
      """
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<\(count)) \
      INSERT INTO accounts(id,name,email,balance,currency,status,version,created_at,updated_at) \
      SELECT printf('a%08d',i),'Name of '||i,i||'@example.org',i%1000,'EUR','active',1,\
      strftime('%Y-%m-%dT%H:%M:%fZ',1700000000+i,'unixepoch'),'2026-01-01T00:00:00.000Z' FROM n
      """)
    func find(_ query: String) throws -> JSONValue {
      let result = try store.call(
        .find, collection: 0, key: "".utf8.span, input: query.utf8.span, expectedVersion: 0)
      return try JSONValue.parse(result.json.span)
    }
    let pages = max(2, count / 100)
    var queries: [String] = []
    var query = #"{"order":["-created_at"],"limit":100}"#
    for page in 1...pages {
      if page == 2 || page == pages { queries.append(query) }
      guard let next = try find(query)["next"]?.string else { break }
      query = "{\"order\":[\"-created_at\"],\"limit\":100,\"after\":\"\(next)\"}"
    }
    for (name, query) in zip(["2", "\(pages)"], queries) {
      let cost = try time(2500) { _ in
        _ = try store.call(
          .find, collection: 0, key: "".utf8.span, input: query.utf8.span, expectedVersion: 0)
      }
      let steps = try store.explain(collection: 0, input: query.utf8.span).steps
      report("page \(name) of 100, of \(count) records (\(steps) steps)", cost / 1000, "µs")
    }
    for (name, change) in [
      (
        "index on one field",
        { (declaration: inout CollectionDeclaration) in declaration.fields[2].indexed = true }
      ),
      ("unique index", { $0.fields[0].unique = true }),
      ("full-text index", { $0.fields[0].searchable = true }),
    ] as [(String, (inout CollectionDeclaration) -> Void)] {
      change(&declaration)
      let start = Instant.now
      let next = try stores.openStore(automation: "size", collections: [declaration])
      report("\(name), made over \(count) records", Double(Instant.now - start) / 1e9, "s")
      store.close()
      store = next
    }
  }
}
