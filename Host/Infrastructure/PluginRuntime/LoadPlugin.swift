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
    let result = control.run(within: limits.patience) { [limits] in
      Result { () throws(Problem) -> Loaded in
        let file = try LoadPlugin.map(path)
        let image = try PluginImage(file, .load)
        return Loaded(
          image: image, manifest: try image.manifest(maxBytes: limits.manifestBytes, sealed: sealed, .load))
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
        patience: limits.patience)
    } catch {
      control.end()
      throw error
    }
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
