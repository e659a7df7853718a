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
  private let parsers: RecordParsers
  /// Files that generations use, by automation. Held while a file is opened or closed, so that no file ever has two
  /// writers.
  private let files = Monitor<[String: Open]>([:])

  /// `folder` is made when the first automation with records is opened.
  package init(folder: String, configuration: SQLiteConfiguration = SQLiteConfiguration()) {
    self.folder = folder
    self.configuration = configuration
    parsers = RecordParsers(maxDepth: configuration.jsonDepth)
  }

  package func plan(
    automation: String, collections: [CollectionDeclaration]
  ) throws(Problem) -> [String] {
    let compiled = try compile(collections)
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
        maxValueBytes: configuration.maxValueBytes)
      try connection.execute("PRAGMA query_only=ON")
    } catch {
      throw error.problem(configuration)
    }
    connection.limitTime(configuration.migrationTimeLimit)
    let migrator = Migrator(connection: connection, configuration: configuration)
    return try migrator.plan(schemas).steps.map(\.description)
  }

  package func open(
    automation: String, collections: [CollectionDeclaration]
  ) throws(Problem) -> any RecordStore {
    try openStore(automation: automation, collections: collections)
  }

  /// ``open(automation:collections:)`` with the type that this engine has.
  package func openStore(
    automation: String, collections: [CollectionDeclaration]
  ) throws(Problem) -> SQLiteRecordStore {
    let compiled = try compile(collections)
    let path = try path(of: automation)
    let file = try acquire(automation, path)
    do throws(Problem) {
      let schemas = compiled.map(\.schema)
      let configuration = configuration
      let work = WriteJob.Work.alone { connection throws(Problem) in
        _ = try Migrator(connection: connection, configuration: configuration).migrate(to: schemas)
        return RecordResult(json: [])
      }
      _ = try file.writer.run(work, maxWait: nil).get()
    } catch {
      release(automation)
      throw error
    }
    return SQLiteRecordStore(
      file: file, collections: compiled, parsers: parsers, configuration: configuration
    ) { self.release(automation) }
  }

  private func compile(_ declarations: [CollectionDeclaration]) throws(Problem) -> [CompiledCollection] {
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
      compiled.append(CompiledCollection(schema: schema, queries: queries))
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
    do {
      return try files.withLock { files throws(SQLiteError) in
        if let open = files[automation] {
          files[automation]?.generations += 1
          return open.file
        }
        try Files.makeFolder(folder)
        let file = try DatabaseFile(path: path, configuration: configuration)
        files[automation] = Open(file: file, generations: 1)
        return file
      }
    } catch {
      throw error.problem(configuration)
    }
  }

  private func release(_ automation: String) {
    files.withLock { files in
      guard var open = files[automation] else { return }
      open.generations -= 1
      if open.generations > 0 {
        files[automation] = open
      } else {
        files[automation] = nil
        open.file.writer.close()
      }
    }
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
