import Application
import Cryptography
import Domain
import Kernel
import Patience
import Synchronization
import Testing

@testable import PluginRuntime

/// All tests of this target, one after another: they count descriptors, threads and memory of the whole process.
@Suite("Plugin runtime", .serialized)
enum PluginRuntimeTests {}

/// Digests that show what they were given: the count of bytes and their sum.
final class CountingDigests: Digests {
  func sha256(_ bytes: Span<UInt8>) -> Digest256 {
    var all = [UInt8](repeating: 0, count: 32)
    var sum = 0
    for index in bytes.indices { sum += Int(bytes[index]) }
    for (index, number) in [bytes.count, sum].enumerated() {
      for byte in 0..<8 { all[index * 8 + byte] = UInt8(truncatingIfNeeded: number >> (8 * byte)) }
    }
    return Digest256(all)!
  }

  func hmacSHA256(key: Span<UInt8>, _ bytes: Span<UInt8>) -> Digest256 { preconditionFailure("not used") }
  func isEqual(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Bool { preconditionFailure("not used") }
  func sha256Stream() -> any DigestStream { preconditionFailure("not used") }
  func hmacSHA256Stream(key: Span<UInt8>) -> any DigestStream { preconditionFailure("not used") }
}

/// Keeps every line.
final class KeptLog: LogSink {
  struct Line: Sendable {
    var level: LogLevel
    var module: String
    var message: String
    var fields: [String: JSONValue]
  }

  private let kept = Monitor<[Line]>([])

  var level: LogLevel {
    get { .debug }
    set {}
  }

  func write(_ level: LogLevel, _ module: StaticString, _ message: String, _ fields: [String: JSONValue]) {
    kept.signal(all: true) {
      $0.append(Line(level: level, module: "\(module)", message: message, fields: fields))
    }
  }

  var lines: [Line] { kept.withLock { $0 } }
  var messages: [String] { lines.map(\.message) }

  func waitFor(_ message: String) -> Bool {
    kept.eventually { lines in lines.contains { $0.message == message } ? true : nil } ?? false
  }
}

/// One collection, "things", with one record, "a".
final class OneRecord: RecordStore {
  func collection(named name: String) -> Int? { name == "things" ? 0 : nil }

