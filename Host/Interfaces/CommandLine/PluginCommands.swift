import Application
import Domain
import Kernel

/// `council plugin …`: what an author does, without a host.
enum PluginCommands {
  static let all = [
    Command(
      words: ["plugin", "new"], summary: "Makes the project of a plugin that builds and loads as it stands.",
      arguments: [
        .init(name: "NAME", help: "The automation's id: a-z, 0-9 and '-', starting with a letter.")
      ],
      options: [
        .init(name: "--lang", value: "LANG", help: "swift or c.", isRequired: true),
        .init(name: "--dir", value: "DIR", help: "The folder to make. Default: ./NAME."),
        .init(
          name: "--council-path", value: "DIR",
          help:
            "Where Council's PluginAPI folder is. Default: COUNCIL_PATH, or found from this program's own place."
        ),
      ],
      examples: ["council plugin new orders --lang swift"], run: make),
    Command(
      words: ["plugin", "check"],
      summary: "Tries a plugin as a host would, without one: validate, probe, manifest, plan, lint.",
      arguments: [file],
      options: [config, SigningCommands.trust] + LintOutput.options,
      run: check),
    Command(
      words: ["plugin", "seal"], summary: "Probes a plugin and writes its manifest into the file.",
      notes: ["A sealed plugin's routes and records are known before any of it runs."],
      arguments: [file],
      options: [
        .init(
          name: "--output", short: "-o", value: "OUT",
          help: "Where the sealed file goes. Default: FILE itself."),
        config,
      ], run: seal),
    Command(
      words: ["plugin", "show"],
      summary: "Reads the manifest that was sealed into a plugin; runs none of it.",
      arguments: [file], options: [SigningCommands.trust], run: show),
    ReplayCommand.replay,
  ]

  private static let config = Command.Option(
    name: "--config", value: "FILE", help: "The configuration it is created with, JSON. Default: {}.")

  private static func configuration(_ invocation: Invocation) throws -> [UInt8] {
    try invocation.value("--config").map {
      JSON.encode(try AutomationCommands.configuration($0, invocation))
    } ?? Array("{}".utf8)
  }

  private static let file = Command.Argument(name: "FILE", help: "The plugin, a shared library (.so).")

  // MARK: New

  private static func make(_ invocation: Invocation) throws {
    let project = try PluginTemplate(invocation).make()
    invocation.show([
      "folder": .string(project.folder), "files": .array(project.files.map(JSONValue.string)),
      "council_path": .string(project.councilPath),
    ]) { _ in
      (["\(project.folder) is made:"] + project.files.map { "  " + $0 }).joined(separator: "\n")
    }
  }

  // MARK: Check

  private static func check(_ invocation: Invocation) throws {
    let services = invocation.services
    let path = try existing(invocation)
    let config = try configuration(invocation)
    let rules = try LintOutput.rules(invocation)
    var steps: [(name: String, nanoseconds: Int64)] = []
    func measure<Result>(_ name: String, _ body: () throws -> Result) throws -> Result {
      let began = Instant.now
      do {
        let result = try body()
        steps.append((name, Instant.now - began))
        return result
      } catch var problem as Problem {
        if problem.members["step"] == nil { problem.members["step"] = .string(name) }
        throw problem
      }
    }
    let facts = try measure("validate") { try services.inspector.validate(path: path) }
    try SigningCommands.checkTrust(facts, invocation)
    let probe = try measure("probe") {
      try services.inspector.probe(path: path, config: config)
    }
    let manifest = try measure("manifest") {
      if let sealed = facts.sealedManifest, sealed != probe.manifest {
        throw Problem(
          422, "plugin.manifest.not_as_sealed",
          "The plugin's manifest differs from the one sealed into its file: seal it again."
        )
      }
      return try Manifest.parse(probe.manifest)
    }
    let migration = try measure("plan") { try services.plan(manifest, config) }
    let lint = try measure("lint") { try LintManifest(rules)(manifest) }
    let routes = manifest.routes.map { OperationTable.route($0, of: manifest) }
    let document: JSONValue = [
      "file": .string(path), "sha256": .string(facts.sha256), "bytes": .integer(Int64(facts.bytes)),
      "sealed": .bool(facts.sealedManifest != nil), "signature": SigningCommands.json(facts, invocation),
      "id": .string(manifest.id), "lint": lint.json,
      "version": .string(manifest.version),
      "routes": .array(routes),
      "migration": .array(migration.map(JSONValue.string)),
      "steps_ms": .object(
        Dictionary(steps.map { ($0.name, .number(Double($0.nanoseconds / 1000) / 1000)) }) { first, _ in first
        }),
    ]
    invocation.show(document) { _ in
      let style = invocation.style
      var lines = steps.map {
        "\(style.paint("ok", .good))  \($0.name)  \(Double($0.nanoseconds / 1000) / 1000) ms"
      }
      lines.append("")
      lines.append(summary(manifest, routes, facts, invocation))
      if rules.mode != .off { lines += [""] + LintOutput.lines(lint, style) }
      return lines.joined(separator: "\n")
    }
  }

