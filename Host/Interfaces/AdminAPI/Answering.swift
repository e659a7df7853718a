import Application
import Kernel

/// What an endpoint answers when it worked.
struct AdminAnswer: Sendable {
  var status = 200
  var body: [UInt8]
  var contentType: StaticString = "application/json"
  /// What the audit trail says beside the action: what it was done to, and its facts. Never a secret.
  var target = ""
  var details: [String: JSONValue] = [:]
  /// Takes back what can be taken back when the audit trail does not take the act; says what it did.
  var undo: (@Sendable () -> String)?

  init(_ value: JSONValue, status: Int = 200) {
    self.status = status
    body = JSON.encode(value)
  }
}

extension AdminApplication {
  /// One request, from its values to its answer. [control]
  func work(_ request: AdminRequest, _ exchange: Exchange, _ handle: UInt64) {
    var result: Result<AdminAnswer, Problem>
    do throws(Problem) { result = .success(try performInTurn(request)) } catch { result = .failure(error) }
    if let act = request.endpoint.row.act { audit(act, request, &result) }
    deliver(result, exchange, handle)
  }

  /// A job that did not get its turn before the host ended. [not event]
  func abandon(_ request: AdminRequest, _ exchange: Exchange, _ handle: UInt64) {
    request.abandonUpload()
    var result: Result<AdminAnswer, Problem> = .failure(AdminApplication.stopping)
    if let act = request.endpoint.row.act { audit(act, request, &result) }
    deliver(result, exchange, handle)
  }

  /// Writes the act down before anybody hears of it. Without its row an act is answered 503, though it may have
  /// happened: the problem says so.
  private func audit(_ act: String, _ request: AdminRequest, _ result: inout Result<AdminAnswer, Problem>) {
    var row = AdminAct(
      time: request.time, principal: request.caller.principal, key: request.caller.key, action: act,
      target: request.parameter("id") + request.parameter("sha256"), status: 200, requestID: request.requestID
    )
    switch result {
    case .success(let answer):
      row.status = answer.status
      row.details = answer.details
      if !answer.target.isEmpty { row.target = answer.target }
    case .failure(let problem):
      row.status = problem.status
      row.details = ["code": .string(problem.code)]
      if let step = problem.members["step"] { row.details["step"] = step }
    }
    let fields: [String: JSONValue] = [
      "request_id": .string(row.requestID), "principal": .string(row.principal), "key": .string(row.key),
      "target": .string(row.target), "status_code": .integer(Int64(row.status)),
    ]
    ports.log.log(.info, "admin", act, fields)
    do throws(Problem) { try ports.audit.record(row) } catch {
      ports.log.log(.critical, "admin", "an act is not in the audit trail: \(error.detail)", fields)
      result = .failure(AdminApplication.unaudited(act, result, error))
    }
  }

  private static func unaudited(
    _ act: String, _ result: Result<AdminAnswer, Problem>, _ cause: Problem
  ) -> Problem {
    var members: [String: JSONValue] = ["act": .string(act), "cause": .string(cause.code)]
    let outcome: String
    switch result {
    case .success(let answer):
      members["done"] = .bool(answer.undo == nil)
      outcome = answer.undo?() ?? "The act was done"
    case .failure(let problem):
      members["act_code"] = .string(problem.code)
      outcome = "The act was refused (\(problem.code))"
    }
    return Problem(
      503, "audit.failed", "\(outcome), but the audit trail did not take its row: \(cause.detail)",
      members: members)
  }

  /// Answers, if the connection still waits. [control]
  private func deliver(
    _ result: Result<AdminAnswer, Problem>, _ exchange: Exchange, _ handle: UInt64
  ) {
    guard exchange.claim(handle) else { return }
    switch result {
    case .success(let answer):
      exchange.discardAnswer()
      exchange.status = answer.status
      exchange.addHeader("Content-Type", "\(answer.contentType)")
      exchange.addHeader("Cache-Control", "no-store")
      exchange.answerBody.append(answer.body)
    case .failure(let problem): refuse(exchange, problem)
    }
    exchange.deliver()
  }

  /// An act that would change anything waits for no hand-over: it is refused. The one that asks for a hand-over is none.
  private func performInTurn(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    guard let host = ports.host, request.endpoint.row.act != nil, request.endpoint != .upgradeHost else {
      return try perform(request)
    }
    do throws(Problem) { try host.beginAct() } catch {
      request.abandonUpload()
      throw error
    }
    defer { host.endAct() }
    return try perform(request)
  }

  private func perform(_ request: AdminRequest) throws(Problem) -> AdminAnswer {
    switch request.endpoint {
    case .listAutomations: listAutomations()
    case .showUsage: showUsage()
    case .showAutomation: try showAutomation(request)
    case .loadAutomation: try loadAutomation(request)
    case .reloadAutomation: try reloadAutomation(request)
    case .rollBackAutomation: try rollBackAutomation(request)
    case .unloadAutomation: try unloadAutomation(request)
    case .reloadSet: try reloadSet(request)
    case .rollBackSet: try rollBackSet(request)
    case .promoteCanary: try decideCanary(request, promoting: true)
    case .abortCanary: try decideCanary(request, promoting: false)
    case .startRecording: try startRecording(request)
    case .stopRecording: try stopRecording(request)
    case .readConfiguration: try readConfiguration(request)
    case .changeConfiguration: try changeConfiguration(request)
    case .listQuarantine: try listQuarantine()
    case .releaseQuarantine: try releaseQuarantine(request)
    case .issueKey: try issueKey(request)
    case .listKeys: try listKeys(request)
    case .revokeKey: try revokeKey(request)
    case .rotateKey: try rotateKey(request)
    case .followCalls: try followCalls(request)
    case .readAudit: try readAudit(request)
    case .verifyAudit: try verifyAudit(request)
    case .readLogLevel: logLevel()
    case .changeLogLevel: try changeLogLevel(request)
    case .upgradeHost: try upgradeHost(request)
    case .listCrashes: try listCrashes()
    // Answered before anybody is asked for a key.
    case .describe: throw AdminApplication.noDocument
    case .metrics: metrics()
    case .live: AdminAnswer(ports.health.live.json)
    case .ready: AdminAnswer(ports.health.ready.json)
    }
  }

  /// `after` and `limit` of a page.
  func pageLimit(_ request: AdminRequest) throws(Problem) -> Int {
    guard let text = request.query["limit"] else { return limits.defaultPage }
    guard let limit = Int(text), (1...limits.maxPage).contains(limit) else {
      throw Problem(
        400, "request.query_parameter_invalid", "'limit' is a whole number from 1 to \(limits.maxPage).")
    }
    return limit
  }

  /// Endpoints that take nothing refuse a body that says something.
  func refuseBody(_ request: AdminRequest) throws(Problem) {
    try Members(request.body, optional: true, known: []).check()
  }
}
