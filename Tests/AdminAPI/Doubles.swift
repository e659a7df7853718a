import Application
import Domain
import Kernel
import Synchronization

// The ports in memory.

final class MemoryKeyStore: KeyStore {
  private let keys = Mutex<[String: KeyRecord]>([:])

  func forEach(_ visit: (KeyRecord) -> Void) throws(Problem) {
    for record in keys.withLock({ Array($0.values) }) { visit(record) }
  }
  func insert(_ records: [KeyRecord]) throws(Problem) { try update(records) }
  func recordUses(_ uses: [KeyTable.Use]) {}
  func update(_ records: [KeyRecord]) throws(Problem) {
    keys.withLock { keys in for record in records { keys[record.id] = record } }
  }
}

final class MemoryCatalog: Catalog {
  private struct State {
    var numbers: [String: Int] = [:]
    var known: [GenerationRecord] = []
    var active: [String: GenerationRecord] = [:]
    var quarantine: [QuarantineRecord] = []
  }
  private let state = Mutex(State())

  func nextNumber(of automation: String) throws(Problem) -> Int {
    state.withLock { state in
      state.numbers[automation, default: 0] += 1
      return state.numbers[automation] ?? 0
    }
  }
  func generations(of automation: String?) throws(Problem) -> [GenerationRecord] {
    state.withLock { state in
      state.known.filter { automation == nil || $0.automation == automation }.sorted { $0.number > $1.number }
    }
  }
  func activeSet() throws(Problem) -> [GenerationRecord] { state.withLock { Array($0.active.values) } }
  func activate(_ generations: [GenerationRecord]) throws(Problem) {
    state.withLock { state in
      for record in generations {
        state.active[record.automation] = record
        if !state.known.contains(record) { state.known.append(record) }
      }
    }
  }
  func deactivate(_ automation: String) throws(Problem) { state.withLock { $0.active[automation] = nil } }
  func forget(_ generations: [GenerationRecord]) throws(Problem) {
    state.withLock { state in state.known.removeAll { generations.contains($0) } }
  }
  func quarantined(_ sha256: String) throws(Problem) -> QuarantineRecord? {
    state.withLock { state in state.quarantine.first { $0.sha256 == sha256 } }
  }
  func quarantine(_ record: QuarantineRecord) throws(Problem) {
    state.withLock { $0.quarantine.append(record) }
  }
  func release(_ sha256: String) throws(Problem) -> Bool {
    state.withLock { state in
      let count = state.quarantine.count
      state.quarantine.removeAll { $0.sha256 == sha256 }
      return state.quarantine.count < count
    }
  }
  func quarantine() throws(Problem) -> [QuarantineRecord] { state.withLock { $0.quarantine } }
}

/// Files by path; the text of one is the manifest of the plugin it stands for.
final class MemoryFiles: GenerationFiles {
  private struct State {
    var files: [String: [UInt8]] = [:]
    var serial = 0
    var abandoned = 0
  }
  private let state = Mutex(State())

  func put(_ path: String, _ text: String) { state.withLock { $0.files[path] = Array(text.utf8) } }
  func bytes(_ path: String) -> [UInt8]? { state.withLock { $0.files[path] } }
  var abandoned: Int { state.withLock { $0.abandoned } }
  var incoming: Int {
    state.withLock { state in state.files.keys.count { $0.hasPrefix("/folder/incoming") } }
  }

  func receive(copyOf path: String) throws(Problem) -> String {
    guard let bytes = bytes(path) else {
      throw Problem(422, "plugin.file.missing", "No file is at '\(path)'.")
    }
    return keep(bytes)
  }
  func upload() throws(Problem) -> any Upload { MemoryUpload(self) }
  func adopt(
    _ incoming: String, automation: String, number: Int, sha256: String
  ) throws(Problem) -> String {
    state.withLock { state in
      let file = "generations/\(automation)/\(number)-\(sha256).so"
      state.files["/folder/" + file] = state.files.removeValue(forKey: incoming)
      return file
    }
  }
  func absolute(_ file: String) -> String { "/folder/" + file }
  func remove(_ path: String) { state.withLock { state in _ = state.files.removeValue(forKey: path) } }
  func removeIncoming() {}

