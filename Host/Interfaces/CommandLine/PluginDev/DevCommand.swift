import Application
import Domain
import Kernel

/// `council plugin dev`: from a saved file to a new generation that serves, again and again.
enum DevCommand {
  static let dev = Command(
    words: ["plugin", "dev"],
    summary: "Rebuilds and reloads a plugin whenever a source is saved, and prints its calls.",
    notes: [
      "Builds with the project's own build: Package.swift, Makefile, or --build. A build or a plugin that fails is",
      "shown, and what served goes on. Without --host it starts a host of its own, which ends with the command (Ctrl-C).",
    ],
    arguments: [.init(name: "DIR", help: "The project. Default: the current folder.", isOptional: true)],
    options: [
      .init(
        name: "--host", value: "URL",
        help: "The admin listener of a host to load into. Default: a host of its own."),
      .init(
        name: "--key-file", value: "FILE",
        help: "With --host: the admin key. Default: COUNCIL_ADMIN_KEY_FILE."),
      .init(name: "--config", value: "FILE", help: "The plugin's configuration, JSON."),
      .init(name: "--build", value: "COMMAND", help: "How to build, for a shell in DIR; needs --library."),
      .init(name: "--library", value: "FILE", help: "What the build makes. Default: by the project."),
      .init(name: "--product", value: "NAME", help: "Of a package. Default: its first dynamic library."),
    ],
    examples: [
      "council plugin dev",
      "council plugin dev notes --host http://127.0.0.1:8081 --key-file var/keys/admin.key",
    ],
    takesJSON: false, run: run)

  private static func run(_ invocation: Invocation) throws {
    let project = try PluginProject(invocation)
    let workshop = invocation.services.author.workshop
    let folder = try workshop.makeTemporaryFolder()
    defer { workshop.removeFolder(folder) }
    let events = try workshop.open()
    defer { events.close() }
    do {
      try events.watch(project.folder, ignoring: PluginProject.ignored)
      let loop = try DevLoop(invocation, project, events, folder)
      defer { loop.end() }
      try loop.run()
    } catch is Interrupted { return }
  }
}

/// What happens between two saved files. One thread, which waits for one thing at a time.
final class DevLoop {
  /// A save is often several events: a rebuild waits until it was quiet for so long.
  private static let quiet: Duration = .milliseconds(50)
  /// And begins after so long, whoever goes on writing.
  private static let longestSave: Duration = .seconds(2)
  private static let keptLines = 400
  /// Restarts of a host of its own in a row, without a change of the sources.
  private static let maxRestarts = 3

  private let invocation: Invocation
  private let project: PluginProject
  private let events: any WorkshopEvents
  private let host: TrialHost?
  private let folder: String
  private let config: JSONValue?
  private let style: Style

  private var build: Int?
  private var said: [String] = []
  /// When the change came that the running build is for, and the one that came since.
  private var saved = Instant.now
  private var began = Instant.now
  private var isDirty = false
  /// What was saved since the last build began, and when the builds before saw each source written.
  private var changedSources: Set<String> = []
  private var seconds: [String: Int64] = [:]
  private var restarts = 0
  private var routes = ""
  private var keyFile = ""
  private var feed: CallPrinter?

  init(_ invocation: Invocation, _ project: PluginProject, _ events: any WorkshopEvents, _ folder: String)
    throws
  {
    self.invocation = invocation
    self.project = project
    self.events = events
    self.folder = folder
    style = invocation.style
    config = try invocation.value("--config").map { try AutomationCommands.configuration($0, invocation) }
    host =
      invocation.has("--host")
      ? nil : try TrialHost(events, invocation, folder: folder, settings: DevLoop.settings)
    if let host { say("host     \(host.url)  (admin http://127.0.0.1:\(host.adminPort))") }
    say("watching \(project.folder)  (\(project.command))")
  }

  private static let settings = """
    limits: {requests: 1000000000, anonymous_requests: 1000000000}
    audit: {flush_interval_ms: 10, kept_segments: 2}
    plugins: {kept_generations: 2}
    """

  private func client() throws -> AdminClient {
    if let host { return host.client }
    return try AdminClient(invocation, url: invocation.value("--host"))
  }

  func run() throws {
    saved = .now
    try startBuild()
    while true { try handle(events.next(within: .seconds(3600))) }
  }

  private func handle(_ event: WorkshopEvent) throws {
    switch event {
    case .signal: throw Interrupted()
    case .changed(let path): try changed(path)
    case .line(let program, let text): hear(program, text)
    case .ended(let program, let code) where program == build: try built(code)
    case .ended(let program, let code) where program == host?.program: try hostEnded(code)
    case .ended, .timedOut: break
    }
  }

  func end() { feed?.end() }

  // MARK: Building

  private func changed(_ path: String) throws {
    guard PluginProject.isSource(path) else { return }
    changedSources.insert(path)
    if build != nil {
      isDirty = true
      return
    }
    saved = .now
    // What else belongs to the same save. What programs say in the meantime does not put it off.
    let latest = saved + DevLoop.longestSave
    var quietAt = saved + DevLoop.quiet
    var ends: [WorkshopEvent] = []
    while true {
      let left = min(quietAt, latest) - .now
      guard left > 0 else { break }
      switch events.next(within: .nanoseconds(left)) {
      case .timedOut: break
      case .changed(let path):
        if PluginProject.isSource(path) { changedSources.insert(path) }
        quietAt = .now + DevLoop.quiet
      case .ended(let program, let code): ends.append(.ended(program: program, code))
      case let other: try handle(other)
      }
    }
    restarts = 0
    try startBuild()
    for end in ends { try handle(end) }
  }

