import Application
import Kernel

/// `council quarantine …`
enum QuarantineCommands {
  static let all = [
    Command(
      words: ["quarantine", "list"], summary: "Lists files that are not loaded again, and why.",
      endpoints: [.listQuarantine], run: list),
    Command(
      words: ["quarantine", "release"], summary: "Lets a file be loaded again.",
      arguments: [.init(name: "SHA256", help: "The file's hash, as the list shows it.")],
      endpoints: [.releaseQuarantine], run: release),
  ]

  private static func list(_ invocation: Invocation) throws {
    let document = try AdminClient(invocation).call(.listQuarantine)
    invocation.show(document) { document in
      guard !document.items.isEmpty else { return "Nothing is in quarantine." }
      var table = Table(["SHA256", "SINCE", "CODE", "DETAIL"])
      for item in document.items { table.add(["sha256", "since", "code", "detail"].map { item.cell($0) }) }
      return table.text(invocation.style)
    }
  }

  private static func release(_ invocation: Invocation) throws {
    let document = try AdminClient(invocation).call(.releaseQuarantine, invocation.arguments)
    invocation.show(document) { "\($0.cell("sha256")) may be loaded again" }
  }
}

/// `council audit …`
enum AuditCommands {
  static let all = [
    Command(
      words: ["audit", "read"], summary: "Prints the audit trail, oldest first, one JSON row a line.",
      notes: [
        "A call's row says \"dry_run\" when what its handler wrote was undone, \"replayed\" when an idempotency key had its",
        "answer, and \"job\" when it became that job or asked for it. A job's end is a row with \"job_end\": \"ended\",",
        "\"cancelled\" or \"lost\", its status and how long it took.",
      ],
      options: [
        .init(name: "--after", value: "SEQ", help: "Rows after this number. Default: 0, from the first."),
        .init(name: "--limit", value: "N", help: "How many, 1 to 1000. Default: 100."),
        .init(name: "--all", help: "Every page."),
      ],
      endpoints: [.readAudit], run: read),
    Command(
      words: ["audit", "verify"],
      summary: "Walks the whole chain of hashes; fails at the first row that was touched.",
      options: [
        .init(name: "--home", value: "DIR", help: "Verify the files of this data folder; no host may use it.")
      ],
      endpoints: [.verifyAudit], run: verify),
  ]

  private static func read(_ invocation: Invocation) throws {
    let client = try AdminClient(invocation)
    let document = try Pages.read(invocation, defaultLimit: 100) { after, limit in
      try client.call(.readAudit, query: after + [("limit", String(limit))])
    }
    if invocation.wantsJSON { return invocation.show(document) { _ in "" } }
    for row in document.items { invocation.print(JSON.text(row)) }
    let more = Pages.more(document, "council audit read")
    if !more.isEmpty { invocation.note(String(more.dropFirst())) }
  }

  private static func verify(_ invocation: Invocation) throws {
    var document: JSONValue
    if let home = invocation.value("--home").map(invocation.services.files.absolute) {
      // What is not there would be made, and its empty trail found right.
      guard invocation.services.files.kind(home + "/audit") == .folder else {
        throw CommandFailure.local("no audit trail is at '\(home)/audit'")
      }
      let verification = try invocation.services.openAudit(home).verify()
      document = ["rows": .integer(verification.rows), "last_hash": .string(verification.lastHash)]
    } else {
      document = try AdminClient(invocation).call(.verifyAudit)
    }
    invocation.show(document) { "\($0.cell("rows")) row(s) fit; the last hash is \($0.cell("last_hash"))" }
  }
}

/// The host itself: log level, health, metrics, configuration, version.
enum HostCommands {
  static let all = [
    Command(
      words: ["log-level", "get"], summary: "Prints the least level that is logged.",
      endpoints: [.readLogLevel],
      run: readLevel),
    Command(
      words: ["log-level", "set"], summary: "Changes it at once, until the host ends.",
      arguments: [.init(name: "LEVEL", help: LogLevel.allCases.map(\.name).joined(separator: ", ") + ".")],
      endpoints: [.changeLogLevel], run: changeLevel),
    Command(
      words: ["health"], summary: "Says whether the host lives and is ready; exits 1 when it is not.",
      endpoints: [.live, .ready], run: health),
    Command(
      words: ["metrics"], summary: "Prints the host's metrics as Prometheus reads them.",
      endpoints: [.metrics],
      takesJSON: false, run: metrics),
    Command(
      words: ["openapi"], summary: "Prints the OpenAPI document of the admin API.", endpoints: [.describe],
      takesJSON: false, run: describe),
    Command(
      words: ["upgrade"],
      summary:
        "Hands over to a fresh host process, with the program and configuration of now; no request is lost.",
      notes: ["When the fresh host does not get ready, the old one goes on, and the cause is printed."],
      endpoints: [.upgradeHost], run: upgrade),
    Command(
      words: ["crashes"], summary: "Lists crashes of the host, and whose code it was.",
      endpoints: [.listCrashes], run: crashes),
    Command(
      words: ["config", "default"], summary: "Prints the whole default configuration, explained.",
      takesJSON: false,
      run: { $0.services.terminal.write($0.services.defaultConfiguration()) }),
    Command(
      words: ["config", "check"],
      summary: "Says whether a host could serve with a configuration file, and what it sets.",
      notes: [
        "Tries what serving needs: the home, the addresses, the TLS files, the plugins. Exits as serve would when one fails."
      ],
      arguments: [.init(name: "FILE", help: "The file that `council serve --config` would read.")],
      options: [
        .init(name: "--home", value: "DIR", help: "The data folder. Default: ./var."),
        .init(name: "--port", value: "N", help: "As of council serve."),
        .init(name: "--admin-port", value: "N", help: "As of council serve."),
        .init(name: "--load", value: "PLUGIN.so", help: "As of council serve.", isRepeated: true),
        .init(name: "--file-only", help: "Read the file, and try nothing on this machine."),
      ],
      run: checkConfig),
    Command(
      words: ["version"], summary: "Prints the versions of this program and of the plugin contract.",
      run: version),
  ]

