package import Application
package import Kernel
import Synchronization

/// The step LOAD: maps files that were validated and probed, into this process, for good.
package final class LoadPlugin: Sendable {
  package struct Limits: Sendable {
    /// How long a control call (create, activate, quiesce, stop, destroy), or the mapping itself, may take.
    package var patience: Duration
    package var manifestBytes: Int

    package init(patience: Duration = .seconds(10), manifestBytes: Int = 1 << 20) {
      self.patience = patience
      self.manifestBytes = manifestBytes
    }
  }

  private let workers: Workers
  private let limits: Limits
  private static let copies = Atomic<Int>(0)
  private static let mapped = Atomic<Int>(0)

  /// Images that this process has mapped since it began: they stay.
  package static var mappedImages: Int { mapped.load(ordering: .relaxed) }

  /// `exchanges` is where the names of requests are looked up; a process has one such table.
  package init(exchanges: any ExchangeTable, workers: Workers, limits: Limits = Limits()) {
    CurrentRequest.install(exchanges)
    self.workers = workers
    self.limits = limits
  }

  /// Control threads that hang in plugins now.
  package static var abandonedThreads: Int { ControlThread.abandonedThreads }

  package func load(path: String) throws(Problem) -> any LoadedPlugin {
    try load(path: path, sealed: nil)
  }

  /// Like ``load(path:)``; a manifest other than the `sealed` one is refused.
  package func load(path: String, sealed: [UInt8]?) throws(Problem) -> InProcessPlugin {
    guard path.hasPrefix("/"), !path.utf8.contains(0) else {
      throw refusal(.load, "file.not_found", "The path of a plugin is absolute.")
    }
    let control = ControlThread("plugin-control")
    let crashEntry = LoadPlugin.register(path)
    let result = control.run(within: limits.patience) { [limits] in
      CrashPage.within(crashEntry, .load) {
        Result { () throws(Problem) -> Loaded in
          let file = try LoadPlugin.map(path)
          LoadPlugin.mapped.add(1, ordering: .relaxed)
          let image = try PluginImage(file, .load)
          return Loaded(
            image: image, manifest: try image.manifest(maxBytes: limits.manifestBytes, sealed: sealed, .load))
        }
      }
    }
    guard let result else {
      throw refusal(
        .load, "hung", "Mapping the file did not end in time; nothing can be loaded until the host restarts.",
        ["call": "dlopen", "timeout_ms": .integer(limits.patience.nanoseconds / 1_000_000)], status: 504)
    }
    do throws(Problem) {
      let loaded = try result.get()
      return InProcessPlugin(
        loaded.image, manifest: loaded.manifest, control: control, workers: workers,
        patience: limits.patience, crashEntry: crashEntry)
    } catch {
      control.end()
      throw error
    }
  }

  /// The file's name in the crash page: `…/<automation>/<number>-<sha256>.so`, as the folder of generations has it.
  private static func register(_ path: String) -> UInt32 {
    let parts = path.split(separator: "/").suffix(2)
    let name = (parts.last ?? "").prefix { $0 != "." }.split(separator: "-", maxSplits: 1)
    guard parts.count == 2, name.count == 2, let number = Int(name[0]) else {
      return CrashPage.register(automation: String(parts.last ?? ""), generation: 0, sha256: "")
    }
    return CrashPage.register(
      automation: String(parts.first ?? ""), generation: number, sha256: String(name[1]))
  }

  private struct Loaded: Sendable {
    var image: PluginImage
    var manifest: [UInt8]
  }

  /// Maps the file; one that this process has mapped before, a generation that is rolled back to, as a copy under
  /// another path: by the known path the dynamic loader would give the old image with all its state.
  private static func map(_ path: String) throws(Problem) -> MappedFile {
    guard isMapped(path) else { return try PluginImage.map(path, .load) }
    let number = copies.add(1, ordering: .relaxed).newValue
    let copy = "\(path).\(number)"
    try NewFile.copy(path, to: copy, .load)
    // Mapped, it needs no name.
    defer { NewFile.remove(copy) }
    return try PluginImage.map(copy, .load)
  }
}
