import Application
import Domain
import Kernel
import Synchronization

/// The write connection of one file. The writer's thread only, once it runs.
final class WriteConnection: @unchecked Sendable {
  // Sendable because it is handed to the writer's thread once and used by no other.
  private let connection: Connection
  private let configuration: SQLiteConfiguration
  private var statements: StatementCache
  private var keeper: ReadLockKeeper
  private let file: DatabaseFile.Shared
  private var seenGenerations: UInt64

  init(_ file: DatabaseFile.Shared) throws(SQLiteError) {
    let configuration = file.configuration
    self.file = file
    self.configuration = configuration
    connection = try Connection(
      path: file.path, mode: .existing, busyTimeout: configuration.busyTimeout,
      maxValueBytes: configuration.maxValueBytes)
    statements = StatementCache(capacity: configuration.maxStatements)
    seenGenerations = file.generations.load(ordering: .relaxed)
    try connection.execute("PRAGMA journal_mode=WAL")
    try connection.execute("PRAGMA synchronous=FULL")
    try connection.execute("PRAGMA cache_size=-\(configuration.cacheKiB * 4)")
    try connection.execute("PRAGMA journal_size_limit=\(configuration.restartPages * 4096)")
    try connection.execute("PRAGMA max_page_count=\(max(1, configuration.maxFileBytes / 4096))")
    try connection.execute("PRAGMA cell_size_check=ON")
    keeper = try ReadLockKeeper(file)
    connection.countLogPages()
    connection.limitTime(configuration.timeLimit)
    keeper.hold()
  }

  private func problem(_ error: SQLiteError) -> Problem { error.problem(configuration) }

  // MARK: Groups

  /// Runs jobs in one transaction and answers each after the COMMIT.
  func run(_ jobs: [WriteJob], _ counters: RecordWriter.Counters) {
    keeper.release()
    defer { keeper.hold() }
    if jobs.count == 1, case .alone(let body) = jobs[0].work {
      runAlone(jobs[0], body, counters)
    } else {
      runGroup(jobs, counters)
    }
    if connection.unmovedPages >= configuration.checkpointPages {
      connection.checkpoint(waiting: connection.logPages >= configuration.restartPages)
    }
  }

  private func runAlone(
    _ job: WriteJob, _ body: @Sendable (Connection) throws(Problem) -> RecordResult,
    _ counters: RecordWriter.Counters
  ) {
    connection.limitTime(configuration.migrationTimeLimit)
    defer { connection.limitTime(configuration.timeLimit) }
    do throws(Problem) {
      try begin()
      let result = try body(connection)
      try commit()
      counters.commits.add(1, ordering: .relaxed)
      job.complete(.success(result))
    } catch {
      rollBack()
      job.complete(.failure(error))
    }
  }

  private func runGroup(_ jobs: [WriteJob], _ counters: RecordWriter.Counters) {
    dropUnusedStatements()
    var answers = [WriteJob.Answer?](repeating: nil, count: jobs.count)
    var pending = Array(jobs.indices)
    // Once, unless a job makes SQLite take the whole transaction back: an error of the disk, the time limit. That
    // job has failed; the others, of which nothing is left and nothing was told, run again without it, also those
    // that had failed: what they met may be gone.
    while !pending.isEmpty {
      do throws(Problem) {
        try begin()
        var culprit: Int?
        for index in pending where culprit == nil {
          answers[index] = runOne(jobs[index])
          if !connection.isInTransaction { culprit = index }
        }
        if let culprit {
          pending.removeAll { $0 == culprit }
          continue
        }
        if pending.contains(where: { answers[$0]?.problem == nil }) {
          try commit()
          counters.commits.add(1, ordering: .relaxed)
        } else {
          rollBack()
        }
      } catch {
        rollBack()
        for index in pending { answers[index] = .failure(error) }
      }
      pending = []
    }
    counters.writes.add(answers.count { $0?.problem == nil }, ordering: .relaxed)
    for (job, answer) in zip(jobs, answers) {
      job.complete(answer ?? .failure(.recordsInternal("a write was not run")))
    }
  }

  /// Runs one job inside a savepoint, so that its failure takes nothing else back.
  private func runOne(_ job: WriteJob) -> WriteJob.Answer {
    guard case .records(let writes, let isBatch) = job.work else {
      return .failure(.recordsInternal("a job that runs alone came in a group"))
    }
    connection.restartTime()
    do throws(Problem) {
      try control("SAVEPOINT w")
      let result = try isBatch ? runBatch(writes) : run(writes[0])
      try control("RELEASE w")
      return .success(result)
    } catch {
      if connection.isInTransaction {
        do throws(Problem) {
          try control("ROLLBACK TO w")
          try control("RELEASE w")
        } catch {
          rollBack()
        }
      }
      return .failure(error)
    }
  }

