import Application
import Domain
import Kernel
import Synchronization

/// The write connection of one file. The writer's thread only, once it runs.
final class WriteConnection: @unchecked Sendable {
  // Sendable because it is handed to the writer's thread once and used by no other.
  let connection: Connection
  let configuration: SQLiteConfiguration
  private var statements: StatementCache
  var keeper: ReadLockKeeper
  let file: DatabaseFile.Shared
  private var seenGenerations: UInt64
  var searches = Searches()

  init(_ file: DatabaseFile.Shared) throws(SQLiteError) {
    let configuration = file.configuration
    self.file = file
    self.configuration = configuration
    connection = try Connection(
      path: file.path, mode: .existing, busyTimeout: configuration.busyTimeout,
      maxValueBytes: configuration.maxValueBytes, cipher: file.cipher)
    statements = StatementCache(capacity: configuration.maxStatements)
    seenGenerations = file.generations.load(ordering: .relaxed)
    try connection.execute("PRAGMA journal_mode=WAL")
    try connection.execute("PRAGMA synchronous=FULL")
    try connection.execute("PRAGMA cache_size=-\(configuration.cacheKiB * 4)")
    try connection.execute("PRAGMA journal_size_limit=\(configuration.restartPages * 4096)")
    try connection.execute("PRAGMA max_page_count=\(max(1, configuration.maxFileBytes / 4096))")
    try connection.execute("PRAGMA cell_size_check=ON")
    // What is noted for a search has no business on the disk.
    try connection.execute("PRAGMA temp_store=MEMORY")
    keeper = try ReadLockKeeper(file)
    connection.countLogPages()
    connection.limitTime(configuration.timeLimit)
    keeper.hold()
  }