  // MARK: Seal, show

  private static func seal(_ invocation: Invocation) throws {
    let path = try existing(invocation)
    let output = invocation.value("--output").map(invocation.services.files.absolute) ?? path
    let report = try invocation.services.sealer.seal(
      path: path, output: output, config: try configuration(invocation))
    let manifest = try Manifest.parse(report.manifest)
    invocation.show([
      "output": .string(report.output), "sha256": .string(report.sha256), "id": .string(manifest.id),
      "version": .string(manifest.version),
    ]) { _ in
      "\(report.output): \(manifest.id) \(Table.printable(manifest.version)) is sealed\nsha256 \(report.sha256)"
    }
  }

  private static func show(_ invocation: Invocation) throws {
    let path = try existing(invocation)
    let facts = try invocation.services.inspector.validate(path: path)
    try SigningCommands.checkTrust(facts, invocation)
    var document: [String: JSONValue] = [
      "file": .string(path), "sha256": .string(facts.sha256), "bytes": .integer(Int64(facts.bytes)),
      "needs": .array(facts.neededLibraries.map(JSONValue.string)),
      "sealed": .bool(facts.sealedManifest != nil), "signature": SigningCommands.json(facts, invocation),
    ]
    guard let sealed = facts.sealedManifest else {
      return invocation.show(.object(document)) { _ in
        """
        \(path) is a plugin, but it is not sealed: what it does is known only by running it.
        council plugin check runs it in a probe; council plugin seal writes its manifest into the file.
        """
      }
    }
    let manifest = try Manifest.parse(sealed)
    document["manifest"] = try? JSONValue.parse(sealed.span)
    let routes = manifest.routes.map { OperationTable.route($0, of: manifest) }
    document["routes"] = .array(routes)
    invocation.show(.object(document)) { _ in summary(manifest, routes, facts, invocation) }
  }

  private static func summary(
    _ manifest: Manifest, _ routes: [JSONValue], _ facts: PluginFileFacts, _ invocation: Invocation
  ) -> String {
    let style = invocation.style
    var table = Table(["METHOD", "PATH", "OPERATION", "SCOPE", "RUNS"])
    for route in manifest.routes {
      table.add([
        route.method.rawValue, manifest.root + route.path, route.operation, route.scope ?? "(public)",
        route.execution.rawValue,
      ])
    }
    return """
      \(style.paint(manifest.id, .bold)) \(Table.printable(manifest.version))  \(Table.printable(manifest.title))
      sha256   \(facts.sha256)
      sealed   \(facts.sealedManifest == nil ? "no" : "yes")
      signed   \(SigningCommands.line(facts, invocation))
      needs    \(facts.neededLibraries.isEmpty ? "-" : facts.neededLibraries.map(Table.printable).joined(separator: " "))
      records  \(manifest.collections.isEmpty ? "-" : manifest.collections.map(\.name).joined(separator: " "))

      \(table.text(style))

      \(OperationTable.text(routes, style))
      """
  }

  static func existing(_ invocation: Invocation) throws -> String {
    let files = invocation.services.files
    let path = files.absolute(invocation.arguments[0])
    if files.kind(path) == .missing { throw CommandFailure.local("no file is at '\(path)'") }
    return path
  }
}
