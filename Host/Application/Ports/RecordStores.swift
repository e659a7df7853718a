package import Domain
package import Kernel

/// What one operation on records asks for: the operations of `council.records/1` in council.h.
package enum RecordOperation: UInt32, Sendable {
  case get = 1
  case find, count, insert, replace, patch, delete, increment, batch, query, put

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

  /// Runs one operation. `key` and `input` are as council.h says; `expectedVersion` 0 takes any. A dry run has the result
  /// that the operation would have now, and changes nothing.
  ///
  /// A failure is a ``Problem`` whose code starts with `records.`:
  /// - 400 `invalid_query` (members `pointer`, `errors`), `invalid_cursor`
  /// - 404 `not_found`, `unknown_query` (member `known`), `unknown_collection`
  /// - 409 `conflict` (member `field`), 412 `precondition_failed` (member `version`: the present one)
  /// - 413 `too_large`, 422 `invalid` (member `errors`: pointer and reason of each), `not_searchable`
  /// - 503 `unavailable` (member `cause`: busy, disk_full, read_only, io_error, corrupt, cannot_open,
  ///   out_of_memory, closed), `overloaded`: nothing was written
  /// - 504 `timeout` (member `limit_ms`), 500 `internal`, `key_missing`, `value_damaged`: of an encrypted value
  ///
  /// A batch adds the member `operation`, the place of the one that failed.
  func call(
    _ operation: RecordOperation, collection: Int, key: Span<UInt8>, input: Span<UInt8>,
    expectedVersion: Int64, isDryRun: Bool
  ) throws(Problem) -> RecordResult

  /// nil, or why the store cannot be used now, in words without a path. Looks at the disk; one thread at a time.
  /// [not event]
  var fault: String? { get }

  /// Ends this generation's use of the store; the data stays.
  func close()
}

extension RecordStore {
  package func call(
    _ operation: RecordOperation, collection: Int, key: Span<UInt8>, input: Span<UInt8>,
    expectedVersion: Int64
  ) throws(Problem) -> RecordResult {
    try call(
      operation, collection: collection, key: key, input: input, expectedVersion: expectedVersion,
      isDryRun: false)
  }
}

/// The engine behind the records of automations.
package protocol RecordStores: AnyObject, Sendable {
  /// `automation` is whose records these are; `version`, which version of it declares them, nil for none: several share
  /// the records, and each sees what it declares itself. What opening these collections would change, without changing it. Throws `records.migration_destructive`
  /// (409, member `changes` with the diff: change, collection, field, detail), `records.unsupported` (422),
  /// `records.invalid_query` (400, of a named query), `records.encryption_unconfigured` (422, members `fields`, `setting`),
  /// `records.foreign_file` (409) or `records.newer_layout` (500), each naming all causes at once; pointers lead into
  /// `collections`.
  func plan(automation: String, version: Int?, collections: [CollectionDeclaration]) throws(Problem)
    -> [String]

  /// Migrates and opens. `plan` has passed; the old generation may be open and in use. What it relies on (a unique
  /// index, full-text search) stays until it is closed. When the store that this returns is closed while an earlier
  /// one is open, a start that failed, the indexes go back to what the earlier one declares; added fields stay, hidden.
  func open(
    automation: String, version: Int?, collections: [CollectionDeclaration]
  ) throws(Problem) -> any RecordStore
}

extension RecordStores {
  package func plan(automation: String, collections: [CollectionDeclaration]) throws(Problem) -> [String] {
    try plan(automation: automation, version: nil, collections: collections)
  }

  package func open(
    automation: String, collections: [CollectionDeclaration]
  ) throws(Problem) -> any RecordStore {
    try open(automation: automation, version: nil, collections: collections)
  }
}
