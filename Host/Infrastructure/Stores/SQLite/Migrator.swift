import Domain
import Kernel

/// What a file remembers of its collections, and the steps from one declaration to the next.
///
/// Beside one table per collection the file has `_council_schemas` (every distinct declaration that was applied),
/// `_council_current` (the last one of each version of the automation), `_council_fields`, `_council_indexes` and `_council_search` (what the tables have, shown or hidden). Collection names start with a
/// letter, so these never meet them.
struct Migrator {
  /// PRAGMA user_version of a file in this layout.
  static let layout: Int64 = 3

  let connection: Connection
  let configuration: SQLiteConfiguration
  /// Of the automation whose declarations these are; 0 for one that is no version of another. What another version
  /// declares beside is hidden from it, not removed.
  var version = 0

  // MARK: Reading

  /// What the file knows. Throws `records.newer_layout` for a file of a later host.
  func stored() throws(Problem) -> StoredSchema {
    do {
      try refuseForeign()
      let layout = try integer("PRAGMA user_version")
      if layout > Migrator.layout {
        throw Problem(
          500, "records.newer_layout",
          "the records were written by a later version of the host (layout \(layout); this one knows "
            + "\(Migrator.layout))",
          members: ["found": .integer(layout), "known": .integer(Migrator.layout)])
      }
      guard layout > 0 else { return StoredSchema() }
      return try readStored(layout)
    } catch let error as SQLiteError {
      throw error.problem(configuration)
    } catch let problem as Problem {
      throw problem
    } catch {
      throw .recordsInternal("\(error)")
    }
  }

  /// Throws `records.foreign_file` for a database that others made: what it holds must not be taken for nothing.
  func refuseForeign() throws(Problem) {
    let isOurs: Bool
    do throws(SQLiteError) {
      let tables = try integer("SELECT count(*) FROM sqlite_schema")
      let ours = try integer("SELECT count(*) FROM sqlite_schema WHERE name='_council_schemas'")
      let layout = try integer("PRAGMA user_version")
      isOurs = ours == 1 ? layout > 0 : tables == 0 && layout == 0
    } catch {
      throw error.problem(configuration)
    }
    guard isOurs else {
      throw Problem(
        409, "records.foreign_file",
        "the file where the records belong is a database of something else: move it away, or restore the right one"
      )
    }
  }

  private func readStored(_ layout: Int64) throws -> StoredSchema {
    var stored = StoredSchema()
    let current =
      layout > 2
      ? "id=(SELECT schema FROM _council_current WHERE version=\(version))" : "is_current AND \(version)=0"
    try rows("SELECT text,\(current) FROM _council_schemas ORDER BY id") { row in
      guard let declarations = CollectionDeclaration.read(storedText: row.text(0)) else { return }
      stored.history.append(declarations)
      if row.integer(1) == 1 { stored.current = declarations }
    }
    try rows("SELECT collection,name,type,has_default FROM _council_fields") { row in
      let encryption = StoredSchema.Field.Encryption(rawValue: row.text(2)) ?? .none
      guard let type = encryption == .none ? FieldDeclaration.FieldType(rawValue: row.text(2)) : .string
      else { return }
      stored.collections[row.text(0), default: .init()].fields[row.text(1)] = StoredSchema.Field(
        type: type, hasDefault: row.integer(3) == 1, encryption: encryption)
    }
    try rows("SELECT collection,fields,is_unique FROM _council_indexes") { row in
      let fields = row.text(1).split(separator: ",").map { String($0) }
      stored.collections[row.text(0), default: .init()].indexes.insert(
        StoredSchema.Index(fields: fields, unique: row.integer(2) == 1))
    }
    if layout > 1 {
      for (collection, fields) in try searches() {
        stored.collections[collection, default: .init()].searchable = fields
      }
    }
    return stored
  }

  private func searches() throws(SQLiteError) -> [(collection: String, fields: [String])] {
    var found: [(String, [String])] = []
    try rows("SELECT collection,fields FROM _council_search") { row in
      found.append((row.text(0), row.text(1).split(separator: ",").map { String($0) }))
    }
    return found
  }

  /// Makes what notes the changes for the full-text indexes of the file. Once for each connection that writes.
  func watchSearches() throws(SQLiteError) {
    for (collection, fields) in try knownSearches() {
      try SearchIndex(collection).watch(fields, on: connection)
    }
  }

  /// The full-text indexes of the file, also of one that is new or of an earlier layout.
  func knownSearches() throws(SQLiteError) -> [(collection: String, fields: [String])] {
    try integer("PRAGMA user_version") > 1 ? try searches() : []
  }

