import Application
import Kernel

/// `council automations …`
enum AutomationCommands {
  static let all =
    [
      Command(
        words: ["automations", "list"], summary: "Lists what serves.", endpoints: [.listAutomations],
        run: list),
      Command(
        words: ["automations", "show"],
        summary: "Shows one: its routes, how agents see them, its generations and their state.",
        arguments: [id], endpoints: [.showAutomation], run: show),
      UsageCommand.top,
      Command(
        words: ["automations", "calls"],
        summary: "Prints each call of an automation as it happens, until it is ended.",
        arguments: [id],
        options: [.init(name: "--for", value: "DURATION", help: "How long. Default: until Ctrl-C.")],
        endpoints: [.followCalls], run: CallFeed.follow),
      Command(
        words: ["automations", "load"], summary: "Loads a plugin as an automation of its own.",
        notes: [uploading],
        arguments: [.init(name: "FILE", help: "The plugin, a shared library (.so).")],
        options: [
          byPath, config, sha256, isolation,
          .init(name: "--replace", help: "Reload the automation when it is loaded already."),
        ],
        examples: ["council automations load accounts.so --config accounts.json"],
        endpoints: [.loadAutomation], run: load),
      Command(
        words: ["automations", "reload"], summary: "Replaces the code of an automation; no request is lost.",
        notes: [uploading],
        arguments: [
          id,
          .init(
            name: "FILE", help: "The plugin. Without it: the path it was loaded from, on the host.",
            isOptional: true),
        ],
        options: [byPath, config, sha256, isolation] + ReloadCommands.options,
        examples: [
          "council automations reload accounts", "council automations reload accounts build/accounts.so",
          "council automations reload accounts new.so --canary 10 --canary-for 5m",
          "council automations reload accounts accounts.so --with orders=orders.so --with ledger",
        ],
        endpoints: [.reloadAutomation, .reloadSet], run: reload),
      Command(
        words: ["automations", "rollback"], summary: "Goes back to an earlier generation.", arguments: [id],
        options: [
          .init(name: "--to", value: "N", help: "Its number. Default: the one before with other code."),
          .init(
            name: "--with", value: "ID[=N]", help: "Take this one back in the same swap, too: all or none.",
            isRepeated: true),
        ],
        endpoints: [.rollBackAutomation, .rollBackSet], run: rollBack),
      Command(
        words: ["automations", "unload"], summary: "Takes an automation away; its records stay.",
        arguments: [id],
        endpoints: [.unloadAutomation], run: unload),
      Command(
        words: ["automations", "config"], summary: "Prints an automation's configuration, or replaces it.",
        notes: [
          "A new configuration makes a new generation of the same file, which takes over when it has started."
        ],
        arguments: [id],
        options: [.init(name: "--set", value: "FILE", help: "The new configuration, JSON.")],
        endpoints: [.readConfiguration, .changeConfiguration], run: configure),
    ] + ReloadCommands.all

  private static let uploading =
    "The file is uploaded and its SHA-256 checked. With --by-path the host reads it at that path itself."
  static let id = Command.Argument(name: "ID", help: "The automation: the first part of its paths.")
  private static let byPath = Command.Option(
    name: "--by-path", help: "Do not upload: the host is on this machine and reads the file.")
  private static let config = Command.Option(
    name: "--config", value: "FILE", help: "Its configuration, JSON. Default: the one it has, or {}.")
  private static let sha256 = Command.Option(
    name: "--sha256", value: "HEX", help: "What the file must hash to, as its author said.")

  private static let isolation = Command.Option(
    name: "--isolation", value: "HOW",
    help:
      "Where its code runs: none, in the host; process, in one of its own; process:N, in N. Kept over reloads."
  )

  private static let maxPluginBytes = 1 << 30
  private static let maxConfigBytes = 1 << 20
  /// What fits into a header beside the others.
  private static let maxHeaderConfigBytes = 3072

  // MARK: Reading

  private static func list(_ invocation: Invocation) throws {
    let document = try AdminClient(invocation).call(.listAutomations)
    invocation.show(document) { document in
      guard !document.items.isEmpty else { return "No automation is loaded: council automations load FILE" }
      var table = Table([
        "ID", "STATE", "GENERATION", "VERSION", "ISOLATION", "ROUTES", "INSIDE", "DRAINING", "TITLE",
      ])
      for item in document.items {
        table.add([
          item.cell("id"), item.cell("state"), generation(item), item.cell("version"),
          item.cell("isolation"), item.cell("route_count"), item.cell("requests_inside"),
          (item["draining"]?.array ?? []).map { "\($0.cell("generation")):\($0.cell("state"))" }.joined(
            separator: ","),
          item.cell("title"),
        ])
      }
      return table.text(invocation.style) { $0 == 1 ? invocation.style.state($1) : $1 }
    }
  }

  private static func generation(_ item: JSONValue) -> String {
    item.cell("generation") + (item["stands_in_for"]?.integer.map { " for \($0)" } ?? "")
  }

