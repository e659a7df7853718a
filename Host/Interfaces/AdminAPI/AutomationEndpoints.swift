import Application
import Domain
import Kernel

// Automations: see them, change them.

extension AdminApplication {
  func listAutomations() -> AdminAnswer {
    let draining = ports.automations.retiring + ports.automations.stuck
    let serving = ports.automations.live.map { JSONValue.object(summary($0.generation, draining)) }
    let missing = ports.automations.unavailable.sorted { $0.key < $1.key }.map { id, why -> JSONValue in
      ["id": .string(id), "state": .string(why.rawValue)]
    }
    return AdminAnswer(["items": .array(serving + missing)] as JSONValue)
  }

  func showAutomation(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    let id = request.parameter("id")
    let live = ports.automations.live(id)?.generation
    let known = try ports.catalog.generations(of: id)
    let draining = ports.automations.retiring + ports.automations.stuck
    guard live != nil || !known.isEmpty else { throw AdminApplication.notFound(id) }
    let missing = ports.automations.unavailable[id]?.rawValue
    var document: [String: JSONValue] = ["id": .string(id), "state": .string(missing ?? "unloaded")]
    if let live {
      document = summary(live, draining)
      let manifest = live.manifest
      document["summary"] = .string(manifest.summary)
      document["requires"] = .array(manifest.requires.map(JSONValue.string))
      document["records"] = .array(manifest.collections.map { .string($0.name) })
      document["source"] = live.record.source.map(JSONValue.string) ?? .null
      document["loaded"] = .string(live.record.loaded.text)
      document["signature"] = live.signature?.json ?? .null
      let routes = ports.automations.live(id)?.routes ?? []
      document["routes"] = .array(routes.map { $0.json(below: manifest.root) })
      document["usage"] = .object(live.account.summary(at: .now))
    }
    document["canary"] = ports.change.canary(of: id)?.json ?? .null
    document["recording"] = ports.recordings.report(of: id)?.json ?? .null
    document["crash_count"] = .integer(Int64(try ports.crashes?.crashCounts()[id] ?? 0))
    let crashes = try ports.crashes?.crashes(of: id, limit: 20) ?? []
    document["crashes"] = .array(crashes.map { .object($0.json) })
    document["generations"] = .array(generations(known, live, draining.filter { $0.record.automation == id }))
    return AdminAnswer(.object(document))
  }

  // MARK: Changes

  func loadAutomation(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    let replace = request.query["replace"] ?? "false"
    guard replace == "true" || replace == "false" else {
      request.abandonUpload()
      throw Problem(400, "request.query_parameter_invalid", "'replace' is true or false.")
    }
    let isolation = try isolation(request)
    let source = try source(request, stored: nil, options: [])
    return answer(
      try ports.change.change(
        ChangeAutomation.Request(
          replace == "true" ? .either : .load, from: source.file, expectedSHA256: source.sha256,
          config: source.config, isolation: isolation)), status: 201)
  }

  func reloadAutomation(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    let id = request.parameter("id")
    let stored: GenerationRecord
    do throws(Problem) { stored = try ports.change.stored(id) } catch {
      request.abandonUpload()
      throw error
    }
    let isolation = try isolation(request)
    if let isolation, isolation != stored.isolation,
      !request.caller.scopes.contains(where: { Scope.grants($0, AdminScope.write) })
    {
      // Who may replace the code may not decide that it runs in the host.
      request.abandonUpload()
      throw Problem(
        403, "access.scope_missing", "A change of 'isolation' needs the scope '\(AdminScope.write)'.",
        members: ["scope": .string(AdminScope.write)])
    }
    var canary = try canaryOption(request)
    let replay = try replayOption(request)
    let source = try source(request, stored: stored, options: ["canary"] + Members.replay)
    if let option = source.canary {
      guard canary == nil else {
        throw Problem(422, "request.body_invalid", "/canary is in the query, too.")
      }
      canary = option
    }
    let change = ChangeAutomation.Request(
      .reload(id), from: source.file, expectedSHA256: source.sha256, config: source.config,
      isolation: isolation, replay: source.replay ?? replay)
    guard let canary else { return answer(try ports.change.change(change)) }
    return answer(try ports.change.startCanary(change, canary), status: 202)
  }

