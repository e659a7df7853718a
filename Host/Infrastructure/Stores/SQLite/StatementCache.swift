/// What makes two statements one: the collection of one generation, and the text that a request adds.
struct StatementKey: Hashable {
  var collection: UInt32
  var text: [UInt8]
}

/// Compiled statements of one connection by key; the one unused for longest makes room.
struct StatementCache {
  private struct Entry {
    var statement: Statement
    var used: UInt64
  }

  private var entries: [StatementKey: Entry] = [:]
  private var clock: UInt64 = 0
  private let capacity: Int

  init(capacity: Int) { self.capacity = max(1, capacity) }

  var count: Int { entries.count }

  mutating func statement(
    _ key: StatementKey, make: () throws(SQLiteError) -> Statement
  ) throws(SQLiteError) -> Statement {
    clock += 1
    if let index = entries.index(forKey: key) {
      entries.values[index].used = clock
      return entries.values[index].statement
    }
    let statement = try make()
    if entries.count >= capacity, let oldest = entries.min(by: { $0.value.used < $1.value.used }) {
      entries[oldest.key] = nil
    }
    entries[key] = Entry(statement: statement, used: clock)
    return statement
  }

  /// Drops the statements of collections that nobody uses any more.
  mutating func keep(_ isUsed: (UInt32) -> Bool) {
    entries = entries.filter { isUsed($0.key.collection) }
  }
}
