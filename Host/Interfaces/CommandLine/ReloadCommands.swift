import Application
import Domain
import Kernel

/// What `council automations` does beside one change of one automation: sets, canaries, recordings.
enum ReloadCommands {
  static let all = [
    Command(
      words: ["automations", "promote"], summary: "Ends a canary: its generation serves everybody.",
      arguments: [AutomationCommands.id], endpoints: [.promoteCanary], run: promote),
    Command(
      words: ["automations", "abort"], summary: "Ends a canary: the old generation serves everybody.",
      arguments: [AutomationCommands.id], endpoints: [.abortCanary], run: abort),
    Command(
      words: ["automations", "record"],
      summary: "Records a bounded sample of an automation's traffic, without secrets.",
      notes: [
        "The file is on the host, readable by its owner alone; `council plugin replay` runs it. Keys and cookies are "
          + "never kept, nor values that a schema marks writeOnly."
      ],
      arguments: [AutomationCommands.id],
      options: [
        .init(name: "--for", value: "DURATION", help: "How long. Default: 60s."),
        .init(name: "--max", value: "N", help: "How many requests at most. Default: 1000."),
        .init(
          name: "--redact", value: "NAME", help: "A member or parameter whose value is not kept.",
          isRepeated: true),
        .init(name: "--header", value: "NAME", help: "A request header to keep, too.", isRepeated: true),
        .init(name: "--stop", help: "End the recording that runs."), noWait,
      ],
      examples: ["council automations record accounts --for 5m --max 500 --redact email"],
      endpoints: [.startRecording, .stopRecording], run: record),
  ]

  private static let noWait = Command.Option(
    name: "--no-wait", help: "Do not wait for its end; `council automations show` tells of it.")

  static let options: [Command.Option] = [
    .init(
      name: "--with", value: "ID[=FILE]",
      help: "Reload this one in the same swap, too, all or none; the host reads the files itself.",
      isRepeated: true),
    .init(
      name: "--canary", value: "PERCENT",
      help: "Give the new generation this part of the callers first, and roll back when it is worse."),
    .init(name: "--canary-for", value: "DURATION", help: "How long both serve. Default: 60s."),
    .init(
      name: "--canary-header", value: "NAME", help: "Requests with this header go to the new generation."),
    .init(
      name: "--canary-rule", value: "FILE",
      help: "JSON with more of the rule: min_requests, max_error_margin, max_mean_ratio, share …"),
    .init(
      name: "--require-replay", value: "NAME",
      help: "Refuse the file unless it answers this recording of the host as the old one does."),
    .init(
      name: "--replay-writes", help: "With --require-replay: replay calls that change something, too."),
    noWait,
  ]

  // MARK: Several automations

  static func reloadTogether(_ invocation: Invocation) throws {
    for name in ["--canary", "--canary-for", "--canary-header", "--canary-rule", "--isolation"]
    where invocation.has(name) {
      throw invocation.usage("\(name) does not go with --with: it is for one automation")
    }
    let files = invocation.services.files
    func item(_ id: String, _ file: String?) -> [String: JSONValue] {
      var item: [String: JSONValue] = ["id": .string(id)]
      if let file { item["path"] = .string(files.absolute(file)) }
      return item
    }
    var first = item(invocation.arguments[0], invocation.argument(1))
    if let sha256 = invocation.value("--sha256") { first["sha256"] = .string(sha256) }
    if let config = invocation.value("--config") {
      first["config"] = try AutomationCommands.configuration(config, invocation)
    }
    if let replay = try requiredReplay(invocation) {
      first["require_replay"] = .string(replay.recording)
      if replay.writes { first["replay_writes"] = true }
    }
    var items = [JSONValue.object(first)]
    for (id, file) in pairs(invocation) { items.append(.object(item(id, file))) }
    try callTogether(invocation, .reloadSet, items)
  }

  static func rollBackTogether(_ invocation: Invocation) throws {
    func item(_ id: String, _ number: Int?) -> JSONValue {
      .object(
        ["id": .string(id)].merging(number.map { ["generation": .integer(Int64($0))] } ?? [:]) { first, _ in
          first
        })
    }
    var items = [
      item(invocation.arguments[0], try invocation.whole("--to", in: 1...Int(Int32.max)))
    ]
    for (id, text) in pairs(invocation) {
      if let text, Int(text) == nil { throw invocation.wrong("--with", "ID or ID=NUMBER", "\(id)=\(text)") }
      items.append(item(id, text.flatMap { Int($0) }))
    }
    try callTogether(invocation, .rollBackSet, items)
  }

  private static func pairs(_ invocation: Invocation) -> [(id: String, value: String?)] {
    invocation.values("--with").map { text in
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return (String(parts[0]), parts.count > 1 ? String(parts[1]) : nil)
    }
  }

  private static func callTogether(
    _ invocation: Invocation, _ endpoint: AdminEndpoint, _ items: [JSONValue]
  ) throws {
    let document = try AdminClient(invocation).call(
      endpoint, body: .bytes(JSON.encode(["automations": JSONValue.array(items)])))
    invocation.show(document) { document in
      (document["automations"]?.array ?? []).map { one in
        "\(one.cell("automation")): generation \(one.cell("generation")) serves (was \(one.cell("previous"))), "
          + "version \(Table.printable(one.cell("version")))\n"
      }.joined() + "\(document.cell("total_ms")) ms, in one swap"
    }
  }

