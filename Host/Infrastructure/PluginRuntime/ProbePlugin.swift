package import Application
package import Kernel

/// The step PROBE: tries a plugin in a process of its own, which may crash, exit or hang in the host's place.
package struct ProbePlugin: Sendable {
  package struct Settings: Sendable {
    /// The host's own binary, which knows ``ProbeMain/argument``.
    package var executable: String
    package var deadline: Duration
    package var manifestBytes: Int
    package var addressSpaceBytes: Int
    package var dataBytes: Int
    package var fileBytes: Int
    package var openFiles: Int
    /// All of the probe's environment.
    package var environment: [String]
    /// Whether a process-id namespace is asked for: what the plugin starts cannot outlive the probe then.
    package var isolates: Bool

    package init(
      executable: String = "/proc/self/exe", deadline: Duration = .seconds(5),
      manifestBytes: Int = 1 << 20, addressSpaceBytes: Int = 8 << 30, dataBytes: Int = 2 << 30,
      fileBytes: Int = 64 << 20, openFiles: Int = 256, environment: [String] = Settings.leastEnvironment,
      isolates: Bool = true
    ) {
      self.executable = executable
      self.deadline = deadline
      self.manifestBytes = manifestBytes
      self.addressSpaceBytes = addressSpaceBytes
      self.dataBytes = dataBytes
      self.fileBytes = fileBytes
      self.openFiles = openFiles
      self.environment = environment
      self.isolates = isolates
    }

    /// Where this process finds its libraries, the probe has to look too. The Swift runtime's own crash handler, which
    /// would start a program to print a backtrace, stays off: a crash ends the process at once. Nothing else is
    /// passed on.
    package static var leastEnvironment: [String] {
      let path = PluginRuntime.environment("LD_LIBRARY_PATH").map { ["LD_LIBRARY_PATH=\($0)"] } ?? []
      return path + ["SWIFT_BACKTRACE=enable=no"]
    }
  }

  /// The outer process keeps the deadline; this is how much longer it may take to clean up.
  private static let grace: Duration = .seconds(2)

  private let settings: Settings

  package init(_ settings: Settings = Settings()) { self.settings = settings }

  /// `path` is absolute. `sealed` is the manifest in the file, when there is one. The thread that calls must live
  /// until this returns: the probe dies with it.
  package func callAsFunction(
    _ path: String, config: [UInt8], sealed: [UInt8]?
  ) throws(Problem) -> ProbeReport {
    let began = Instant.now
    guard path.hasPrefix("/"), !path.utf8.contains(0) else {
      throw refusal(.probe, "file.not_found", "The path of a plugin is absolute.")
    }
    let milliseconds = settings.deadline.nanoseconds / 1_000_000
    let order = ProbeWire.Order(
      path: path, config: config, sealed: sealed, deadlineMilliseconds: milliseconds,
      manifestBytes: settings.manifestBytes,
      limits: ProbeWire.ProcessLimits(
        cpuSeconds: Int(milliseconds / 1000) + 2, addressSpaceBytes: settings.addressSpaceBytes,
        dataBytes: settings.dataBytes, fileBytes: settings.fileBytes, openFiles: settings.openFiles))
    let ending = try ProbeProcess.run(
      ProbeProcess.Command(
        executable: settings.executable, arguments: ["council", ProbeMain.argument],
        environment: settings.environment, isolates: settings.isolates),
      input: order.encoded(), limit: settings.deadline + ProbePlugin.grace,
      maxReport: settings.manifestBytes + ProbeMain.reportSlack + 1024)
    switch ProbeWire.Outcome(ending.report) {
    case .passed(let manifest):
      return ProbeReport(manifest: manifest, duration: .nanoseconds(Instant.now - began))
    case .refused(let problem): throw withOutput(problem.at(.probe), ending)
    case nil:
      throw withOutput(
        ProbeProcess.unavailable(
          "The probe ended without a report (signal \(ending.signal), exit code \(ending.exitCode))."), ending
      )
    }
  }

  /// What the plugin said on standard error before it failed helps its author most.
  private func withOutput(_ problem: Problem, _ ending: ProbeProcess.Ending) -> Problem {
    guard !ending.errors.isEmpty else { return problem }
    var full = problem
    full.members["output"] = .string(String(decoding: ending.errors, as: UTF8.self))
    return full
  }
}

/// VALIDATE and PROBE together.
package struct InspectPlugin: PluginInspector {
  private let validation: ValidateFile
  private let probing: ProbePlugin

  package init(validate: ValidateFile, probe: ProbePlugin) {
    validation = validate
    probing = probe
  }

  package func validate(path: String) throws(Problem) -> PluginFileFacts { try validation(path) }

  package func probe(path: String, config: [UInt8]) throws(Problem) -> ProbeReport {
    try probing(path, config: config, sealed: nil)
  }

  /// Like ``probe(path:config:)``; a manifest other than the `sealed` one is refused.
  package func probe(path: String, config: [UInt8], sealed: [UInt8]?) throws(Problem) -> ProbeReport {
    try probing(path, config: config, sealed: sealed)
  }
}
