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
      // A folder that is not there would be made, and its empty trail found right.
      guard invocation.services.files.kind(home) == .folder else {
        throw CommandFailure.local("no folder is at '\(home)'")
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
      words: ["config", "check"], summary: "Says whether a configuration file is right, and what it sets.",
      arguments: [.init(name: "FILE", help: "The file that `council serve --config` would read.")],
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
    let body = OutgoingRequest.Body.bytes(JSON.encode(["level": name]))
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

  private static func checkConfig(_ invocation: Invocation) throws {
    let path = invocation.services.files.absolute(invocation.arguments[0])
    let set = try invocation.services.checkConfiguration(path)
    invocation.show(["file": .string(path), "valid": true, "set": set]) { document in
      "\(path) is right. It sets:\n\(JSON.text(document["set"] ?? .null, pretty: true))"
    }
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