  private func runBatch(_ writes: [WriteJob.Write]) throws(Problem) -> RecordResult {
    var json = Array("{\"results\":[".utf8)
    for (index, write) in writes.enumerated() {
      if index > 0 { json.append(UInt8(ascii: ",")) }
      let result: RecordResult
      do { result = try run(write) } catch { throw error.inOperation(index) }
      json += result.json.isEmpty ? Array("null".utf8) : result.json
    }
    json += Array("]}".utf8)
    return RecordResult(json: json)
  }

  // MARK: Transactions

  private func begin() throws(Problem) {
    connection.restartTime()
    try control("BEGIN IMMEDIATE")
  }

  private func commit() throws(Problem) {
    connection.restartTime()
    try control("COMMIT")
  }

  private func rollBack() {
    guard connection.isInTransaction else { return }
    connection.restartTime()
    // What fails here has ended the transaction by itself.
    try? control("ROLLBACK")
  }

  private func control(_ sql: String) throws(Problem) {
    try statement(StatementKey(collection: 0, text: Array(sql.utf8)), sql) { statement throws(SQLiteError) in
      _ = try statement.step()
    }
  }

  private func dropUnusedStatements() {
    let generations = file.generations.load(ordering: .relaxed)
    guard generations != seenGenerations else { return }
    seenGenerations = generations
    let used = file.collections.withLock { $0 }
    statements.keep { $0 == 0 || used.contains($0) }
  }

  /// Runs `body` with a cached statement, which is reset afterwards.
  private func statement<Value>(
    _ key: StatementKey, _ sql: @autoclosure () -> String,
    _ body: (Statement) throws(SQLiteError) -> Value
  ) throws(Problem) -> Value {
    do {
      return try raw(key, sql(), body)
    } catch {
      throw problem(error)
    }
  }

  private func raw<Value>(
    _ key: StatementKey, _ sql: @autoclosure () -> String,
    _ body: (Statement) throws(SQLiteError) -> Value
  ) throws(SQLiteError) -> Value {
    let connection = connection
    let statement = try statements.statement(key) { () throws(SQLiteError) in
      try connection.prepare(sql(), kept: true)
    }
    defer { statement.reset() }
    return try body(statement)
  }
}

// MARK: - One write

extension WriteConnection {
  private func run(_ write: WriteJob.Write) throws(Problem) -> RecordResult {
    let collection = write.collection
    switch write.write {
    case .insert(let id, let values): return try insert(id, values, into: collection)
    case .replace(let id, let values, let version):
      return try update(
        id, Array(zip(collection.schema.declared, values)), version: version, in: collection)
    case .change(let id, let changes, let version):
      let values = try newValues(of: changes, id, version: version, in: collection)
      return try update(id, values, version: version, in: collection)
    case .delete(let id, let version): return try delete(id, version: version, in: collection)
    }
  }

  private func key(_ collection: CompiledCollection, _ text: String) -> StatementKey {
    StatementKey(collection: collection.number, text: Array(text.utf8))
  }

  private func insert(
    _ id: [UInt8], _ values: [RecordValue], into collection: CompiledCollection
  ) throws(Problem) -> RecordResult {
    let now = configuration.clock().text
    do {
      return try raw(key(collection, "I"), insertText(collection)) { statement throws(SQLiteError) in
        try statement.bind(1, text: id.span)
        for (index, value) in values.enumerated() { try statement.bind(index + 2, value) }
        try statement.bind(values.count + 2, 1)
        try statement.bind(values.count + 3, now)
        try statement.bind(values.count + 4, now)
        guard try statement.step() else { return RecordResult(json: [], version: 1) }
        let json = statement.bytes(0)
        _ = try statement.step()
        return RecordResult(json: json, version: 1)
      }
    } catch {
      guard error.isUniqueViolation else { throw problem(error) }
      let schema = collection.schema
      throw try conflict(id, Array(zip(schema.declared, values)), isNew: true, in: collection)
    }
  }

  private func insertText(_ collection: CompiledCollection) -> String {
    let names = collection.schema.members.map { SQL.quoted($0.name) }.joined(separator: ",")
    let places = collection.schema.members.map { _ in "?" }.joined(separator: ",")
    return "INSERT INTO \(collection.table)(\(names)) VALUES(\(places)) RETURNING \(collection.record)"
  }

  /// Sets members of one record; the host's own go with them.
  private func update(
    _ id: [UInt8], _ values: [(Int, RecordValue)], version: Int64, in collection: CompiledCollection
  ) throws(Problem) -> RecordResult {
    let now = configuration.clock().text
    var text = "U"
    for (member, _) in values { text += " \(member)" }
    if version != 0 { text += " v" }
    let result: RecordResult?
    do {
      result = try raw(key(collection, text), updateText(values.map(\.0), version != 0, collection)) {
        statement throws(SQLiteError) in
        for (index, value) in values.enumerated() { try statement.bind(index + 1, value.1) }
        try statement.bind(values.count + 1, now)
        try statement.bind(values.count + 2, text: id.span)
        if version != 0 { try statement.bind(values.count + 3, version) }
        guard try statement.step() else { return nil }
        let result = RecordResult(json: statement.bytes(0), version: statement.integer(1))
        _ = try statement.step()
        return result
      }
    } catch {
      guard error.isUniqueViolation else { throw problem(error) }
      throw try conflict(id, values, isNew: false, in: collection)
    }
    guard let result else { throw try missing(id, version, in: collection) }
    return result
  }