  // MARK: Canaries

  /// The query of a reload: what an upload's body has no room for.
  static func query(_ invocation: Invocation) throws -> [(String, String)] {
    var query: [(String, String)] = []
    if let replay = try requiredReplay(invocation) {
      query.append(("require_replay", replay.recording))
      if replay.writes { query.append(("replay_writes", "true")) }
    }
    var rule: [String: JSONValue] = [:]
    if let path = invocation.value("--canary-rule") {
      rule = try AutomationCommands.configuration(path, invocation).object ?? [:]
    }
    if let percent = try invocation.whole("--canary", in: 0...99) {
      rule["percent"] = .integer(Int64(percent))
    }
    if let header = invocation.value("--canary-header") { rule["header"] = .string(header) }
    if let seconds = try invocation.duration("--canary-for") { rule["seconds"] = .integer(Int64(seconds)) }
    if !rule.isEmpty { query.append(("canary", JSON.text(.object(rule)))) }
    return query
  }

  private static func requiredReplay(_ invocation: Invocation) throws -> RequiredReplay? {
    let writes = invocation.has("--replay-writes")
    guard let name = invocation.value("--require-replay") else {
      if writes { throw invocation.usage("--replay-writes goes with --require-replay") }
      return nil
    }
    return RequiredReplay(name, writes: writes)
  }

  /// Waits for the end of a canary and tells how it went; throws `canary.rolled_back` when it was worse.
  static func follow(_ started: JSONValue, _ invocation: Invocation) throws {
    let number = started["generation"]
    var document = started
    while document["state"]?.string == "running", !invocation.has("--no-wait") {
      if invocation.services.terminal.isInteractive { invocation.note(text(document)) }
      pause()
      let shown = try AdminClient(invocation).call(.showAutomation, [invocation.arguments[0]])
      guard let canary = shown["canary"], canary["generation"] == number else {
        throw Problem(
          409, "canary.lost",
          "The host knows nothing of this canary any more: it was restarted, and the old "
            + "generation serves.")
      }
      document = canary
    }
    let state = document["state"]?.string
    guard state == "rolled_back" || state == "aborted" else { return invocation.show(document, text) }
    throw Problem(
      409, "canary.\(state ?? "")", text(document),
      members: ["new": document["new"] ?? .null, "old": document["old"] ?? .null])
  }

  private static func promote(_ invocation: Invocation) throws { try decide(invocation, .promoteCanary) }
  private static func abort(_ invocation: Invocation) throws { try decide(invocation, .abortCanary) }

  private static func decide(_ invocation: Invocation, _ endpoint: AdminEndpoint) throws {
    invocation.show(try AdminClient(invocation).call(endpoint, invocation.arguments), text)
  }

  static func text(_ canary: JSONValue) -> String {
    func side(_ name: String, _ generation: String) -> String {
      let side = canary[name] ?? .null
      return
        "generation \(generation): \(side.cell("requests")) request(s), \(side.cell("errors")) error(s), "
        + "mean \(side.cell("mean_ms")) ms, p99 \(side.cell("p99_ms")) ms"
    }
    let reason = canary["reason"]?.string.map { ": \(Table.printable($0))" } ?? ""
    return "\(canary.cell("state"))\(reason) [new \(side("new", canary.cell("generation")))] "
      + "[old \(side("old", canary.cell("previous")))]"
  }

  // MARK: Recordings

  private static func record(_ invocation: Invocation) throws {
    let id = [invocation.arguments[0]]
    let client = try AdminClient(invocation)
    guard !invocation.has("--stop") else {
      return invocation.show(try client.call(.stopRecording, id), recordingText)
    }
    var body: [String: JSONValue] = [:]
    if let seconds = try invocation.duration("--for") { body["seconds"] = .integer(Int64(seconds)) }
    if let max = try invocation.whole("--max", in: 1...Int(Int32.max)) { body["max"] = .integer(Int64(max)) }
    for (option, member) in [("--redact", "redact"), ("--header", "headers")] where invocation.has(option) {
      body[member] = .array(invocation.values(option).map(JSONValue.string))
    }
    var document = try client.call(.startRecording, id, body: .bytes(JSON.encode(.object(body))))
    while document["state"]?.string == "running", !invocation.has("--no-wait") {
      pause()
      guard let next = try client.call(.showAutomation, id)["recording"], next["name"] == document["name"]
      else {
        throw Problem(409, "recording.lost", "The host knows nothing of this recording any more.")
      }
      document = next
    }
    if let fault = document["fault"]?.string {
      throw Problem(500, "recording.failed", "\(fault): \(recordingText(document))")
    }
    invocation.show(document, recordingText)
  }

  static func recordingText(_ recording: JSONValue) -> String {
    "\(recording.cell("state")): \(recording.cell("recorded")) exchange(s) in \(recording.cell("file")), "
      + "\(recording.cell("dropped")) dropped, \(recording.cell("skipped")) skipped"
  }

  private static func pause() {
    _ = Monitor(()).wait(until: .now + .milliseconds(250)) { _ in nil as Bool? }
  }
}