  /// Where the admin wants the code to run; nil where nothing is said.
  private func isolation(_ request: AdminRequest) throws(Problem) -> Isolation? {
    guard let text = request.query["isolation"] else { return nil }
    guard let isolation = Isolation(text) else {
      request.abandonUpload()
      throw Problem(400, "request.query_parameter_invalid", "'isolation' is \(Isolation.forms).")
    }
    return isolation
  }

  func rollBackAutomation(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    var members = try Members(request.body, optional: true, known: ["generation"])
    let number = members.whole("generation", in: 1...Int(Int32.max))
    try members.check()
    return answer(try ports.change.rollBack(request.parameter("id"), to: number))
  }

  func unloadAutomation(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    try refuseBody(request)
    return answer(try ports.change.unload(request.parameter("id")))
  }

  // MARK: Configuration

  func readConfiguration(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    let id = request.parameter("id")
    guard let live = ports.automations.live(id)?.generation else { throw AdminApplication.notFound(id) }
    let config = try StrictJSON.parse(live.record.config.utf8.span)
    return AdminAnswer(
      [
        "automation": .string(id), "generation": .integer(Int64(live.record.number)), "config": config,
        "schema": live.manifest.configSchema ?? .null,
      ] as JSONValue)
  }

  /// The whole configuration, for a new generation of the file that serves.
  func changeConfiguration(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    let id = request.parameter("id")
    guard case .json(.object(let config)) = request.body else {
      throw Problem(422, "request.body_invalid", "The body must be the configuration, a JSON object.")
    }
    guard let record = ports.automations.live(id)?.generation.record else {
      throw AdminApplication.notFound(id)
    }
    return answer(
      try ports.change.change(
        ChangeAutomation.Request(
          .reload(id), from: .kept(ports.files.absolute(record.file)), expectedSHA256: record.sha256,
          config: JSON.encode(.object(config)))))
  }

  // MARK: Reading requests

  private struct Source {
    var file: ChangeAutomation.Source
    var sha256: String?
    var config: [UInt8]?
    var canary: CanaryRule?
    var replay: RequiredReplay?
  }

  /// The file that a request names or brings; the path of `stored` when it does neither.
  private func source(
    _ request: AdminRequest, stored: GenerationRecord?, options: [String]
  ) throws(Problem) -> Source {
    if case .upload(let upload) = request.body {
      return Source(
        file: .received(try upload.finish()), sha256: request.expectedSHA256, config: request.config)
    }
    var members = try Members(
      request.body, optional: stored != nil, known: ["path", "config", "sha256"] + options)
    let replay = members.requiredReplay()
    var canary: CanaryRule?
    members.object("canary", known: CanaryRule.members) { canary = CanaryRule(&$0) }
    let path = members.text("path", max: 4096, required: stored == nil)
    if let path, !path.hasPrefix("/") {
      members.fault("path", "must be an absolute path on the host's machine")
    }
    let sha256 = members.text("sha256", max: 64)
    if let sha256, Digest256(hex: sha256) == nil { members.fault("sha256", "must be 64 hexadecimal digits") }
    if members.has("config"), members["config"]?.object == nil {
      members.fault("config", "must be an object")
    }
    try members.check()
    guard let path = path ?? stored?.source else {
      throw Problem(
        409, "automation.no_source",
        "Automation '\(stored?.automation ?? "")' came as an upload: send the file, or name a path.")
    }
    return Source(
      file: .path(path), sha256: sha256 ?? request.expectedSHA256,
      config: members["config"]?.object.map { JSON.encode(.object($0)) }, canary: canary, replay: replay)
  }