  private func startBuild() throws {
    isDirty = false
    said = []
    if project.comparesSeconds {
      for path in changedSources { seconds[path] = project.advance(path, past: seconds[path]) }
    }
    changedSources = []
    began = .now
    build = try events.start(project.program, project.arguments, in: project.folder)
  }

  private func built(_ code: Int32) throws {
    build = nil
    let compiled = Instant.now - began
    if isDirty {
      saved = .now
      return try startBuild()
    }
    guard code == 0 else {
      say(
        "\(style.paint("build failed", .bad)) after \(DevLoop.seconds(compiled)) (\(TrialHost.ending(code)))"
      )
      for line in DevLoop.relevant(said) { say("  " + paint(line)) }
      return sayWhatServes()
    }
    do { try reload(compiled) } catch {
      say("\(style.paint("refused", .bad)) \(Failure(error).text(style))")
      if let output = (error as? Problem)?.members["output"]?.string {
        for line in output.split(separator: "\n") { say("  " + Table.printable(String(line))) }
      }
      sayWhatServes()
    }
  }

  /// The lines of a failed build from the first error on; all that was kept when none says so.
  private static func relevant(_ lines: [String]) -> ArraySlice<String> {
    let first = lines.firstIndex { $0.contains("error:") || $0.contains("error ") || $0.contains("Error ") }
    return lines[(first ?? 0)...].prefix(60)
  }

  private func paint(_ line: String) -> String {
    let clean = Table.printable(line)
    return clean.contains("error:")
      ? style.paint(clean, .bad) : clean.contains("warning:") ? style.paint(clean, .warn) : clean
  }

  // MARK: Loading

  private func reload(_ compiled: Int64) throws {
    let started = Instant.now
    let library = try project.builtLibrary()
    let report = try AutomationCommands.upload(
      library, config: config, to: try client(), .loadAutomation, query: [("replace", "true")], invocation)
    let now = Instant.now
    let id = report["automation"]?.string ?? "-"
    say(
      "\(style.paint("live", .good))     \(Table.printable(id)) \(Table.printable(report.cell("version"))) generation "
        + "\(report.cell("generation")): compile \(DevLoop.seconds(compiled)), the rest "
        + "\(DevLoop.seconds(now - saved - compiled)) (check and reload \(DevLoop.seconds(now - started)))")
    if feed?.id != id {
      feed?.end()
      if let host {
        keyFile = folder + "/author.key"
        invocation.services.author.workshop.removeFolder(keyFile)
        let file = try invocation.services.files.create(keyFile, mode: 0o600)
        try file.write(Array((try host.issueKey("author", ["\(id):*"]) + "\n").utf8))
        try file.close()
      }
      feed = CallPrinter(CallFeed(try client(), id), invocation)
      feed?.start()
    }
    try showRoutes(id)
  }

  private func showRoutes(_ id: String) throws {
    let document = try client().call(.showAutomation, [id])
    var table = Table(["METHOD", "PATH", "OPERATION", "SCOPE", "RUNS"])
    for route in document["routes"]?.array ?? [] {
      table.add(["method", "path", "operation", "scope", "execution"].map { route.cell($0) })
    }
    let text = table.text(style)
    // Once, and when it changed.
    guard text != routes else { return }
    routes = text
    say(text)
    if let host {
      say(style.paint("curl -H \"Authorization: Bearer $(cat \(keyFile))\" \(host.url)/\(id)/", .dim))
    }
  }

  private func sayWhatServes() {
    guard let id = feed?.id, let document = try? client().call(.showAutomation, [id]),
      document["state"]?.string == "active"
    else { return }
    say("generation \(document.cell("generation")) goes on")
  }

  // MARK: The host

  private func hear(_ program: Int, _ text: String) {
    if program == build {
      said.append(text)
      if said.count > DevLoop.keptLines { said.removeFirst() }
      return
    }
    guard let host, program == host.program, let line = host.note(text) else { return }
    let level = line["level"]?.string.flatMap(LogLevel.init(name:)) ?? .info
    // What the plugin says, and what the host complains of.
    guard line["module"]?.string == "plugin" || level >= .warning else { return }
    say(
      style.paint(
        "log      \(level.name) \(Table.printable(line.cell("message")))", level >= .warning ? .warn : .dim))
  }

  private func hostEnded(_ code: Int32) throws {
    guard let host else { return }
    say(
      "\(style.paint("the host ended", .bad)) (\(TrialHost.ending(code))): the plugin took it down, or it was told to"
    )
    restarts += 1
    guard restarts <= DevLoop.maxRestarts else {
      throw CommandFailure.local("the host ended \(restarts) times without a change of the sources")
    }
    feed?.end()
    feed = nil
    routes = ""
    try host.start()
    say("host     \(host.url) is back with what served")
    // A build that ended meanwhile loads what it made.
    for event in host.takeMissed() { try handle(event) }
    // Its ports are others: the library that was built last is loaded again.
    if build == nil, feed == nil { try startBuild() }
  }

  // MARK: Saying

  private func say(_ text: String) {
    invocation.print(text)
  }

  private static func seconds(_ nanoseconds: Int64) -> String {
    let milliseconds = max(0, nanoseconds) / 1_000_000
    guard milliseconds >= 1000 else { return "\(milliseconds) ms" }
    let hundredths = milliseconds % 1000 / 10
    return "\(milliseconds / 1000).\(hundredths < 10 ? "0" : "")\(hundredths) s"
  }
}
