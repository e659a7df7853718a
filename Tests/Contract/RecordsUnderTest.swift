package import Application
package import Domain
package import Kernel
package import Testing

/// One opened store as a contract case sees it: calls by name, JSON in and out as values.
package struct RecordsUnderTest {
  package let store: any RecordStore

  package init(_ store: any RecordStore) { self.store = store }

  package init(
    _ stores: any RecordStores, automation: String = "bank",
    collections: [CollectionDeclaration] = [Sample.accounts]
  ) throws(Problem) {
    store = try stores.open(automation: automation, collections: collections)
  }

  package func call(
    _ operation: RecordOperation, in collection: String = "accounts", key: String = "", _ input: String = "",
    version: Int64 = 0, isDryRun: Bool = false
  ) throws(Problem) -> RecordResult {
    guard let number = store.collection(named: collection) else {
      throw Problem(500, "test.unknown_collection", collection)
    }
    return try store.call(
      operation, collection: number, key: key.utf8.span, input: input.utf8.span, expectedVersion: version,
      isDryRun: isDryRun)
  }

  package func json(
    _ operation: RecordOperation, in collection: String = "accounts", key: String = "", _ input: String = "",
    version: Int64 = 0
  ) throws -> JSONValue {
    let result = try call(operation, in: collection, key: key, input, version: version)
    return try JSONValue.parse(result.json.span)
  }

  /// The problem that a call ends with; an issue is recorded when it ends without.
  package func problem(
    _ operation: RecordOperation, in collection: String = "accounts", key: String = "", _ input: String = "",
    version: Int64 = 0, sourceLocation: SourceLocation = #_sourceLocation
  ) -> Problem {
    do throws(Problem) {
      let result = try call(operation, in: collection, key: key, input, version: version)
      Issue.record(
        "\(operation) answered \(String(decoding: result.json, as: UTF8.self))",
        sourceLocation: sourceLocation
      )
      return Problem(500, "test.no_problem", "")
    } catch {
      return error
    }
  }

  /// Inserts an account and answers its id.
  @discardableResult
  package func insert(_ document: String, id: String = "") throws -> String {
    let record = try json(.insert, key: id, document)
    return try #require(record["id"]?.string)
  }

  /// The ids, or another member, of one page.
  package func page(_ query: String, member: String = "id") throws -> [JSONValue] {
    let page = try json(.find, query)
    return try #require(page["items"]?.array).map { $0[member] ?? .null }
  }

  /// Follows cursors from the first page to the last.
  package func allPages(_ query: [String: JSONValue], member: String = "id") throws -> [JSONValue] {
    var all: [JSONValue] = []
    var query = query
    while true {
      let page = try json(.find, JSON.text(JSONValue.object(query)))
      all += try #require(page["items"]?.array).map { $0[member] ?? .null }
      guard let next = page["next"]?.string else { return all }
      query["after"] = .string(next)
      guard all.count <= 100_000 else {
        Issue.record("the pages have no end")
        return all
      }
    }
  }
}

/// Collections that the cases use.
package enum Sample {
  package static let accounts = CollectionDeclaration(
    name: "accounts",
    fields: [
      FieldDeclaration(name: "name", type: .string, required: true, minLength: 1, maxLength: 40),
      FieldDeclaration(name: "email", type: .string, unique: true),
      FieldDeclaration(
        name: "balance", type: .integer, indexed: true, defaultValue: 0, minimum: -1000, maximum: 1_000_000),
      FieldDeclaration(
        name: "status", type: .string, defaultValue: "active", allowed: ["active", "closed"]),
      FieldDeclaration(name: "rate", type: .number, indexed: true),
      FieldDeclaration(name: "verified", type: .boolean, defaultValue: false),
      FieldDeclaration(name: "opened", type: .timestamp, indexed: true),
      FieldDeclaration(name: "extra", type: .json),
    ],
    indexes: [["status", "balance"]],
    queries: [
      NamedQueryDeclaration(
        name: "rich",
        query: ["where": ["balance": ["gte": "$min"]], "order": ["-balance"], "fields": ["id", "balance"]]),
      NamedQueryDeclaration(
        name: "in_status",
        query: [
          "where": ["status": ["in": "$statuses"], "name": ["ne": "$$text"]], "limit": "$count",
          "after": "$from",
        ]),
    ])

  package static let notes = CollectionDeclaration(
    name: "notes", fields: [FieldDeclaration(name: "text", type: .string)])
}
