package import Domain
package import Kernel

/// What VALIDATE learned of a file without running any of it.
package struct PluginFileFacts: Sendable {
  package var bytes: Int
  /// SHA-256 of the file, lower-case hex.
  package var sha256: String
  /// The manifest in the ELF section `.council.manifest`; nil for an unsealed file.
  package var sealedManifest: [UInt8]?
  package var neededLibraries: [String]
  /// A signature that holds; nil for an unsigned file.
  package var signature: SignatureFacts?
  /// What an admin should know and what does not refuse the file.
  package var warnings: [String]

  package init(
    bytes: Int, sha256: String, sealedManifest: [UInt8]?, neededLibraries: [String],
    signature: SignatureFacts? = nil, warnings: [String] = []
  ) {
    self.bytes = bytes
    self.sha256 = sha256
    self.sealedManifest = sealedManifest
    self.neededLibraries = neededLibraries
    self.signature = signature
    self.warnings = warnings
  }
}

/// The steps VALIDATE and PROBE: what can be known before a plugin is mapped into the host.
///
/// Problems carry status 422 and a code `plugin.…`: `file.*`, `elf.*`, `link.*`, `abi.*`, `manifest.*`, `probe.*`
/// (members `step`, and where a process died `signal` or `exit_code` or `timeout_ms`).
package protocol PluginInspector: Sendable {
  func validate(path: String) throws(Problem) -> PluginFileFacts
  /// Maps the file in a child process, reads its manifest, creates and destroys one instance.
  func probe(path: String, config: [UInt8]) throws(Problem) -> ProbeReport
}

package struct ProbeReport: Sendable {
  package var manifest: [UInt8]
  package var duration: Duration
  /// What an admin should know and what does not refuse the plugin.
  package var warnings: [String]

  package init(manifest: [UInt8], duration: Duration, warnings: [String] = []) {
    self.manifest = manifest
    self.duration = duration
    self.warnings = warnings
  }
}

/// What a plugin reaches of the host.
package struct PluginServices: Sendable {
  package var automation: String
  package var generation: Int
  /// nil when the manifest declares no collections.
  package var records: (any RecordStore)?
  package var log: any LogSink
  /// What the routes are called in crash reports, in the manifest's order.
  package var routes: [String]
  /// Where what it uses is written down, and what bounds it.
  package var account: AutomationAccount

  /// Without an account, as in a probe and in tests, what it uses is written into one of its own.
  package init(
    automation: String, generation: Int, records: (any RecordStore)?, log: any LogSink, routes: [String] = [],
    account: AutomationAccount? = nil
  ) {
    self.routes = routes
    self.automation = automation
    self.generation = generation
    self.records = records
    self.log = log
    self.account = account ?? UsageBook().account(of: automation)
  }
}

/// The step LOAD: maps a file that was validated and probed, into this process or into one of its own.
package protocol PluginLoader: Sendable {
  func load(path: String, isolation: Isolation) throws(Problem) -> any LoadedPlugin
}

/// What a host tells of one runner process.
package struct RunnerFigures: Sendable, Equatable {
  package enum State: String, Sendable {
    case starting, serving, restarting
    /// Crashed too often; it is tried again after a pause.
    case resting
    case ended
  }

  package var state: State
  /// nil when no process runs.
  package var processID: Int?
  /// Ends that nobody asked for, and starts after them.
  package var crashes: Int
  package var restarts: Int
  /// Of every process of this runner so far.
  package var cpuSeconds: Double
  package var residentBytes: Int
  package var callsInside: Int
  /// Why the last process ended: `SIGSEGV`, `cpu`, `memory`, …; nil when none has.
  package var lastEnd: String?

  package init(
    state: State, processID: Int?, crashes: Int, restarts: Int, cpuSeconds: Double, residentBytes: Int,
    callsInside: Int, lastEnd: String?
  ) {
    self.state = state
    self.processID = processID
    self.crashes = crashes
    self.restarts = restarts
    self.cpuSeconds = cpuSeconds
    self.residentBytes = residentBytes
    self.callsInside = callsInside
    self.lastEnd = lastEnd
  }
}

/// One mapped plugin. `create`, `activate`, `quiesce`, `stop` and `destroy` run under a watchdog: a call that
/// does not return in time throws `plugin.hung` (504), the instance counts as poisoned and is never called again.
package protocol LoadedPlugin: AnyObject, Sendable {
  var manifest: [UInt8] { get }

  func create(config: [UInt8], services: PluginServices) throws(Problem)
  func activate() throws(Problem)

  /// Runs the handler of a route on this thread, or gives it to a worker. Before it returns `.answered` or
  /// before it calls ``Exchange/deliver()``, the answer is in the exchange; a handler that returns without one is
  /// answered here with `plugin.no_answer` (500), a full worker queue with `automation.overloaded` (503).
  /// [event]
  func handle(_ exchange: Exchange, route: Int, execution: RouteDeclaration.Execution) -> Completion

  /// Tells the handler that its answer is no longer wanted. [any]
  func cancel(_ handle: UInt64)

  /// How many `handle` calls run now.
  var callsInside: Int { get }

  /// The processes that run it; none for a plugin in this process.
  var runners: [RunnerFigures] { get }

  func quiesce() throws(Problem)
  func stop() throws(Problem)
  func destroy() throws(Problem)
}

extension LoadedPlugin {
  package var runners: [RunnerFigures] { [] }
}
