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
          .init("4XX", "There is no such job, `job.not_found`; or the call failed.", [problem.0: problem.1]),
          .init(
            "410", "The host that ran it is gone: `job.lost`. The call may have been carried out.",
            [problem.0: problem.1]),
          .init("5XX", "The call failed.", [problem.0: problem.1]),
        ])),
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
  /// Calls a handler that may take longer than its client waits. [event]
  func runForLong(_ exchange: Exchange, _ call: Call, _ route: LiveRoute, _ thread: EventThread)
    -> Completion?
  {
    guard let errand = errand(for: exchange, route) else { return nil }
    let terms = Jobs.Terms(
      key: call.grant.map { ports.keys.table.id(of: $0) }, route: route, wishes: call.wishes)
    if Preferences.value("respond-async", of: exchange) != nil, let id = jobs.adopt(errand, terms) {
      errand.runs(as: id, of: jobs)
      call.isAccepted = true
      jobs.writeRunning(id, to: exchange)
      exchange.addHeader("Preference-Applied", "respond-async")
      if begin(errand, route, thread) { _ = errand.end() }
      return .answered
    }
    errand.answers(exchange, named: exchange.handle, orBecomesJobOf: jobs)
    call.errand = errand
    wait(for: errand, exchange)
    jobs.expect(errand, terms)
    return finish(begin(errand, route, thread) && errand.end(), exchange, call)
  }

  /// Runs the handler. True: the answer is there, and nobody was told. [event]
  func begin(_ errand: Errand, _ route: LiveRoute, _ thread: EventThread) -> Bool {
    if case .answered = run(errand.exchange, errand.call, route, began: .now, thread) { return true }
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

  /// `GET` and `DELETE /jobs/{id}`. [event]
  func answerJob(_ exchange: Exchange, _ call: Call, number: Int) throws(Problem) {
    let head = exchange.head
    let id = String(head.span(exchange.parameters[0].value))
    let key = call.grant.map { ports.keys.table.id(of: $0) }
    guard number == 0 else {
      try jobs.remove(id, key: key)
      exchange.status = 204
      return
    }
    switch try jobs.look(id, key: key) {
    case .running: jobs.writeRunning(id, to: exchange)
    case .ended(let answer, let terms):
      exchange.takeAnswer(answer)
      checkDeclared(exchange, terms.route)
      call.wishes = terms.wishes
      call.answerLimit = min(call.answerLimit, limits.answerCharacters)
      _ = shape(
        exchange, call, terms.route, markdown: AcceptedTypes.prefersMarkdown(exchange))
    }
  }
}
