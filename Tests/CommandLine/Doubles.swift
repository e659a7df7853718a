import Application
import CommandLineInterface
import Domain
import Doubles
import Kernel

final class MemoryTerminal: Terminal {
  let isInteractive: Bool
  private let state = Monitor((output: "", errors: ""))

  init(isInteractive: Bool = false) { self.isInteractive = isInteractive }

  func write(_ text: String) { state.withLock { $0.output += text } }
  func writeError(_ text: String) { state.withLock { $0.errors += text } }
  var output: String { state.withLock { $0.output } }
  var errors: String { state.withLock { $0.errors } }
}

/// A file system of texts; the current folder is `/here`.
final class MemoryLocalFiles: LocalFiles {
  struct Entry { var bytes: [UInt8]; var mode: Int }
  private let state = Monitor((files: [String: Entry](), folders: Set(["/", "/here"])))
  let executable: String?
  /// A write to a file fails once it holds so many bytes.
  let capacity: Int

  init(executable: String? = nil, capacity: Int = .max) {
    self.executable = executable
    self.capacity = capacity
  }

  func put(_ path: String, _ text: String, mode: Int = 0o600) {
    state.withLock { state in
      state.files[path] = Entry(bytes: Array(text.utf8), mode: mode)
      var folder = path[...]
      while let slash = folder.lastIndex(of: "/"), slash > folder.startIndex {
        folder = folder[..<slash]
        state.folders.insert(String(folder))
      }
    }
  }
  func text(_ path: String) -> String? {
    state.withLock { state in state.files[path].map { String(decoding: $0.bytes, as: UTF8.self) } }
  }
  var paths: [String] { state.withLock { $0.files.keys.sorted() } }

  func read(_ path: String, maxBytes: Int) throws(FileFailure) -> [UInt8] {
    guard let entry = state.withLock({ $0.files[absolute(path)] }) else { throw FileFailure("no '\(path)'") }
    guard entry.bytes.count <= maxBytes else { throw FileFailure("'\(path)' is too long") }
    return entry.bytes
  }
  func kind(_ path: String) -> FileKind {
    state.withLock { $0.files[path] != nil ? .file : $0.folders.contains(path) ? .folder : .missing }
  }
  func mode(_ path: String) -> Int? { state.withLock { $0.files[absolute(path)]?.mode } }
  /// When each was written: all of them in the same second.
  private let seconds = Monitor<[String: Int64]>([:])
  func advance(_ path: String, past second: Int64?) -> Int64? {
    guard kind(path) == .file else { return nil }
    return seconds.withLock { seconds in
      let written = max(seconds[path] ?? 1000, second.map { $0 + 1 } ?? 0)
      seconds[path] = written
      return written
    }
  }
  func second(_ path: String) -> Int64? { seconds.withLock { $0[path] } }
  func names(in folder: String) throws(FileFailure) -> [String] {
    state.withLock { state in
      let all = Array(state.files.keys) + state.folders
      let below = all.filter { $0.hasPrefix(folder + "/") }.map { $0.dropFirst(folder.count + 1) }
      return Set(below.map { String($0.prefix { $0 != "/" }) }).sorted()
    }
  }
  func absolute(_ path: String) -> String { path.hasPrefix("/") ? path : "/here/" + path }
  func makeFolder(_ path: String) throws(FileFailure) { state.withLock { _ = $0.folders.insert(path) } }
  func create(_ path: String, mode: Int) throws(FileFailure) -> any OutputFile {
    let path = absolute(path)
    guard kind(path) == .missing else { throw FileFailure("'\(path)' exists: nothing is overwritten") }
    put(path, "", mode: mode)
    return MemoryOutput(self, path)
  }
  fileprivate func append(_ bytes: [UInt8], to path: String) throws(FileFailure) {
    let isFull = state.withLock { state in
      guard (state.files[path]?.bytes.count ?? 0) + bytes.count <= capacity else { return true }
      state.files[path]?.bytes += bytes
      return false
    }
    if isFull { throw FileFailure("cannot write '\(path)': no space left") }
  }
}

private final class MemoryOutput: OutputFile {
  private let files: MemoryLocalFiles
  private let path: String
  init(_ files: MemoryLocalFiles, _ path: String) {
    self.files = files
    self.path = path
  }
  func write(_ bytes: [UInt8]) throws(FileFailure) { try files.append(bytes, to: path) }
  func close() throws(FileFailure) {}
}

/// Answers what the test says, and remembers what was asked.
final class ScriptedTransport: HTTPTransport {
  typealias Reply = @Sendable (OutgoingRequest) -> Result<IncomingAnswer, TransportFailure>
  private let asked = Monitor<[OutgoingRequest]>([])
  private let reply: Reply

  init(_ reply: @escaping Reply) { self.reply = reply }

  convenience init(_ status: Int, _ json: JSONValue) {
    self.init { _ in .success(IncomingAnswer(status: status, body: JSON.encode(json))) }
  }

  func send(_ request: OutgoingRequest) throws(TransportFailure) -> IncomingAnswer {
    asked.withLock { $0.append(request) }
    return try reply(request).get()
  }
  var requests: [OutgoingRequest] { asked.withLock { $0 } }
}

final class FixedAudit: AuditTrail {
  let result: Result<AuditVerification, Problem>
  init(_ result: Result<AuditVerification, Problem>) { self.result = result }
  func admit() -> Bool { true }
  func wait(forRowAfter after: Int64, until deadline: Instant) -> Bool { false }
  var lastSequence: Int64 { 0 }
  func record(_ row: RequestAudit, of exchange: Exchange) {}
  func record(endOfJob row: RequestAudit, of exchange: Exchange) {}
  func record(_ act: AdminAct) throws(Problem) {}
  func read(after: Int64, limit: Int) throws(Problem) -> [JSONValue] { [] }
  func verify() throws(Problem) -> AuditVerification { try result.get() }
}

struct FixedInspector: PluginInspector {
  var facts: Result<PluginFileFacts, Problem>
  var manifest: Result<String, Problem>
  func validate(path: String) throws(Problem) -> PluginFileFacts { try facts.get() }
  func probe(path: String, config: [UInt8]) throws(Problem) -> ProbeReport {
    ProbeReport(manifest: Array(try manifest.get().utf8), duration: .milliseconds(2))
  }
}

struct FixedSealer: PluginSealing {
  var manifest: String
  func seal(path: String, output: String, config: [UInt8]) throws(Problem) -> SealReport {
    SealReport(
      output: output, sha256: String(decoding: config, as: UTF8.self), manifest: Array(manifest.utf8))
  }
}