  private static func show(_ invocation: Invocation) throws {
    let document = try AdminClient(invocation).call(.showAutomation, invocation.arguments)
    invocation.show(document) { document in
      let style = invocation.style
      var lines = [
        "\(style.paint(document.cell("id"), .bold))  \(style.state(document.cell("state")))",
        "title     \(Table.printable(document.cell("title")))",
        "version   \(Table.printable(document.cell("version")))",
        "sha256    \(document.cell("sha256"))", "source    \(Table.printable(document.cell("source")))",
        "signed    \(signer(document["signature"]))",
        "records   \(document.cell("records"))", "isolation \(document.cell("isolation"))",
      ]
      if let displaced = document["stands_in_for"]?.integer {
        lines.append(
          style.paint(
            "stands in for generation \(displaced), which crashed too often, until it is reloaded or rolled back",
            .warn))
      }
      if let limits = document["usage"]?["limits"] { lines.append("limits    \(limitsText(limits))") }
      if let canary = document["canary"]?.object {
        lines.append("canary    " + ReloadCommands.text(.object(canary)))
      }
      if let recording = document["recording"]?.object {
        lines.append("recording " + ReloadCommands.recordingText(.object(recording)))
      }
      lines += (document["runners"]?.array ?? []).map { runner in
        "runner    \(runner.cell("state")), pid \(runner.cell("pid")), \(runner.cell("crashes")) crash(es), "
          + "\(runner.cell("cpu_s")) s CPU, \(runner.cell("resident_bytes")) bytes resident"
      }
      lines.append("")
      var routes = Table(["METHOD", "PATH", "OPERATION", "SCOPE", "RUNS"])
      for route in document["routes"]?.array ?? [] {
        let isMoved = route["moved_to_workers"]?.bool == true
        routes.add(
          ["method", "path", "operation", "scope"].map { route.cell($0) }
            + [isMoved ? "inline, moved to workers: it blocks" : route.cell("execution")])
      }
      lines += [routes.text(style), "", OperationTable.text(document["routes"]?.array ?? [], style), ""]
      if let usage = document["usage"] { lines += [UsageCommand.table([usage]).text(style), ""] }
      var generations = Table(["GENERATION", "STATE", "VERSION", "INSIDE", "LOADED", "SHA256"])
      for item in document["generations"]?.array ?? [] {
        generations.add(
          ["generation", "state", "version", "requests_inside", "loaded"].map { item.cell($0) }
            + [String(item.cell("sha256").prefix(16))])
      }
      lines.append(generations.text(style) { $0 == 1 ? style.state($1) : $1 })
      let crashes = document["crashes"]?.array ?? []
      if !crashes.isEmpty {
        var table = Table(["CRASHED", "CAUSE", "GENERATION", "CALL", "ROUTE", "REQUEST"])
        for crash in crashes {
          table.add(["time", "cause", "generation", "call", "route", "request_id"].map { crash.cell($0) })
        }
        lines += ["", table.text(style)]
      }
      return lines.joined(separator: "\n")
    }
  }

  /// What the automation may take of the host; `council automations top` says what it takes.
  private static func limitsText(_ limits: JSONValue) -> String {
    let budget = limits["cpu_ms_per_minute"]?.integer ?? 0
    var parts = [
      "\(limits.cell("max_calls")) calls",
      budget > 0 ? "\(budget) ms CPU per minute" : "no budget of CPU time",
    ]
    if let store = limits["store_ms_per_minute"]?.integer, store > 0 {
      parts.append("\(store) ms in its store per minute")
    }
    // Nothing of it waits for the host's workers where there is none.
    if let queue = limits["max_queue"]?.integer { parts.append("\(queue) waiting") }
    if let workers = limits["max_workers"]?.integer { parts.append("\(workers) worker(s)") }
    return parts.joined(separator: ", ")
  }

  /// `ci (key …, at …)`: the name that the host's configuration gives the key.
  private static func signer(_ signature: JSONValue?) -> String {
    guard let signature, signature.object != nil else { return "no" }
    let name = signature["signer"]?.string ?? "a key that the host does not trust"
    return Table.printable("\(name) (key \(signature.cell("key_id")), at \(signature.cell("signed_at")))")
  }

  // MARK: Changing

  private static func load(_ invocation: Invocation) throws {
    let query = (invocation.has("--replace") ? [("replace", "true")] : []) + isolation(invocation)
    try change(invocation, .loadAutomation, [], file: invocation.argument(0), query: query)
  }

  private static func reload(_ invocation: Invocation) throws {
    if invocation.has("--with") { return try ReloadCommands.reloadTogether(invocation) }
    try change(
      invocation, .reloadAutomation, [invocation.arguments[0]], file: invocation.argument(1),
      query: try ReloadCommands.query(invocation) + isolation(invocation))
  }

  private static func isolation(_ invocation: Invocation) -> [(String, String)] {
    invocation.value("--isolation").map { [("isolation", $0)] } ?? []
  }

