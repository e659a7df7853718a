import Domain
import Kernel

/// Records that end by themselves.
extension WriteConnection {
  func andLive(_ collection: CompiledCollection) -> String {
    collection.isLive.isEmpty ? "" : " AND " + collection.isLive
  }

  func bindNow(
    to statement: Statement, at index: Int, _ collection: CompiledCollection
  ) throws(SQLiteError) {
    if collection.schema.expiry != nil { try statement.bind(index, configuration.clock().text) }
  }

  /// Removes the records that have ended and stand in the way of these values. Whether there were any.
  func removeEnded(
    _ id: [UInt8], _ values: [(Int, RecordValue)], in collection: CompiledCollection
  ) throws(Problem) -> Bool {
    let schema = collection.schema
    guard let expiry = schema.expiry else { return false }
    var text = "E"
    var conditions = ["\"id\"=?"]
    var wanted: [RecordValue] = [.text(id)]
    for (member, value) in values where schema.members[member].declaration?.unique == true {
      for value in collection.lookedFor(value, member) {
        text += " \(member)"
        conditions.append((collection.columnNames(member).last ?? "") + "=?")
        wanted.append(value)
      }
    }
    let connection = connection
    let removed = try statement(
      key(collection, text),
      """
      DELETE FROM \(collection.table) WHERE \(SQL.quoted(schema.members[expiry].name))<=? \
      AND (\(conditions.joined(separator: " OR ")))
      """
    ) { statement throws(SQLiteError) in
      try statement.bind(1, configuration.clock().text)
      for (index, value) in wanted.enumerated() { try statement.bind(index + 2, value) }
      _ = try statement.step()
      return connection.changes
    }
    return removed > 0
  }

  /// Removes a batch of records that have ended, of each collection. Whether more are left. What fails is tried again
  /// with the next sweep: nobody waits for it.
  func sweep() -> Bool {
    let collections = file.declared.ending
    guard !collections.isEmpty else { return false }
    dropUnusedStatements()
    keeper.release()
    defer {
      moveLog()
      keeper.hold()
    }
    var hasMore = false
    do throws(Problem) {
      for collection in collections where try hasEnded(in: collection) {
        try begin()
        let removed = try remove(batchOf: collection)
        try index([collection.schema.name])
        try commit()
        if removed == configuration.sweepBatch { hasMore = true }
      }
    } catch {
      rollBack()
      return false
    }
    return hasMore
  }

  private func hasEnded(in collection: CompiledCollection) throws(Problem) -> Bool {
    connection.restartTime()
    return try statement(
      key(collection, "S"), "SELECT 1 FROM \(collection.table) WHERE \(collection.hasEnded) LIMIT 1"
    ) { statement throws(SQLiteError) in
      try statement.bind(1, configuration.clock().text)
      return try statement.step()
    }
  }

  private func remove(batchOf collection: CompiledCollection) throws(Problem) -> Int {
    let connection = connection
    return try statement(key(collection, "X"), collection.sweepText) { statement throws(SQLiteError) in
      try statement.bind(1, configuration.clock().text)
      try statement.bind(2, Int64(configuration.sweepBatch))
      _ = try statement.step()
      return connection.changes
    }
  }
}