  // MARK: Writing answers

  private func answer(_ report: ChangeReport, status: Int = 200) -> AdminAnswer {
    var answer = AdminAnswer(report.json, status: status)
    answer.target = report.automation
    answer.details = [
      "generation": .integer(Int64(report.generation)), "version": .string(report.version),
      "sha256": .string(report.sha256),
    ]
    if let previous = report.previous { answer.details["previous"] = .integer(Int64(previous)) }
    return answer
  }

  private func summary(_ generation: Generation, _ draining: [Generation]) -> [String: JSONValue] {
    let manifest = generation.manifest
    return [
      "id": .string(manifest.id), "title": .string(manifest.title), "version": .string(manifest.version),
      "generation": .integer(Int64(generation.record.number)), "state": .string(generation.state.name),
      "sha256": .string(generation.record.sha256),
      "requests_inside": .integer(Int64(generation.requestsInside)),
      "route_count": .integer(Int64(manifest.routes.count)),
      "isolation": .string(generation.record.isolation.text),
      "stands_in_for": ports.automations.displaced(of: manifest.id).map { .integer(Int64($0)) } ?? .null,
      "runners": .array(generation.plugin.runners.map(\.json)),
      "draining": .array(
        draining.filter { $0.record.automation == manifest.id }.map { leaving in
          [
            "generation": .integer(Int64(leaving.record.number)), "state": .string(leaving.state.name),
            "requests_inside": .integer(Int64(leaving.requestsInside)),
          ]
        }),
    ]
  }

  /// What the catalog keeps and what still runs, newest first; a generation may be either without the other.
  private func generations(
    _ known: [GenerationRecord], _ live: Generation?, _ draining: [Generation]
  ) -> [JSONValue] {
    let canary = live.flatMap { ports.automations.canary(of: $0.manifest.id)?.candidate.generation }
    let running = draining + [live, canary].compactMap { $0 }
    let unknown = running.map(\.record).filter { record in !known.contains { $0.number == record.number } }
    return (known + unknown).sorted { $0.number > $1.number }.map { record in
      let generation = running.first { $0.record.number == record.number }
      return [
        "generation": .integer(Int64(record.number)), "version": .string(record.version),
        "sha256": .string(record.sha256), "loaded": .string(record.loaded.text),
        "source": record.source.map(JSONValue.string) ?? .null,
        "isolation": .string(record.isolation.text),
        "state": .string(
          generation == nil ? "kept" : generation === canary ? "canary" : generation?.state.name ?? ""),
        "requests_inside": .integer(Int64(generation?.requestsInside ?? 0)),
      ]
    }
  }

  static func notFound(_ id: String) -> Problem {
    Problem(404, "automation.not_found", "No automation '\(id)' is loaded.")
  }
}

extension RunnerFigures {
  fileprivate var json: JSONValue {
    [
      "state": .string(state.rawValue), "pid": processID.map { .integer(Int64($0)) } ?? .null,
      "crashes": .integer(Int64(crashes)), "restarts": .integer(Int64(restarts)),
      "cpu_s": .number(cpuSeconds), "resident_bytes": .integer(Int64(residentBytes)),
      "calls_inside": .integer(Int64(callsInside)), "last_end": lastEnd.map(JSONValue.string) ?? .null,
    ]
  }
}

extension LiveRoute {
  fileprivate func json(below root: String) -> JSONValue {
    let route = declaration
    let members: [String: JSONValue] = [
      "method": .string(route.method.rawValue), "path": .string(root + route.path),
      "operation": .string(route.operation), "summary": .string(route.summary),
      "scope": route.scope.map(JSONValue.string) ?? .null, "execution": .string(route.execution.rawValue),
      "moved_to_workers": .bool(isMovedToWorkers),
    ]
    return .object(members.merging(OperationSummary(self).members) { mine, _ in mine })
  }
}
