import Application
import Domain
import Kernel

/// `council keys …`, with a running host.
enum KeyCommands {
  static let all = [
    Command(
      words: ["keys", "issue"], summary: "Makes a key. Its text is shown once and kept nowhere.",
      notes: [
        "Standard output is the key's text and nothing else.",
        """
        With --offline the keys go straight into the store of --home, many at a time, without a row in the audit \
        trail. No host may use that folder meanwhile.
        """,
      ],
      options: [
        .init(name: "--principal", value: "NAME", help: "Who calls with it.", isRequired: true),
        .init(
          name: "--scope", value: "SCOPE", help: "What it may do: accounts:read, accounts:*.",
          isRepeated: true, isRequired: true),
        .init(name: "--name", value: "TEXT", help: "What it is for."),
        .init(
          name: "--limit", value: "N/PERIOD",
          help: "Requests per period: 200/60s, 1000/h. Default: the host's."),
        .init(
          name: "--answer-limit", value: "N",
          help: "Characters that an answer may have: 256 to 16777215. Default: the host's."),
        .init(
          name: "--expires-in", value: "DURATION",
          help: "How long it is good: 24h, 90d. Default: until revoked."),
        .init(
          name: "--output", value: "FILE", help: "Write the key here (a new file, 0600), not to the screen."),
        .init(name: "--offline", help: "Write to the store of --home without a host."),
        .init(name: "--home", value: "DIR", help: "The host's data folder, with --offline."),
        .init(name: "--count", value: "N", help: "How many keys, with --offline. One text a line."),
      ],
      examples: [
        "council keys issue --principal billing --scope accounts:read --limit 1000/60s --expires-in 90d",
        "council keys issue --offline --home ./var --count 1000 --principal bench --scope '*' --output keys.txt",
      ],
      endpoints: [.issueKey], run: issue),
    Command(
      words: ["keys", "list"], summary: "Lists keys, newest first; never their texts.",
      options: [
        .init(name: "--limit", value: "N", help: "How many, 1 to 1000. Default: 100."),
        .init(name: "--after", value: "CURSOR", help: "Go on where a page ended."),
        .init(name: "--all", help: "Every page."),
      ],
      endpoints: [.listKeys], run: list),
    Command(
      words: ["keys", "revoke"], summary: "Ends a key at once.", arguments: [id], endpoints: [.revokeKey],
      run: revoke),
    Command(
      words: ["keys", "rotate"],
      summary: "Makes a successor with the same rights; the old key ends after a grace.",
      arguments: [id],
      options: [
        .init(name: "--grace", value: "DURATION", help: "How long the old one still works. Default: 0s."),
        .init(
          name: "--output", value: "FILE", help: "Write the key here (a new file, 0600), not to the screen."),
      ],
      examples: ["council keys rotate 4b7t0d9xq2ma --grace 24h --output agent.key"],
      endpoints: [.rotateKey], run: rotate),
  ]

  private static let id = Command.Argument(name: "ID", help: "The key's public id: ck_<id>_….")

  private static func issue(_ invocation: Invocation) throws {
    if invocation.has("--offline") { return try OfflineKeys.issue(invocation) }
    for option in ["--home", "--count"] where invocation.has(option) {
      throw invocation.usage("\(option) goes with --offline")
    }
    let output = try reserve(invocation)
    var body: [String: JSONValue] = [
      "principal": .string(invocation.value("--principal") ?? ""),
      "scopes": .array(invocation.values("--scope").map(JSONValue.string)),
    ]
    if let name = invocation.value("--name") { body["name"] = .string(name) }
    if let limit = try limit(invocation) {
      body["limit"] = ["requests": .integer(Int64(limit.requests)), "per_s": .integer(Int64(limit.seconds))]
    }
    if let limit = try invocation.whole("--answer-limit", in: KeyRecord.answerLimits) {
      body["answer_limit"] = .integer(Int64(limit))
    }
    if let lifetime = try invocation.duration("--expires-in") {
      body["expires_in_s"] = .integer(Int64(lifetime))
    }
    let document = try AdminClient(invocation).call(.issueKey, body: .bytes(JSON.encode(.object(body))))
    try show(document, output, invocation)
  }

