/// One made automation with its handlers: what the host's opaque instance pointer stands for.
final class Instance: Sendable {
  let host: Host
  private let automation: any Automation
  private let stopTimeout: Duration
  private let endpoints: Endpoints
  private let running = RunningTasks()

  init<A: Automation>(_ automation: A, in host: Host) {
    self.host = host
    self.automation = automation
    stopTimeout = A.stopTimeout
    endpoints = Endpoints(automation.routes.all)
  }

  func activate() throws { try automation.activate() }

  func quiesce() { automation.quiesce() }

  /// False when something may still run.
  func stop() throws -> Bool {
    let ended = running.stop(within: stopTimeout)
    try automation.stop()
    return ended
  }

  /// The host goes after this.
  func close() { host.close() }

  func cancel(_ name: UInt64) { running.cancel(name) }

  /// Handles one request; true when it was answered, false when the answer comes later.
  func handle(_ route: Int, _ name: UInt64) -> Bool {
    let isAnswered = endpoints.with(route) { endpoint in
      if endpoint.isDeferred { return !start(endpoint, name) }
      do { answer(name, try endpoint.immediate(Request(name, of: host)), isGet: endpoint.isGet) } catch {
        answer(name, error)
      }
      return true
    }
    if let isAnswered { return isAnswered }
    answer(name, ProblemError(500, "plugin.unknown_route", "The plugin has no route \(route)."))
    return true
  }

  /// Copies the request and starts a task; false when the request was answered at once.
  private func start(_ endpoint: Endpoint, _ name: UInt64) -> Bool {
    let copy: RequestCopy
    do { copy = try RequestCopy(name, of: host, parameterNames: endpoint.parameterNames) } catch {
      answer(name, error)
      return false
    }
    let started = running.start(name) { [self] in
      let request = Request(name, of: host, copy: copy)
      do {
        if let handler = endpoint.streaming {
          let events = try await handler(request)
          running.isAnswering(name)
          await stream(name, events)
        } else if let handler = endpoint.deferred {
          answer(name, try await DryRun.run(request, handler), copy, isGet: endpoint.isGet)
        }
      } catch {
        answer(name, error)
      }
    }
    guard started else {
      answer(name, ProblemError(503, "plugin.stopping", "The plugin is stopping."))
      return false
    }
    // A cancel that came before the task was known found nothing to cancel. While an answer becomes a stream, it is neither
    // open nor one: what came of it the task learns by itself.
    if host.remaining(name) == nil { running.cancel(name, unlessAnswering: true) }
    return true
  }

  /// The reason of an activate that is about to fail.
  func fail(_ text: String) { host.fail(text) }

  func log(_ text: String) { host.log(0, 3, text) }

  // MARK: Answering

  private func answer(_ name: UInt64, _ response: Response, _ copy: RequestCopy? = nil, isGet: Bool) {
    let isSent =
      if response.version > 0, isGet, response.status == 200, isKnown(name, response.version, copy) {
        host.respond(name, Response(304, .none, version: response.version))
      } else { host.respond(name, response) }
    if !isSent {
      host.log(name, 3, "The handler's response breaks a rule of council.http/1: status \(response.status).")
      host.problem(name, 500, "plugin.invalid_response", "The plugin made a response that cannot be sent.")
    }
  }

  private func isKnown(_ name: UInt64, _ version: Int64, _ copy: RequestCopy?) -> Bool {
    let header =
      if let copy { copy.header("if-none-match") } else { host.text(name, .header, "if-none-match") }
    return header.map { EntityTag.matches($0, version: version) } ?? false
  }

  func answer(_ name: UInt64, _ error: any Error) {
    switch error {
    case let error as ProblemError where error.members.isEmpty:
      host.problem(name, UInt32(clamping: error.status), error.code, error.detail)
    case let error as ProblemError:
      send(problem: error.document, status: error.status, name) {
        Response(error.status, .bytes($0), contentType: "application/problem+json")
      }
    case let error as RecordsError:
      send(problem: error.json, status: error.status, name) {
        Response(error.status, .lent($0), contentType: "application/problem+json")
      }
    default:
      // The text of an unknown error may hold what no caller should see.
      host.log(name, 3, "The handler failed: \(error)")
      host.problem(name, 500, "plugin.failed", "The plugin failed to handle this request.")
    }
  }

  private func send<Document>(
    problem: Document, status: Int, _ name: UInt64, _ response: (Document) -> Response
  ) {
    if (400...599).contains(status), host.respond(name, response(problem)) { return }
    host.problem(name, 500, "plugin.invalid_problem", "The plugin made a problem that cannot be sent.")
  }
}
