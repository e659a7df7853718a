package import Application
package import Domain
package import Kernel

extension SQLiteControlStore {
  private static let columns =
    "id,digest,principal,name,scopes,limit_requests,limit_period_s,created,expires,revoked,last_used,answer_limit"

  /// Reads a key, by a new connection: the first page, and those of the keys from the root down.
  package var readFault: String? { check.readFault("SELECT digest FROM keys LIMIT 1") }

  /// Streams in order of id from a connection of its own, so that `visit` may call this store.
  package func forEach(_ visit: (KeyRecord) -> Void) throws(Problem) {
    do throws(SQLiteError) {
      let connection = try SQLiteControlStore.connect(path, configuration)
      try connection.execute("PRAGMA query_only=ON")
      try connection.execute("PRAGMA mmap_size=\(configuration.mmapBytes)")
      let statement = try connection.prepare("SELECT \(SQLiteControlStore.columns) FROM keys ORDER BY id")
      var scopes = Scopes()
      while try statement.step() { visit(SQLiteControlStore.key(statement, &scopes)) }
    } catch {
      throw SQLiteControlStore.problem(error)
    }
  }

  package func find(_ id: String) throws(Problem) -> KeyRecord? {
    try use { session throws(SQLiteError) in
      try session.with("SELECT \(SQLiteControlStore.columns) FROM keys WHERE id=?") {
        statement throws(SQLiteError) in
        try statement.bind(1, id)
        var scopes = Scopes()
        return try statement.step() ? SQLiteControlStore.key(statement, &scopes) : nil
      }
    }
  }

  package func page(after cursor: KeyCursor?, limit: Int) throws(Problem) -> [KeyRecord] {
    let condition = cursor == nil ? "" : " WHERE (created,id)<(?2,?3)"
    return try use { session throws(SQLiteError) in
      try session.with(
        "SELECT \(SQLiteControlStore.columns) FROM keys\(condition) ORDER BY created DESC,id DESC LIMIT ?1"
      ) { statement throws(SQLiteError) in
        try statement.bind(1, Int64(max(0, limit)))
        if let cursor {
          try statement.bind(2, cursor.created.microseconds)
          try statement.bind(3, cursor.id)
        }
        var page: [KeyRecord] = []
        var scopes = Scopes()
        while try statement.step() { page.append(SQLiteControlStore.key(statement, &scopes)) }
        return page
      }
    }
  }

  /// A million keys have few sets of scopes: each text is split once, and the arrays are shared.
  private struct Scopes {
    private var known: [String: [String]] = [:]
    private static let maxKnown = 4096

    mutating func split(_ text: String) -> [String] {
      if let scopes = known[text] { return scopes }
      let scopes = text.split(separator: " ").map { String($0) }
      if known.count < Scopes.maxKnown { known[text] = scopes }
      return scopes
    }
  }

  private static func key(_ row: Statement, _ scopes: inout Scopes) -> KeyRecord {
    func moment(_ column: Int) -> Timestamp? {
      row.isNull(column) ? nil : Timestamp(microseconds: row.integer(column))
    }
    let limit =
      row.isNull(5)
      ? nil : RateLimitRecord(requests: Int(row.integer(5)), periodSeconds: Int(row.integer(6)))
    return KeyRecord(
      id: row.text(0), digest: row.bytes(1), principal: row.text(2), name: row.text(3),
      scopes: scopes.split(row.text(4)),
      limit: limit, answerLimit: row.isNull(11) ? nil : Int(row.integer(11)),
      created: Timestamp(microseconds: row.integer(7)), expires: moment(8), revoked: moment(9),
      lastUsed: moment(10))
  }

  /// One transaction for all. Throws `control.key_exists` (409, member `id`) when an id is taken; then none is kept.
  package func insert(_ keys: [KeyRecord]) throws(Problem) { try write(new: keys, changed: []) }

  /// One transaction for both. Throws as ``insert(_:)`` does.
  package func insert(_ key: KeyRecord, updating other: KeyRecord) throws(Problem) {
    try write(new: [key], changed: [other])
  }

