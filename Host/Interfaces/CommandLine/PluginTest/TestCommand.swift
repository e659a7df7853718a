import Application
import Domain
import Kernel

/// `council plugin test`: holds a plugin to the contract, in a host of its own.
enum TestCommand {
  static let test = Command(
    words: ["plugin", "test"],
    summary:
      "Holds a plugin to the contract: answers, fuzzing by its own schemas, many callers, reloads, limits.",
    notes: [
      "Nothing of the plugin runs in this process: a host is started for it on an empty home, with a deadline of 3 s for",
      "routes that name none. Exits 1 when a check fails; the report says how to see it again.",
    ],
    arguments: [.init(name: "FILE", help: "The plugin, a shared library (.so).")],
    options: [
      .init(
        name: "--config", value: "FILE", help: "The configuration it is created with, JSON. Default: {}."),
      .init(
        name: "--seed", value: "N",
        help: "Makes the same calls again. Default: another each time; it is printed."),
      .init(name: "--seconds", value: "N", help: "About how long the calls take, 1 to 3600. Default: 10."),
    ],
    examples: ["council plugin test accounts.so --seconds 30"], run: run)

  private static func run(_ invocation: Invocation) throws {
    let services = invocation.services
    let path = try PluginCommands.existing(invocation)
    let seconds = try invocation.whole("--seconds", in: 1...3600) ?? 10
    var random = SystemRandomNumberGenerator()
    let seed = UInt64(try invocation.whole("--seed", in: 0...Int.max) ?? Int(random.next() >> 40))
    let config = try invocation.value("--config").map { try AutomationCommands.configuration($0, invocation) }
    // As `plugin check` does, so that what is no plugin is said at once.
    _ = try services.inspector.validate(path: path)
    let manifest = try Manifest.parse(
      try services.inspector.probe(path: path, config: config.map { JSON.encode($0) } ?? Array("{}".utf8))
        .manifest)
    let workshop = services.author.workshop
    let folder = try workshop.makeTemporaryFolder()
    defer { workshop.removeFolder(folder) }
    let events = try workshop.open()
    defer { events.close() }
    let report: TestReport
    do {
      report = try ContractRun(
        invocation, events, folder: folder, file: path, manifest: manifest, config: config, seed: seed,
        seconds: seconds
      ).run()
    } catch is Interrupted {
      throw CommandFailure.local("interrupted")
    }
    invocation.show(report.json) { _ in report.text(invocation.style) }
    if !report.passed { throw HostEnded(code: ExitCode.refused.rawValue) }
  }
}
