import Application
import Domain
import Kernel

extension SQLiteRecordStore {
  /// What a read statement asks for: the first byte of its key.
  private enum Question {
    static let get: UInt8 = 1
    static let page: UInt8 = 2
    static let count: UInt8 = 3
  }

  func read<Value>(
    _ body: (Reader) throws(SQLiteError) -> Value
  ) throws(Problem) -> Value {
    do { return try file.read(body) } catch { throw error.problem(configuration) }
  }

  func get(
    _ target: CompiledCollection, id: Span<UInt8>, fields: [Int]?
  ) throws(Problem) -> RecordResult {
    let result = try read { reader throws(SQLiteError) -> RecordResult? in
      let key =
        fields == nil
        ? target.getKey : StatementKey(collection: target.number, text: prefix(Question.get, fields))
      let statement = try reader.statement(key) {
        """
        SELECT \(target.json(of: fields)),"version" FROM \(target.table) WHERE "id"=?\
        \(target.isLive.isEmpty ? "" : " AND " + target.isLive)
        """
      }
      defer { statement.reset() }
      reader.connection.restartTime()
      try statement.bind(1, text: id)
      if target.schema.expiry != nil { try statement.bind(2, configuration.clock().text) }
      guard try statement.step() else { return nil }
      return RecordResult(json: statement.bytes(0), version: statement.integer(1))
    }
    guard let result else { throw .recordNotFound(target.schema.name) }
    return result
  }

  /// The present instant, where records of the collection end by themselves.
  func now(for target: CompiledCollection) -> String? {
    target.schema.expiry == nil ? nil : configuration.clock().text
  }

  func count(_ query: RecordQuery, of target: CompiledCollection) throws(Problem) -> RecordResult {
    var clause = Clause(target, words: query.words, now: now(for: target))
    clause.add(filter: query.filter)
    let count = try read { reader throws(SQLiteError) -> Int64 in
      try clause.checkCount()
      let key = StatementKey(collection: target.number, text: [Question.count] + clause.sql)
      let statement = try reader.statement(key) {
        "SELECT count(*) FROM \(source(query, target))\(String(decoding: clause.sql, as: UTF8.self))"
      }
      defer { statement.reset() }
      reader.connection.restartTime()
      for (index, value) in clause.values.enumerated() { try statement.bind(index + 1, value) }
      return try statement.step() ? statement.integer(0) : 0
    }
    return RecordResult(json: Array("{\"count\":\(count)}".utf8))
  }

  /// Projection and question, as the start of a statement's key.
  private func prefix(_ question: UInt8, _ fields: [Int]?) -> [UInt8] {
    var bytes = [question]
    guard let fields else { return bytes }
    for field in fields { bytes += [UInt8(field >> 8), UInt8(field & 0xFF)] }
    bytes += [0xFF, 0xFF]
    return bytes
  }
}

// MARK: - Pages

extension SQLiteRecordStore {
  /// `{"items":[…],"next":cursor|null}`.
  func page(_ query: RecordQuery, of target: CompiledCollection) throws(Problem) -> RecordResult {
    try read { reader throws(SQLiteError) -> RecordResult in
      reader.connection.restartTime()
      var page = Page(query, target, now: now(for: target))
      if query.after == nil {
        _ = try add(to: &page, segment: nil, reader)
      } else {
        // The segments must see one state of the file.
        try reader.snapshot { () throws(SQLiteError) in
          for segment in segments(of: query, target) {
            if try add(to: &page, segment: segment, reader) { break }
          }
        }
      }
      return page.result()
    }
  }

  /// The parts that a page is read from, in order; nil for everything.
  func segments(of query: RecordQuery, _ target: CompiledCollection) -> [Clause.Segment?] {
    guard let after = query.after else { return [nil] }
    return Clause.Segment.all(after: after.values, in: query.order, of: target.schema)
  }

  /// Reads the records of one segment. Whether the page is full.
  func add(
    to page: inout Page, segment: Clause.Segment?, _ reader: Reader
  ) throws(SQLiteError) -> Bool {
    let (clause, statement) = try statement(for: page, segment: segment, reader)
    defer { statement.reset() }
    for (index, value) in clause.values.enumerated() { try statement.bind(index + 1, value) }
    while try statement.step() {
      if page.isFull {
        page.hasMore = true
        return true
      }
      page.add(statement)
    }
    return false
  }

  func statement(
    for page: Page, segment: Clause.Segment?, _ reader: Reader
  ) throws(SQLiteError) -> (Clause, Statement) {
    let (query, target) = (page.query, page.target)
    var clause = Clause(target, words: query.words, now: page.now)
    clause.add(filter: query.filter, segment: segment)
    // One more than fits shows whether there is a next page.
    clause.add(order: segment?.rest ?? query.order, limit: query.limit + 1 - page.count)
    try clause.checkCount()
    var key = prefix(Question.page, query.fields)
    // The cursor's columns are part of the statement and not of its clause.
    for part in query.order { key += [UInt8(part.member >> 8 & 0xFF), UInt8(part.member & 0xFF)] }
    key.append(0xFF)
    key += clause.sql
    let statement = try reader.statement(StatementKey(collection: target.number, text: key)) {
      text(page, clause)
    }
    return (clause, statement)
  }

  func text(_ page: Page, _ clause: Clause) -> String {
    let (query, target) = (page.query, page.target)
    return """
      SELECT \(target.json(of: query.fields))\(Clause.cursorColumns(query.order, of: target)) \
      FROM \(source(query, target))\(String(decoding: clause.sql, as: UTF8.self))
      """
  }

  /// A search brings its own source, in which the table is.
  private func source(_ query: RecordQuery, _ target: CompiledCollection) -> String {
    query.words.isEmpty ? target.table : ""
  }

  /// A page while it is read.
  struct Page {
    let query: RecordQuery
    let target: CompiledCollection
    /// One instant for all segments.
    let now: String?
    private(set) var count = 0
    var hasMore = false
    private var json: [UInt8] = []
    /// The order values of the last record.
    private var last: [RecordValue] = []

    init(_ query: RecordQuery, _ target: CompiledCollection, now: String?) {
      self.query = query
      self.now = now
      self.target = target
      json.reserveCapacity(64 + query.limit * 256)
      json.append(contentsOf: "{\"items\":[".utf8)
    }

    var isFull: Bool { count == query.limit }

    mutating func add(_ statement: Statement) {
      if count > 0 { json.append(UInt8(ascii: ",")) }
      statement.appendBytes(0, to: &json)
      count += 1
      guard isFull else { return }
      last = query.order.enumerated().map { index, part in
        statement.value(index + 1, part.isRank ? .number : target.schema.members[part.member].type)
      }
    }

    consuming func result() -> RecordResult {
      json.append(contentsOf: "],\"next\":".utf8)
      if hasMore {
        let cursor = RecordCursor(shape: query.shape(in: target.schema), values: last)
        json.append(UInt8(ascii: "\""))
        json.append(contentsOf: cursor.text.utf8)
        json.append(contentsOf: "\"}".utf8)
      } else {
        json.append(contentsOf: "null}".utf8)
      }
      return RecordResult(json: json)
    }
  }
}