  private func write(new keys: [KeyRecord], changed: [KeyRecord]) throws(Problem) {
    guard !keys.isEmpty else { return }
    let places = SQLiteControlStore.columns.split(separator: ",").map { _ in "?" }.joined(separator: ",")
    let sql = "INSERT INTO keys(\(SQLiteControlStore.columns)) VALUES(\(places)) ON CONFLICT DO NOTHING"
    let taken = try use { session throws(SQLiteError) -> String? in
      var taken: String?
      try session.connection.execute("BEGIN IMMEDIATE")
      do throws(SQLiteError) {
        try session.with(sql) { statement throws(SQLiteError) in
          for key in keys where taken == nil {
            try SQLiteControlStore.bind(key, to: statement)
            _ = try statement.step()
            if session.connection.changes == 0 { taken = key.id }
            statement.reset()
          }
        }
        if taken == nil { try SQLiteControlStore.update(changed, session) }
        try session.connection.execute(taken == nil ? "COMMIT" : "ROLLBACK")
      } catch {
        // What fails here has ended the transaction by itself.
        if session.connection.isInTransaction { try? session.connection.execute("ROLLBACK") }
        throw error
      }
      return taken
    }
    if let taken {
      throw Problem(
        409, "control.key_exists", "a key with the id \(taken) exists", members: ["id": .string(taken)])
    }
  }

  private static func bind(_ key: KeyRecord, to statement: Statement) throws(SQLiteError) {
    func moment(_ index: Int, _ time: Timestamp?) throws(SQLiteError) {
      if let time { try statement.bind(index, time.microseconds) } else { try statement.bindNull(index) }
    }
    try statement.bind(1, key.id)
    try statement.bind(2, blob: key.digest)
    try statement.bind(3, key.principal)
    try statement.bind(4, key.name)
    try statement.bind(5, key.scopes.joined(separator: " "))
    if let limit = key.limit {
      try statement.bind(6, Int64(limit.requests))
      try statement.bind(7, Int64(limit.periodSeconds))
    } else {
      try statement.bindNull(6)
      try statement.bindNull(7)
    }
    try statement.bind(8, key.created.microseconds)
    try moment(9, key.expires)
    try moment(10, key.revoked)
    try moment(11, key.lastUsed)
    if let limit = key.answerLimit {
      try statement.bind(12, Int64(limit))
    } else {
      try statement.bindNull(12)
    }
  }

  package func recordUses(_ uses: [KeyTable.Use]) throws(Problem) {
    try use { session throws(SQLiteError) in
      try session.transaction { () throws(SQLiteError) in
        try session.with("UPDATE keys SET last_used=max(coalesce(last_used,0),?) WHERE id=?") {
          statement throws(SQLiteError) in
          for use in uses {
            try statement.bind(1, use.at.microseconds)
            try statement.bind(2, use.key.text)
            _ = try statement.step()
            statement.reset()
          }
        }
      }
    }
  }

  /// One transaction for all; a key that does not exist is passed over.
  package func update(_ keys: [KeyRecord]) throws(Problem) {
    guard !keys.isEmpty else { return }
    try use { session throws(SQLiteError) in
      try session.transaction { () throws(SQLiteError) in try SQLiteControlStore.update(keys, session) }
    }
  }

  private static func update(_ keys: [KeyRecord], _ session: Session) throws(SQLiteError) {
    guard !keys.isEmpty else { return }
    try session.with("UPDATE keys SET expires=?,revoked=coalesce(revoked,?),last_used=? WHERE id=?") {
      statement throws(SQLiteError) in
      for key in keys {
        for (index, time) in [key.expires, key.revoked, key.lastUsed].enumerated() {
          if let time {
            try statement.bind(index + 1, time.microseconds)
          } else {
            try statement.bindNull(index + 1)
          }
        }
        try statement.bind(4, key.id)
        _ = try statement.step()
        statement.reset()
      }
    }
  }
}
