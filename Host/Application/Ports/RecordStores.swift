package import Domain
package import Kernel

/// What one operation on records asks for: the operations of `council.records/1` in council.h.
package enum RecordOperation: UInt32, Sendable {
  case get = 1
  case find, count, insert, replace, patch, delete, increment, batch, query

  package var isRead: Bool { self == .get || self == .find || self == .count || self == .query }
}

/// What an operation answers: JSON bytes for the caller, and the version of the one record they hold.
package struct RecordResult: Sendable {
  package var json: [UInt8]
  package var version: Int64

  package init(json: [UInt8], version: Int64 = 0) {
    self.json = json
    self.version = version
  }
}

/// The collections of one automation, open for one generation. Concurrent: reads run in parallel on the
/// calling threads; writes wait until they are durable.
package protocol RecordStore: AnyObject, Sendable {
  /// The number of a declared collection, its place in the manifest.
  func collection(named name: String) -> Int?

  /// Runs one operation. `key` and `input` are as council.h says; `expectedVersion` 0 takes any.
  ///
  /// A failure is a ``Problem`` whose code starts with `records.`: `not_found` 404, `conflict` 409 with a
  /// member `field`, `invalid` 422 with `errors`, `precondition_failed` 412, `unsupported` 422, `unavailable` 503.
  func call(
    _ operation: RecordOperation, collection: Int, key: Span<UInt8>, input: Span<UInt8>,
    expectedVersion: Int64
  ) throws(Problem) -> RecordResult

  /// Ends this generation's use of the store; the data stays.
  func close()
}

/// The engine behind the records of automations.
package protocol RecordStores: AnyObject, Sendable {
  /// What opening these collections would change, without changing it. Throws `records.migration_destructive`
  /// (409, member `changes` with the diff), `records.unsupported` or `records.invalid_query`, each
  /// naming all causes at once.
  func plan(automation: String, collections: [CollectionDeclaration]) throws(Problem) -> [String]

  /// Migrates and opens. `plan` has passed; the old generation may be open and in use.
  func open(automation: String, collections: [CollectionDeclaration]) throws(Problem) -> any RecordStore
}
