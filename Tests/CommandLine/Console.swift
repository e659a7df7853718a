import Application
import CommandLineInterface
import Domain
import Doubles
import Kernel

/// The command line on doubles: what was typed, what came out.
final class Console {
  static let key = "ck_0123456789ab_" + String(repeating: "A", count: 43)
  static let manifest =
    #"{"id":"hello","version":"1.0.0","title":"Hello","routes":[{"method":"GET","path":"/{name}","operation":"greet"}]}"#

  let terminal: MemoryTerminal
  let files: MemoryLocalFiles
  let transport: ScriptedTransport
  let keys = MemoryKeyStore()
  let served = Served()
  var environment = ["COUNCIL_ADMIN_KEY": Console.key]
  var inspector = FixedInspector(
    facts: .success(
      PluginFileFacts(bytes: 9, sha256: "cd", sealedManifest: nil, neededLibraries: ["libc.so.6"])),
    manifest: .success(Console.manifest))
  var audit = FixedAudit(.success(AuditVerification(rows: 3, lastHash: "ef")))
  var author = AuthorServices.doubles
  var plan: Result<[String], Problem> = .success([])

  final class Served: Sendable {
    let options = Monitor<ServeOptions?>(nil)
    let code = Monitor<Int32>(0)
  }

  init(
    _ transport: ScriptedTransport = ScriptedTransport(200, [:]),
    files: MemoryLocalFiles = MemoryLocalFiles(),
    isInteractive: Bool = false
  ) {
    self.transport = transport
    self.files = files
    terminal = MemoryTerminal(isInteractive: isInteractive)
  }

  convenience init(_ status: Int, _ json: JSONValue) { self.init(ScriptedTransport(status, json)) }

  @discardableResult
  func run(_ arguments: String...) -> Int32 { run(arguments) }

  func run(_ arguments: [String]) -> Int32 {
    let services = CommandLineServices(
      terminal: terminal, files: files, environment: environment,
      version: VersionFacts(council: "0.1.0", abiMajors: [1], abiMinor: 0), digests: WeakDigests(),
      inspector: inspector, sealer: FixedSealer(manifest: Console.manifest),
      author: author,
      transport: { [transport] () throws(Problem) in transport },
      plan: { [plan] (_, _) throws(Problem) in try plan.get() },
      openKeys: { [keys] (_) throws(Problem) in keys }, openAudit: { [audit] (_) throws(Problem) in audit },
      serve: { [served] (options) throws(Problem) in
        served.options.withLock { $0 = options }
        return served.code.withLock { $0 }
      },
      defaultConfiguration: { "home: ./var\n" },
      checkConfiguration: { (options, tries) throws(Problem) in
        let path = options.configFile ?? ""
        if path.hasSuffix("bad.yaml") { throw Problem(422, "config.invalid", "line 3: 'prot' is not known") }
        let home = ConfigurationFinding(
          what: "home", isGood: !path.hasSuffix("full.yaml"), detail: "home \(options.home ?? "")",
          code: "home.unavailable")
        return ConfigurationReport(values: ["port": 8080], findings: tries ? [home] : [])
      })
    return CommandLineApp(services: services).run(arguments)
  }

  var output: String { terminal.output }
  var errors: String { terminal.errors }
  var json: JSONValue { (try? JSONValue.parse(output.utf8.span)) ?? .null }
  var requests: [OutgoingRequest] { transport.requests }
}

extension OutgoingRequest {
  subscript(header: String) -> String? { headers.first { $0.name == header }?.value }

  var json: JSONValue {
    guard case .bytes(let bytes) = body else { return .null }
    return (try? JSONValue.parse(bytes.span)) ?? .null
  }
}
