import Application
import Domain
import Kernel
import SQLiteStore
import Synchronization

/// Accounts as Plugins/Accounts declares them, measured from the store's port.
struct RecordsBench {
  let folder: String
  let store: SQLiteRecordStore
  let stores: SQLiteRecordStores
  private static let rows = 100_000

  static let accounts = CollectionDeclaration(
    name: "accounts",
    fields: [
      FieldDeclaration(name: "name", type: .string, required: true, maxLength: 200),
      FieldDeclaration(name: "email", type: .string, required: true, unique: true, maxLength: 200),
      FieldDeclaration(name: "balance", type: .integer, defaultValue: 0),
      FieldDeclaration(name: "currency", type: .string, defaultValue: "EUR"),
      FieldDeclaration(name: "status", type: .string, defaultValue: "active", allowed: ["active", "closed"]),
    ], indexes: [["status", "created_at"]])

  init(folder: String) throws {
    self.folder = folder
    stores = SQLiteRecordStores(folder: folder + "/records")
    store = try stores.openStore(automation: "bench", collections: [RecordsBench.accounts])
  }

  func call(_ operation: RecordOperation, key: String = "", _ input: String = "") throws(Problem)
    -> RecordResult
  {
    try store.call(
      operation, collection: 0, key: key.utf8.span, input: input.utf8.span, expectedVersion: 0)
  }

  func report(_ name: String, _ value: Double, _ unit: String) {
    print("\(name): \((value * 100).rounded() / 100) \(unit)")
  }

  /// Nanoseconds per run, the best of many short slices: what else runs on the machine then counts little.
  func time(_ count: Int, _ body: (Int) throws -> Void) rethrows -> Double {
    var best = Double.infinity
    let slice = max(1, count / 50)
    for number in 0..<50 {
      let start = Instant.now
      for index in number * slice..<(number + 1) * slice { try body(index) }
      best = min(best, Double(Instant.now - start) / Double(slice))
    }
    return best
  }

  // MARK: Reads

  func reads() throws {
    var ids: [String] = []
    for start in stride(from: 0, to: RecordsBench.rows, by: 100) {
      let operations = (start..<start + 100).map { index -> String in
        let id = "a\(index)"
        ids.append(id)
        let document = "{\"name\":\"Name \(index)\",\"email\":\"\(index)@x\",\"balance\":\(index % 1000)}"
        return "{\"op\":\"insert\",\"id\":\"\(id)\",\"document\":\(document)}"
      }
      _ = try call(.batch, "{\"operations\":[\(operations.joined(separator: ","))]}")
    }
    print("\(RecordsBench.rows) records of \(try call(.get, key: "a7").json.count) bytes")
    let warm = try time(200_000) { _ in _ = try call(.get, key: "a4711") }
    report("get, one warm record", warm, "ns")
    let spread = try time(200_000) { index in _ = try call(.get, key: ids[index &* 7919 % ids.count]) }
    report("get, over all records", spread, "ns")
    let both = Atomic<Int>(0)
    let start = Instant.now
    let threads = (0..<2).map { _ in
      OSThread("reader") {
        for _ in 0..<200_000 {
          if (try? call(.get, key: "a4711")) != nil { both.add(1, ordering: .relaxed) }
        }
      }
    }
    for thread in threads { thread.join() }
    report(
      "gets per second, 2 threads", Double(both.load(ordering: .relaxed)) * 1e9 / Double(Instant.now - start),
      "/s")
    for (name, query) in [
      ("find 20, by id", "{}"), ("find 20, newest first", #"{"order":["-created_at"]}"#),
      ("find 20, by status, newest first", #"{"where":{"status":"active"},"order":["-created_at"]}"#),
      ("find 20, two fields", #"{"fields":["id","name"]}"#),
      ("find 1 by email", "{\"where\":{\"email\":\"77@x\"}}"),
    ] {
      report(name, try time(5000) { _ in _ = try call(.find, query) } / 1000, "µs")
    }
    let first = try call(.find, #"{"order":["-created_at"]}"#)
    let page = try JSONValue.parse(first.json.span)
    let next = "{\"order\":[\"-created_at\"],\"after\":\"\(page["next"]?.string ?? "")\"}"
    report("find 20, second page", try time(5000) { _ in _ = try call(.find, next) } / 1000, "µs")
  }

  // MARK: Writes

  /// Turns of the plain loop stand between turns of ours, so that both meet the same disk and the same load.
  func writes() throws {
    var loop = try PlainLoop(path: folder + "/plain.sqlite")
    // A log that has gone round once lies in blocks that are allocated; syncing it costs a third of what it
    // costs while it grows. Both sides are measured in that state.
    _ = try loop.run(4000)
    _ = insert(8, each: 600, turn: -1)
    for callers in [1, 8, 32, 128] {
      let before = stores.figures(of: "bench")!
      let turns = 8
      let each = max(10, 800 / callers / (callers == 1 ? 4 : 1))
      var plain = 0.0
      var ours = 0.0
      var failures = 0
      for turn in 0..<turns {
        plain += try loop.run(200)
        let start = Instant.now
        failures += insert(callers, each: each, turn: turn)
        ours += Double(callers * each) * 1e9 / Double(Instant.now - start)
      }
      let after = stores.figures(of: "bench")!
      let perCommit = Double(after.writes - before.writes) / Double(max(1, after.commits - before.commits))
      report("plain SQLite, one commit per insert", plain / Double(turns), "/s")
      report("durable inserts, \(callers) callers", ours / Double(turns), "/s")
      report("  against the plain loop", ours / plain, "times")
      report("  writes per commit", perCommit, "")
      if failures > 0 { print("  failures: \(failures)") }
    }
  }

  /// Inserts from so many threads; how many failed.
  private func insert(_ callers: Int, each: Int, turn: Int) -> Int {
    let failures = Monitor(0)
    let threads = (0..<callers).map { caller in
      OSThread("caller") {
        for index in 0..<each {
          let email = "\(callers).\(turn).\(caller).\(index)@\(folder)"
          let document = "{\"name\":\"Name\",\"email\":\"\(email)\",\"balance\":1}"
          if (try? call(.insert, document)) == nil { failures.withLock { $0 += 1 } }
        }
      }
    }
    for thread in threads { thread.join() }
    return failures.withLock { $0 }
  }

  // MARK: Keys

  func keys(_ count: Int) throws {
    let control = try SQLiteControlStore(path: folder + "/council.sqlite")
    let digest = [UInt8](repeating: 7, count: 32)
    let keys = (0..<count).map { index in
      KeyRecord(
        id: String("000000000000\(index)".suffix(12)), digest: digest, principal: "agent-\(index)",
        name: "key \(index)", scopes: ["accounts:read", "accounts:write"],
        created: Timestamp(microseconds: Int64(index)))
    }
    var start = Instant.now
    try control.insert(keys)
    report("\(count) keys written in one transaction", Double(Instant.now - start) / 1e9, "s")
    start = Instant.now
    var found = 0
    try control.forEach { if !$0.digest.isEmpty { found += 1 } }
    report("\(found) keys read", Double(Instant.now - start) / 1e9, "s")
  }
}
