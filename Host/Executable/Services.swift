import Application
import Audit
import CommandLineInterface
import Configuration
import Cryptography
import Domain
import HTTPClient
import JSONSchema
import Kernel
import PluginRuntime
import SQLiteStore
import Supervision
import Telemetry

/// What the command line reaches: each piece is made when a command needs it.
enum Services {
  static let version = "0.1.0"

  /// `isHost`: the words of `serve` come from a supervisor.
  static func make(environment: [String: String], isHost: Bool = false) -> CommandLineServices {
    let digests = OpenSSLDigests()
    let scheme = OpenSSLSignatures()
    let inspector = InspectPlugin(
      validate: ValidateFile(digests: digests, signatures: SignatureCheck(scheme)), probe: ProbePlugin())
    return CommandLineServices(
      terminal: SystemTerminal(), files: SystemFiles(), environment: environment,
      version: VersionFacts(
        council: version, abiMajors: PluginContract.majors, abiMinor: PluginContract.minor),
      digests: digests, inspector: inspector, sealer: PluginSealer(inspector),
      author: AuthorServices(
        signer: PluginSigner(inspector, scheme, digests), signatures: scheme, schemas: JSONSchemaCompiler(),
        workshop: SystemWorkshop()),
      transport: { CurlTransport() },
      plan: { manifest, config throws(Problem) in
        let folder = "/nonexistent/council"
        // Whether the host has a key is the host's to say: this one lives for the check.
        let cipher = OpenSSLFieldCipher(keys: [randomBytes(32)])
        let plan = PlanGeneration(
          schemas: JSONSchemaCompiler(), stores: SQLiteRecordStores(folder: folder, cipher: cipher))
        return try plan(manifest, config: config).migration
      },
      // Both take the home: what a running host holds in memory or appends to is not touched behind its back.
      openKeys: { home throws(Problem) in
        let home = try HomeFolder.open(home)
        return try SQLiteControlStore(path: home.path + "/council.sqlite")
      },
      openAudit: { home throws(Problem) in
        let home = try HomeFolder.open(home)
        return try JournalAuditTrail(
          folder: home.path + "/audit", digests: digests, log: JSONLines(level: .error))
      },
      serve: { options throws(Problem) in
        guard isHost else { return try SupervisorProcess.run(options, environment: environment) }
        try HostProcess(settings: try HostSettings(options, text: InheritedConfiguration.read())).run()
        return 0
      },
      defaultConfiguration: { Setting.defaultFile },
      checkConfiguration: { options, tries throws(Problem) in
        let settings = try HostSettings(options)
        let values = Setting.all.map { ($0.path, $0.value(in: settings.values)) }
        return ConfigurationReport(
          values: .object(Dictionary(uniqueKeysWithValues: values)),
          findings: tries ? ConfigurationTrial(settings: settings).run() : [])
      },
      privateHost: { order throws(Problem) in
        ChildProcess.endWithSignal
        return try ChildHost(order)
      })
  }
}
