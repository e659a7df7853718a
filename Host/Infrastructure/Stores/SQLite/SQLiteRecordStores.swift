package import Application
package import Domain
package import Kernel

/// The embedded engine: one SQLite file per automation, `<folder>/<automation>.sqlite`.
package final class SQLiteRecordStores: RecordStores {
  private struct Open {
    var file: DatabaseFile
    var generations: Int
  }

  private let folder: String
  private let configuration: SQLiteConfiguration
  private let cipher: (any FieldCipher)?
  private let parsers: RecordParsers
  /// Files that generations use, by automation. Held while a file is opened or closed, so that no file ever has two
  /// writers.
  private let files = Monitor<[String: Open]>([:])

  /// `folder` is made when the first automation with records is opened. Without a cipher, declarations with an
  /// encrypted field are refused.
  package init(
    folder: String, configuration: SQLiteConfiguration = SQLiteConfiguration(),
    cipher: (any FieldCipher)? = nil
  ) {
    self.folder = folder
    self.configuration = configuration
    self.cipher = cipher
    parsers = RecordParsers(maxDepth: configuration.jsonDepth)
  }

  package func plan(
    automation: String, version: Int?, collections: [CollectionDeclaration]
  ) throws(Problem) -> [String] {
    let cipher = cipher(of: automation)
    let compiled = try compile(collections, cipher)
    let path = try path(of: automation)
    let schemas = compiled.map(\.schema)
    guard Files.exists(path) else {
      return SchemaMigration(from: StoredSchema(), to: schemas).steps.map(\.description)
    }
    // A connection of its own: the checks may scan, and must not hold up the writer.
    let connection: Connection
    do throws(SQLiteError) {
      connection = try Connection(
        path: path, mode: .existing, busyTimeout: configuration.busyTimeout,
        maxValueBytes: configuration.maxValueBytes, cipher: cipher)
      try connection.execute("PRAGMA query_only=ON")
    } catch {
      throw error.problem(configuration)
    }
    connection.limitTime(configuration.migrationTimeLimit)
    let migrator = Migrator(connection: connection, configuration: configuration, version: version ?? 0)
    return try migrator.plan(schemas).steps.map(\.description)
  }

  package func open(
    automation: String, version: Int?, collections: [CollectionDeclaration]
  ) throws(Problem) -> any RecordStore {
    try openStore(automation: automation, version: version, collections: collections)
  }

  /// ``open(automation:version:collections:)`` with the type that this engine has.
  package func openStore(
    automation: String, version: Int? = nil, collections: [CollectionDeclaration]
  ) throws(Problem) -> SQLiteRecordStore {
    let compiled = try compile(collections, cipher(of: automation))
    let path = try path(of: automation)
    let file = try acquire(automation, path)
    let token = Monitor<UInt64>(0)
    do throws(Problem) {
      let schemas = compiled.map(\.schema)
      let configuration = configuration
      let declared = file.shared.declared
      let work = WriteJob.Work.alone { connection throws(Problem) in
        try Migrator(connection: connection, configuration: configuration, version: version ?? 0)
          .migrate(to: schemas, keeping: declared.needs)
        // Here and not after the commit: no other migration comes in between.
        let number = declared.add(compiled, version: version ?? 0)
        token.withLock { $0 = number }
        return RecordResult(json: [])
      }
      _ = try file.writer.run(work, maxWait: nil).get()
    } catch {
      release(automation, file, token.withLock { $0 })
      throw error
    }
    let number = token.withLock { $0 }
    return SQLiteRecordStore(
      file: file, collections: compiled, parsers: parsers, configuration: configuration
    ) { self.release(automation, file, number) }
  }

  private func cipher(of automation: String) -> (any FieldCipher)? {
    cipher.map { AutomationCipher($0, automation) }
  }

  private func compile(
    _ declarations: [CollectionDeclaration], _ cipher: (any FieldCipher)?
  ) throws(Problem) -> [CompiledCollection] {
    let schemas = try RecordSchema.all(declarations, limits: configuration.limits)
    var compiled: [CompiledCollection] = []
    var issues: [RecordIssue] = []
    for (index, schema) in schemas.enumerated() {
      var queries: [String: NamedQuery] = [:]
      for (place, declaration) in schema.declaration.queries.enumerated() {
        do {
          queries[declaration.name] = try NamedQuery(declaration, in: schema, limits: configuration.limits)
        } catch {
          issues.append(
            RecordIssue("/\(index)/queries/\(place)/query" + error.pointer, error.reason))
        }
      }
      compiled.append(CompiledCollection(schema: schema, queries: queries, cipher: cipher))
    }
    if cipher == nil {
      let fields = schemas.flatMap { schema in
        schema.members.filter(\.isEncrypted).map { "\(schema.name).\($0.name)" }
      }
      if !fields.isEmpty { throw .recordsEncryptionUnconfigured(fields) }
    }
    guard issues.isEmpty else {
      var problem = Problem.recordQueryInvalid(issues[0])
      problem.detail = RecordIssue.text(issues)
      problem.members["errors"] = .array(issues.map(\.json))
      throw problem
    }
    return compiled
  }

  private func path(of automation: String) throws(Problem) -> String {
    // Becomes part of a path: what is no automation's name goes no further.
    guard Names.isAutomation(automation) else {
      throw .recordsUnsupported([RecordIssue("", "'\(automation)' is not the id of an automation")])
    }
    return "\(folder)/\(automation).sqlite"
  }

  // MARK: Files

  private func acquire(_ automation: String, _ path: String) throws(Problem) -> DatabaseFile {
    try refuseForeign(path)
    do {
      return try files.withLock { files throws(SQLiteError) in
        if let open = files[automation] {
          files[automation]?.generations += 1
          return open.file
        }
        try Files.makeFolder(folder)
        let file = try DatabaseFile(
          path: path, configuration: configuration, cipher: cipher(of: automation))
        files[automation] = Open(file: file, generations: 1)
        return file
      }
    } catch {
      throw error.problem(configuration)
    }
  }

  /// Before the writer opens the file, which changes it.
  private func refuseForeign(_ path: String) throws(Problem) {
    guard Files.exists(path), !files.withLock({ $0.values.contains { $0.file.shared.path == path } }) else {
      return
    }
    let connection: Connection
    do throws(SQLiteError) {
      connection = try Connection(
        path: path, mode: .existing, busyTimeout: configuration.busyTimeout,
        maxValueBytes: configuration.maxValueBytes)
    } catch {
      throw error.problem(configuration)
    }
    try Migrator(connection: connection, configuration: configuration).refuseForeign()
  }

  private func release(_ automation: String, _ file: DatabaseFile, _ token: UInt64) {
    file.shared.declared.remove(token)
    let remains = files.withLock { files in
      guard var open = files[automation] else { return false }
      open.generations -= 1
      if open.generations > 0 {
        files[automation] = open
      } else {
        files[automation] = nil
        open.file.writer.close()
      }
      return open.generations > 0
    }
    if remains { settle(file) }
  }

  /// Brings the indexes to what the newest generation that is left declares: after a swap what only the old one
  /// needed goes, after a start that failed what only the new one wanted. A settling that fails changes nothing, and
  /// the next one does its work.
  private func settle(_ file: DatabaseFile) {
    let configuration = configuration
    let declared = file.shared.declared
    let work = WriteJob.Work.alone { connection throws(Problem) in
      for (version, newest) in declared.newest {
        try Migrator(connection: connection, configuration: configuration, version: version)
          .migrate(to: newest, keeping: declared.needs)
      }
      return RecordResult(json: [])
    }
    _ = file.writer.run(work, maxWait: nil)
  }

  /// Writes and commits of an open file.
  package func figures(of automation: String) -> WriterFigures? {
    files.withLock { $0[automation]?.file.writer.figures }
  }
}

/// A JSON parser per thread: kept ones allocate nothing for documents of usual size.
final class RecordParsers: Sendable {
  private let parsers: ThreadSlots<JSONDocument>
  private let maxDepth: Int
  /// A longer document gets a parser of its own, whose memory does not stay.
  private static let keptBytes = 64 * 1024

  init(maxDepth: Int) {
    self.maxDepth = maxDepth
    parsers = ThreadSlots { _ in JSONDocument(maxDepth: maxDepth) }
  }

  func parser(for count: Int) -> JSONDocument {
    guard count <= RecordParsers.keptBytes, OSThread.number != nil else {
      return JSONDocument(maxDepth: maxDepth)
    }
    return parsers.current
  }
}