  private static func rollBack(_ invocation: Invocation) throws {
    if invocation.has("--with") { return try ReloadCommands.rollBackTogether(invocation) }
    let number = try invocation.whole("--to", in: 1...Int(Int32.max))
    let body =
      number.map { OutgoingRequest.Body.bytes(JSON.encode(["generation": .integer(Int64($0))])) } ?? .none
    try report(
      try AdminClient(invocation).call(.rollBackAutomation, invocation.arguments, body: body), invocation)
  }

  private static func unload(_ invocation: Invocation) throws {
    let document = try AdminClient(invocation).call(.unloadAutomation, invocation.arguments)
    invocation.show(document) { document in
      "\(document.cell("automation")): unloaded\(draining(document)). Its records stay."
    }
  }

  private static func configure(_ invocation: Invocation) throws {
    guard let path = invocation.value("--set") else {
      let document = try AdminClient(invocation).call(.readConfiguration, invocation.arguments)
      return invocation.show(document) { JSON.text($0["config"] ?? .null, pretty: true) }
    }
    let config = try configuration(path, invocation)
    try report(
      try AdminClient(invocation).call(
        .changeConfiguration, invocation.arguments, body: .bytes(JSON.encode(config))), invocation)
  }

  private static func change(
    _ invocation: Invocation, _ endpoint: AdminEndpoint, _ parameters: [String], file: String?,
    query: [(String, String)]
  ) throws {
    let files = invocation.services.files
    let client = try AdminClient(invocation)
    let config = try invocation.value("--config").map { try configuration($0, invocation) }
    guard let file, !invocation.has("--by-path") else {
      var members: [String: JSONValue] = [:]
      if let file { members["path"] = .string(files.absolute(file)) }
      if let sha256 = invocation.value("--sha256") { members["sha256"] = .string(sha256) }
      if let config { members["config"] = config }
      return try report(
        try client.call(
          endpoint, parameters, query: query,
          body: members.isEmpty ? .none : .bytes(JSON.encode(.object(members)))), invocation)
    }
    try report(
      try upload(
        file, config: config, sha256: invocation.value("--sha256"), to: client, endpoint, parameters,
        query: query,
        invocation), invocation)
  }

  /// Sends a file, and refuses to when it is not the one that `sha256` names.
  static func upload(
    _ file: String, config: JSONValue?, sha256 wanted: String? = nil, to client: AdminClient,
    _ endpoint: AdminEndpoint, _ parameters: [String] = [], query: [(String, String)],
    _ invocation: Invocation
  ) throws -> JSONValue {
    let files = invocation.services.files
    let bytes = try files.read(file, maxBytes: maxPluginBytes)
    let sha256 = invocation.services.digests.sha256(bytes.span).hex
    if let wanted, wanted.lowercased() != sha256 {
      throw Problem(422, "plugin.file.hash_mismatch", "The SHA-256 of '\(file)' is \(sha256), not \(wanted).")
    }
    var headers = [(name: "Content-Type", value: "application/octet-stream")]
    headers.append((name: "X-Content-SHA256", value: sha256))
    if let config {
      let text = JSON.encode(config)
      guard text.count <= maxHeaderConfigBytes else {
        throw invocation.usage(
          "a configuration above \(maxHeaderConfigBytes) bytes does not go with an upload: use --by-path, or "
            + "`council automations config ID --set FILE` afterwards")
      }
      headers.append((name: "X-Automation-Config", value: Base64URL.encode(text)))
    }
    return try client.call(
      endpoint, parameters, query: query, headers: headers, body: .file(files.absolute(file)))
  }

  static func configuration(_ path: String, _ invocation: Invocation) throws -> JSONValue {
    let bytes = try invocation.services.files.read(path, maxBytes: maxConfigBytes)
    guard let value = try? JSONValue.parse(bytes.span), value.object != nil else {
      throw CommandFailure.local("'\(path)' is no JSON object")
    }
    return value
  }

  private static func report(_ document: JSONValue, _ invocation: Invocation) throws {
    if document["percent"] != nil { return try ReloadCommands.follow(document, invocation) }
    invocation.show(document) { document in
      let previous = document["previous"].map { " (was \($0.cell))" } ?? ""
      let steps = [
        "receive", "validate", "probe", "plan", "replay", "load", "start", "swap", "store", "drain",
      ]
      .compactMap { step in
        (document["steps_ms"]?[step]).map { "\(step) \($0.cell)" }
      }
      let warnings = LintOutput.lines(document["warnings"]?.array ?? [], invocation.style)
      return warnings.map { $0 + "\n" }.joined() + """
        \(document.cell("automation")): generation \(document.cell("generation")) serves\(previous), \
        version \(Table.printable(document.cell("version"))), \(document.cell("routes")) route(s)\(draining(document))
        \(document.cell("total_ms")) ms: \(steps.joined(separator: ", "))
        """
    }
  }

  private static func draining(_ document: JSONValue) -> String {
    document["draining"]?.bool == true ? "; requests still run in the generation before" : ""
  }
}