  fileprivate func keep(_ bytes: [UInt8]) -> String {
    state.withLock { state in
      state.serial += 1
      let path = "/folder/incoming/\(state.serial).so"
      state.files[path] = bytes
      return path
    }
  }
  fileprivate func noteAbandoned() { state.withLock { $0.abandoned += 1 } }
}

private final class MemoryUpload: Upload {
  private let files: MemoryFiles
  private var bytes: [UInt8] = []

  init(_ files: MemoryFiles) { self.files = files }

  func write(_ piece: Span<UInt8>) throws(Problem) { bytes += Array(piece) }
  func finish() throws(Problem) -> String {
    guard !bytes.isEmpty else { throw Problem(422, "plugin.file.empty", "The file is empty.") }
    return files.keep(bytes)
  }
  func abandon() { files.noteAbandoned() }
}

/// A file is good when its text is a manifest; the probe can be made to wait.
final class MemoryInspector: PluginInspector {
  private let files: MemoryFiles
  private let gate = Monitor(true)
  private let inside = Monitor(0)

  init(_ files: MemoryFiles) { self.files = files }

  /// Makes every probe wait until this is called again with true.
  func open(_ isOpen: Bool) { gate.signal(all: true) { $0 = isOpen } }
  /// Waits until so many probes run; false after ten seconds.
  func waitForProbes(_ count: Int) -> Bool {
    inside.wait(until: .now + .seconds(10)) { $0 >= count ? true : nil } ?? false
  }

  func validate(path: String) throws(Problem) -> PluginFileFacts {
    let bytes = files.bytes(path) ?? []
    guard bytes.first == UInt8(ascii: "{") else {
      throw Problem(422, "plugin.elf.not_elf", "This is no plugin.")
    }
    return PluginFileFacts(
      bytes: bytes.count, sha256: MemoryDigests.weak(bytes.span).hex, sealedManifest: nil, neededLibraries: []
    )
  }
  func probe(path: String, config: [UInt8]) throws(Problem) -> ProbeReport {
    inside.signal(all: true) { $0 += 1 }
    defer { inside.signal(all: true) { $0 -= 1 } }
    _ = gate.wait(until: .now + .seconds(10)) { $0 ? true : nil }
    return ProbeReport(manifest: files.bytes(path) ?? [], duration: .milliseconds(1))
  }
}

struct MemoryLoader: PluginLoader {
  let files: MemoryFiles
  func load(path: String, isolation: Isolation) throws(Problem) -> any LoadedPlugin {
    MemoryPlugin(files.bytes(path) ?? [])
  }
}

final class MemoryPlugin: LoadedPlugin {
  let manifest: [UInt8]
  init(_ manifest: [UInt8]) { self.manifest = manifest }
  func create(config: [UInt8], services: PluginServices) throws(Problem) {}
  func activate() throws(Problem) {}
  func handle(_ exchange: Exchange, route: Int, execution: RouteDeclaration.Execution) -> Completion {
    .answered
  }
  func cancel(_ handle: UInt64) {}
  var callsInside: Int { 0 }
  func quiesce() throws(Problem) {}
  func stop() throws(Problem) {}
  func destroy() throws(Problem) {}
}

final class AnySchema: SchemaCompiler, CompiledSchema {
  func compile(_ schema: JSONValue) throws(Problem) -> any CompiledSchema { self }
  func validate(_ document: borrowing JSONElement, limit: Int) -> [SchemaViolation] { [] }
  func parameterType(_ name: String) -> ParameterType { .string }
}

final class NoStores: RecordStores {
  func plan(automation: String, collections: [CollectionDeclaration]) throws(Problem) -> [String] { [] }
  func open(automation: String, collections: [CollectionDeclaration]) throws(Problem) -> any RecordStore {
    throw Problem(503, "records.unavailable", "No store.")
  }
}

final class NoCanceller: RequestCanceller {
  func cancelRequests(of generation: Generation, _ problem: Problem) {}
}

