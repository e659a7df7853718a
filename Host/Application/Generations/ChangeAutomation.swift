import Domain
package import Kernel

/// Loads, reloads, rolls back and unloads automations: the life of a generation, DESIGN section 6.
///
/// One change at a time per automation. The old generation serves until SWAP; a step that fails leaves everything
/// as it was and names itself in the problem's member `step`. [control]
package final class ChangeAutomation: Sendable {
  let ports: Ports
  let automations: Automations
  private let plan: PlanGeneration
  let starter: StartGeneration
  let drain: DrainGenerations
  let limits: Limits
  /// How the last canary of each automation ended, and how many did in each way.
  let endedCanaries = Monitor<(last: [String: CanaryReport], counts: [CanaryReport.State: Int])>(([:], [:]))
  /// nil until the host has an audit trail: before that, nothing begins that could end by itself.
  let acts = Monitor<AutomaticActs?>(nil)
  private let turns = Monitor<Set<String>>([])

  package init(
    ports: Ports, automations: Automations, plan: PlanGeneration, start: StartGeneration,
    drain: DrainGenerations, limits: Limits
  ) {
    self.ports = ports
    self.automations = automations
    self.plan = plan
    starter = start
    self.drain = drain
    self.limits = limits
  }

  /// Where what happens without an admin is written down, from now on.
  package func keepActs(in acts: AutomaticActs) { self.acts.withLock { $0 = acts } }

  // MARK: The changes

  /// Loads or reloads, as the request says.
  package func change(_ request: Request) throws(Problem) -> ChangeReport {
    try withCandidate(request) { (candidate, config, clock) throws(Problem) in
      try install(candidate, request, config: config, &clock)
    }
  }

  /// RECEIVE to PROBE, then `body` while it is the automation's turn.
  func withCandidate<Result>(
    _ request: Request, _ body: (Candidate, [UInt8]?, inout StepClock) throws(Problem) -> Result
  ) throws(Problem) -> Result {
    var clock = StepClock()
    let incoming = try receive(request, &clock)
    // Once adopted, the file has another name and this finds nothing.
    defer { ports.files.remove(incoming) }
    let known = if case .reload(let id) = request.intent { id } else { nil as String? }
    var config = request.config
    if let known {
      let current = Array(try stored(known).config.utf8)
      config = config ?? current
    }
    let candidate = try inspect(incoming, request.expectedSHA256, config, &clock)
    return try inTurn(candidate.manifest.id) { () throws(Problem) in try body(candidate, config, &clock) }
  }

  func receive(_ request: Request, _ clock: inout StepClock) throws(Problem) -> String {
    try clock.measure(.receive) { () throws(Problem) -> String in
      switch request.source {
      case .path(let path), .kept(let path): try ports.files.receive(copyOf: path)
      case .received(let path): path
      }
    }
  }

  /// Goes back to the generation before the active one, or to `number`: its file is loaded again, as a new generation.
  package func rollBack(_ id: String, to number: Int? = nil) throws(Problem) -> ChangeReport {
    let current = try stored(id)
    try refuseDuringCanary(id)
    let earlier = try earlier(of: current, number)
    var report = try change(rollBackRequest(earlier))
    report.previous = current.number
    return report
  }

  func rollBackRequest(_ earlier: GenerationRecord) -> Request {
    Request(
      .reload(earlier.automation), from: .kept(ports.files.absolute(earlier.file)),
      expectedSHA256: earlier.sha256, config: Array(earlier.config.utf8))
  }

  /// The generation `number`; nil: the last one before `current` with another file, or `current` where that stands in
  /// already for the one after it.
  func earlier(of current: GenerationRecord, _ number: Int?) throws(Problem) -> GenerationRecord {
    let id = current.automation
    if number == nil, automations.displaced(of: id) != nil { return current }
    let earlier = try ports.catalog.generations(of: id).first { record in
      if let number {
        record.number == number
      } else {
        record.number < current.number && record.sha256 != current.sha256
      }
    }
    guard let earlier else {
      throw Problem(
        404, "automation.no_such_generation",
        number.map { "Automation '\(id)' has no generation \($0)." }
          ?? "Automation '\(id)' has no earlier generation with another file.",
        members: ["automation": .string(id)])
    }
    return earlier
  }

  /// Takes an automation away: its routes answer 404, its records stay.
  package func unload(_ id: String) throws(Problem) -> ChangeReport {
    var clock = StepClock()
    return try inTurn(id) { () throws(Problem) in
      guard let generation = automations.live(id)?.generation else { return try giveUp(id, &clock) }
      try refuseDuringCanary(id)
      try clock.measure(.store) { () throws(Problem) in try ports.catalog.deactivate(id) }
      let retired = try clock.measure(.swap) { () throws(Problem) in automations.swap(in: [], out: [id]) }
      endedCanaries.withLock { $0.last[id] = nil }
      drain.drain(retired)
      let quiet = try settle(retired, &clock)
      ports.log.log(.info, "generations", "unloaded", generation.logFields)
      return report(generation, previous: nil, migration: [], warnings: [], draining: !quiet, clock)
    }
  }

  /// An automation that is stored as active and does not serve is no longer active.
  private func giveUp(_ id: String, _ clock: inout StepClock) throws(Problem) -> ChangeReport {
    let record = try stored(id)
    try clock.measure(.store) { () throws(Problem) in try ports.catalog.deactivate(id) }
    _ = automations.swap(in: [], out: [id])
    return ChangeReport(
      automation: id, generation: record.number, previous: nil, version: record.version,
      sha256: record.sha256,
      routes: 0, migration: [], warnings: [], draining: false, stepsMilliseconds: clock.milliseconds,
      totalMilliseconds: clock.total)
  }

  // MARK: Steps

  struct Candidate {
    var path: String
    var facts: PluginFileFacts
    var manifest: Manifest
    var manifestBytes: [UInt8]
  }

  /// VALIDATE and PROBE.
  func inspect(
    _ path: String, _ expectedSHA256: String?, _ config: [UInt8]?, quarantines: Bool = true,
    _ clock: inout StepClock
  ) throws(Problem) -> Candidate {
    let facts = try validate(path, expectedSHA256, &clock)
    return try clock.measure(.probe) { () throws(Problem) -> Candidate in
      let manifestBytes: [UInt8]
      do throws(Problem) {
        manifestBytes = try ports.inspector.probe(path: path, config: config ?? Array("{}".utf8)).manifest
      } catch {
        if quarantines, error.provesDanger {
          try ports.catalog.quarantine(
            QuarantineRecord(sha256: facts.sha256, code: error.code, detail: error.detail, since: .now))
        }
        throw error
      }
      if let sealed = facts.sealedManifest, sealed != manifestBytes {
        throw Problem(
          422, "plugin.manifest.not_as_sealed",
          "The plugin's manifest differs from the one sealed into its file.")
      }
      return Candidate(
        path: path, facts: facts, manifest: try Manifest.parse(manifestBytes), manifestBytes: manifestBytes)
    }
  }

  private func validate(
    _ path: String, _ expectedSHA256: String?, _ clock: inout StepClock
  ) throws(Problem) -> PluginFileFacts {
    try clock.measure(.validate) { () throws(Problem) -> PluginFileFacts in
      let facts = try ports.inspector.validate(path: path)
      if let expectedSHA256, expectedSHA256.lowercased() != facts.sha256 {
        throw Problem(
          422, "plugin.file.hash_mismatch", "The file's SHA-256 is \(facts.sha256), not \(expectedSHA256).",
          members: ["sha256": .string(facts.sha256)])
      }
      if let held = try ports.catalog.quarantined(facts.sha256) {
        throw Problem(
          409, "plugin.quarantined",
          "This file is in quarantine since \(held.since.text) (\(held.code): \(held.detail)). "
            + "An admin can release it: DELETE /admin/v1/quarantine/\(facts.sha256).",
          members: ["sha256": .string(facts.sha256), "cause": .string(held.code)])
      }
      return facts
    }
  }

  /// What passed PLAN.
  struct Planned {
    var candidate: Candidate
    var config: [UInt8]
    var isolation: Isolation
    var source: String?
    var plan: PlanGeneration.Plan
    var lint: LintReport
    var previous: Generation?
  }

  /// What passed START: it serves nobody yet.
  struct Started {
    var automation: LiveAutomation
    var planned: Planned

    var record: GenerationRecord { automation.generation.record }
  }

  /// PLAN, and the replay where one is required; while it is this automation's turn.
  func plan(
    _ candidate: Candidate, _ request: Request, config: [UInt8]?, _ clock: inout StepClock
  ) throws(Problem) -> Planned {
    let manifest = candidate.manifest
    let previous = automations.live(manifest.id)?.generation
    // Read again: the configuration may have changed while this waited for its turn.
    let config = request.config ?? previous?.configBytes ?? config ?? Array("{}".utf8)
    let isolation = try limits.isolation(of: manifest.id, request.isolation, before: previous?.record)
    let (planned, lint) = try clock.measure(.plan) {
      () throws(Problem) -> (PlanGeneration.Plan, LintReport) in
      try check(request.intent, manifest, previous)
      return (try plan(manifest, config: config), try self.lint(manifest, request.source))
    }
    if let required = request.replay {
      try clock.measure(.replay) { () throws(Problem) in
        try replay(required, candidate, against: previous, config: config, isolation: isolation)
      }
    }
    let source = if case .path(let path) = request.source { path } else { nil as String? }
    return Planned(
      candidate: candidate, config: config, isolation: isolation, source: source ?? previous?.record.source,
      plan: planned, lint: lint, previous: previous)
  }

  /// LOAD and START. What fails is gone again, file and all.
  func start(_ planned: Planned, _ clock: inout StepClock) throws(Problem) -> Started {
    let (candidate, manifest) = (planned.candidate, planned.candidate.manifest)
    var file: String?
    do throws(Problem) {
      let (plugin, record) = try clock.measure(.load) {
        () throws(Problem) -> (any LoadedPlugin, GenerationRecord) in
        let number = try ports.catalog.nextNumber(of: manifest.id)
        let adopted = try ports.files.adopt(
          candidate.path, automation: manifest.id, number: number, sha256: candidate.facts.sha256)
        file = adopted
        let record = GenerationRecord(
          automation: manifest.id, number: number, sha256: candidate.facts.sha256, file: adopted,
          source: planned.source, version: manifest.version,
          config: String(decoding: planned.config, as: UTF8.self), isolation: planned.isolation, loaded: .now)
        let plugin = try starter.load(
          ports.files.absolute(adopted), isolation: planned.isolation, expecting: candidate.manifestBytes)
        return (plugin, record)
      }
      let automation = try clock.measure(.start) { () throws(Problem) -> LiveAutomation in
        try starter.start(plugin, record, manifest, planned.plan, signature: candidate.facts.signature)
      }
      return Started(automation: automation, planned: planned)
    } catch {
      if let file { ports.files.remove(ports.files.absolute(file)) }
      throw error
    }
  }

  /// PLAN to STORE, while it is this automation's turn.
  private func install(
    _ candidate: Candidate, _ request: Request, config: [UInt8]?, _ clock: inout StepClock
  ) throws(Problem) -> ChangeReport {
    let started = try start(try plan(candidate, request, config: config, &clock), &clock)
    let retired = try clock.measure(.swap) { () throws(Problem) in
      automations.swap(in: [started.automation])
    }
    // What serves is what is stored: a store that fails here is reported, and the boot after takes the old set. The old
    // generation is stopped later: should it crash in that, the next start brings the new one.
    do throws(Problem) {
      try clock.measure(.store) { () throws(Problem) in
        try ports.catalog.activate([started.record])
        try forgetOldest(of: candidate.manifest.id)
      }
    } catch {
      drain.drain(retired)
      throw error
    }
    drain.drain(retired)
    let quiet = try settle(retired, &clock)
    return serving(started, draining: !quiet, clock)
  }

  /// Tells the meter and the log of what serves now.
  func serving(_ started: Started, draining: Bool, _ clock: StepClock) -> ChangeReport {
    let generation = started.automation.generation
    for (step, nanoseconds) in clock.nanoseconds {
      ports.meter.recordReload(
        automation: generation.manifest.id, step: step.rawValue, nanoseconds: nanoseconds)
    }
    ports.log.log(
      .info, "generations", "serving",
      generation.logFields.merging(["duration_ms": .number(clock.total)]) { first, _ in first })
    return report(
      generation, previous: started.planned.previous?.record.number,
      migration: started.planned.plan.migration, warnings: started.planned.lint.findings, draining: draining,
      clock)
  }

  private func check(_ intent: Intent, _ manifest: Manifest, _ previous: Generation?) throws(Problem) {
    switch intent {
    case .reload(let id) where id != manifest.id:
      throw Problem(
        409, "plugin.manifest.other_automation",
        "The file is a plugin of '\(manifest.id)'; it cannot replace '\(id)'.",
        members: ["manifest_id": .string(manifest.id)])
    case .load where previous != nil:
      throw Problem(
        409, "automation.exists",
        "Automation '\(manifest.id)' is loaded already; reload it with POST /admin/v1/automations/\(manifest.id)/reload."
      )
    default: break
    }
    try refuseDuringCanary(manifest.id)
    let draining = automations.retiring.filter { $0.record.automation == manifest.id }.count
    if draining >= limits.draining {
      throw Problem(
        409, "automation.draining",
        "\(draining) generations of '\(manifest.id)' still drain; wait for them first.", retryAfterSeconds: 5)
    }
  }

  func revive(_ record: GenerationRecord, _ isProbed: Bool) throws(Problem) -> LiveAutomation {
    var clock = StepClock()
    var record = record
    record.isolation = limits.isolations[record.automation] ?? record.isolation
    let path = ports.files.absolute(record.file)
    let config = Array(record.config.utf8)
    var expected: [UInt8]?
    let signature: SignatureFacts?
    if isProbed {
      signature = try validate(path, record.sha256, &clock).signature
    } else {
      // It has served before: a slow disk at boot must not make it a danger.
      let candidate = try inspect(path, record.sha256, config, quarantines: false, &clock)
      (expected, signature) = (candidate.manifestBytes, candidate.facts.signature)
    }
    let plugin = try starter.load(path, isolation: record.isolation, expecting: expected)
    let manifest = try Manifest.parse(plugin.manifest)
    guard manifest.id == record.automation else {
      throw Problem(
        422, "plugin.manifest.other_automation", "The file is a plugin of '\(manifest.id)'.")
    }
    return try starter.start(
      plugin, record, manifest, try plan(manifest, config: config), signature: signature)
  }

  /// DRAIN: waits a moment, so that a caller usually sees the end of it.
  func settle(_ retired: [Generation], _ clock: inout StepClock) throws(Problem) -> Bool {
    try clock.measure(.drain) { () throws(Problem) in
      drain.wait(for: retired, until: .now + limits.drainWait)
    }
  }

  func forgetOldest(of id: String) throws(Problem) {
    let mapped = Set((automations.retiring + automations.stuck).map(\.record.file))
    let old = try ports.catalog.generations(of: id).dropFirst(limits.kept).filter {
      !mapped.contains($0.file)
    }
    guard !old.isEmpty else { return }
    try ports.catalog.forget(Array(old))
    for record in old { ports.files.remove(ports.files.absolute(record.file)) }
  }

  // MARK: Turns

  func inTurn<Result>(
    _ id: String, _ body: () throws(Problem) -> Result
  ) throws(Problem) -> Result { try inTurn([id], body) }

  /// The turns of several automations are taken together, so that no two changes wait for each other.
  func inTurn<Result>(
    _ ids: Set<String>, _ body: () throws(Problem) -> Result
  ) throws(Problem) -> Result {
    let mine: Bool? = turns.wait(until: .now + limits.turn) { busy in
      guard busy.isDisjoint(with: ids) else { return nil }
      busy.formUnion(ids)
      return true
    }
    guard mine != nil else {
      throw Problem(
        409, "automation.busy",
        "Another change of '\(ids.sorted().joined(separator: "', '"))' is under way.", retryAfterSeconds: 5)
    }
    defer { turns.signal(all: true) { $0.subtract(ids) } }
    return try body()
  }

  /// The generation that serves, or, for an automation that should serve and does not, the one that should.
  package func stored(_ id: String) throws(Problem) -> GenerationRecord {
    if let live = automations.live(id) { return live.generation.record }
    if automations.unavailable[id] != nil,
      let record = try ports.catalog.activeSet().first(where: { $0.automation == id })
    {
      return record
    }
    throw Problem(404, "automation.not_found", "No automation '\(id)' is loaded.")
  }

  private func report(
    _ generation: Generation, previous: Int?, migration: [String], warnings: [LintFinding], draining: Bool,
    _ clock: StepClock
  ) -> ChangeReport {
    ChangeReport(
      automation: generation.record.automation, generation: generation.record.number, previous: previous,
      version: generation.record.version, sha256: generation.record.sha256,
      routes: generation.manifest.routes.count, migration: migration, warnings: warnings, draining: draining,
      stepsMilliseconds: clock.milliseconds, totalMilliseconds: clock.total)
  }
}

extension Generation {
  package var configBytes: [UInt8] { Array(record.config.utf8) }
}

extension Problem {
  /// Whether a probe ended in a way that would have harmed the host: the file's hash is quarantined.
  var provesDanger: Bool {
    [
      "plugin.probe.crashed", "plugin.probe.exited", "plugin.probe.timeout", "plugin.probe.signal_handler",
      "plugin.probe.forked", "plugin.probe.descriptors",
    ].contains(code)
  }
}
