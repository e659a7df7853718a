package import Kernel

/// One change to one collection, checked against its schema; `version` 0 takes any.
package enum RecordWrite: Sendable, Equatable {
  case insert(id: [UInt8], values: [RecordValue])
  case replace(id: [UInt8], values: [RecordValue], version: Int64)
  /// Inserts the record, or replaces the one that is there.
  case put(id: [UInt8], values: [RecordValue])
  case change(id: [UInt8], changes: [RecordChange], version: Int64)
  case delete(id: [UInt8], version: Int64)

  package var id: [UInt8] {
    switch self {
    case .insert(let id, _), .put(let id, _), .replace(let id, _, _), .change(let id, _, _),
      .delete(let id, _):
      id
    }
  }
}

/// The writes of a batch: `{"operations":[{"op":"insert","collection":"accounts","document":{…}},
/// {"op":"patch","id":"…","patch":{…},"version":3},…]}`. All of them happen, or none.
///
/// `op` is insert (`document`, optional `id`), replace or put (`id`, `document`), patch (`id`, `patch`), increment (`id`,
/// `increment`) or delete (`id`); all but insert and put take `version`. `collection` defaults to the batch's own.
package struct RecordBatch: Sendable {
  package struct Item: Sendable {
    /// The collection's place in the declarations.
    package var collection: Int
    package var write: RecordWrite
  }

  package let items: [Item]

  /// Throws `records.invalid` with pointers into the batch and the member `operation`, the place of the
  /// operation that is wrong.
  package init(
    _ document: borrowing JSONElement, schemas: [RecordSchema], collection: Int, limits: RecordLimits,
    now: () -> Timestamp
  ) throws(Problem) {
    guard case .object = document.kind else {
      throw .recordInvalid([RecordIssue("", "must be an object with operations")])
    }
    var items: [Item]?
    var members = document.members
    while members.next() {
      let name = String(members.key)
      guard name == "operations", items == nil else {
        let reason = items == nil ? "is not a member here; known: operations" : "appears twice"
        throw .recordInvalid([RecordIssue("", reason).below(name)])
      }
      items = try RecordBatch.operations(
        members.value, schemas: schemas, collection: collection, limits: limits, now: now)
    }
    guard let items else { throw .recordInvalid([RecordIssue("/operations", "is required")]) }
    self.items = items
  }

  private static func operations(
    _ element: borrowing JSONElement, schemas: [RecordSchema], collection: Int, limits: RecordLimits,
    now: () -> Timestamp
  ) throws(Problem) -> [Item] {
    guard case .array = element.kind else {
      throw .recordInvalid([RecordIssue("/operations", "must be an array")])
    }
    var items: [Item] = []
    var elements = element.elements
    while elements.next() {
      guard items.count < limits.maxBatchOperations else {
        throw .recordInvalid([
          RecordIssue("/operations", "holds more than \(limits.maxBatchOperations) operations")
        ])
      }
      do {
        items.append(
          try OperationReader(schemas: schemas, limits: limits).read(
            elements.value, collection: collection, now: now))
      } catch {
        throw error.inOperation(items.count)
      }
    }
    guard !items.isEmpty else {
      throw .recordInvalid([RecordIssue("/operations", "must hold an operation")])
    }
    return items
  }
}

extension Problem {
  /// The problem as a batch tells it: which operation failed, pointers from the batch's root.
  package func inOperation(_ index: Int) -> Problem {
    var problem = self
    problem.detail = "operation \(index): \(detail)"
    problem.members["operation"] = .integer(Int64(index))
    if let errors = members["errors"]?.array {
      problem.members["errors"] = .array(
        errors.map { error in
          guard var members = error.object else { return error }
          members["pointer"] = .string("/operations/\(index)" + (members["pointer"]?.string ?? ""))
          return .object(members)
        })
    }
    return problem
  }
}

/// Reads one operation of a batch.
private struct OperationReader {
  let schemas: [RecordSchema]
  let limits: RecordLimits

  private static let names = ["op", "collection", "id", "document", "patch", "increment", "version"]