  // MARK: Planning

  /// The migration to these schemas. Throws `records.migration_destructive` with everything that forbids it, looked up
  /// in the records where that is needed. Changes nothing.
  func plan(_ schemas: [RecordSchema]) throws(Problem) -> SchemaMigration {
    let migration = SchemaMigration(from: try stored(), to: schemas)
    var refusals = migration.refusals
    do throws(SQLiteError) {
      for check in migration.checks {
        if let refusal = try refusal(check, schemas) { refusals.append(refusal) }
      }
    } catch {
      throw error.problem(configuration)
    }
    guard refusals.isEmpty else { throw .recordMigrationDestructive(refusals) }
    return migration
  }

  private func refusal(
    _ check: SchemaMigration.Check, _ schemas: [RecordSchema]
  ) throws(SQLiteError) -> SchemaMigration.Refusal? {
    switch check {
    case .noDuplicates(let collection, let field):
      let schema = schemas.first { $0.name == collection }
      let isEncrypted = schema?.declaration.fields.contains { $0.name == field && $0.encrypted } ?? false
      // Fingerprints of different keys differ.
      let name = isEncrypted ? SQL.opened(field, of: collection) : SQL.quoted(field)
      let count = try integer(
        """
        SELECT count(*) FROM (SELECT 1 FROM \(SQL.quoted(collection)) WHERE \(name) IS NOT NULL \
        GROUP BY \(name) HAVING count(*)>1 LIMIT 1000)
        """)
      guard count > 0 else { return nil }
      return SchemaMigration.Refusal(
        "duplicate_values", collection, field,
        "field \(field) of \(collection) is declared unique, but \(count) values occur more than once")
    case .noNulls(let collection, let field):
      let count = try integer(
        "SELECT count(*) FROM \(SQL.quoted(collection)) WHERE \(SQL.quoted(field)) IS NULL")
      guard count > 0 else { return nil }
      return SchemaMigration.Refusal(
        "missing_values", collection, field,
        "field \(field) of \(collection) is declared required, but \(count) records lack it")
    case .valuesFit(let collection, let field):
      let count = try misfits(of: field, in: collection)
      guard count > 0 else { return nil }
      return SchemaMigration.Refusal(
        "values_out_of_bounds", collection, field.name,
        "\(count) records of \(collection) have a \(field.name) that its declaration no longer allows")
    }
  }

  private func misfits(of field: FieldDeclaration, in collection: String) throws(SQLiteError) -> Int64 {
    let name = field.encrypted ? SQL.opened(field.name, of: collection) : SQL.quoted(field.name)
    var conditions: [String] = []
    var values: [RecordValue] = []
    if let allowed = field.allowed {
      conditions.append("\(name) IN (\(allowed.map { _ in "?" }.joined(separator: ",")))")
      values += allowed.map { .text(Array($0.utf8)) }
    }
    for (bound, expression) in [
      (field.minLength.map { RecordValue.integer(Int64($0)) }, "length(\(name))>=?"),
      (field.maxLength.map { RecordValue.integer(Int64($0)) }, "length(\(name))<=?"),
      (field.minimum.map { RecordValue.number($0) }, "\(name)>=?"),
      (field.maximum.map { RecordValue.number($0) }, "\(name)<=?"),
    ] {
      guard let bound else { continue }
      conditions.append(expression)
      values.append(bound)
    }
    guard !conditions.isEmpty else { return 0 }
    return try integer(
      """
      SELECT count(*) FROM \(SQL.quoted(collection)) WHERE \(name) IS NOT NULL \
      AND NOT (\(conditions.joined(separator: " AND ")))
      """, values)
  }

  // MARK: Applying

  /// Plans again, inside the writer's transaction, and takes the steps. What other generations need is not taken away
  /// from them: the step is left for when they are closed.
  func migrate(
    to schemas: [RecordSchema], keeping needs: [String: OpenDeclarations.Needs] = [:]
  ) throws(Problem) {
    let migration = try plan(schemas)
    do throws(SQLiteError) {
      try makeLayout()
      for step in migration.steps {
        if let step = self.step(step, keeping: needs) { try take(step, schemas) }
      }
      // A step may have filled a field that is searched.
      for (collection, fields) in try searches() {
        for sql in SearchIndex(collection).statements(fieldCount: fields.count) {
          try connection.execute(sql)
        }
      }
      try remember(schemas)
    } catch {
      throw error.problem(configuration)
    }
  }

