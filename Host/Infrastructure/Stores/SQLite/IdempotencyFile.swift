import Application
import Domain
import Kernel

/// The database behind ``SQLiteIdempotencyLedger``. Its thread only, once it runs.
final class IdempotencyFile: @unchecked Sendable {
  // Sendable because it is handed to the ledger's thread once and used by no other.
  private let session: SQLiteControlStore.Session
  private let limits: SQLiteIdempotencyLedger.Limits
  private let clock: @Sendable () -> Timestamp
  private let locks: OwnerLocks
  /// This process among those that ever opened the file.
  private let owner: Int64
  /// Calls that were reserved here and have not ended.
  private var running: Set<Digest256> = []
  /// What a caller has here: calls, and bytes of kept answers.
  private struct Usage {
    var calls = 0
    var bytes = 0
  }
  /// As far as it was counted. Another host may add some: forgotten now and then.
  private var usages: [String: Usage] = [:]
  private var countsEnd: Instant
  private let maxPages: Int64
  /// Expired calls that go with one group.
  private static let sweep: Int64 = 200
  private static let countsLife = Duration.seconds(60)
  private static let maxCounts = 100_000

  init(
    _ path: String, _ limits: SQLiteIdempotencyLedger.Limits, _ configuration: SQLiteConfiguration
  ) throws(SQLiteError) {
    self.limits = limits
    clock = configuration.clock
    try Files.makeFile(path)
    let connection = try Connection(
      path: path, mode: .existing, busyTimeout: configuration.busyTimeout,
      maxValueBytes: max(configuration.maxValueBytes, limits.answerBytes + 4096))
    connection.limitTime(configuration.timeLimit)
    let session = SQLiteControlStore.Session(connection)
    self.session = session
    maxPages = max(64, limits.fileBytes / 4096)
    try connection.execute("PRAGMA journal_mode=WAL")
    try connection.execute("PRAGMA synchronous=FULL")
    try connection.execute("PRAGMA journal_size_limit=\(16 << 20)")
    try connection.execute("PRAGMA max_page_count=\(maxPages)")
    locks = try OwnerLocks(path + ".owners")
    owner = try session.transaction { () throws(SQLiteError) in
      for sql in IdempotencyFile.layout { try connection.execute(sql) }
      return try session.with("UPDATE owners SET last=last+1 RETURNING last") {
        statement throws(SQLiteError) in
        _ = try statement.step()
        let number = statement.integer(0)
        _ = try statement.step()
        return number
      }
    }
    try locks.take(owner)
    countsEnd = .now + IdempotencyFile.countsLife
  }

  /// `owner` is 0 once a call has ended; `status` is 0 until it is answered, and `body` null when it was too large.
  private static let layout = [
    """
    CREATE TABLE IF NOT EXISTS calls(id BLOB NOT NULL UNIQUE, caller TEXT NOT NULL, fingerprint BLOB NOT NULL, \
    owner INTEGER NOT NULL, status INTEGER NOT NULL, headers BLOB, body BLOB, expires INTEGER NOT NULL) STRICT
    """,
    "CREATE INDEX IF NOT EXISTS calls_expires ON calls(expires)",
    "CREATE INDEX IF NOT EXISTS calls_caller ON calls(caller)",
    "CREATE TABLE IF NOT EXISTS owners(one INTEGER PRIMARY KEY CHECK(one=1), last INTEGER NOT NULL) STRICT",
    "INSERT OR IGNORE INTO owners VALUES(1,0)",
  ]

  // MARK: Groups

  /// Runs jobs in one transaction, and tells each what came of it.
  func run(_ jobs: [SQLiteIdempotencyLedger.Job], _ log: any LogSink) {
    session.connection.restartTime()
    if Instant.now >= countsEnd || usages.count > IdempotencyFile.maxCounts {
      usages = [:]
      countsEnd = .now + IdempotencyFile.countsLife
    }
    var told: [() -> Void] = []
    let before = running
    do throws(SQLiteError) {
      try session.transaction { () throws(SQLiteError) in
        try removeExpired()
        for job in jobs { told.append(try run(job)) }
      }
    } catch {
      // Nothing of the group happened. One that cannot be kept is not the others' fault; a file that is locked or damaged is
      // so for each, and each would wait for it again.
      usages = [:]
      running = before
      if jobs.count > 1, IdempotencyFile.isOfOneCall(error) {
        for job in jobs { run([job], log) }
        return
      }
      told = jobs.map { job in { self.fail(job, error) } }
      log.log(
        .error, "idempotency", "calls cannot be kept: \(error.message)", ["code": .integer(Int64(error.code))]
      )
    }
    for tell in told { tell() }
  }