  func read(
    _ element: borrowing JSONElement, collection: Int, now: () -> Timestamp
  ) throws(Problem) -> RecordBatch.Item {
    guard case .object = element.kind else { throw issue("", "must be an object") }
    try checkNames(element)
    let op = try text(element, "op", required: true)
    let payload =
      switch op {
      case "insert", "replace", "put": "document"
      case "patch": "patch"
      case "increment": "increment"
      case "delete": ""
      default: throw issue("/op", "must be insert, replace, put, patch, increment or delete")
      }
    for name in ["document", "patch", "increment"] where name != payload {
      if element.member(name.utf8.span) != nil { throw issue("/\(name)", "does not go with \(op)") }
    }
    var place = collection
    if element.member("collection".utf8.span) != nil {
      let name = try text(element, "collection", required: true)
      guard let found = schemas.firstIndex(where: { $0.name == name }) else {
        throw issue("/collection", "is not declared")
      }
      place = found
    }
    let id = try id(element, required: op != "insert")
    let version = try version(element, allowed: op != "insert" && op != "put")
    let write = try write(
      op, payload, element, schema: schemas[place], id: id ?? Array(UUIDv7.make(at: now()).utf8),
      version: version, now)
    return RecordBatch.Item(collection: place, write: write)
  }

  private func write(
    _ op: String, _ payload: String, _ element: borrowing JSONElement, schema: RecordSchema, id: [UInt8],
    version: Int64, _ now: () -> Timestamp
  ) throws(Problem) -> RecordWrite {
    if payload.isEmpty { return .delete(id: id, version: version) }
    guard let document = element.member(payload.utf8.span) else { throw issue("/\(payload)", "is required") }
    do {
      switch op {
      case "insert":
        return .insert(id: id, values: try schema.values(of: document, limits: limits, now: now))
      case "put": return .put(id: id, values: try schema.values(of: document, limits: limits, now: now))
      case "replace":
        return .replace(
          id: id, values: try schema.values(of: document, limits: limits, now: now), version: version)
      case "patch":
        return .change(
          id: id, changes: try schema.patch(document, limits: limits, now: now), version: version)
      default:
        return .change(id: id, changes: try schema.increments(document, limits: limits), version: version)
      }
    } catch {
      throw Problem.recordInvalid(
        (error.members["errors"]?.array ?? []).map {
          RecordIssue("/\(payload)" + ($0["pointer"]?.string ?? ""), $0["reason"]?.string ?? "")
        })
    }
  }

  private func checkNames(_ element: borrowing JSONElement) throws(Problem) {
    var seen: [String] = []
    var members = element.members
    while members.next() {
      let name = String(members.key)
      guard OperationReader.names.contains(name) else {
        throw issue("/" + RecordIssue.escape(name), "is not a member of an operation")
      }
      if seen.contains(name) { throw issue("/\(name)", "appears twice") }
      seen.append(name)
    }
  }

  private func text(
    _ element: borrowing JSONElement, _ name: String, required: Bool
  ) throws(Problem) -> String {
    guard let member = element.member(name.utf8.span) else { throw issue("/\(name)", "is required") }
    guard let text = member.string else { throw issue("/\(name)", "must be a string") }
    return text
  }

  private func id(_ element: borrowing JSONElement, required: Bool) throws(Problem) -> [UInt8]? {
    guard let member = element.member("id".utf8.span) else {
      if required { throw issue("/id", "is required") }
      return nil
    }
    guard let text = member.utf8 else { throw issue("/id", "must be a string") }
    do { return try limits.id(text) } catch { throw .recordInvalid([error]) }
  }

  private func version(_ element: borrowing JSONElement, allowed: Bool) throws(Problem) -> Int64 {
    guard let member = element.member("version".utf8.span) else { return 0 }
    guard allowed else { throw issue("/version", "does not go with insert or put") }
    guard case .integer(let version) = member.kind, version > 0 else {
      throw issue("/version", "must be an integer from 1 to 9223372036854775807")
    }
    return version
  }

  private func issue(_ pointer: String, _ reason: String) -> Problem {
    .recordInvalid([RecordIssue(pointer, reason)])
  }
}

extension RecordLimits {
  /// The id that a caller gives for a record that is to be made. Throws what is wrong with it.
  package func id(_ text: Span<UInt8>) throws(RecordIssue) -> [UInt8] {
    guard (1...maxIDBytes).contains(text.count) else {
      throw RecordIssue("/id", "must be 1 to \(maxIDBytes) bytes long")
    }
    for index in text.indices where text[index] < 0x20 || text[index] == 0x7F {
      throw RecordIssue("/id", "must not hold control characters")
    }
    let bytes = [UInt8](text)
    // A key may come from a path: the edge has checked its UTF-8, a plugin need not have.
    guard String(validating: bytes, as: UTF8.self) != nil else { throw RecordIssue("/id", "must be UTF-8") }
    return bytes
  }
}