  private func updateText(
    _ members: [Int], _ isConditional: Bool, _ collection: CompiledCollection
  ) -> String {
    var sets = members.map { SQL.quoted(collection.schema.members[$0].name) + "=?" }
    sets.append("\"updated_at\"=?")
    sets.append("\"version\"=\"version\"+1")
    return """
      UPDATE \(collection.table) SET \(sets.joined(separator: ",")) WHERE "id"=?\
      \(isConditional ? " AND \"version\"=?" : "") RETURNING \(collection.record),"version"
      """
  }

  private func delete(
    _ id: [UInt8], version: Int64, in collection: CompiledCollection
  ) throws(Problem) -> RecordResult {
    let connection = connection
    let deleted = try statement(
      key(collection, version == 0 ? "D" : "D v"),
      "DELETE FROM \(collection.table) WHERE \"id\"=?\(version == 0 ? "" : " AND \"version\"=?")"
    ) { statement throws(SQLiteError) in
      try statement.bind(1, text: id.span)
      if version != 0 { try statement.bind(2, version) }
      _ = try statement.step()
      return connection.changes
    }
    guard deleted > 0 else { throw try missing(id, version, in: collection) }
    return RecordResult(json: [])
  }

  /// The values that changes make, some of them from the present ones.
  private func newValues(
    of changes: [RecordChange], _ id: [UInt8], version: Int64, in collection: CompiledCollection
  ) throws(Problem) -> [(Int, RecordValue)] {
    let schema = collection.schema
    let reading = changes.filter(\.readsCurrent).map(\.member)
    var current: [RecordValue] = []
    if !reading.isEmpty {
      let names = reading.map { "," + SQL.quoted(schema.members[$0].name) }.joined()
      let text = "R" + reading.map { " \($0)" }.joined()
      let found = try statement(
        key(collection, text), "SELECT \"version\"\(names) FROM \(collection.table) WHERE \"id\"=?"
      ) { statement throws(SQLiteError) -> (version: Int64, values: [RecordValue])? in
        try statement.bind(1, text: id.span)
        guard try statement.step() else { return nil }
        return (
          statement.integer(0),
          reading.enumerated().map { statement.value($0.offset + 1, schema.members[$0.element].type) }
        )
      }
      guard let found else { throw .recordNotFound(schema.name) }
      guard version == 0 || version == found.version else {
        throw .recordPreconditionFailed(expected: version, actual: found.version)
      }
      current = found.values
    }
    var values: [(Int, RecordValue)] = []
    for change in changes {
      let present = reading.firstIndex(of: change.member).map { current[$0] } ?? .null
      do {
        values.append(
          (change.member, try schema.apply(change, to: present, limits: configuration.limits)))
      } catch {
        throw .recordInvalid([error])
      }
    }
    return values
  }

  // MARK: Why a write did nothing

  private func missing(
    _ id: [UInt8], _ version: Int64, in collection: CompiledCollection
  ) throws(Problem) -> Problem {
    let actual = try statement(
      key(collection, "V"), "SELECT \"version\" FROM \(collection.table) WHERE \"id\"=?"
    ) { statement throws(SQLiteError) -> Int64? in
      try statement.bind(1, text: id.span)
      return try statement.step() ? statement.integer(0) : nil
    }
    guard let actual else { return .recordNotFound(collection.schema.name) }
    return .recordPreconditionFailed(expected: version, actual: actual)
  }

  /// Finds the field whose value another record has; SQLite says it only in a text for people.
  private func conflict(
    _ id: [UInt8], _ values: [(Int, RecordValue)], isNew: Bool, in collection: CompiledCollection
  ) throws(Problem) -> Problem {
    let schema = collection.schema
    if isNew {
      let exists = try statement(
        key(collection, "V"), "SELECT \"version\" FROM \(collection.table) WHERE \"id\"=?"
      ) { statement throws(SQLiteError) -> Bool in
        try statement.bind(1, text: id.span)
        return try statement.step()
      }
      if exists { return .recordConflict(schema.name, field: "id") }
    }
    for (member, value) in values where value != .null && schema.members[member].declaration?.unique == true {
      let name = schema.members[member].name
      let exists = try statement(
        key(collection, "C \(member)"),
        "SELECT 1 FROM \(collection.table) WHERE \(SQL.quoted(name))=? AND \"id\"<>?"
      ) { statement throws(SQLiteError) -> Bool in
        try statement.bind(1, value)
        try statement.bind(2, text: id.span)
        return try statement.step()
      }
      if exists { return .recordConflict(schema.name, field: name) }
    }
    return Problem(
      409, "records.conflict", "another record of \(schema.name) has a value that must be unique")
  }
}

extension Result where Failure == Problem {
  var problem: Problem? { if case .failure(let problem) = self { problem } else { nil } }
}
