package import Application
import Domain
package import Kernel

// Requests that may become jobs, and the paths by which jobs are fetched.

extension Jobs: OwnPath {
  package var routes: [OwnRoute] { Jobs.routes }

  package static let routes: [OwnRoute] = [
    OwnRoute(
      .get, "/jobs/{id}",
      manual: OwnManual(
        "council_get_job", "Get the answer of a job",
        "A call that lasts longer than its client waits is answered 202 with the id of a job. Ask with the key that made the call: "
          + "202 while it runs, then what the call came to, as often as you ask, until the host forgets it.",
        path: Jobs.path,
        answers: [
          .init("202", "It still runs. Ask again after `Retry-After`.", ["application/json": running]),
          .init("2XX", "The call succeeded: its answer.", ["application/json": [:], "text/markdown": text]),
          .init("404", "There is no such job, `job.not_found`; or the call failed.", [problem.0: problem.1]),
          .init(
            "410", "The host that ran it is gone: `job.lost`. The call may have been carried out.",
            [problem.0: problem.1]),
        ], passesOn: .jobs)),
    OwnRoute(
      .delete, "/jobs/{id}",
      manual: OwnManual(
        "council_cancel_job", "Cancel a job",
        "Ends it where it runs, and forgets its answer. What it did stays done.", path: Jobs.path,
        answers: [
          .init("204", "It is gone."),
          .init(
            "410", "The host that ran it is gone: `job.lost`. The call may have been carried out.",
            [problem.0: problem.1]),
        ], refusals: [400, 401, 404, 429, 503])),
  ]

  private static let problem = OwnManual.problem
  private static let text: JSONValue = ["type": "string"]
  private static let path: JSONValue = [
    "type": "object",
    "properties": [
      "id": [
        "type": "string", "minLength": 1, "description": "As `job` and `poll` of the answer 202 say it.",
      ]
    ], "required": ["id"],
  ]

  private static let running = OwnManual.runningJob

  /// The gateway answers these itself, for an answer that was kept is checked and shaped like any other.
  package func answer(_ exchange: Exchange, _ number: Int, _ caller: Caller, _ snapshot: Snapshot)
    throws(Problem) -> OwnAnswer
  {
    throw Gateway.notFound
  }
}

extension Gateway {
  /// Calls a handler that may take longer than its client waits; nil when there is no exchange for it. Throws
  /// `idempotency.in_progress` (409) for a call that is a job already. [event]
  func runForLong(
    _ exchange: Exchange, _ call: Call, _ route: LiveRoute, _ keyed: KeyedCall?, _ thread: EventThread
  ) throws(Problem) -> Completion? {
    if let keyed, let job = jobs.running(for: keyed.name) { throw Safety.inProgress(as: job) }
    guard let errand = errand(for: exchange, route) else { return nil }
    call.isHandled = true
    let owner = call.grant.map { JobTable.Owner.key(ports.keys.table.id(of: $0)) }
    let terms = Jobs.Terms(
      owner: owner ?? .address(CallerTag(peer: exchange.peer)), route: route, wishes: call.wishes,
      isDryRun: call.isDryRun, keyed: keyed?.name)
    if Preferences.value("respond-async", of: exchange) != nil, let id = jobs.adopt(errand, terms) {
      errand.runs(as: .init(id: id, key: terms.key), of: jobs)
      call.job = id
      jobs.writeRunning(id, to: exchange)
      exchange.addHeader("Preference-Applied", "respond-async")
      if begin(errand, route, keyed, thread) { _ = errand.end() }
      return .answered
    }
    errand.answers(exchange, named: exchange.handle, orBecomesJobOf: jobs)
    call.errand = errand
    wait(for: errand, exchange)
    jobs.expect(errand, terms)
    return finish(begin(errand, route, keyed, thread) && errand.end(), exchange, call)
  }

  /// Runs the handler, or has the ledger do so. True: the answer is there, and nobody was told. [event]
  func begin(_ errand: Errand, _ route: LiveRoute, _ keyed: KeyedCall?, _ thread: EventThread) -> Bool {
    let completion =
      if let keyed {
        runKeyed(errand.exchange, errand.call, route, keyed)
      } else {
        run(errand.exchange, errand.call, route, began: .now, thread)
      }
    if case .answered = completion { return true }
    return !errand.exchange.park()
  }

  /// The connection waits for the errand, whose own deadline comes first. [event]
  func wait(for errand: Errand, _ exchange: Exchange) {
    // No generation has this serial: a plugin is told of the errand's end, whose name it knows.
    exchange.beginWaiting(for: -1, until: exchange.deadline + .seconds(1))
  }

  func finish(_ isThere: Bool, _ exchange: Exchange, _ call: Call) -> Completion {
    guard isThere else { return .pending }
    call.errand = nil
    exchange.endWaiting()
    return .answered
  }

  /// `GET` and `DELETE /jobs/{id}`, or the same by name. [event]
  func answerJob(_ exchange: Exchange, _ call: Call, id: String, cancels: Bool) throws(Problem) -> Completion
  {
    guard !cancels else {
      try jobs.remove(id, key: call.grant.map { ports.keys.table.id(of: $0) })
      call.job = id
      exchange.status = 204
      return .answered
    }
    let patience = patience(exchange, call)
    guard patience > .zero,
      case .running = try jobs.look(id, key: call.grant.map { ports.keys.table.id(of: $0) })
    else {
      try look(at: id, exchange, call)
      return .answered
    }
    call.awaitedJob = id
    exchange.deadline = .now + patience
    // No generation has this serial. Whoever claims the exchange writes nothing that stays: see `lookAgain`.
    exchange.beginWaiting(for: -1, until: exchange.deadline)
    if jobs.wait(for: id, exchange) { return .pending }
    exchange.endWaiting()
    call.awaitedJob = nil
    try look(at: id, exchange, call)
    return .answered
  }

  /// How long a look may wait: a model cannot, so one by name does; any other as it prefers (RFC 7240, section 4.3).
  private func patience(_ exchange: Exchange, _ call: Call) -> Duration {
    if call.routeCall != nil { return jobs.limits.wait }
    guard let wish = Preferences.value("wait", of: exchange).flatMap({ Int($0) }), wish > 0 else {
      return .zero
    }
    return min(jobs.limits.wait, .seconds(min(wish, 3600)))
  }

  /// The job has ended, or the time is up. [event]
  func lookAgain(_ exchange: Exchange, _ call: Call) {
    guard let id = call.awaitedJob else { return }
    call.awaitedJob = nil
    do throws(Problem) { try look(at: id, exchange, call) } catch { refuse(exchange, error) }
  }

  private func look(at id: String, _ exchange: Exchange, _ call: Call) throws(Problem) {
    let look = try jobs.look(id, key: call.grant.map { ports.keys.table.id(of: $0) })
    call.job = id
    switch look {
    case .running: jobs.writeRunning(id, to: exchange)
    case .ended(let answer, let terms):
      exchange.takeAnswer(answer)
      checkDeclared(exchange, terms.route)
      call.wishes = terms.wishes
      call.answerLimit = min(call.answerLimit, limits.answerCharacters)
      // What wraps a call reads JSON.
      let markdown = call.routeCall == nil && AcceptedTypes.prefersMarkdown(exchange)
      // What is said of an answer that is too long depends on it; this request itself is none.
      call.isDryRun = terms.isDryRun
      _ = shape(exchange, call, terms.route, markdown: markdown)
      call.isDryRun = false
      if terms.isDryRun { exchange.addHeader("Preference-Applied", "dry-run") }
    }
  }
}
