package import Domain
package import Kernel
import Synchronization

// A new generation that must prove itself on a part of the requests before it serves all of them.
//
// The catalog learns of it when it is promoted: a host that restarts in between comes back with the old generation.

extension ChangeAutomation {
  /// Passes RECEIVE to START, then gives the new generation its part of the requests. Returns at once; the canary goes
  /// on until its window ends, it is worse beyond doubt, or somebody decides.
  package func startCanary(_ request: Request, _ rule: CanaryRule) throws(Problem) -> CanaryReport {
    if case .reload(let id) = request.intent { try refuseDuringCanary(id) }
    let canary = try withCandidate(request) { (candidate, config, clock) throws(Problem) -> Canary in
      let planned = try plan(candidate, request, config: config, &clock)
      guard let baseline = planned.previous else {
        throw Problem(
          409, "canary.nothing_to_compare",
          "Automation '\(candidate.manifest.id)' is not loaded: a canary needs a generation to be compared with."
        )
      }
      let started = try start(planned, &clock)
      let canary = Canary(started, baseline: baseline, rule: rule)
      do throws(Problem) { try automations.begin(canary, limit: limits.canaries) } catch {
        discard(started)
        throw error
      }
      endedCanaries.withLock { $0.last[canary.automation] = nil }
      return canary
    }
    ports.log.log(
      .info, "generations", "canary started",
      canary.candidate.generation.logFields.merging([
        "percent": .integer(Int64(rule.percent)), "seconds": .integer(Int64(rule.seconds)),
      ]) { first, _ in first })
    OSThread("canary", stackBytes: 2 << 20) { self.watch(canary) }.leave()
    return CanaryReport(canary, .running)
  }

  /// The canary that runs, or how the last one ended; nil when there was none since the host started.
  package func canary(of id: String) -> CanaryReport? {
    automations.canary(of: id).map { CanaryReport($0, .running) } ?? endedCanaries.withLock { $0.last[id] }
  }

  /// How many canaries ended in each way, since the host started.
  package var canaryEnds: [CanaryReport.State: Int] { endedCanaries.withLock { $0.counts } }

  /// The host ends, or another one has taken over: what runs still is over, and the old generations stay.
  package func abandonCanaries() {
    for canary in automations.canaries { finish(canary, .aborted, "its host ended", isAutomatic: true) }
  }

  /// An admin's decision. Throws `canary.not_running` (409).
  package func decideCanary(of id: String, promoting: Bool) throws(Problem) -> CanaryReport {
    guard let canary = automations.canary(of: id) else { throw ChangeAutomation.noCanary(id) }
    let report = try end(
      canary, promoting ? .promoted : .aborted, promoting ? "an admin promoted it" : "an admin aborted it")
    guard let report else { throw ChangeAutomation.noCanary(id) }
    return report
  }

  private static func noCanary(_ id: String) -> Problem {
    Problem(409, "canary.not_running", "No canary of '\(id)' runs.")
  }

  /// Throws `automation.canary_running` (409): whatever else would change the automation waits for the verdict.
  func refuseDuringCanary(_ id: String) throws(Problem) {
    guard let canary = automations.canary(of: id) else { return }
    let left = max(1, Int64(canary.rule.seconds) - (Instant.now - canary.began) / 1_000_000_000)
    throw Problem(
      409, "automation.canary_running",
      "A canary of '\(id)' runs (generation \(canary.candidate.generation.record.number)): wait for its end, "
        + "promote it or abort it.", retryAfterSeconds: Int(left))
  }

  /// Takes down what was started and never served.
  func discard(_ started: Started) {
    starter.discard(started.automation.generation)
    ports.files.remove(ports.files.absolute(started.record.file))
  }

  // MARK: The watch

  /// Looks at the figures until the canary is over. On a thread of its own.
  private func watch(_ canary: Canary) {
    let never = Monitor(())
    while automations.canary(of: canary.automation) === canary {
      let (new, old) = canary.figures
      do throws(Problem) {
        switch canary.rule.judge(new: new, old: old, isOver: canary.isOver) {
        case .undecided: break
        case .good: try endByItself(canary, .promoted, "it was no worse than the old generation")
        case .worse(let reason): try endByItself(canary, .rolledBack, reason)
        case .tooFew(let reason):
          try endByItself(canary, canary.rule.whenTooFew == .promote ? .promoted : .rolledBack, reason)
        }
      } catch  where error.code == "host.handing_over" {
        // The other host has the old generation; should it not come, this one goes on.
      } catch {
        // Somebody has the automation's turn, or the store fails: the old generation is there, so ask again.
        ports.log.log(
          .error, "generations", "the canary cannot be ended yet: \(error.detail)",
          canary.candidate.generation.logFields)
      }
      _ = never.wait(until: .now + limits.canaryLook) { _ in nil as Bool? }
    }
  }

  private func endByItself(_ canary: Canary, _ state: CanaryReport.State, _ reason: String) throws(Problem) {
    guard let acts = acts.withLock({ $0 }) else {
      _ = try end(canary, state, reason, isAutomatic: true)
      return
    }
    try acts.perform { () throws(Problem) in _ = try end(canary, state, reason, isAutomatic: true) }
  }

  /// Ends a canary while it is the automation's turn; nil when it is over already.
  private func end(
    _ canary: Canary, _ state: CanaryReport.State, _ reason: String, isAutomatic: Bool = false
  ) throws(Problem) -> CanaryReport? {
    let id = canary.automation
    return try inTurn(id) { () throws(Problem) -> CanaryReport? in
      guard automations.canary(of: id) === canary else { return nil }
      // Before the swap: a set that cannot be stored would be another one after the next start.
      if state == .promoted { try ports.catalog.activate([canary.candidate.generation.record]) }
      return finish(canary, state, reason, isAutomatic: isAutomatic)
    }
  }

  /// What cannot fail of an end; nil when it is over already.
  @discardableResult
  private func finish(
    _ canary: Canary, _ state: CanaryReport.State, _ reason: String, isAutomatic: Bool
  ) -> CanaryReport? {
    let id = canary.automation
    guard let retired = automations.end(canary, promoting: state == .promoted) else { return nil }
    let report = CanaryReport(canary, state, reason: reason)
    endedCanaries.withLock { ended in
      ended.last[id] = report
      ended.counts[state, default: 0] += 1
    }
    if state == .promoted {
      drain.drain(retired)
      try? forgetOldest(of: id)
    } else {
      // Not before it has stopped: a runner that ends meanwhile is started from this file.
      let file = ports.files.absolute(canary.started.record.file)
      drain.drain(retired) { [files = ports.files] in files.remove(file) }
    }
    ports.log.log(
      state == .promoted ? .info : .warning, "generations", "canary \(state.rawValue): \(reason)",
      canary.candidate.generation.logFields.merging(["new": report.new.json, "old": report.old.json]) {
        first, _ in first
      })
    if isAutomatic {
      acts.withLock { $0 }?.record("automation.canary_end", id, report.facts)
    }
    return report
  }
}
