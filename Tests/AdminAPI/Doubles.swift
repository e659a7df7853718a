import Application
import Domain
import Doubles
import Kernel
import Patience

/// Files by path; the text of one is the manifest of the plugin it stands for.
final class MemoryFiles: GenerationFiles {
  private struct State {
    var files: [String: [UInt8]] = [:]
    var serial = 0
    var abandoned = 0
  }
  private let state = Monitor(State())

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
  func removeGenerations(except known: Set<String>) {}

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
  /// Waits until so many probes run.
  func waitForProbes(_ count: Int) -> Bool {
    inside.eventually { $0 >= count ? true : nil } ?? false
  }

  func validate(path: String) throws(Problem) -> PluginFileFacts {
    let bytes = files.bytes(path) ?? []
    guard bytes.first == UInt8(ascii: "{") else {
      throw Problem(422, "plugin.elf.not_elf", "This is no plugin.")
    }
    return PluginFileFacts(
      bytes: bytes.count, sha256: WeakDigests.digest(bytes.span).hex, sealedManifest: nil, neededLibraries: []
    )
  }
  func probe(path: String, config: [UInt8]) throws(Problem) -> ProbeReport {
    inside.signal(all: true) { $0 += 1 }
    defer { inside.signal(all: true) { $0 -= 1 } }
    _ = gate.eventually { $0 ? true : nil }
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

/// Keeps what was asked of it; every replay is clean.
final class CleanReplays: ReplayGate {
  private let required = Monitor<[RequiredReplay]>([])
  var asked: [RequiredReplay] { required.withLock { $0 } }
  func replay(_ replay: RequiredReplay, new: String, old: String, config: [UInt8], isolation: Isolation) {
    required.withLock { $0.append(replay) }
  }
}

final class NoCanceller: RequestCanceller {
  func cancelRequests(of generation: Generation, _ reason: Unanswered) {}
  func cancel(_ plugin: any LoadedPlugin, _ handle: UInt64) {}
}
