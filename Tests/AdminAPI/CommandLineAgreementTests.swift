import AdminAPI
import Application
import CommandLineInterface
import Domain
import Doubles
import Kernel
import Testing

/// The command line against the admin listener itself: what one sends, the other takes.
struct CommandLineAgreementTests {
  @Test func anAdminsDay() throws {
    let day = try Day()
    let manifest =
      #"{"id":"hello","version":"1","config":{"type":"object"},"routes":[{"method":"GET","path":"/","operation":"greet"}]}"#
    day.files.put("/here/hello.so", manifest)
    day.files.put("/here/two.so", manifest.replacing(#""version":"1""#, with: #""version":"2""#))
    day.files.put("/here/c.json", #"{"greeting":"Grüezi"}"#)

    let loaded = day.run("automations", "load", "hello.so", "--config", "c.json", "--json")
    #expect(loaded["generation"] == 1)
    #expect(day.run("automations", "list", "--json")["items"]?.array?.first?["state"] == "active")
    #expect(day.run("automations", "config", "hello", "--json")["config"] == ["greeting": "Grüezi"])
    day.run("automations", "reload", "hello", exit: 1)
    #expect(day.run("automations", "reload", "hello", "two.so", "--json")["version"] == "2")
    #expect(day.run("automations", "rollback", "hello", "--json")["version"] == "1")
    #expect(day.run("automations", "rollback", "hello", "--to", "2", "--json")["version"] == "2")
    #expect(day.run("automations", "config", "hello", "--set", "c.json", "--json")["generation"] == 5)
    #expect(day.run("automations", "show", "hello", "--json")["generations"]?.array?.count == 5)
    day.run("automations", "load", "hello.so", exit: 1)
    day.run("automations", "load", "hello.so", "--replace")
    #expect(day.run("automations", "unload", "hello", "--json")["automation"] == "hello")
    day.fixture.files.put("/here/hello.so", manifest)
    #expect(
      day.run("automations", "load", "hello.so", "--by-path", "--config", "c.json", "--json")["generation"]
        == 7)
    #expect(day.run("automations", "reload", "hello", "--json")["generation"] == 8)

    let issued = day.run(
      "keys", "issue", "--principal", "ci", "--scope", "admin:reload", "--limit", "5/s", "--expires-in", "1h",
      "--name", "build", "--json")
    let id = issued["id"]?.string ?? ""
    #expect(issued["limit"] == ["requests": 5, "per_s": 1])
    let rotated = day.run("keys", "rotate", id, "--grace", "1h", "--json")
    #expect(rotated["replaces"]?["id"] == .string(id))
    #expect(day.run("keys", "revoke", id, "--json")["state"] == "revoked")
    #expect(day.run("keys", "list", "--all", "--json")["items"]?.array?.count == 3)
    day.run("keys", "list", "--limit", "1")

    let sha256 = String(repeating: "ab", count: 32)
    day.fixture.catalog.quarantine(
      QuarantineRecord(sha256: sha256, code: "plugin.probe.crashed", detail: "SIGSEGV", since: .now))
    #expect(day.run("quarantine", "list", "--json")["items"]?.array?.count == 1)
    #expect(day.run("quarantine", "release", sha256, "--json")["released"] == true)
    day.run("quarantine", "release", sha256, exit: 1)

    day.fixture.audit.state.withLock { $0.documents = (1...3).map { ["seq": .integer($0)] } }
    #expect(day.run("audit", "read", "--limit", "2", "--json")["next"] == 2)
    #expect(day.run("audit", "read", "--all", "--json")["items"]?.array?.count == 3)
    #expect(day.run("audit", "verify", "--json")["rows"] == 3)
    #expect(day.run("log-level", "set", "debug", "--json")["level"] == "debug")
    #expect(day.run("log-level", "get", "--json")["level"] == "debug")
    day.run("health", exit: 1)
    day.fixture.health.isServing = true
    day.run("health")
    day.run("metrics")
  }

  @Test func aKeyThatMayLessIsDenied() throws {
    let day = try Day(scope: AdminScope.read)
    day.run("automations", "list")
    day.run("keys", "issue", "--principal", "p", "--scope", "admin:read", exit: 4)
    day.run("automations", "unload", "hello", exit: 4)
  }
}

private final class Day {
  let fixture: AdminFixture
  let files = TextFiles()
  private let key: String

  init(scope: String = "admin:*") throws {
    fixture = try AdminFixture()
    key = try fixture.key(scope)
  }

  /// What standard output says, as JSON.
  @discardableResult
  func run(_ arguments: String..., exit: Int32 = 0) -> JSONValue {
    let terminal = TextTerminal()
    let transport = DirectTransport(fixture, files)
    let services = CommandLineServices(
      terminal: terminal, files: files, environment: ["COUNCIL_ADMIN_KEY": key],
      version: VersionFacts(council: "0", abiMajors: [1], abiMinor: 0), digests: WeakDigests(),
      inspector: fixture.inspector, sealer: NoSealer(), author: .none,
      transport: { () throws(Problem) in transport },
      plan: { (_, _) throws(Problem) in [] }, openKeys: { (_) throws(Problem) in MemoryKeyStore() },
      openAudit: { (_) throws(Problem) in MemoryAudit() }, serve: { (_) throws(Problem) in 0 },
      defaultConfiguration: { "" },
      checkConfiguration: { (_, _) throws(Problem) in ConfigurationReport(values: .null, findings: []) })
    let code = CommandLineApp(services: services).run(arguments)
    #expect(code == exit, "\(arguments): \(terminal.errors.withLock { $0 })")
    return (try? JSONValue.parse(terminal.output.withLock { $0 }.utf8.span)) ?? .null
  }
}

/// `@unchecked`: a test calls it on its own thread only.
private final class DirectTransport: HTTPTransport, @unchecked Sendable {
  private let fixture: AdminFixture
  private let files: TextFiles

  init(_ fixture: AdminFixture, _ files: TextFiles) {
    self.fixture = fixture
    self.files = files
  }

  func send(_ request: OutgoingRequest) throws(TransportFailure) -> IncomingAnswer {
    let body =
      switch request.body {
      case .none: ""
      case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
      case .file(let path): files.text(path)
      }
    guard let method = HTTPMethod(rawValue: request.method) else { throw .invalid(request.method) }
    let answer = fixture.send(
      method, String(request.url.dropFirst("http://127.0.0.1:8081".count)),
      headers: request.headers.map { ($0.name.lowercased(), $0.value) }, body: body)
    return IncomingAnswer(status: answer.status, body: Array(answer.text.utf8))
  }
}

private struct NoSealer: PluginSealing {
  func seal(path: String, output: String, config: [UInt8]) throws(Problem) -> SealReport {
    throw Problem(500, "test.none", "None.")
  }
}

extension AuthorServices {
  /// For commands that sign, build and start nothing.
  fileprivate static let none = AuthorServices(
    signer: NoSigner(), signatures: WeakSignatures(), schemas: OpenSchemas(), workshop: NoWorkshop())
}

private struct NoSigner: PluginSigning {
  func sign(
    path: String, output: String, privateKey: [UInt8], at time: Timestamp
  ) throws(Problem) -> SigningReport { throw Problem(500, "test.none", "None.") }
}

private struct NoWorkshop: Workshop {
  func open() throws(FileFailure) -> any WorkshopEvents { throw FileFailure("None.") }
  func makeTemporaryFolder() throws(FileFailure) -> String { throw FileFailure("None.") }
  func removeFolder(_ path: String) {}
  var councilProgram: String { "" }
}

private final class TextTerminal: Terminal {
  let output = Monitor("")
  let errors = Monitor("")
  var isInteractive: Bool { false }
  func write(_ text: String) { output.withLock { $0 += text } }
  func writeError(_ text: String) { errors.withLock { $0 += text } }
}

private final class TextFiles: LocalFiles {
  private let texts = Monitor<[String: String]>([:])

  func put(_ path: String, _ text: String) { texts.withLock { $0[path] = text } }
  func text(_ path: String) -> String { texts.withLock { $0[path] ?? "" } }
  func read(_ path: String, maxBytes: Int) throws(FileFailure) -> [UInt8] { Array(text(absolute(path)).utf8) }
  func kind(_ path: String) -> FileKind { .file }
  func mode(_ path: String) -> Int? { 0o600 }
  func advance(_ path: String, past second: Int64?) -> Int64? { 0 }
  func names(in folder: String) throws(FileFailure) -> [String] { [] }
  func absolute(_ path: String) -> String { path.hasPrefix("/") ? path : "/here/" + path }
  func makeFolder(_ path: String) throws(FileFailure) {}
  func create(_ path: String, mode: Int) throws(FileFailure) -> any OutputFile {
    throw FileFailure("read-only")
  }
  var executable: String? { nil }
}
