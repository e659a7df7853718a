import Glibc
import Kernel
import Patience
import Testing

/// `council serve` as a process of its own, on free ports and in a folder of its own.
final class HostUnderTest: Sendable {
  let home: String
  let port: Int
  let adminPort: Int
  let process: Child

  /// Starts a host and waits until it is ready. `settings` is the text of a configuration file.
  ///
  /// COUNCIL_ISOLATION=process in the environment runs every plugin in a process of its own, so that what holds in one
  /// mode is shown in the other: tests that say where they run name `isolation` in their settings.
  ///
  /// A test that asks again and again until something is so would meet the limit that a key has by default: keys here
  /// have another one, but where `settings` name `limits`, or `hasDefaultLimit`.
  init(
    home: String? = nil, load: [String] = [], settings: String = "", hasDefaultLimit: Bool = false
  ) throws {
    var settings = settings
    if HostUnderTest.isIsolated, !settings.contains("isolation:") {
      settings += "isolation:\n  default: process\n  overrun_ms: 60000\n"
    }
    if !hasDefaultLimit, !settings.contains("limits:") { settings += "limits:\n  requests: 1000000\n" }
    let home = home ?? Fixtures.home()
    self.home = home
    System.shell("mkdir -p '\(home)'")
    let log = home + "/log"
    let start = System.text(log).utf8.count
    var arguments = [
      "serve", "--home", home, "--port", "0", "--admin-port", "0", "--issue-first-keys", home + "/keys",
    ]
    if !settings.isEmpty {
      System.write(settings, to: home + "/council.yaml")
      arguments += ["--config", home + "/council.yaml"]
    }
    for path in load { arguments += ["--load", path] }
    let process = Child(HostUnderTest.binary, arguments, output: log)
    self.process = process
    var ports: (Int, Int)?
    let isReady = eventually(minutes: 2) {
      ports = HostUnderTest.ports(in: String(System.text(log).utf8.dropFirst(start)) ?? "")
      return ports != nil || !process.isRunning
    }
    guard isReady, let ports else {
      throw Failure("the host does not get ready:\n\(System.text(log).suffix(2000))")
    }
    (port, adminPort) = ports
  }

  deinit {
    if process.isRunning {
      process.signal(SIGKILL)
      _ = process.wait()
    }
  }

  struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ text: String) { description = text }
  }

  static let isIsolated = System.environment("COUNCIL_ISOLATION") == "process"

  /// The build's own, or the release build's where a script says where that is.
  static let binary = products + "/council"
  static let products = System.environment("COUNCIL_PRODUCTS") ?? System.products
  static let accounts = products + "/libAccounts.so"
  static let hello = products + "/libHello.so"
  static let ticker = products + "/libTicker.so"

  private static func ports(in log: String) -> (Int, Int)? {
    guard let port = number("public_port", in: log), let admin = number("admin_port", in: log) else {
      return nil
    }
    return (port, admin)
  }

  /// What the newest host said when it got ready.
  private static func number(_ name: String, in log: String) -> Int? {
    for line in log.split(separator: "\n").reversed() {
      guard let value = try? JSONValue.parse(line.utf8.span), value["message"]?.string == "ready" else {
        continue
      }
      return value[name]?.integer.map { Int($0) }
    }
    return nil
  }

  /// The process that serves; ``process`` is its supervisor.
  var servingPID: Int32 { Int32(HostUnderTest.number("pid", in: log) ?? -1) }

  /// Waits until another host than `old` serves; its process id.
  func successor(of old: Int32) -> Int32? {
    var next: Int32 = -1
    let isThere = eventually {
      next = servingPID
      return next != old
    }
    return isThere ? next : nil
  }

  // MARK: Asking

  var adminKey: String { key("admin") }
  var agentKey: String { key("agent") }
  private func key(_ name: String) -> String {
    String(System.text("\(home)/keys/\(name).key").prefix { $0 != "\n" })
  }

  func call(
    _ method: String, _ target: String, key: String? = nil, headers: [String] = [], body: String? = nil
  ) throws -> Connection.Answer {
    try #require(Connection(port: port)?.request(method, target, key: key, headers: headers, body: body))
  }

  /// Makes a call that its route wants to be confirmed: is asked back, and confirms.
  func confirm(
    _ method: String, _ target: String, key: String, headers: [String] = []
  ) throws -> Connection.Answer {
    let asked = try call(method, target, key: key, headers: headers)
    try #require(asked.status == 428 && asked.code == "confirmation.required", "\(asked)")
    let token = try #require(asked.json?["confirm"]?.string)
    return try call(method, target, key: key, headers: headers + ["X-Confirm: \(token)"])
  }

  func admin(
    _ method: String, _ target: String, headers: [String] = [], body: String? = nil
  ) throws -> Connection.Answer {
    try #require(
      Connection(port: adminPort)?.request(
        method, "/admin/v1" + target, key: adminKey, headers: headers, body: body))
  }

  /// Asks for a hand-over, and again where the host that was asked has just handed over and says so.
  func upgrade() throws -> Connection.Answer {
    var answer: Connection.Answer?
    _ = try eventually {
      answer = try admin("POST", "/host/upgrade")
      return answer?.code != "host.handing_over"
    }
    return try #require(answer)
  }

  /// Issues a key with these scopes and no limit worth the name.
  func issueKey(_ scopes: [String], requests: Int = 1_000_000_000) throws -> String {
    let list = scopes.map { "\"\($0)\"" }.joined(separator: ",")
    let answer = try admin(
      "POST", "/keys",
      body:
        #"{"principal":"tester","name":"t","scopes":[\#(list)],"limit":{"requests":\#(requests),"per_s":60}}"#
    )
    return try #require(answer.json?["key"]?.string ?? answer.json?["text"]?.string, "\(answer.body)")
  }

  @discardableResult
  func reload(_ id: String, path: String) throws -> Connection.Answer {
    try admin("POST", "/automations/\(id)/reload", body: #"{"path":"\#(path)"}"#)
  }

  /// Ends the host as an operator does; returns its exit code.
  func stop() -> Int32? {
    process.signal(SIGTERM)
    return process.wait()
  }

  // MARK: Looking from outside

  var log: String { System.text(home + "/log") }
  var descriptors: Int { System.names(in: "/proc/\(servingPID)/fd").count }

  var residentBytes: Int {
    let fields = System.text("/proc/\(servingPID)/statm").split(separator: " ")
    return (fields.count > 1 ? Int(fields[1]) ?? 0 : 0) * 4096
  }
}
