package import Application
import Domain
package import Kernel
import Synchronization

/// The records of one automation as one generation sees them.
package final class SQLiteRecordStore: RecordStore {
  let file: DatabaseFile
  let collections: [CompiledCollection]
  let configuration: SQLiteConfiguration
  private let parsers: RecordParsers
  private let release: @Sendable () -> Void
  private let isClosed = Atomic<Bool>(false)

  init(
    file: DatabaseFile, collections: [CompiledCollection], parsers: RecordParsers,
    configuration: SQLiteConfiguration, release: @escaping @Sendable () -> Void
  ) {
    self.file = file
    self.collections = collections
    self.parsers = parsers
    self.configuration = configuration
    self.release = release
    file.register(collections)
  }

  deinit { close() }

  package func collection(named name: String) -> Int? {
    collections.firstIndex { $0.schema.name == name }
  }

  package var fault: String? { isClosed.load(ordering: .relaxed) ? nil : file.check.fault }

  package func close() {
    guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
    file.unregister(collections)
    release()
  }

  package func call(
    _ operation: RecordOperation, collection: Int, key: Span<UInt8>, input: Span<UInt8>,
    expectedVersion: Int64, isDryRun: Bool
  ) throws(Problem) -> RecordResult {
    guard collections.indices.contains(collection) else {
      throw Problem(404, "records.unknown_collection", "no collection has the number \(collection)")
    }
    guard !isClosed.load(ordering: .relaxed) else {
      throw .recordsUnavailable(cause: "closed", "this generation no longer uses its records")
    }
    let target = collections[collection]
    switch operation {
    case .get: return try get(target, id: key, input: input)
    case .find:
      let query = try query(input, of: target)
      return try page(query, of: target)
    case .count:
      let query = try query(input, of: target)
      return try count(query, of: target)
    case .query:
      let query = try namedQuery(key, input, of: target)
      return try page(query, of: target)
    case .insert, .put, .replace, .patch, .increment, .delete:
      let write = try write(operation, target, key: key, input: input, version: expectedVersion)
      return try run([WriteJob.Write(collection: target, write: write)], batch: false, isDryRun: isDryRun)
    case .batch:
      return try batch(input, collection: collection, isDryRun: isDryRun)
    }
  }

  // MARK: Input

  /// Parses `input` and hands its root to `body`.
  private func parse<Value>(
    _ input: Span<UInt8>, maxBytes: Int, what: String, wrong: (String) -> Problem,
    _ body: (borrowing JSONElement) throws(Problem) -> Value
  ) throws(Problem) -> Value {
    guard input.count <= maxBytes else { throw .recordTooLarge(what, limit: maxBytes) }
    let parser = parsers.parser(for: input.count)
    do { try parser.parse(input) } catch { throw wrong("is not JSON that can be read: \(error)") }
    return try body(parser.root)
  }

  func query(_ input: Span<UInt8>, of target: CompiledCollection) throws(Problem) -> RecordQuery {
    let limits = configuration.limits
    if input.isEmpty { return target.schema.everything(limits: limits) }
    return try parse(
      input, maxBytes: limits.maxQueryBytes, what: "the query",
      wrong: { .recordQueryInvalid(RecordIssue("", $0)) }
    ) { root throws(Problem) in try target.schema.query(root, limits: limits) }
  }

  private func namedQuery(
    _ key: Span<UInt8>, _ input: Span<UInt8>, of target: CompiledCollection
  ) throws(Problem) -> RecordQuery {
    guard let query = target.queries[String(key)] else {
      throw Problem(
        404, "records.unknown_query", "\(target.schema.name) declares no query of this name",
        members: ["known": .array(target.queries.keys.sorted().map { .string($0) })])
    }
    let limits = configuration.limits
    let empty: [UInt8] = [UInt8(ascii: "{"), UInt8(ascii: "}")]
    return try parse(
      input.isEmpty ? empty.span : input, maxBytes: limits.maxQueryBytes, what: "the parameters",
      wrong: { .recordQueryInvalid(RecordIssue("", $0)) }
    ) { root throws(Problem) in try query.query(root, in: target.schema, limits: limits) }
  }

  private func get(
    _ target: CompiledCollection, id: Span<UInt8>, input: Span<UInt8>
  ) throws(Problem) -> RecordResult {
    guard !input.isEmpty else { return try get(target, id: id, fields: nil) }
    let limits = configuration.limits
    let fields = try parse(
      input, maxBytes: limits.maxQueryBytes, what: "the projection",
      wrong: { .recordQueryInvalid(RecordIssue("", $0)) }
    ) { root throws(Problem) in try target.schema.projection(root, limits: limits) }
    return try get(target, id: id, fields: fields)
  }

  private func write(
    _ operation: RecordOperation, _ target: CompiledCollection, key: Span<UInt8>, input: Span<UInt8>,
    version: Int64
  ) throws(Problem) -> RecordWrite {
    let limits = configuration.limits
    let id: [UInt8]
    if operation == .insert || operation == .put {
      guard operation == .insert || !key.isEmpty else {
        throw .recordInvalid([RecordIssue("", "a record is put under an id")])
      }
      do { id = try key.isEmpty ? SQLiteRecordStore.newID(configuration) : limits.id(key) } catch {
        throw .recordInvalid([error])
      }
      guard version == 0 else {
        throw .recordInvalid([
          RecordIssue("", "a record that is inserted or put has no version to expect: replace takes one")
        ])
      }
    } else {
      // An id that no record can have is an id of none.
      do { id = try limits.id(key) } catch { throw .recordNotFound(target.schema.name) }
    }
    if operation == .delete { return .delete(id: id, version: version) }
    let schema = target.schema
    let now = configuration.clock
    return try parse(
      input, maxBytes: limits.maxDocumentBytes, what: "the document",
      wrong: { .recordInvalid([RecordIssue("", $0)]) }
    ) { root throws(Problem) -> RecordWrite in
      switch operation {
      case .insert: .insert(id: id, values: try schema.values(of: root, limits: limits, now: now))
      case .put: .put(id: id, values: try schema.values(of: root, limits: limits, now: now))
      case .replace:
        .replace(id: id, values: try schema.values(of: root, limits: limits, now: now), version: version)
      case .patch:
        .change(id: id, changes: try schema.patch(root, limits: limits, now: now), version: version)
      default: .change(id: id, changes: try schema.increments(root, limits: limits), version: version)
      }
    }
  }

  private func batch(
    _ input: Span<UInt8>, collection: Int, isDryRun: Bool
  ) throws(Problem) -> RecordResult {
    let limits = configuration.limits
    let configuration = configuration
    let schemas = collections.map(\.schema)
    let batch = try parse(
      input, maxBytes: limits.maxBatchBytes, what: "the batch",
      wrong: { .recordInvalid([RecordIssue("", $0)]) }
    ) { root throws(Problem) in
      try RecordBatch(
        root, schemas: schemas, collection: collection, limits: limits,
        now: configuration.clock)
    }
    let writes = batch.items.map {
      WriteJob.Write(collection: collections[$0.collection], write: $0.write)
    }
    return try run(writes, batch: true, isDryRun: isDryRun)
  }

  private static func newID(_ configuration: SQLiteConfiguration) -> [UInt8] {
    Array(UUIDv7.make(at: configuration.clock()).utf8)
  }

  private func run(
    _ writes: [WriteJob.Write], batch: Bool, isDryRun: Bool
  ) throws(Problem) -> RecordResult {
    try file.writer.run(
      .records(writes, batch: batch, isDryRun: isDryRun), maxWait: configuration.maxQueueWait
    ).get()
  }
}
