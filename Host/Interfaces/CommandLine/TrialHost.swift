import Application
import Kernel

/// A host that a command starts for itself: on free ports of loopback, with a home of its own, gone with the command.
final class TrialHost {
  private static let startPatience: Duration = .seconds(60)
  private static let keptLines = 40
  private static let ended = "a host ended: "

  let home: String
  /// Of the process among the command's programs.
  private(set) var program = -1
  private(set) var port = 0
  private(set) var adminPort = 0
  private(set) var adminKey = ""
  /// The last of what it said, for when it does not start.
  private(set) var said: [String] = []
  /// How the process that loads plugins ended last, in its supervisor's words; nil while it never did.
  private(set) var crash: String?

  /// What came while this waited for its host, and was not that one's.
  private var missed: [WorkshopEvent] = []
  private static let maxMissed = 4096

  private let events: any WorkshopEvents
  private let invocation: Invocation
  private let settings: String

  /// `settings` is the text of a configuration file. The home is made inside `folder`.
  init(_ events: any WorkshopEvents, _ invocation: Invocation, folder: String, settings: String) throws {
    self.events = events
    self.invocation = invocation
    self.settings = settings
    home = folder + "/home"
    let file = try invocation.services.files.create(folder + "/council.yaml", mode: 0o600)
    try file.write(Array(settings.utf8))
    try file.close()
    try start()
  }

  /// Starts it, again after it ended: the home stays, and what served serves again. Returns when it is ready.
  func start() throws {
    let services = invocation.services
    program = try events.start(
      services.author.workshop.councilProgram,
      [
        "serve", "--home", home, "--port", "0", "--admin-port", "0", "--config",
        home.parent + "/council.yaml",
        "--issue-first-keys", home.parent + "/keys",
      ], in: nil)
    let deadline = Instant.now + TrialHost.startPatience
    port = 0
    while port == 0 {
      switch events.next(within: .nanoseconds(max(0, deadline - Instant.now))) {
      case .line(let number, let text) where number == program: note(text)
      case .ended(let number, let code) where number == program:
        throw CommandFailure.local(
          "the host of this command does not start (\(TrialHost.ending(code))):\n"
            + said.joined(separator: "\n"))
      case .signal: throw Interrupted()
      case .timedOut where Instant.now >= deadline:
        throw CommandFailure.local("the host of this command does not get ready")
      case .timedOut: break
      case let other: if missed.count < TrialHost.maxMissed { missed.append(other) }
      }
    }
    let bytes = try services.files.read(home.parent + "/keys/admin.key", maxBytes: 4096)
    adminKey = String(String(decoding: bytes, as: UTF8.self).prefix { !$0.isWhitespace })
  }

  /// What others than the host did while it started: a save, the end of a build.
  func takeMissed() -> [WorkshopEvent] {
    defer { missed = [] }
    return missed
  }

  /// Reads a line that it said; a log line as what it says, nil for other text.
  @discardableResult
  func note(_ text: String) -> JSONValue? {
    said.append(text)
    if said.count > TrialHost.keptLines { said.removeFirst() }
    guard let line = try? JSONValue.parse(text.utf8.span), let message = line["message"]?.string else {
      return nil
    }
    if message.hasPrefix(TrialHost.ended) { crash = String(message.dropFirst(TrialHost.ended.count)) }
    if message == "ready", let port = line["public_port"]?.integer, let admin = line["admin_port"]?.integer {
      (self.port, adminPort) = (Int(port), Int(admin))
    }
    return line
  }

  var url: String { "http://127.0.0.1:\(port)" }

  var client: AdminClient { AdminClient(invocation, base: "http://127.0.0.1:\(adminPort)", key: adminKey) }

  /// Issues a key without a limit worth the name.
  func issueKey(_ principal: String, _ scopes: [String]) throws -> String {
    let answer = try client.call(
      .issueKey,
      body: .bytes(
        JSON.encode(
          [
            "principal": .string(principal), "name": .string(principal),
            "scopes": .array(scopes.map(JSONValue.string)),
            "limit": ["requests": 1_000_000_000, "per_s": 60],
          ] as JSONValue)))
    guard let key = answer["key"]?.string else { throw CommandFailure.foreign("the host issued no key") }
    return key
  }

  /// How a process ended, in words.
  static func ending(_ code: Int32) -> String {
    guard code < 0 else { return "exit code \(code)" }
    let names: [Int32: String] = [4: "ILL", 6: "ABRT", 7: "BUS", 8: "FPE", 9: "KILL", 11: "SEGV", 15: "TERM"]
    return "signal \(names[-code] ?? String(-code))"
  }
}

/// The command was told to end.
struct Interrupted: Error {}

extension String {
  /// The folder of a path.
  var parent: String { String(self[..<(lastIndex(of: "/") ?? startIndex)]) }
}