  private static func readLevel(_ invocation: Invocation) throws {
    invocation.show(try AdminClient(invocation).call(.readLogLevel)) { $0.cell("level") }
  }

  private static func changeLevel(_ invocation: Invocation) throws {
    let name = invocation.arguments[0]
    guard LogLevel(name: name) != nil else {
      throw invocation.usage(
        "'\(name)' is no level\(Suggestion.text(name, LogLevel.allCases.map(\.name))); levels: "
          + LogLevel.allCases.map(\.name).joined(separator: ", "))
    }
    let body = OutgoingRequest.Body.bytes(JSON.encode(["level": .string(name)]))
    invocation.show(try AdminClient(invocation).call(.changeLogLevel, body: body)) { $0.cell("level") }
  }

  private static func health(_ invocation: Invocation) throws {
    let client = try AdminClient(invocation)
    _ = try client.call(.live)
    let answer = try client.send(.ready, also: 503)
    guard let ready = try? JSONValue.parse(answer.body.span), let status = ready["status"]?.string else {
      throw CommandFailure.foreign("what answers is not Council's admin listener: check --admin")
    }
    let failures = (ready["failures"]?.object ?? [:]).sorted { $0.key < $1.key }
    guard answer.status != 503 else {
      throw Problem(
        503, "host.\(status)",
        "The host is not ready: "
          + failures.map { "\($0.key): \($0.value.cell)" }.joined(separator: "; "),
        members: ["failures": ready["failures"] ?? .null])
    }
    invocation.show(ready) { invocation.style.state($0.cell("status")) }
  }

  private static func upgrade(_ invocation: Invocation) throws {
    let document = try AdminClient(invocation).call(.upgradeHost)
    invocation.show(document) { "a fresh host serves, after \($0.cell("total_ms")) ms" }
  }

  private static func crashes(_ invocation: Invocation) throws {
    let document = try AdminClient(invocation).call(.listCrashes)
    invocation.show(document) { document in
      guard !document.items.isEmpty else { return "No host has crashed." }
      var table = Table(["TIME", "CAUSE", "AUTOMATION", "GENERATION", "CALL", "ROUTE", "REQUEST"])
      for item in document.items {
        table.add(
          ["time", "cause", "automation", "generation", "call", "route", "request_id"].map { item.cell($0) })
      }
      return table.text(invocation.style)
    }
  }

  private static func metrics(_ invocation: Invocation) throws {
    let answer = try AdminClient(invocation).send(.metrics)
    invocation.services.terminal.write(String(decoding: answer.body, as: UTF8.self))
  }

  private static func describe(_ invocation: Invocation) throws {
    let answer = try AdminClient(invocation).send(.describe)
    invocation.services.terminal.write(String(decoding: answer.body, as: UTF8.self) + "\n")
  }

  private static func checkConfig(_ invocation: Invocation) throws {
    let path = invocation.services.files.absolute(invocation.arguments[0])
    let files = invocation.services.files
    var options = ServeOptions()
    options.configFile = path
    options.home = files.absolute(invocation.value("--home") ?? "var")
    options.port = try invocation.whole("--port", in: 0...65_535)
    options.adminPort = try invocation.whole("--admin-port", in: 0...65_535)
    options.load = invocation.values("--load").map(files.absolute)
    let report = try invocation.services.checkConfiguration(options, !invocation.has("--file-only"))
    let faults = report.findings.filter { !$0.isGood }
    guard let first = faults.first else {
      let tried = JSONValue.array(report.findings.map(\.json))
      return invocation.show(
        ["file": .string(path), "valid": true, "set": report.values, "tried": tried]
      ) { document in
        "\(path) is right. It sets:\n\(JSON.text(document["set"] ?? .null, pretty: true))"
          + report.findings.map { "\n\($0.what): \($0.detail)" }.joined()
      }
    }
    throw Problem(
      422, first.code,
      "A host could not serve with \(path): "
        + faults.map { "\($0.what): \($0.detail)" }.joined(separator: "; "),
      members: ["errors": .array(faults.map(\.json))])
  }

  private static func version(_ invocation: Invocation) {
    let version = invocation.services.version
    let majors = version.abiMajors.map { JSONValue.integer(Int64($0)) }
    invocation.show(
      [
        "council": .string(version.council), "abi_majors": .array(majors),
        "abi_minor": .integer(Int64(version.abiMinor)),
      ]
    ) { _ in
      "council \(version.council), plugin contract \(version.abiMajors.map(String.init).joined(separator: " and ")) "
        + "(minor \(version.abiMinor))"
    }
  }
}
