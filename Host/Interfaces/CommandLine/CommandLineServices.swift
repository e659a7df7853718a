package import Application
package import Domain
package import Kernel

/// Everything that the command line reaches outside itself. The composition root fills it; tests fill it with doubles.
package struct CommandLineServices: Sendable {
  package var terminal: any Terminal
  package var files: any LocalFiles
  package var environment: [String: String]
  package var version: VersionFacts
  package var digests: any Digests
  package var inspector: any PluginInspector
  package var sealer: any PluginSealing
  package var author: AuthorServices
  /// Made at the first request, so that commands that call nobody start no client.
  package var transport: @Sendable () throws(Problem) -> any HTTPTransport
  /// The step PLAN without a host: a manifest and a configuration against an empty system. Returns what the
  /// records would migrate.
  package var plan: @Sendable (Manifest, [UInt8]) throws(Problem) -> [String]
  /// The stores of a home folder, for commands with `--home`.
  package var openKeys: @Sendable (_ home: String) throws(Problem) -> any KeyStore
  package var openAudit: @Sendable (_ home: String) throws(Problem) -> any AuditTrail
  /// Runs the host until it is told to end. Returns the process's exit code.
  package var serve: @Sendable (ServeOptions) throws(Problem) -> Int32
  /// The whole default configuration, as a file that explains itself.
  package var defaultConfiguration: @Sendable () -> String
  /// Reads the configuration file that the options name, and says what it sets; `tries` what the host would need,
  /// too. Throws what is wrong with the file.
  package var checkConfiguration:
    @Sendable (ServeOptions, _ tries: Bool) throws(Problem) -> ConfigurationReport
  /// Starts a host that serves this process alone.
  package var privateHost: @Sendable (PrivateHostOrder) throws(Problem) -> any PrivateHost

  package init(
    terminal: any Terminal, files: any LocalFiles, environment: [String: String], version: VersionFacts,
    digests: any Digests, inspector: any PluginInspector, sealer: any PluginSealing,
    author: AuthorServices,
    transport: @escaping @Sendable () throws(Problem) -> any HTTPTransport,
    plan: @escaping @Sendable (Manifest, [UInt8]) throws(Problem) -> [String],
    openKeys: @escaping @Sendable (_ home: String) throws(Problem) -> any KeyStore,
    openAudit: @escaping @Sendable (_ home: String) throws(Problem) -> any AuditTrail,
    serve: @escaping @Sendable (ServeOptions) throws(Problem) -> Int32,
    defaultConfiguration: @escaping @Sendable () -> String,
    checkConfiguration:
      @escaping @Sendable (ServeOptions, _ tries: Bool) throws(Problem) -> ConfigurationReport,
    privateHost: @escaping @Sendable (PrivateHostOrder) throws(Problem) -> any PrivateHost = {
      (_) throws(Problem) in throw Problem(501, "replay.unavailable", "No host can be started here.")
    }
  ) {
    self.terminal = terminal
    self.files = files
    self.environment = environment
    self.version = version
    self.digests = digests
    self.inspector = inspector
    self.sealer = sealer
    self.author = author
    self.transport = transport
    self.plan = plan
    self.openKeys = openKeys
    self.openAudit = openAudit
    self.serve = serve
    self.defaultConfiguration = defaultConfiguration
    self.checkConfiguration = checkConfiguration
    self.privateHost = privateHost
  }
}

/// What a configuration sets, and what was tried of it on this machine.
package struct ConfigurationReport: Sendable {
  /// By the names of the settings.
  package var values: JSONValue
  package var findings: [ConfigurationFinding]

  package init(values: JSONValue, findings: [ConfigurationFinding]) {
    self.values = values
    self.findings = findings
  }
}

/// One thing that was tried.
package struct ConfigurationFinding: Sendable {
  package var what: String
  package var isGood: Bool
  package var detail: String
  /// Of the fault.
  package var code: String

  package init(what: String, isGood: Bool, detail: String, code: String) {
    self.what = what
    self.isGood = isGood
    self.detail = detail
    self.code = code
  }

  var json: JSONValue {
    isGood
      ? ["what": .string(what), "good": true, "detail": .string(detail)]
      : ["what": .string(what), "good": false, "detail": .string(detail), "code": .string(code)]
  }
}

package struct VersionFacts: Sendable {
  package var council: String
  /// Of the plugin contract: majors that load, and the minor that this host has.
  package var abiMajors: [Int]
  package var abiMinor: Int

  package init(council: String, abiMajors: [Int], abiMinor: Int) {
    self.council = council
    self.abiMajors = abiMajors
    self.abiMinor = abiMinor
  }
}

/// What `council serve` was told; nil leaves it to the configuration file, then to the default.
package struct ServeOptions: Sendable, Equatable {
  package var home: String?
  package var port: Int?
  package var adminPort: Int?
  package var configFile: String?
  /// Plugins to load, or to reload where they are active, after the active set is restored.
  package var load: [String] = []
  /// A folder for `admin.key` and `agent.key` (0600), written when the home has no key yet.
  package var firstKeys: String?
  package var logLevel: LogLevel?

  package init() {}
}

/// Where a person, or a script, reads.
package protocol Terminal: AnyObject, Sendable {
  /// Standard output is a terminal: colours make sense there.
  var isInteractive: Bool { get }
  func write(_ text: String)
  func writeError(_ text: String)
  /// Something written to standard output did not get there: a full disk, a closed pipe.
  var hasLostOutput: Bool { get }
}

extension Terminal {
  package var hasLostOutput: Bool { false }
}

/// Why a file of this machine could not be used. The text names the path.
package struct FileFailure: Error, Sendable, Equatable {
  package var text: String

  package init(_ text: String) { self.text = text }
}

/// Files of the machine that the command runs on.
package protocol LocalFiles: AnyObject, Sendable {
  func read(_ path: String, maxBytes: Int) throws(FileFailure) -> [UInt8]
  func kind(_ path: String) -> FileKind
  /// Permission bits; nil for what is not there.
  func mode(_ path: String) -> Int?
  /// The second of the clock in which a file was last written; nil for what is not there. Where that is not after `second`,
  /// the file gets the one after it first, if it may be changed.
  func advance(_ path: String, past second: Int64?) -> Int64?
  /// Names in a folder, sorted, without `.` and `..`.
  func names(in folder: String) throws(FileFailure) -> [String]
  /// The path from the root, by the current folder.
  func absolute(_ path: String) -> String
  /// Makes a folder and those above it.
  func makeFolder(_ path: String) throws(FileFailure)
  /// Opens a file that does not exist yet, to write.
  func create(_ path: String, mode: Int) throws(FileFailure) -> any OutputFile
  /// The file of this program.
  var executable: String? { get }
}

package enum FileKind: Sendable, Equatable { case file, folder, other, missing }

package protocol OutputFile: AnyObject {
  func write(_ bytes: [UInt8]) throws(FileFailure)
  /// Returns when the bytes are on disk.
  func close() throws(FileFailure)
}