  private func step(
    _ step: SchemaMigration.Step, keeping needs: [String: OpenDeclarations.Needs]
  ) -> SchemaMigration.Step? {
    switch step {
    case .dropIndex(let collection, let index):
      return needs[collection]?.indexes.contains(index) == true ? nil : step
    case .dropSearch(let collection):
      return needs[collection]?.searchable.isEmpty == false ? nil : step
    case .addSearch(let collection, let fields):
      let others = (needs[collection]?.searchable ?? []).subtracting(fields).sorted()
      return .addSearch(collection: collection, fields: fields + others)
    case .createCollection, .addField, .fill, .addIndex: return step
    }
  }

  /// Statements that take the file from layout n to n + 1. Entries are only ever added.
  private static let layouts: [[String]] = [
    [
      """
      CREATE TABLE _council_schemas(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, \
      is_current INTEGER NOT NULL) STRICT
      """,
      """
      CREATE TABLE _council_fields(collection TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL, \
      has_default INTEGER NOT NULL, PRIMARY KEY(collection,name)) STRICT, WITHOUT ROWID
      """,
      """
      CREATE TABLE _council_indexes(collection TEXT NOT NULL, fields TEXT NOT NULL, \
      is_unique INTEGER NOT NULL, PRIMARY KEY(collection,fields,is_unique)) STRICT, WITHOUT ROWID
      """,
    ],
    [
      """
      CREATE TABLE _council_search(collection TEXT NOT NULL PRIMARY KEY, fields TEXT NOT NULL) \
      STRICT, WITHOUT ROWID
      """
    ],
    [
      "CREATE TABLE _council_current(version INTEGER PRIMARY KEY, schema INTEGER NOT NULL) STRICT",
      "INSERT INTO _council_current SELECT 0,id FROM _council_schemas WHERE is_current=1",
      // Not read any more.
      "UPDATE _council_schemas SET is_current=0",
    ],
  ]

  private func makeLayout() throws(SQLiteError) {
    let found = try integer("PRAGMA user_version")
    guard found < Migrator.layout else { return }
    for layout in Migrator.layouts[Int(found)...] {
      for sql in layout { try connection.execute(sql) }
    }
    try connection.execute("PRAGMA user_version=\(Migrator.layout)")
  }

  private func take(_ step: SchemaMigration.Step, _ schemas: [RecordSchema]) throws(SQLiteError) {
    switch step {
    case .createCollection(let declaration):
      try create(declaration, schemas)
    case .addField(let collection, let field):
      let value = fallback(field, collection, schemas)
      try connection.execute(
        "ALTER TABLE \(SQL.quoted(collection)) ADD COLUMN \(SQL.column(field, default: value))")
      if field.encryption == .findable {
        try connection.execute(
          "ALTER TABLE \(SQL.quoted(collection)) ADD COLUMN \(SQL.fingerprint(field.name)) TEXT")
      }
      try remember(field, of: collection, hasDefault: value != .null)
    case .fill(let collection, let field):
      let statement = try connection.prepare(
        "UPDATE \(SQL.quoted(collection)) SET \(SQL.quoted(field.name))=? WHERE \(SQL.quoted(field.name)) IS NULL"
      )
      try statement.bind(1, fallback(field, collection, schemas))
      try statement.run()
    case .addIndex(let collection, let index):
      try connection.execute(
        """
        CREATE \(index.unique ? "UNIQUE " : "")INDEX \(name(index, collection)) \
        ON \(SQL.quoted(collection))(\(columns(index, collection, schemas).joined(separator: ",")))
        """)
      try run("INSERT INTO _council_indexes VALUES(?,?,?)", row(index, collection))
    case .dropIndex(let collection, let index):
      try connection.execute("DROP INDEX \(name(index, collection))")
      try run(
        "DELETE FROM _council_indexes WHERE collection=? AND fields=? AND is_unique=?", row(index, collection)
      )
    case .addSearch(let collection, let fields):
      try dropSearch(collection)
      try SearchIndex(collection).make(fields, on: connection)
      try run(
        "INSERT INTO _council_search VALUES(?,?)", [text(collection), text(fields.joined(separator: ","))])
    case .dropSearch(let collection): try dropSearch(collection)
    }
  }

  private func dropSearch(_ collection: String) throws(SQLiteError) {
    let count = try integer("SELECT count(*) FROM _council_search WHERE collection=?", [text(collection)])
    guard count > 0 else { return }
    try SearchIndex(collection).drop(on: connection)
    try run("DELETE FROM _council_search WHERE collection=?", [text(collection)])
  }