  private static func list(_ invocation: Invocation) throws {
    let client = try AdminClient(invocation)
    let document = try Pages.read(invocation, defaultLimit: 100) { after, limit in
      try client.call(.listKeys, query: after + [("limit", String(limit))])
    }
    invocation.show(document) { document in
      var table = Table(["ID", "STATE", "PRINCIPAL", "SCOPES", "LIMIT", "EXPIRES", "LAST USED", "NAME"])
      for key in document.items {
        let limit = key["limit"]?.object.map {
          "\(($0["requests"] ?? .null).cell)/\(($0["per_s"] ?? .null).cell)s"
        }
        table.add([
          key.cell("id"), key.cell("state"), key.cell("principal"), key.cell("scopes"), limit ?? "default",
          key.cell("expires"), key.cell("last_used"), key.cell("name"),
        ])
      }
      return table.text(invocation.style) { $0 == 1 ? invocation.style.state($1) : $1 }
        + Pages.more(document, "council keys list")
    }
  }

  private static func revoke(_ invocation: Invocation) throws {
    let document = try AdminClient(invocation).call(.revokeKey, invocation.arguments)
    invocation.show(document) {
      "key \($0.cell("id")) of \(Table.printable($0.cell("principal"))) is revoked"
    }
  }

  private static func rotate(_ invocation: Invocation) throws {
    let grace = try invocation.duration("--grace") ?? 0
    let output = try reserve(invocation)
    let document = try AdminClient(invocation).call(
      .rotateKey, invocation.arguments, body: .bytes(JSON.encode(["grace_s": .integer(Int64(grace))])))
    try show(document, output, invocation)
    if !invocation.wantsJSON, let old = document["replaces"] {
      invocation.note("key \(old.cell("id")) ends \(old.cell("expires"))")
    }
  }

  static func limit(_ invocation: Invocation) throws -> (requests: Int, seconds: Int)? {
    guard let text = invocation.value("--limit") else { return nil }
    guard let limit = Quantities.rate(text) else {
      throw invocation.wrong("--limit", "a rate like 200/60s or 1000/h", text)
    }
    return limit
  }

  /// The file is made before the key is: a key that cannot be written down is lost.
  private static func reserve(_ invocation: Invocation) throws -> (any OutputFile)? {
    try invocation.value("--output").map { try invocation.services.files.create($0, mode: 0o600) }
  }

  private static func show(_ document: JSONValue, _ output: (any OutputFile)?, _ invocation: Invocation)
    throws
  {
    guard let key = document["key"]?.string else {
      throw CommandFailure.foreign("the host's answer holds no key")
    }
    if let output {
      try output.write(Array((key + "\n").utf8))
      try output.close()
    }
    if invocation.wantsJSON {
      var document = document.object ?? [:]
      if output != nil { document["key"] = nil }
      return invocation.show(.object(document)) { _ in "" }
    }
    if output == nil { invocation.print(key) }
    invocation.note(
      "key \(document.cell("id")) for \(Table.printable(document.cell("principal"))): \(document.cell("scopes")); "
        + (output == nil
          ? "this is the only time it is shown" : "written to \(invocation.value("--output") ?? "")"))
  }
}

/// Listings that come in pages.
enum Pages {
  static let range = 1...1000

  /// One page, or with `--all` every page, as one document.
  static func read(
    _ invocation: Invocation, defaultLimit: Int,
    _ page: (_ after: [(String, String)], _ limit: Int) throws -> JSONValue
  ) throws -> JSONValue {
    let limit =
      try invocation.whole("--limit", in: range)
      ?? (invocation.has("--all") ? range.upperBound : defaultLimit)
    var after = invocation.value("--after").map { [("after", $0)] } ?? []
    var items: [JSONValue] = []
    while true {
      let document = try page(after, limit)
      items += document.items
      let next = document["next"] ?? .null
      guard invocation.has("--all"), next != .null else { return ["items": .array(items), "next": next] }
      guard after.first?.1 != next.cell else { throw CommandFailure.foreign("the host's pages do not end") }
      after = [("after", next.cell)]
    }
  }

  static func more(_ document: JSONValue, _ command: String) -> String {
    guard let next = document["next"], next != .null else { return "" }
    return "\nThere are more: \(command) --after \(next.cell)"
  }
}
