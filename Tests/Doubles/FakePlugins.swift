package import Application
package import Domain
package import Kernel

/// Files by name, each with a manifest and a way to fail: the inspector, the loader and what they load.
package final class FakePlugins: PluginInspector, PluginLoader {
  package struct File: Sendable {
    package var manifest: String
    package var sealed: String?
    package var probe: Problem?
    package var create: Problem?
    package var activate: Problem?
    package var behaviour: FakePlugin.Behaviour = .answers

    package init(_ manifest: String) { self.manifest = manifest }
  }

  private let files = Monitor<[String: File]>([:])
  private let loaded = Monitor<[FakePlugin]>([])

  package init() {}

  package subscript(path: String) -> File? {
    get { files.withLock { $0[path.split(separator: "@").last.map(String.init) ?? path] } }
    set { files.withLock { $0[path] = newValue } }
  }
  package var plugins: [FakePlugin] { loaded.withLock { $0 } }

  package func validate(path: String) throws(Problem) -> PluginFileFacts {
    guard let file = self[path] else { throw Problem(404, "plugin.file.not_found", path) }
    return PluginFileFacts(
      bytes: 1, sha256: "sha-of-\(path.split(separator: "@").last ?? "")",
      sealedManifest: file.sealed.map { Array($0.utf8) }, neededLibraries: [])
  }
  package func probe(path: String, config: [UInt8]) throws(Problem) -> ProbeReport {
    guard let file = self[path] else { throw Problem(404, "plugin.file.not_found", path) }
    if let problem = file.probe { throw problem }
    return ProbeReport(manifest: Array(file.manifest.utf8), duration: .zero)
  }
  package func load(
    path: String, isolation: Isolation = .inProcess
  ) throws(Problem) -> any LoadedPlugin {
    guard let file = self[path] else { throw Problem(404, "plugin.file.not_found", path) }
    let plugin = FakePlugin(file)
    loaded.withLock { $0.append(plugin) }
    return plugin
  }
}

package final class FakePlugin: LoadedPlugin {
  package enum Behaviour: Sendable {
    case answers, waits
    /// A status, a media type and a body.
    case says(Int, String, String)
    /// Does something, then answers, unless that was the answer.
    case runs(@Sendable (Exchange) -> Void)
    /// Is the handler.
    case handles(@Sendable (Exchange) -> Completion)
  }

  private let file: FakePlugins.File
  private let calls = Monitor<[String]>([])

  init(_ file: FakePlugins.File) { self.file = file }

  /// The life of the instance so far, by the names of its calls.
  package var history: [String] { calls.withLock { $0 } }

  package var manifest: [UInt8] { Array(file.manifest.utf8) }
  package var callsInside: Int { 0 }

  package func create(config: [UInt8], services: PluginServices) throws(Problem) {
    note("create")
    if let problem = file.create { throw problem }
  }
  package func activate() throws(Problem) {
    note("activate")
    if let problem = file.activate { throw problem }
  }
  package func handle(
    _ exchange: Exchange, route: Int, execution: RouteDeclaration.Execution
  ) -> Completion {
    if case .waits = file.behaviour { return .pending }
    if case .handles(let body) = file.behaviour { return body(exchange) }
    if case .runs(let body) = file.behaviour {
      body(exchange)
      if !exchange.isOpen(exchange.handle) { return .answered }
    }
    _ = exchange.claim(exchange.handle)
    if case .says(let status, let type, let body) = file.behaviour {
      exchange.status = status
      if !type.isEmpty { exchange.addHeader("Content-Type", type) }
      exchange.addHeader("ETag", "\"1\"")
      exchange.answerBody.append(body)
      return .answered
    }
    exchange.status = 200
    exchange.addHeader("Content-Type", "application/json")
    exchange.answerBody.append("{\"route\":")
    exchange.answerBody.append(decimal: route)
    exchange.answerBody.append("}")
    exchange.deliver()
    return .answered
  }
  package func cancel(_ handle: UInt64) { note("cancel") }
  package func quiesce() { note("quiesce") }
  package func stop() { note("stop") }
  package func destroy() { note("destroy") }

  private func note(_ call: String) { calls.withLock { $0.append(call) } }
}
