import Application
import Audit
import Cryptography
import Domain
import Kernel
import Testing

final class CollectedLog: LogSink {
  private let lines = Monitor<[String]>([])

  var level: LogLevel {
    get { .debug }
    set { _ = newValue }
  }

  private let meeting = Monitor<(level: String, body: @Sendable () -> Void)?>(nil)

  /// `body` runs once, with the next line of that level, before whoever wrote it goes on.
  func meet(_ level: String, _ body: @escaping @Sendable () -> Void) {
    meeting.withLock { $0 = (level, body) }
  }

  func write(_ level: LogLevel, _ module: StaticString, _ message: String, _ fields: [String: JSONValue]) {
    lines.withLock { $0.append("\(level.name) \(message)") }
    let met = meeting.withLock { meeting in
      guard meeting?.level == level.name else { return nil as (@Sendable () -> Void)? }
      defer { meeting = nil }
      return meeting?.body
    }
    met?()
  }

  var all: [String] { lines.withLock { $0 } }
}

func openTrail(
  _ folder: TestFolder, log: CollectedLog = CollectedLog(),
  _ change: (inout JournalAuditTrail.Limits) -> Void = { _ in }
) throws -> JournalAuditTrail {
  try JournalAuditTrail(
    folder: folder.path, digests: OpenSSLDigests(), log: log, limits: testLimits(change))
}

func testLimits(
  _ change: (inout JournalAuditTrail.Limits) -> Void = { _ in }
) -> JournalAuditTrail.Limits {
  var limits = JournalAuditTrail.Limits()
  limits.flushInterval = .milliseconds(5)
  limits.retryInterval = .milliseconds(10)
  // A disk that has to write what others gave it may take longer than an act waits in a host.
  limits.actWait = .seconds(60)
  limits.admitWait = .seconds(60)
  change(&limits)
  return limits
}

func makeExchange(
  path: [UInt8] = Array("/accounts/a1".utf8), principal: String = "agent-1",
  requestID: [UInt8] = Array("r-1".utf8),
  peer: (UInt64, UInt64) = (0, 0xFFFF_0A01_02FF)
) -> Exchange {
  let exchange = Exchange(slot: 0)
  exchange.method = .get
  exchange.rawPath = exchange.head.append(path)
  exchange.principal = exchange.head.append(principal)
  exchange.requestID = exchange.head.append(requestID)
  exchange.peer = peer
  return exchange
}

func makeRow(time: Int64 = 1_700_000_000_123_456, status: Int = 200) -> RequestAudit {
  RequestAudit(
    time: Timestamp(microseconds: time), durationMicroseconds: 42, status: status,
    labels: RouteLabels(
      json: Array(#""automation":"accounts","generation":3,"operation":"get_account""#.utf8)),
    key: KeyID("abcdefghijkl"))
}

func makeAct(_ action: String = "automation.reload") -> AdminAct {
  AdminAct(
    time: Timestamp(microseconds: 1_700_000_000_000_000), principal: "admin-1", key: "adminkey0001",
    action: action, target: "accounts", status: 200, requestID: "r-9", details: ["generation": 4])
}

/// Records rows and an act, which returns when all of them are on disk.
func fill(_ trail: JournalAuditTrail, rows: Int) throws {
  let exchange = makeExchange()
  for number in 0..<rows {
    #expect(trail.admit())
    trail.record(makeRow(time: 1_700_000_000_000_000 + Int64(number)), of: exchange)
  }
  try trail.record(makeAct("test.fill"))
}

func isBroken(_ trail: JournalAuditTrail) -> Problem? {
  do {
    _ = try trail.verify()
    return nil
  } catch {
    return error
  }
}

/// Opens a folder that somebody changed, and says what was found, at the start or by `verify`.
func fault(in folder: TestFolder) -> Problem? {
  let trail: JournalAuditTrail
  do { trail = try openTrail(folder) } catch { return error as? Problem }
  defer { trail.close() }
  return isBroken(trail)
}

/// The same numbers on every run (Marsaglia's xorshift64).
struct Xorshift {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func next(below limit: Int) -> Int {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Int(state % UInt64(limit))
  }
}

/// A disk that fails when a test says so.
final class FaultyFolder: AuditFolder {
  struct Faults {
    var write: Int32?
    var sync: Int32?
    /// Bytes that a failing write still takes.
    var partial = 0
    /// The file whose writes fail; nil: every one's.
    var name: String?
    /// How many have failed.
    var count = 0
  }

  let faults = Monitor(Faults())
  private let folder: DiskAuditFolder

  init(_ folder: TestFolder) throws { self.folder = try DiskAuditFolder(folder.path) }

  func set(_ change: (inout Faults) -> Void) { faults.withLock { change(&$0) } }

  func names() throws(AuditFileError) -> [String] { try folder.names() }
  func remove(_ name: String) throws(AuditFileError) { try folder.remove(name) }
  func sync() throws(AuditFileError) { try folder.sync() }

  func open(_ name: String, creating: Bool) throws(AuditFileError) -> any AuditFile {
    FaultyFile(try folder.open(name, creating: creating), name, self)
  }
}

private final class FaultyFile: AuditFile {
  private let file: any AuditFile
  private let name: String
  private let folder: FaultyFolder

  init(_ file: any AuditFile, _ name: String, _ folder: FaultyFolder) {
    self.file = file
    self.name = name
    self.folder = folder
  }

  var size: Int { get throws(AuditFileError) { try file.size } }

  func write(_ bytes: Span<UInt8>, at offset: Int) throws(AuditFileError) {
    let faults = folder.faults.withLock { faults in
      if faults.write != nil, faults.name ?? name == name { faults.count += 1 }
      return faults
    }
    if let code = faults.write, faults.name ?? name == name {
      try file.write(bytes.extracting(0..<min(faults.partial, bytes.count)), at: offset)
      throw AuditFileError("write", code: code)
    }
    try file.write(bytes, at: offset)
  }

  func read(_ count: Int, at offset: Int, into arena: Arena) throws(AuditFileError) -> Int {
    try file.read(count, at: offset, into: arena)
  }

  func truncate(to size: Int) throws(AuditFileError) { try file.truncate(to: size) }

  func sync() throws(AuditFileError) {
    if let code = folder.faults.withLock({ $0.sync }) { throw AuditFileError("sync", code: code) }
    try file.sync()
  }
}