  func call(
    _ operation: RecordOperation, collection: Int, key: Span<UInt8>, input: Span<UInt8>,
    expectedVersion: Int64, isDryRun: Bool
  ) throws(Problem) -> RecordResult {
    guard collection == 0 else { throw Problem(404, "records.not_found", "No such collection.") }
    switch operation {
    case .get where key.isEqual(to: "a"): return RecordResult(json: Array(#"{"id":"a"}"#.utf8), version: 3)
    case .insert: throw Problem(409, "records.conflict", "Taken.", members: ["field": "name"])
    default: throw Problem(404, "records.not_found", "No such record.")
    }
  }

  var fault: String? { nil }
  func close() {}
}

/// Reads a stream as an edge does, so many bytes at a time.
final class StreamClient: Sendable {
  private let stream: AnswerStream
  private let piece: Int
  private let news = Monitor(false)

  init(_ stream: AnswerStream, piece: Int = 1 << 20) {
    self.stream = stream
    self.piece = piece
    stream.connect { [news] in news.signal { $0 = true } }
  }

  /// Reads to the end; "late" when none comes within `limit`, or patience ends, and the client leaves then.
  func read(within limit: Duration? = nil) -> (text: [UInt8], end: String) {
    let until = limit.map { Instant.now + $0 }
    var text: [UInt8] = []
    defer { stream.finish() }
    while true {
      switch stream.take(upTo: piece, pause: {}, { text += Array($0) }) {
      case .bytes: continue
      case .end: return (text, "end")
      case .broken: return (text, "broken")
      case .wait:
        let take = { (news: inout Bool) -> Bool? in
          defer { news = false }
          return news ? true : nil
        }
        let isWoken = if let until { news.wait(until: until, take) } else { news.eventually(take) }
        if isWoken == nil { return (text, "late") }
      }
    }
  }
}

/// The exchanges of these tests, and the edge's part of their life.
final class TestEdge: ExchangeTable {
  static let shared = TestEdge()
  private let all: [Exchange]
  private let free: Monitor<[Int]>
  private let woken = Monitor<Set<UInt32>>([])

  let streams = AnswerStreams()
  var openStreams: Int { streams.openCount }

  init() {
    let streams = streams
    all = (0..<4096).map { Exchange(slot: UInt32($0), streams: streams) }
    free = Monitor(Array(0..<4096).reversed())
    for exchange in all {
      exchange.wake = { exchange in _ = self.woken.signal(all: true) { $0.insert(exchange.slot) } }
      exchange.recycle = { _ in }
    }
  }

  func exchange(slot: UInt32) -> Exchange? { Int(slot) < all.count ? all[Int(slot)] : nil }
  var slotCount: Int { all.count }

  /// A request that is ready for its handler.
  func open(_ prepare: (Exchange) -> Void = { _ in }) -> Exchange {
    let index = free.withLock { $0.removeLast() }
    let exchange = all[index]
    exchange.reset()
    exchange.open()
    exchange.deadline = .now + .seconds(30)
    exchange.requestID = exchange.head.append("r-1")
    prepare(exchange)
    return exchange
  }

  /// Waits for the answer to a request that is pending; false when none comes.
  func settle(_ exchange: Exchange, _ completion: Completion, within limit: Duration? = nil) -> Bool {
    if case .answered = completion { return true }
    if !exchange.park() { return true }
    let take = { (woken: inout Set<UInt32>) -> Bool? in woken.remove(exchange.slot) != nil ? true : nil }
    let isSettled = if let limit { woken.wait(until: .now + limit, take) } else { woken.eventually(take) }
    return isSettled ?? false
  }

  /// The request is over, and another one follows in its exchange.
  func renew(_ exchange: Exchange) {
    exchange.close()
    while !exchange.relinquish() { System.pause() }
    exchange.reset()
    exchange.open()
  }

  /// The request is over, and its exchange free for another.
  func close(_ exchange: Exchange) {
    exchange.close()
    // A handler may still be about to return.
    while !exchange.relinquish() { System.pause() }
    free.withLock { $0.append(Int(exchange.slot)) }
  }
}

/// Where a plugin's code runs: its behaviour is the same.
enum Mode: CaseIterable {
  case inProcess, isolated

  /// A sanitizer's shadow is more memory than a runner may have, and its thread more than a runner may start.
  static var allCases: [Mode] { System.isSanitized ? [.inProcess] : [.inProcess, .isolated] }
}

/// One loaded plugin, active, and its requests.
struct Stage {
  static let workers = Workers(Workers.Limits(threads: 4, queue: 64))
  static let patience: Duration = .milliseconds(400)

  let plugin: any LoadedPlugin
  let log = KeptLog()

  /// Runners of the host's own binary, beside the tests.
  static let desk = RecordsDesk(threads: 4)
  static func isolated(
    _ path: String, _ settings: RunnerSettings = RunnerSettings(), runners: Int = 1
  ) throws -> IsolatedPlugin {
    var settings = settings
    settings.executable = PluginRuntimeTests.Probe.executable
    settings.environment = PluginRuntimeTests.Probe.environment
    return try LoadByIsolation(
      inProcess: loader(), exchanges: TestEdge.shared, desk: desk, runners: settings
    ).isolated(path, runners)
  }

  static func loader(_ workers: Workers = workers, patience: Duration = .seconds(10)) -> LoadPlugin {
    LoadPlugin(exchanges: TestEdge.shared, workers: workers, limits: LoadPlugin.Limits(patience: patience))
  }

  init(
    _ fixture: String, _ mode: Mode = .inProcess, _ flags: String = "", workers: Workers = Stage.workers,
    patience: Duration = .seconds(10),
    records: (any RecordStore)? = OneRecord(), account: AutomationAccount? = nil,
    runner: RunnerSettings = RunnerSettings()
  ) throws {
    let path = Workshop.plugin(fixture, flags)
    plugin =
      mode == .isolated
      ? try Stage.isolated(path, runner)
      : try Stage.loader(workers, patience: patience).load(path: path, sealed: nil)
    try plugin.create(
      config: Array("{}".utf8),
      services: PluginServices(
        automation: "reject", generation: 7, records: records, log: log, account: account))
    try plugin.activate()
  }

  struct Answer {
    var status: Int
    var body: String
    var headers: [(name: String, value: String)]

    subscript(name: String) -> String? { headers.first { $0.name.lowercased() == name }?.value }
    func count(_ name: String) -> Int { headers.filter { $0.name.lowercased() == name }.count }
  }

  /// Asks a route and waits for the answer.
  func ask(
    _ route: Int, _ execution: RouteDeclaration.Execution = .inline, _ prepare: (Exchange) -> Void = { _ in }
  ) throws -> Answer {
    let exchange = TestEdge.shared.open(prepare)
    let completion = plugin.handle(exchange, route: route, execution: execution)
    try #require(TestEdge.shared.settle(exchange, completion))
    defer { TestEdge.shared.close(exchange) }
    return answer(of: exchange)
  }

  func answer(of exchange: Exchange) -> Answer {
    let head = exchange.answerHead
    let body = exchange.answerBody
    var headers: [(name: String, value: String)] = []
    for field in exchange.answerHeaders {
      headers.append((String(head.span(field.name)), String(head.span(field.value))))
    }
    return Answer(status: exchange.status, body: String(body.span(body.all)), headers: headers)
  }

  static func body(of exchange: Exchange) -> String {
    let body = exchange.answerBody
    return String(body.span(body.all))
  }

  /// The end of the generation.
  func end() throws {
    try plugin.quiesce()
    try plugin.stop()
    try plugin.destroy()
  }
}

/// The problem that `body` throws; nil when it throws none.
func problem(_ body: () throws -> Void) -> Problem? {
  do {
    try body()
    return nil
  } catch let problem as Problem {
    return problem
  } catch { return nil }
}

func code(_ body: () throws -> Void) -> String? { problem(body)?.code }

extension SignatureCheck {
  /// Real signatures, and a policy that trusts nobody.
  static let ofNobody = SignatureCheck(OpenSSLSignatures())
}