final class MemoryAudit: AuditTrail {
  struct State {
    var admits = true
    var failure: Problem?
    var acts: [AdminAct] = []
    var requests: [(status: Int, key: String?)] = []
    var rows: [JSONValue] = []
    var broken: Problem?
  }
  let state = Mutex(State())

  var acts: [AdminAct] { state.withLock { $0.acts } }
  var requestCount: Int { state.withLock { $0.requests.count } }

  func admit() -> Bool { state.withLock { $0.admits } }
  func record(_ row: RequestAudit, of exchange: Exchange) {
    let (status, key) = (row.status, row.key?.text)
    state.withLock { $0.requests.append((status, key)) }
  }
  func record(_ act: AdminAct) throws(Problem) {
    try state.withLock { state throws(Problem) in
      if let failure = state.failure { throw failure }
      state.acts.append(act)
    }
  }
  func read(after: Int64, limit: Int) throws(Problem) -> [JSONValue] {
    state.withLock { state in
      Array(state.rows.filter { ($0["seq"]?.integer ?? 0) > after }.prefix(limit))
    }
  }
  func verify() throws(Problem) -> AuditVerification {
    try state.withLock { state throws(Problem) in
      if let broken = state.broken { throw broken }
      return AuditVerification(rows: Int64(state.rows.count), lastHash: "ff")
    }
  }
}

final class MemoryMeter: RequestMeter {
  private let names = Mutex<[String]>([])
  private let statuses = Mutex<[Int: Int]>([:])

  func series(automation: String, route: String, method: String) -> Int {
    names.withLock { names in
      names.append("\(automation) \(method) \(route)")
      return names.count - 1
    }
  }
  func record(series: Int, status: Int, nanoseconds: Int64) {
    statuses.withLock { $0[status, default: 0] += 1 }
  }
  func recordReload(automation: String, step: String, nanoseconds: Int64) {}
  func gauge(_ name: String, help: String, _ read: @escaping @Sendable () -> [GaugeSample]) {}
  func exposition() -> [UInt8] { Array("# TYPE up gauge\nup 1\n".utf8) }
  func count(_ status: Int) -> Int { statuses.withLock { $0[status] ?? 0 } }
}

final class MemoryLog: LogSink {
  private let threshold = Mutex(LogLevel.info)
  private let lines = Mutex<[String]>([])

  var level: LogLevel {
    get { threshold.withLock { $0 } }
    set { threshold.withLock { $0 = newValue } }
  }
  func write(_ level: LogLevel, _ module: StaticString, _ message: String, _ fields: [String: JSONValue]) {
    lines.withLock { $0.append("\(level.name) \(module) \(message) \(JSON.text(fields))") }
  }
  var text: String { lines.withLock { $0.joined(separator: "\n") } }
}

/// Not a hash for anything but tests: different texts differ.
final class MemoryDigests: Digests {
  static func weak(_ bytes: Span<UInt8>) -> Digest256 {
    var words: [UInt64] = [1, 2, 3, 4]
    for index in bytes.indices {
      for word in words.indices {
        words[word] = (words[word] ^ UInt64(bytes[index])) &* 1_099_511_628_211 &+ UInt64(word)
      }
    }
    let all = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) } }
    guard let digest = Digest256(all) else { preconditionFailure("32 bytes") }
    return digest
  }
  func sha256(_ bytes: Span<UInt8>) -> Digest256 { MemoryDigests.weak(bytes) }
  func hmacSHA256(key: Span<UInt8>, _ bytes: Span<UInt8>) -> Digest256 { MemoryDigests.weak(bytes) }
  func isEqual(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Bool { a.isEqual(to: b) }
  func sha256Stream() -> any DigestStream { MemoryDigestStream() }
  func hmacSHA256Stream(key: Span<UInt8>) -> any DigestStream { MemoryDigestStream() }
}

final class MemoryDigestStream: DigestStream {
  private var bytes: [UInt8] = []
  func begin() { bytes = [] }
  func update(_ piece: Span<UInt8>) { bytes += Array(piece) }
  func finish() -> Digest256 {
    let all = bytes
    return MemoryDigests.weak(all.span)
  }
}
