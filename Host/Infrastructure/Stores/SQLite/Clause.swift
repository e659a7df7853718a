import Domain

/// SQL of one query after FROM, with its values. Equal text means an equal statement: it is the cache's key.
struct Clause {
  private(set) var sql: [UInt8] = []
  private(set) var values: [RecordValue] = []
  private let collection: CompiledCollection
  /// What ended before this is not there; nil where records do not end.
  private let now: String?

  init(_ collection: CompiledCollection, words: [[UInt8]] = [], now: String? = nil) {
    self.collection = collection
    self.now = now
    sql.reserveCapacity(160)
    if !words.isEmpty { add(words: words) }
  }

  /// The source of a search: rank and id of what fits, each joined with its record. The table itself, which stands
  /// at the start otherwise, is its end.
  private mutating func add(words: [[UInt8]]) {
    let search = SearchIndex(collection.schema.name)
    text(
      """
      (SELECT "search:id",+w.rank AS "search:rank" FROM \(search.words) w CROSS JOIN \(search.ids) \
      ON "search:doc"=w.rowid WHERE \(search.words) MATCH ?) CROSS JOIN \(collection.table) ON "id"="search:id"
      """)
    // Every word in quotes, which none of them can hold: nothing of it is syntax. A space means AND.
    var match: [UInt8] = []
    for word in words {
      match += [UInt8(ascii: "\"")] + word + [UInt8(ascii: "\""), UInt8(ascii: " ")]
    }
    values.append(.text(match))
  }

  private mutating func text(_ text: String) { sql.append(contentsOf: text.utf8) }

  private mutating func column(_ member: Int) {
    sql.append(contentsOf: member < 0 ? Clause.rank : collection.columns[member])
  }

  private static let rank = Array("\"search:rank\"".utf8)

  private mutating func parameter(_ value: RecordValue) {
    sql.append(UInt8(ascii: "?"))
    values.append(value)
  }

  /// Before the clause is compiled: a list counts as long as it was filled up, and an encrypted value once for each key.
  func checkCount() throws(SQLiteError) {
    guard values.count > Connection.maxValues else { return }
    throw SQLiteError(
      code: SQLiteError.Code.tooManyValues,
      message: "compares with more values than one query can: ask in parts")
  }

  // MARK: Filters

  /// Everything that the filter and the segment take, without order.
  mutating func add(filter: RecordFilter?, segment: Segment? = nil) {
    guard filter != nil || segment != nil || now != nil else { return }
    text(" WHERE ")
    if let segment {
      add(segment)
      if filter != nil || now != nil { text(" AND ") }
    }
    if let filter {
      add(filter)
      if now != nil { text(" AND ") }
    }
    if let now {
      text(collection.isLive)
      values.append(.text(Array(now.utf8)))
    }
  }

  private mutating func add(_ filter: RecordFilter) {
    switch filter {
    case .compare(let member, let comparison, let operand)
    where collection.schema.members[member].isEncrypted:
      add(encrypted: member, among: [operand], negated: comparison == .notEqual)
    case .compare(let member, let comparison, let operand):
      column(member)
      switch comparison {
      case .equal: text("=")
      // Not `<>`: a missing value differs from every value.
      case .notEqual: text(" IS NOT ")
      case .greater: text(">")
      case .greaterOrEqual: text(">=")
      case .less: text("<")
      case .lessOrEqual: text("<=")
      }
      parameter(operand.value)
    case .isNull(let member, let flag):
      column(member)
      text(flag ? " IS NULL" : " IS NOT NULL")
    case .oneOf(let member, let operands, let negated)
    where collection.schema.members[member].isEncrypted:
      add(encrypted: member, among: operands, negated: negated)
    case .oneOf(let member, let operands, let negated):
      add(member, among: operands, negated: negated)
    case .prefix(let member, let operand):
      guard case .text(let prefix) = operand.value else { preconditionFailure("a prefix is text") }
      text("(")
      column(member)
      text(">=")
      parameter(operand.value)
      // Up to the next text that does not start so: a range, which an index serves.
      if let bound = upperBound(ofPrefix: prefix) {
        text(" AND ")
        column(member)
        text("<")
        parameter(.text(bound))
      }
      text(")")
    case .contains(let member, let operand):
      text("instr(")
      column(member)
      text(",")
      parameter(operand.value)
      text(")>0")
    case .all(let filters): add(filters, joined: " AND ")
    case .any(let filters): add(filters, joined: " OR ")
    case .not(let inner):
      // Two-valued: what is unknown to SQL, for a missing value, is false to us.
      text("((")
      add(inner)
      text(") IS NOT TRUE)")
    }
  }

