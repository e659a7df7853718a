import Kernel

/// The full-text indexes of the file, as the writer keeps them.
extension WriteConnection {
  struct Searches {
    /// SQLite's number of the file's schema that this was read from; -1 before it was.
    var schema: Int64 = -1
    /// What brings noted changes into the index, by collection.
    var statements: [String: [String]] = [:]
  }

  /// Before what these collections changed is kept.
  func index(_ collections: some Sequence<String>) throws(Problem) {
    if searches.statements.isEmpty { return }
    for collection in Set(collections) {
      for sql in searches.statements[collection] ?? [] { try control(sql) }
    }
  }

  /// False after another process, which a host that hands over has beside it, changed the file's schema. What is
  /// written without its indexes' triggers would never be found.
  func hasPresentSearches() throws(Problem) -> Bool { try schemaNumber() == searches.schema }

  func readSearches() throws(Problem) -> Searches {
    var found = Searches(schema: try schemaNumber())
    do throws(SQLiteError) {
      for (collection, fields) in try Migrator(connection: connection, configuration: configuration)
        .knownSearches()
      {
        found.statements[collection] = SearchIndex(collection).statements(fieldCount: fields.count)
      }
    } catch {
      throw problem(error)
    }
    return found
  }

  /// Makes the triggers anew. In a transaction.
  func watchSearches() throws(Problem) -> Searches {
    do throws(SQLiteError) {
      try SearchIndex.unwatchAll(on: connection)
      try Migrator(connection: connection, configuration: configuration).watchSearches()
    } catch {
      throw problem(error)
    }
    return try readSearches()
  }

  private func schemaNumber() throws(Problem) -> Int64 {
    let sql = "PRAGMA main.schema_version"
    return try statement(StatementKey(collection: 0, text: Array(sql.utf8)), sql) {
      statement throws(SQLiteError) in
      try statement.step() ? statement.integer(0) : 0
    }
  }
}