  private static func isOfOneCall(_ error: SQLiteError) -> Bool {
    [SQLiteError.Code.full, SQLiteError.Code.tooBig, SQLiteError.Code.constraint].contains(error.primary)
  }

  private func fail(_ job: SQLiteIdempotencyLedger.Job, _ error: SQLiteError) {
    let problem = SQLiteIdempotencyLedger.problem(error)
    switch job {
    case .reserve(_, _, let then): then(.failure(problem))
    case .complete(let id, _, _, let then):
      running.remove(id)
      then(problem)
    // The row stays: it says that the call began and its end is not known.
    case .release(let id), .lose(let id): running.remove(id)
    }
  }

  private func run(_ job: SQLiteIdempotencyLedger.Job) throws(SQLiteError) -> () -> Void {
    switch job {
    case .reserve(let call, let mayBegin, let then):
      let result = try reserve(call, mayBegin)
      return { then(result) }
    case .complete(let id, let status, let answer, let then):
      try complete(id, status, answer)
      running.remove(id)
      return { then(nil) }
    case .release(let id):
      try remove(id)
      running.remove(id)
      return {}
    case .lose(let id):
      running.remove(id)
      return {}
    }
  }

  // MARK: One call

  private struct Row {
    var fingerprint: [UInt8]
    var owner: Int64
    var status: Int
    var headers: [UInt8]
    var body: [UInt8]?
    var expires: Timestamp
  }

  private func reserve(
    _ call: KeyedCallName, _ mayBegin: Bool
  ) throws(SQLiteError) -> Result<Reservation, Problem> {
    let now = clock()
    if let row = try row(call.id) {
      if row.expires > now { return .success(known(call, row)) }
      try remove(call.id)
    }
    guard mayBegin else { return .success(.absent) }
    if let refusal = try refusal(call.caller, now) { return .failure(refusal) }
    let expires = now + limits.expiry
    try session.with("INSERT INTO calls VALUES(?,?,?,?,0,NULL,NULL,?)") { statement throws(SQLiteError) in
      try statement.bind(1, blob: call.id.bytes)
      try statement.bind(2, call.caller)
      try statement.bind(3, blob: call.fingerprint.bytes)
      try statement.bind(4, owner)
      try statement.bind(5, expires.microseconds)
      _ = try statement.step()
    }
    usages[call.caller]?.calls += 1
    running.insert(call.id)
    return .success(.begins(expires: expires))
  }

  private func known(_ call: KeyedCallName, _ row: Row) -> Reservation {
    guard row.fingerprint == call.fingerprint.bytes else { return .reused }
    if row.status != 0 {
      guard let body = row.body else { return .answerNotKept(status: row.status) }
      return .answered(
        KeptAnswer(status: row.status, headers: KeptHeaders.decode(row.headers), body: body),
        expires: row.expires)
    }
    let isWorkedOn = row.owner == owner ? running.contains(call.id) : locks.isAlive(row.owner)
    return isWorkedOn ? .inProgress : .unknown
  }

  /// nil: there is room for another call of this caller.
  private func refusal(_ caller: String, _ now: Timestamp) throws(SQLiteError) -> Problem? {
    let count = try usage(caller).calls
    let isFull = count < limits.callsPerCaller ? try usedPages() >= maxPages / 10 * 9 : false
    guard isFull || count >= limits.callsPerCaller else { return nil }
    let condition = isFull ? "" : " WHERE caller=?"
    let oldest = try session.with("SELECT min(expires) FROM calls\(condition)") {
      statement throws(SQLiteError) in
      if !isFull { try statement.bind(1, caller) }
      return try statement.step() ? statement.integer(0) : now.microseconds
    }
    let wait = max(1, (oldest - now.microseconds + 999_999) / 1_000_000)
    return Problem(
      503, "idempotency.full",
      "\(isFull ? "The host remembers" : "You have") as many calls with an Idempotency-Key as it keeps, so nothing was done. Send the call again when the oldest has expired, or without a key if it may take effect twice.",
      retryAfterSeconds: Int(wait))
  }

