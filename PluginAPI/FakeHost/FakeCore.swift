import CouncilPlugin

/// What the plugin reaches of the fake host: records and log. The host tables find it by its pointer.
final class FakeCore: Sendable {
  private struct State: Sendable {
    var collections: [FakeCollection] = []
    var log: [FakeHost.LogLine] = []
    var failure: String?
    var unreleased = 0
    var lent: [LentMemory] = []
    var clock: Int64 = 0
    var ids = 0
  }

  private let state = Guarded(State())
  let host = HostMemory()

  init() { host.register(self) }

  /// Ends the plugin's access.
  func close() { host.unregister() }

  func declare(_ manifest: JSON) {
    state.withLock { state in
      state.collections = (manifest["records"]?.array ?? []).map { FakeCollection($0) }
    }
  }

  // MARK: Log and failures

  var log: [FakeHost.LogLine] { state.withLock { $0.log } }

  func write(_ line: FakeHost.LogLine) { state.withLock { $0.log.append(line) } }

  var failure: String? {
    get { state.withLock { $0.failure } }
    set { state.withLock { $0.failure = newValue } }
  }

  var unreleased: Int { state.withLock { $0.unreleased } }

  func count(released change: Int) { state.withLock { $0.unreleased -= change } }

  /// Keeps what a request lent, so that a plugin that reads it too late finds it overwritten instead of reused: of the last
  /// 64 requests.
  func keep(_ memory: LentMemory) {
    state.withLock { state in
      state.lent.append(memory)
      if state.lent.count > 64 { state.lent.removeFirst() }
    }
  }

  // MARK: Records

  func advance(seconds: Int64) { state.withLock { $0.clock += seconds * 1000 } }

  func collection(_ name: String) -> Int? {
    state.withLock { $0.collections.firstIndex { $0.name == name } }
  }

  /// Runs one operation. Writes of one call happen together.
  func call(
    _ operation: UInt32, collection: Int, key: String, input: [UInt8], expected: Int64,
    isDryRun: Bool = false
  ) -> Result<(json: JSON?, version: Int64), RecordsFault> {
    state.withLock { state in
      guard state.collections.indices.contains(collection) else {
        return .failure(.invalid("", "there is no collection \(collection)"))
      }
      var document = JSON.object([])
      if !input.isEmpty {
        do throws(JSON.SyntaxError) { document = try JSON(parsing: input) } catch {
          return .failure(.invalid("", error.description))
        }
      }
      var copy = state.collections
      var stamp = Stamp(clock: state.clock, ids: state.ids)
      do throws(RecordsFault) {
        let result = try FakeRecords.run(
          operation, on: &copy, collection, key, document, expected, stamp: &stamp)
        if isDryRun { return .success(result) }
        state.collections = copy
        state.clock = stamp.clock
        state.ids = stamp.ids
        return .success(result)
      } catch {
        return .failure(error)
      }
    }
  }

  /// Whether the operation writes.
  static func writes(_ operation: UInt32) -> Bool { (4...9).contains(operation) || operation == 11 }
}

/// Time and ids that a test can foresee.
struct Stamp: Sendable {
  var clock: Int64
  var ids: Int

  /// The next instant, in the text that the host keeps.
  mutating func now() -> String {
    clock += 1
    return after(seconds: 0)
  }

  /// The instant so many seconds after the last one.
  func after(seconds later: Int64) -> String {
    let (seconds, milliseconds) = (clock / 1000 + later, clock % 1000)
    var year: Int64 = 2026
    var days = seconds / 86_400
    while days >= Stamp.months(of: year).reduce(0, +) {
      days -= Stamp.months(of: year).reduce(0, +)
      year += 1
    }
    var month: Int64 = 1
    for length in Stamp.months(of: year) {
      if days < length { break }
      days -= length
      month += 1
    }
    let time =
      "\(two(seconds / 3600 % 24)):\(two(seconds / 60 % 60)):\(two(seconds % 60)).\(three(milliseconds))"
    return "\(year)-\(two(month))-\(two(days + 1))T\(time)Z"
  }

  private static func months(of year: Int64) -> [Int64] {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
  }

  /// The next id, in the shape of a UUID.
  mutating func id() -> String {
    ids += 1
    let digits = String(ids)
    return "01900000-0000-7000-8000-" + String(repeating: "0", count: max(0, 12 - digits.count)) + digits
  }

  private func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
  private func three(_ value: Int64) -> String {
    value < 10 ? "00\(value)" : value < 100 ? "0\(value)" : "\(value)"
  }
}

/// Why an operation on records did not work.
struct RecordsFault: Error, Sendable {
  enum Kind: Sendable { case notFound, conflict, precondition, invalid, denied, unsupported, stale }

  var kind: Kind
  var status: Int
  var problem: JSON

  private init(_ kind: Kind, _ status: Int, _ code: String, _ detail: String, _ members: JSON = [:]) {
    self.kind = kind
    self.status = status
    problem = JSON.problem(status, code, detail, members)
  }

  static func notFound(_ collection: String) -> RecordsFault {
    RecordsFault(.notFound, 404, "records.not_found", "\(collection) holds no record with this id")
  }
  static func conflict(_ collection: String, _ field: String) -> RecordsFault {
    RecordsFault(
      .conflict, 409, "records.conflict", "another record of \(collection) has this \(field)",
      ["field": .string(field)])
  }
  static func precondition(_ expected: Int64, _ actual: Int64) -> RecordsFault {
    RecordsFault(
      .precondition, 412, "records.precondition_failed",
      "the record is at version \(actual), not \(expected)", ["version": .integer(actual)])
  }
  static func invalid(_ pointer: String, _ reason: String) -> RecordsFault {
    RecordsFault(
      .invalid, 422, "records.invalid", "\(pointer): \(reason)",
      ["errors": [["pointer": .string(pointer), "reason": .string(reason)]]])
  }
  static func query(_ pointer: String, _ reason: String) -> RecordsFault {
    RecordsFault(
      .invalid, 400, "records.invalid_query", "\(pointer): \(reason)", ["pointer": .string(pointer)])
  }
  static func notSearchable(_ collection: String) -> RecordsFault {
    RecordsFault(
      .invalid, 422, "records.not_searchable", "\(collection) declares no searchable field",
      ["pointer": "/search"])
  }
  static let deniedWrite = RecordsFault(
    .denied, 403, "records.denied", "an inline handler must not write: take .inline() off the route")
  static let stale = RecordsFault(.stale, 410, "records.stale", "the request is over")
  static let unknownOperation = RecordsFault(
    .unsupported, 422, "records.unsupported", "there is no such operation")
}