  private mutating func add(_ filters: [RecordFilter], joined separator: String) {
    text("(")
    for (index, filter) in filters.enumerated() {
      if index > 0 { text(separator) }
      add(filter)
    }
    text(")")
  }

  /// A value is looked for by its fingerprints, one for each key that may have written it.
  private mutating func add(
    encrypted member: Int, among operands: [RecordFilter.Operand], negated: Bool
  ) {
    let fingerprints = operands.flatMap { collection.fingerprints(of: $0.value, member) }
    add(
      column: collection.fingerprintColumn(member), among: fingerprints.map { .value(.text($0)) },
      negated: negated)
  }

  private mutating func add(
    _ member: Int, among operands: [RecordFilter.Operand], negated: Bool
  ) {
    add(column: collection.columns[member], among: operands, negated: negated)
  }

  private mutating func add(
    column: [UInt8], among operands: [RecordFilter.Operand], negated: Bool
  ) {
    if negated {
      text("(")
      sql.append(contentsOf: column)
      text(" IS NULL OR ")
    }
    sql.append(contentsOf: column)
    text(negated ? " NOT IN (" : " IN (")
    // Filled up to a power of two by repeating the last, so that few statements serve every length.
    var count = 1
    while count < operands.count { count *= 2 }
    for index in 0..<count {
      if index > 0 { text(",") }
      parameter(operands[min(index, operands.count - 1)].value)
    }
    text(negated ? "))" : ")")
  }

  // MARK: Order and position

  mutating func add(order: [RecordQuery.Order], limit: Int) {
    text(" ORDER BY ")
    for (index, part) in order.enumerated() {
      if index > 0 { text(",") }
      column(part.member)
      if part.descending { text(" DESC") }
    }
    text(" LIMIT ")
    parameter(.integer(Int64(limit)))
  }

  /// The columns whose values make a cursor, after the JSON in the list of results.
  static func cursorColumns(_ order: [RecordQuery.Order], of collection: CompiledCollection) -> String {
    order.map { part in
      "," + String(decoding: part.isRank ? rank : collection.columns[part.member], as: UTF8.self)
    }.joined()
  }

  /// Part of what comes after a position in an order: the first members equal to the position's, the next
  /// one beyond it, the rest free.
  ///
  /// One range of one index each, which a condition with OR would not be. A page reads the segments one after the other
  /// until it is full.
  struct Segment {
    enum Bound { case above, below, null, notNull }

    var position: [RecordValue]
    var order: [RecordQuery.Order]
    /// How many members are equal to the position's.
    var equal: Int
    var bound: Bound

    /// What comes after `position`, nearest first. Null sorts before every value.
    static func all(after position: [RecordValue], in order: [RecordQuery.Order], of schema: RecordSchema)
      -> [Segment]
    {
      var segments: [Segment] = []
      for equal in order.indices.reversed() {
        let isNull = position[equal] == .null
        let bounds: [Bound] =
          switch (order[equal].descending, isNull) {
          case (false, false): [.above]
          case (false, true): [.notNull]
          case (true, false): schema.members[order[equal].member].isNeverNull ? [.below] : [.below, .null]
          case (true, true): []
          }
        for bound in bounds {
          segments.append(Segment(position: position, order: order, equal: equal, bound: bound))
        }
      }
      return segments
    }

    /// The order within the segment: members that are equal throughout do not take part.
    var rest: [RecordQuery.Order] { Array(order[(bound == .null ? equal + 1 : equal)...]) }
  }

  private mutating func add(_ segment: Segment) {
    for index in 0..<segment.equal {
      column(segment.order[index].member)
      if segment.position[index] == .null {
        text(" IS NULL AND ")
      } else {
        text("=")
        parameter(segment.position[index])
        text(" AND ")
      }
    }
    column(segment.order[segment.equal].member)
    switch segment.bound {
    case .above:
      text(">")
      parameter(segment.position[segment.equal])
    case .below:
      text("<")
      parameter(segment.position[segment.equal])
    case .null: text(" IS NULL")
    case .notNull: text(" IS NOT NULL")
    }
  }
}