  private func usage(_ caller: String) throws(SQLiteError) -> Usage {
    if let known = usages[caller] { return known }
    // The length of a value stands beside it: none is read.
    let sql = "SELECT count(*),total(\(IdempotencyFile.kept)) FROM calls WHERE caller=?"
    let usage = try session.with(sql) { statement throws(SQLiteError) in
      try statement.bind(1, caller)
      guard try statement.step() else { return Usage() }
      return Usage(calls: Int(statement.integer(0)), bytes: Int(statement.integer(1)))
    }
    usages[caller] = usage
    return usage
  }

  /// Bytes of a kept answer.
  private static let kept = "coalesce(length(headers)+length(body),0)"

  private func usedPages() throws(SQLiteError) -> Int64 {
    try pragma("PRAGMA page_count") - pragma("PRAGMA freelist_count")
  }

  private func pragma(_ sql: String) throws(SQLiteError) -> Int64 {
    try session.with(sql) { statement throws(SQLiteError) in try statement.step() ? statement.integer(0) : 0 }
  }

  private func row(_ id: Digest256) throws(SQLiteError) -> Row? {
    try session.with("SELECT fingerprint,owner,status,headers,body,expires FROM calls WHERE id=?") {
      statement throws(SQLiteError) in
      try statement.bind(1, blob: id.bytes)
      guard try statement.step() else { return nil }
      return Row(
        fingerprint: statement.bytes(0), owner: statement.integer(1), status: Int(statement.integer(2)),
        headers: statement.bytes(3), body: statement.isNull(4) ? nil : statement.bytes(4),
        expires: Timestamp(microseconds: statement.integer(5)))
    }
  }

  private func complete(_ id: Digest256, _ status: Int, _ answer: KeptAnswer?) throws(SQLiteError) {
    let caller = try session.with("SELECT caller FROM calls WHERE id=?") { statement throws(SQLiteError) in
      try statement.bind(1, blob: id.bytes)
      return try statement.step() ? statement.text(0) : nil
    }
    // It has expired in the meantime.
    guard let caller else { return }
    let headers = KeptHeaders.encode(answer?.headers ?? [])
    let body = answer?.body ?? []
    let bytes = headers.count + body.count
    let room = min(limits.answerBytes, limits.callerBytes - (try usage(caller).bytes))
    let isKept = answer != nil && bytes <= room
    if isKept { usages[caller]?.bytes += bytes }
    try session.with("UPDATE calls SET owner=0,status=?,headers=?,body=? WHERE id=?") {
      statement throws(SQLiteError) in
      try statement.bind(1, Int64(status))
      if isKept {
        try statement.bind(2, blob: headers)
        try statement.bind(3, blob: body)
      } else {
        try statement.bindNull(2)
        try statement.bindNull(3)
      }
      try statement.bind(4, blob: id.bytes)
      _ = try statement.step()
    }
  }

  private func remove(_ id: Digest256) throws(SQLiteError) {
    let sql = "DELETE FROM calls WHERE id=? RETURNING caller,\(IdempotencyFile.kept)"
    try session.with(sql) { statement throws(SQLiteError) in
      try statement.bind(1, blob: id.bytes)
      while try statement.step() { discount(statement.text(0), bytes: Int(statement.integer(1))) }
    }
  }

  private func removeExpired() throws(SQLiteError) {
    try session.with(
      """
      DELETE FROM calls WHERE id IN (SELECT id FROM calls WHERE expires<=? ORDER BY expires LIMIT ?) \
      RETURNING caller,\(IdempotencyFile.kept)
      """
    ) { statement throws(SQLiteError) in
      try statement.bind(1, clock().microseconds)
      try statement.bind(2, IdempotencyFile.sweep)
      while try statement.step() { discount(statement.text(0), bytes: Int(statement.integer(1))) }
    }
  }

  private func discount(_ caller: String, bytes: Int) {
    guard let usage = usages[caller] else { return }
    usages[caller] = Usage(calls: max(0, usage.calls - 1), bytes: max(0, usage.bytes - bytes))
  }
}

/// Headers as bytes: each name and value ended by a line feed, which neither can hold.
private enum KeptHeaders {
  static func encode(_ headers: [KeptAnswer.Header]) -> [UInt8] {
    headers.flatMap { $0.name + [0x0A] + $0.value + [0x0A] }
  }

  static func decode(_ bytes: [UInt8]) -> [KeptAnswer.Header] {
    var lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)[...]
    var all: [KeptAnswer.Header] = []
    while lines.count >= 2 {
      all.append(KeptAnswer.Header(name: Array(lines.removeFirst()), value: Array(lines.removeFirst())))
    }
    return all
  }
}