  func problem(_ error: SQLiteError) -> Problem { error.problem(configuration) }

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
    moveLog()
  }

  /// Keeps the log short, whoever made it grow.
  func moveLog() {
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
      // Before the commit: what is done must neither be called failed, nor leave the searches unknown.
      let found = try readSearches()
      try commit()
      searches = found
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
        if pending.contains(where: { jobs[$0].isKept && answers[$0]?.problem == nil }) {
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
    let written = zip(jobs, answers).count { $0.isKept && $1?.problem == nil }
    counters.writes.add(written, ordering: .relaxed)
    for (job, answer) in zip(jobs, answers) {
      job.complete(answer ?? .failure(.recordsInternal("a write was not run")))
    }
  }

  /// Runs one job inside a savepoint, so that its failure takes nothing else back.
  private func runOne(_ job: WriteJob) -> WriteJob.Answer {
    guard case .records(let writes, let isBatch, let isDryRun) = job.work else {
      return .failure(.recordsInternal("a job that runs alone came in a group"))
    }
    connection.restartTime()
    do throws(Problem) {
      try control("SAVEPOINT w")
      let result = try isBatch ? runBatch(writes) : run(writes[0])
      if !searches.statements.isEmpty { try index(writes.map(\.collection.schema.name)) }
      if isDryRun { try control("ROLLBACK TO w") }
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

  /// Begins a transaction, in which the indexes for searches are those that this connection keeps.
  func begin() throws(Problem) {
    while true {
      connection.restartTime()
      try control("BEGIN IMMEDIATE")
      if try hasPresentSearches() { return }
      let found = try watchSearches()
      try commit()
      searches = found
    }
  }

  func commit() throws(Problem) {
    connection.restartTime()
    try control("COMMIT")
  }

  func rollBack() {
    guard connection.isInTransaction else { return }
    connection.restartTime()
    // What fails here has ended the transaction by itself.
    try? control("ROLLBACK")
  }

  func control(_ sql: String) throws(Problem) {
    try statement(StatementKey(collection: 0, text: Array(sql.utf8)), sql) { statement throws(SQLiteError) in
      _ = try statement.step()
    }
  }

  func dropUnusedStatements() {
    let generations = file.generations.load(ordering: .relaxed)
    guard generations != seenGenerations else { return }
    seenGenerations = generations
    let used = file.collections.withLock { $0 }
    statements.keep { $0 == 0 || used.contains($0) }
  }

  /// Runs `body` with a cached statement, which is reset afterwards.
  func statement<Value>(
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
    case .insert(let id, let values): return try insert(id, given(values, collection), into: collection)
    case .put(let id, let values):
      let values = given(values, collection)
      if let result = try update(id, values, version: 0, in: collection) { return result }
      return try insert(id, values, into: collection)
    case .replace(let id, let values, let version):
      return try change(id, given(values, collection), version: version, in: collection)
    case .change(let id, let changes, let version):
      let values = try newValues(of: changes, id, version: version, in: collection)
      return try change(id, values, version: version, in: collection)
    case .delete(let id, let version): return try delete(id, version: version, in: collection)
    }
  }

  /// The values of a whole document with their members.
  private func given(_ values: [RecordValue], _ collection: CompiledCollection) -> [(Int, RecordValue)] {
    Array(zip(collection.schema.declared, values))
  }

  func key(_ collection: CompiledCollection, _ text: String) -> StatementKey {
    StatementKey(collection: collection.number, text: Array(text.utf8))
  }

  /// Runs `attempt`; where a value that must be unique is in its way, once more without the records that have ended.
  private func unlessTaken(
    _ id: [UInt8], _ values: [(Int, RecordValue)], isNew: Bool, in collection: CompiledCollection,
    _ attempt: () throws(SQLiteError) -> RecordResult?
  ) throws(Problem) -> RecordResult? {
    try refuseOlderFingerprints(id, values, in: collection)
    do { return try attempt() } catch {
      guard error.isUniqueViolation else { throw problem(error) }
    }
    if try removeEnded(id, values, in: collection) {
      do { return try attempt() } catch {
        guard error.isUniqueViolation else { throw problem(error) }
      }
    }
    throw try conflict(id, values, isNew: isNew, in: collection)
  }

  private func insert(
    _ id: [UInt8], _ values: [(Int, RecordValue)], into collection: CompiledCollection
  ) throws(Problem) -> RecordResult {
    let now = configuration.clock().text
    let result = try unlessTaken(id, values, isNew: true, in: collection) { () throws(SQLiteError) in
      try raw(key(collection, "I"), insertText(collection)) { statement throws(SQLiteError) in
        try statement.bind(1, text: id.span)
        var next = 2
        for (member, value) in values {
          next = try collection.bind(value, member, id: id, to: statement, at: next)
        }
        try statement.bind(next, 1)
        try statement.bind(next + 1, now)
        try statement.bind(next + 2, now)
        guard try statement.step() else { return RecordResult(json: [], version: 1) }
        let json = statement.bytes(0)
        _ = try statement.step()
        return RecordResult(json: json, version: 1)
      }
    }
    return result ?? RecordResult(json: [], version: 1)
  }

  private func insertText(_ collection: CompiledCollection) -> String {
    let names = collection.schema.members.indices.flatMap { collection.columnNames($0) }
    let places = names.map { _ in "?" }.joined(separator: ",")
    return """
      INSERT INTO \(collection.table)(\(names.joined(separator: ","))) VALUES(\(places)) \
      RETURNING \(collection.record)
      """
  }

  /// Sets members of one record, which must be there.
  private func change(
    _ id: [UInt8], _ values: [(Int, RecordValue)], version: Int64, in collection: CompiledCollection
  ) throws(Problem) -> RecordResult {
    if let result = try update(id, values, version: version, in: collection) { return result }
    throw try missing(id, version, in: collection)
  }

  /// Sets members of one record; the host's own go with them. nil when there is none, or at another version.
  private func update(
    _ id: [UInt8], _ values: [(Int, RecordValue)], version: Int64, in collection: CompiledCollection
  ) throws(Problem) -> RecordResult? {
    let now = configuration.clock().text
    var text = "U"
    for (member, _) in values { text += " \(member)" }
    if version != 0 { text += " v" }
    return try unlessTaken(id, values, isNew: false, in: collection) { () throws(SQLiteError) in
      try raw(key(collection, text), updateText(values.map(\.0), version != 0, collection)) {
        statement throws(SQLiteError) in
        var next = 1
        for (member, value) in values {
          next = try collection.bind(value, member, id: id, to: statement, at: next)
        }
        try statement.bind(next, now)
        try statement.bind(next + 1, text: id.span)
        next += 2
        if version != 0 {
          try statement.bind(next, version)
          next += 1
        }
        if collection.schema.expiry != nil { try statement.bind(next, now) }
        guard try statement.step() else { return nil }
        let result = RecordResult(json: statement.bytes(0), version: statement.integer(1))
        _ = try statement.step()
        return result
      }
    }
  }

  private func updateText(
    _ members: [Int], _ isConditional: Bool, _ collection: CompiledCollection
  ) -> String {
    var sets = members.flatMap { collection.columnNames($0) }.map { $0 + "=?" }
    sets.append("\"updated_at\"=?")
    sets.append("\"version\"=\"version\"+1")
    return """
      UPDATE \(collection.table) SET \(sets.joined(separator: ",")) WHERE "id"=?\
      \(isConditional ? " AND \"version\"=?" : "")\(andLive(collection)) RETURNING \(collection.record),"version"
      """
  }

  private func delete(
    _ id: [UInt8], version: Int64, in collection: CompiledCollection
  ) throws(Problem) -> RecordResult {
    let connection = connection
    let deleted = try statement(
      key(collection, version == 0 ? "D" : "D v"),
      """
      DELETE FROM \(collection.table) WHERE "id"=?\(version == 0 ? "" : " AND \"version\"=?")\
      \(andLive(collection))
      """
    ) { statement throws(SQLiteError) in
      try statement.bind(1, text: id.span)
      if version != 0 { try statement.bind(2, version) }
      try bindNow(to: statement, at: version == 0 ? 2 : 3, collection)
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
        key(collection, text),
        "SELECT \"version\"\(names) FROM \(collection.table) WHERE \"id\"=?\(andLive(collection))"
      ) { statement throws(SQLiteError) -> (version: Int64, values: [RecordValue])? in
        try statement.bind(1, text: id.span)
        try bindNow(to: statement, at: 2, collection)
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
    guard let actual = try self.version(of: id, in: collection) else {
      return .recordNotFound(collection.schema.name)
    }
    return .recordPreconditionFailed(expected: version, actual: actual)
  }

  private func version(of id: [UInt8], in collection: CompiledCollection) throws(Problem) -> Int64? {
    try statement(
      key(collection, "V"),
      "SELECT \"version\" FROM \(collection.table) WHERE \"id\"=?\(andLive(collection))"
    ) { statement throws(SQLiteError) -> Int64? in
      try statement.bind(1, text: id.span)
      try bindNow(to: statement, at: 2, collection)
      return try statement.step() ? statement.integer(0) : nil
    }
  }

  /// Finds the field whose value another record has; SQLite says it only in a text for people.
  private func conflict(
    _ id: [UInt8], _ values: [(Int, RecordValue)], isNew: Bool, in collection: CompiledCollection
  ) throws(Problem) -> Problem {
    let schema = collection.schema
    if isNew, try version(of: id, in: collection) != nil { return .recordConflict(schema.name, field: "id") }
    for (member, value) in values where value != .null && schema.members[member].declaration?.unique == true {
      let wanted = collection.lookedFor(value, member)
      if try isTaken(wanted, member, except: id, in: collection) {
        return .recordConflict(schema.name, field: schema.members[member].name)
      }
    }
    return Problem(
      409, "records.conflict", "another record of \(schema.name) has a value that must be unique")
  }

  private func isTaken(
    _ values: [RecordValue], _ member: Int, except id: [UInt8], in collection: CompiledCollection
  ) throws(Problem) -> Bool {
    let places = values.map { _ in "?" }.joined(separator: ",")
    let column = collection.columnNames(member).last ?? ""
    return try statement(
      key(collection, "C \(member) \(values.count)"),
      "SELECT 1 FROM \(collection.table) WHERE \(column) IN (\(places)) AND \"id\"<>?\(andLive(collection))"
    ) { statement throws(SQLiteError) -> Bool in
      for (index, value) in values.enumerated() { try statement.bind(index + 1, value) }
      try statement.bind(values.count + 1, text: id.span)
      try bindNow(to: statement, at: values.count + 2, collection)
      return try statement.step()
    }
  }

  /// The unique index knows the fingerprints of one key from each other: what an older key wrote is looked for.
  private func refuseOlderFingerprints(
    _ id: [UInt8], _ values: [(Int, RecordValue)], in collection: CompiledCollection
  ) throws(Problem) {
    let schema = collection.schema
    guard schema.hasEncryptedUnique else { return }
    for (member, value) in values where schema.members[member].declaration?.unique == true {
      guard schema.members[member].isEncrypted else { continue }
      let older = Array(collection.lookedFor(value, member).dropFirst())
      if !older.isEmpty, try isTaken(older, member, except: id, in: collection) {
        throw .recordConflict(schema.name, field: schema.members[member].name)
      }
    }
  }
}

extension Result where Failure == Problem {
  var problem: Problem? { if case .failure(let problem) = self { problem } else { nil } }
}
