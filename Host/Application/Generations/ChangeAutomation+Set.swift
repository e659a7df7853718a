import Domain
package import Kernel

// Several automations in one change: all of them, or none.

/// What a change of several automations did.
package struct ChangeSetReport: Sendable {
  package var automations: [ChangeReport]
  /// The snapshot in which all of them serve.
  package var snapshot: Int
  package var totalMilliseconds: Double

  package var json: JSONValue {
    [
      "automations": .array(automations.map(\.json)), "snapshot": .integer(Int64(snapshot)),
      "total_ms": .number(totalMilliseconds),
    ]
  }
}

extension ChangeAutomation {
  /// One automation of a set.
  package struct Member: Sendable {
    package var id: String
    package var request: Request

    /// Reloads the automation, or loads it where it is new.
    package init(
      _ id: String, from source: Source, expectedSHA256: String? = nil, config: [UInt8]? = nil,
      replay: RequiredReplay? = nil
    ) {
      self.id = id
      request = Request(.either, from: source, expectedSHA256: expectedSHA256, config: config, replay: replay)
    }
  }

  /// Changes several automations in one swap. Each passes every step to START first, and all are stored in one
  /// transaction; what fails takes down what was started, and nothing has changed: `automation.set_failed`, whose
  /// member `automations` has the step and the cause of each.
  ///
  /// A migration of records that START made stays, as it does after any START that fails: it only ever adds.
  package func change(all members: [Member]) throws(Problem) -> ChangeSetReport {
    let ids = Set(members.map(\.id))
    guard (1...limits.together).contains(members.count), ids.count == members.count else {
      throw Problem(
        422, "automation.set_invalid",
        "A set is 1 to \(limits.together) automations, each named once.")
    }
    let began = StepClock()
    var progress = members.map { SetProgress($0) }
    defer { for one in progress { if let incoming = one.incoming { ports.files.remove(incoming) } } }
    for index in progress.indices { progress[index].attempt { one throws(Problem) in try examine(&one) } }
    try SetProgress.check(progress)
    return try inTurn(ids) { () throws(Problem) in
      for index in progress.indices {
        progress[index].attempt { one throws(Problem) in
          guard let candidate = one.candidate else { preconditionFailure("examined") }
          one.planned = try plan(candidate, one.member.request, config: nil, &one.clock)
        }
      }
      try SetProgress.check(progress)
      do throws(Problem) {
        for index in progress.indices {
          progress[index].attempt { one throws(Problem) in
            guard let planned = one.planned else { preconditionFailure("planned") }
            one.started = try start(planned, &one.clock)
          }
          // Each further one would be started to be taken down.
          try SetProgress.check(progress)
        }
        // Before the swap, other than for one automation: a set that cannot be stored is a set that failed.
        let records = progress.compactMap(\.started?.record)
        progress[0].attempt { one throws(Problem) in
          try one.clock.measure(.store) { () throws(Problem) in try ports.catalog.activate(records) }
        }
        try SetProgress.check(progress)
      } catch {
        for one in progress.reversed() { if let started = one.started { discard(started) } }
        throw error
      }
      return swap(progress, began)
    }
  }

  /// RECEIVE to PROBE of one.
  private func examine(_ one: inout SetProgress) throws(Problem) {
    let (member, request) = (one.member, one.member.request)
    try refuseDuringCanary(member.id)
    let incoming = try receive(request, &one.clock)
    one.incoming = incoming
    let config = request.config ?? automations.live(member.id)?.generation.configBytes
    let candidate = try inspect(incoming, request.expectedSHA256, config, &one.clock)
    guard candidate.manifest.id == member.id else {
      throw Problem(
        409, "plugin.manifest.other_automation",
        "The file is a plugin of '\(candidate.manifest.id)'; it cannot replace '\(member.id)'.",
        members: ["manifest_id": .string(candidate.manifest.id), "step": "plan"])
    }
    one.candidate = candidate
  }

  /// SWAP of all, and what cannot fail after it.
  private func swap(_ progress: [SetProgress], _ began: StepClock) -> ChangeSetReport {
    let started = progress.compactMap(\.started)
    let retired = automations.swap(in: started.map(\.automation))
    let version = automations.snapshots.current.version
    drain.drain(retired)
    for one in progress { try? forgetOldest(of: one.member.id) }
    _ = drain.wait(for: retired, until: .now + limits.drainWait)
    let draining = Set(automations.retiring.map(\.record.automation))
    let reports = progress.compactMap { one in
      one.started.map { serving($0, draining: draining.contains(one.member.id), one.clock) }
    }
    return ChangeSetReport(automations: reports, snapshot: version, totalMilliseconds: began.total)
  }

  /// Takes several automations back in one swap, each to the generation that is named, or to the one before with
  /// another file.
  package func rollBack(all members: [(id: String, number: Int?)]) throws(Problem) -> ChangeSetReport {
    var set: [Member] = []
    for (id, number) in members {
      let earlier = try earlier(of: try stored(id), number)
      let request = rollBackRequest(earlier)
      set.append(
        Member(
          id, from: request.source, expectedSHA256: request.expectedSHA256, config: request.config))
    }
    return try change(all: set)
  }
}

/// How far one automation of a set has come.
private struct SetProgress {
  let member: ChangeAutomation.Member
  var clock = StepClock()
  var incoming: String?
  var candidate: ChangeAutomation.Candidate?
  var planned: ChangeAutomation.Planned?
  var started: ChangeAutomation.Started?
  var problem: Problem?

  init(_ member: ChangeAutomation.Member) { self.member = member }

  mutating func attempt(_ body: (inout SetProgress) throws(Problem) -> Void) {
    do throws(Problem) { try body(&self) } catch { problem = error }
  }

  /// Throws one problem that says of each automation how far it came, when one failed.
  static func check(_ all: [SetProgress]) throws(Problem) {
    guard let failed = all.first(where: { $0.problem != nil }), let problem = failed.problem else { return }
    var members: [String: JSONValue] = [
      "automation": .string(failed.member.id), "cause": .string(problem.code),
      "automations": .array(all.map(\.json)),
    ]
    if let step = problem.members["step"] { members["step"] = step }
    throw Problem(
      problem.status, "automation.set_failed",
      "Nothing changed: '\(failed.member.id)' failed: \(problem.detail)", members: members,
      retryAfterSeconds: problem.retryAfterSeconds)
  }

  private var json: JSONValue {
    guard let problem else {
      let (step, detail) =
        started != nil
        ? ("start", "was started and taken down again")
        : planned != nil
          ? ("plan", "passed, and was not started")
          : candidate != nil ? ("probe", "passed, and went no further") : ("receive", "was not looked at")
      return [
        "id": .string(member.id), "ok": true, "step": .string(step),
        "detail": .string("\(member.id) \(detail)"),
      ]
    }
    var document = problem.members
    document["id"] = .string(member.id)
    document["ok"] = false
    document["code"] = .string(problem.code)
    document["detail"] = .string("\(member.id): \(problem.detail)")
    return .object(document)
  }
}
