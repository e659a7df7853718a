/// The full-text index of one collection.
///
/// A contentless FTS5 table with the words, and a table that gives each record the number by which FTS5 knows it: the
/// records' own table has none. Triggers note what a write changes, whichever generation writes, and the writer
/// brings the notes into the index before the write's savepoint ends. The triggers are temporary, made by the connection that
/// writes: triggers of the file stay switched off, for a file must not bring code, and so does the trust in its
/// schema, without which no trigger may write to a virtual table. Names hold a colon, which no collection's does;
/// the words' columns have names of their own, as FTS5 keeps `rank` and `rowid` for itself.
struct SearchIndex {
  private let collection: String
  let words: String
  let ids: String
  private let changes: String

  init(_ collection: String) {
    self.collection = collection
    words = SQL.quoted("search:\(collection):words")
    ids = SQL.quoted("search:\(collection):ids")
    changes = SQL.quoted("search:\(collection):changes")
  }

  /// Makes the index, from the records that exist.
  func make(_ fields: [String], on connection: Connection) throws(SQLiteError) {
    let table = SQL.quoted(collection)
    let columns = columns(fields.count)
    for sql in [
      "CREATE TABLE \(ids)(\"search:doc\" INTEGER PRIMARY KEY, \"search:id\" TEXT NOT NULL UNIQUE) STRICT",
      """
      CREATE VIRTUAL TABLE \(words) USING fts5(\(columns),content='',\
      tokenize='unicode61 remove_diacritics 2')
      """,
      "INSERT INTO \(ids)(\"search:id\") SELECT \"id\" FROM \(table)",
      """
      INSERT INTO \(words)(rowid,\(columns)) SELECT "search:doc",\(values("", fields)) \
      FROM \(ids) JOIN \(table) ON "id"="search:id"
      """,
    ] { try connection.execute(sql) }
    try watch(fields, on: connection)
  }

  func drop(on connection: Connection) throws(SQLiteError) {
    for name in triggers { try connection.execute("DROP TRIGGER IF EXISTS temp.\(name)") }
    try connection.execute("DROP TABLE IF EXISTS temp.\(changes)")
    try connection.execute("DROP TABLE \(words)")
    try connection.execute("DROP TABLE \(ids)")
  }

  /// Takes away every trigger of a connection, and what they note into: a connection has no other temporary things.
  static func unwatchAll(on connection: Connection) throws(SQLiteError) {
    var found: [(type: String, name: String)] = []
    let statement = try connection.prepare(
      "SELECT type,name FROM sqlite_temp_schema WHERE type IN ('trigger','table') ORDER BY type DESC")
    while try statement.step() { found.append((statement.text(0), statement.text(1))) }
    statement.reset()
    for (type, name) in found { try connection.execute("DROP \(type) temp.\(SQL.quoted(name))") }
  }

  /// Makes the triggers: once on every connection that writes.
  func watch(_ fields: [String], on connection: Connection) throws(SQLiteError) {
    let table = "main.\(SQL.quoted(collection))"
    // Contentless: what is taken out has to be told again.
    func note(_ command: String, _ row: String) -> String {
      """
      INSERT INTO \(changes)("search:command","search:doc",\(columns(fields.count))) \
      SELECT \(command),"search:doc",\(values(row, fields)) FROM \(ids) WHERE "search:id"=\(row)"id";
      """
    }
    let remove = note("'delete'", "old.")
    let add = note("NULL", "new.")
    let names = fields.map { SQL.quoted($0) }
    let differs = names.map { "old.\($0) IS NOT new.\($0)" }.joined(separator: " OR ")
    for sql in [
      """
      CREATE TEMP TABLE \(changes)("search:number" INTEGER PRIMARY KEY,"search:command","search:doc",\
      \(columns(fields.count)))
      """,
      """
      CREATE TEMP TRIGGER \(triggers[0]) AFTER INSERT ON \(table) BEGIN \
      INSERT INTO \(ids)("search:id") VALUES(new."id"); \(add) END
      """,
      """
      CREATE TEMP TRIGGER \(triggers[1]) AFTER DELETE ON \(table) BEGIN \
      \(remove) DELETE FROM \(ids) WHERE "search:id"=old."id"; END
      """,
      """
      CREATE TEMP TRIGGER \(triggers[2]) AFTER UPDATE OF \(names.joined(separator: ",")) ON \(table) \
      WHEN \(differs) BEGIN \(remove) \(add) END
      """,
    ] { try connection.execute(sql) }
  }

  /// Brings what the triggers noted into the index, in order, and forgets it. FTS5 takes a command in the column of
  /// its table's name, and a row where that is null.
  func statements(fieldCount: Int) -> [String] {
    [
      """
      INSERT INTO \(words)(\(words),rowid,\(columns(fieldCount))) \
      SELECT "search:command","search:doc",\(columns(fieldCount)) FROM temp.\(changes) ORDER BY "search:number"
      """, "DELETE FROM temp.\(changes)",
    ]
  }

  private var triggers: [String] {
    ["insert", "delete", "update"].map { SQL.quoted("search:\(collection):\($0)") }
  }

  private func columns(_ count: Int) -> String {
    (0..<count).map { SQL.quoted("search:\($0)") }.joined(separator: ",")
  }

  private func values(_ row: String, _ fields: [String]) -> String {
    fields.map { row + SQL.quoted($0) }.joined(separator: ",")
  }
}
