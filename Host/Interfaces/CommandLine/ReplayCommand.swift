import Application
import Domain
import Kernel

/// `council plugin replay`: recorded traffic against a new file and an old one.
enum ReplayCommand {
  static let replay = Command(
    words: ["plugin", "replay"],
    summary: "Runs recorded traffic against a new plugin and an old one, and prints where they differ.",
    notes: [
      "Both run in hosts of their own, each on a copy of the automation's records: nothing that serves is touched. Calls "
        + "that change something are left out unless --writes is given. Exits 0 when no answer differs, 1 when one does or "
        + "when there was nothing to compare."
    ],
    arguments: [.init(name: "NEW", help: "The new plugin, a shared library (.so).")],
    options: [
      .init(
        name: "--recording", value: "FILE", help: "What `council automations record` wrote.",
        isRequired: true),
      .init(
        name: "--against", value: "OLD",
        help: "The old plugin. Default: the file that was recorded, in the home folder."),
      .init(
        name: "--home", value: "DIR",
        help: "Whose records are copied. Default: the home that the recording lies in."),
      .init(name: "--config", value: "FILE", help: "The configuration of both, JSON. Default: {}."),
      .init(
        name: "--isolation", value: "HOW",
        help: "Where both run: none, process, or process:N. Default: where what was recorded ran."),
      .init(
        name: "--encryption-keys", value: "FILE",
        help: "The host's records.encryption_key_file, where records have encrypted fields."),
      .init(name: "--writes", help: "Run calls that change something, too."),
      .init(
        name: "--ignore", value: "POINTER",
        help: "A place in answers that is not compared; * is any member or element: /items/*/updated_at.",
        isRepeated: true),
    ],
    examples: [
      "council plugin replay build/accounts.so --recording var/recordings/accounts-20260101T120000000.jsonl"
    ],
    run: run)

  private static func run(_ invocation: Invocation) throws {
    let (services, files) = (invocation.services, invocation.services.files)
    let path = files.absolute(invocation.value("--recording") ?? "")
    let recording = try RecordedCalls(try files.read(path, maxBytes: RecordedCalls.maxBytes))
    var options = Replay.Options()
    options.writes = invocation.has("--writes")
    options.ignoring = try invocation.values("--ignore").map { text in
      guard let pointer = JSONPointer(text) else {
        throw invocation.wrong("--ignore", "a pointer like /items/*/updated_at", text)
      }
      return pointer
    }
    let config = try invocation.value("--config").map {
      JSON.encode(try AutomationCommands.configuration($0, invocation))
    }
    let isolation = try invocation.value("--isolation").map { text in
      guard let isolation = Isolation(text) else {
        throw invocation.wrong("--isolation", Isolation.forms, text)
      }
      return isolation
    }
    let home = home(of: path, invocation)
    let new = files.absolute(invocation.arguments[0])
    let old = try old(recording, home, invocation)
    for file in [new, old] where files.kind(file) == .missing {
      throw CommandFailure.local("no file is at '\(file)'")
    }
    func start(_ plugin: String) throws(Problem) -> any PrivateHost {
      try services.privateHost(
        PrivateHostOrder(
          automation: recording.automation, plugin: plugin, config: config ?? Array("{}".utf8),
          isolation: isolation ?? recording.isolation, home: home,
          encryptionKeys: invocation.value("--encryption-keys").map(files.absolute)))
    }
    let before = try start(old)
    defer { before.stop() }
    let after = try start(new)
    defer { after.stop() }
    let report = Replay(options).run(recording, old: before, new: after)
    var document = report.json.object ?? [:]
    document["automation"] = .string(recording.automation)
    document["recording"] = .string(path)
    document["old_file"] = .string(old)
    document["new_file"] = .string(new)
    invocation.show(.object(document)) { _ in text(report, invocation.style) }
    if !report.isClean { throw HostEnded(code: ExitCode.refused.rawValue) }
  }

  /// A recording lies in `<home>/recordings`.
  private static func home(of recording: String, _ invocation: Invocation) -> String? {
    if let home = invocation.value("--home") { return invocation.services.files.absolute(home) }
    let parts = recording.split(separator: "/")
    guard parts.dropLast().last == "recordings" else { return nil }
    return "/" + parts.dropLast(2).joined(separator: "/")
  }

  private static func old(
    _ recording: RecordedCalls, _ home: String?, _ invocation: Invocation
  ) throws -> String {
    if let old = invocation.value("--against") { return invocation.services.files.absolute(old) }
    // Part of a path: what the host wrote has no step upwards.
    guard let home, recording.plugin.hasPrefix("generations/"), !recording.plugin.contains("..") else {
      throw invocation.usage("the recording does not lie in a home folder: name the old file with --against")
    }
    return "\(home)/\(recording.plugin)"
  }

  private static func text(_ report: Replay.Report, _ style: Style) -> String {
    var lines: [String] = []
    for one in report.differences {
      let place = one.pointer.map { " \($0.isEmpty ? "(all of it)" : $0)" } ?? ""
      lines.append(
        Table.printable(
          "\(one.call) (line \(one.line)): \(one.what)\(place): \(short(one.old)) became \(short(one.new))"))
    }
    let skipped =
      (report.skippedWrites > 0 ? "; \(report.skippedWrites) that change something left out (--writes)" : "")
      + (report.skippedRedacted > 0 ? "; \(report.skippedRedacted) with a redacted path left out" : "")
    lines.append(
      "\(style.paint(report.isClean ? "clean" : "not clean", report.isClean ? .good : .bad)): "
        + (report.compared == 0
          ? "nothing was compared" : "\(report.different) of \(report.compared) call(s) answered differently")
        + skipped)
    return lines.joined(separator: "\n")
  }

  private static func short(_ value: JSONValue?) -> String {
    guard let value else { return "nothing" }
    let text = JSON.text(value)
    return text.count > 120 ? text.prefix(117) + "..." : text
  }
}