  /// An encrypted field is indexed by its fingerprints.
  private func columns(
    _ index: StoredSchema.Index, _ collection: String, _ schemas: [RecordSchema]
  ) -> [String] {
    let fields = schemas.first { $0.name == collection }?.declaration.fields ?? []
    return index.fields.map { name in
      fields.contains { $0.name == name && $0.encrypted } ? SQL.fingerprint(name) : SQL.quoted(name)
    }
  }

  /// The table's key is the id and the rows lie in its tree: a get is one descent, and every index ends with
  /// the id, which is what a page's order ends with.
  private func create(_ declaration: CollectionDeclaration, _ schemas: [RecordSchema]) throws(SQLiteError) {
    var columns = ["\"id\" TEXT NOT NULL PRIMARY KEY"]
    for field in declaration.fields {
      columns.append(SQL.column(field, default: fallback(field, declaration.name, schemas)))
      if field.encryption == .findable { columns.append("\(SQL.fingerprint(field.name)) TEXT") }
    }
    columns += [
      "\"version\" INTEGER NOT NULL", "\"created_at\" TEXT NOT NULL", "\"updated_at\" TEXT NOT NULL",
    ]
    try connection.execute(
      "CREATE TABLE \(SQL.quoted(declaration.name))(\(columns.joined(separator: ","))) STRICT, WITHOUT ROWID")
    for field in declaration.fields {
      let value = fallback(field, declaration.name, schemas)
      try remember(field, of: declaration.name, hasDefault: value != .null)
    }
  }

  private func fallback(
    _ field: FieldDeclaration, _ collection: String, _ schemas: [RecordSchema]
  ) -> RecordValue {
    guard let schema = schemas.first(where: { $0.name == collection }),
      let member = schema.member(named: field.name)
    else { return .null }
    return schema.defaults[member - 1]
  }

  private func remember(
    _ field: FieldDeclaration, of collection: String, hasDefault: Bool
  ) throws(SQLiteError) {
    try run(
      "INSERT INTO _council_fields VALUES(?,?,?,?)",
      [
        text(collection), text(field.name),
        text(field.encrypted ? field.encryption.rawValue : field.type.rawValue),
        .integer(hasDefault ? 1 : 0),
      ])
  }

  private func remember(_ schemas: [RecordSchema]) throws(SQLiteError) {
    let declared = CollectionDeclaration.storedText(schemas.map(\.declaration))
    let number = RecordValue.integer(Int64(version))
    let isCurrent = try integer(
      """
      SELECT count(*) FROM _council_schemas WHERE text=? AND id=\
      (SELECT schema FROM _council_current WHERE version=?)
      """, [text(declared), number])
    if isCurrent == 1 { return }
    try run(
      "INSERT INTO _council_schemas(text,is_current) VALUES(?,0) ON CONFLICT(text) DO NOTHING",
      [text(declared)])
    try run(
      "INSERT OR REPLACE INTO _council_current SELECT ?,id FROM _council_schemas WHERE text=?",
      [number, text(declared)])
    try run(
      """
      DELETE FROM _council_schemas WHERE id NOT IN (SELECT schema FROM _council_current) AND id NOT IN \
      (SELECT id FROM _council_schemas ORDER BY id DESC LIMIT ?)
      """, [.integer(Int64(configuration.maxHistory))])
  }

  private func name(_ index: StoredSchema.Index, _ collection: String) -> String {
    SQL.quoted("\(index.unique ? "unique" : "index"):\(collection):\(index.fields.joined(separator: ","))")
  }

  private func row(_ index: StoredSchema.Index, _ collection: String) -> [RecordValue] {
    [text(collection), text(index.fields.joined(separator: ",")), .integer(index.unique ? 1 : 0)]
  }

  private func text(_ text: String) -> RecordValue { .text(Array(text.utf8)) }

  // MARK: Statements

  private func run(_ sql: String, _ values: [RecordValue] = []) throws(SQLiteError) {
    let statement = try connection.prepare(sql)
    for (index, value) in values.enumerated() { try statement.bind(index + 1, value) }
    try statement.run()
  }

  private func integer(_ sql: String, _ values: [RecordValue] = []) throws(SQLiteError) -> Int64 {
    let statement = try connection.prepare(sql)
    for (index, value) in values.enumerated() { try statement.bind(index + 1, value) }
    return try statement.step() ? statement.integer(0) : 0
  }

  private func rows(_ sql: String, _ body: (Statement) -> Void) throws(SQLiteError) {
    let statement = try connection.prepare(sql)
    while try statement.step() { body(statement) }
  }
}
