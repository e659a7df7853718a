package import Application
import Domain
import Kernel

extension MCPServer {
  // MARK: The call

  func callTool(
    _ request: MCPRequest, _ parameters: Parameters, _ root: borrowing JSONElement, _ era: Era
  ) throws(RPCFault) -> OwnAnswer {
    guard parameters.name > 0, let name = root.value(at: parameters.name).utf8 else {
      throw .parameters("params.name must be the name of a tool.")
    }
    if let operation = JobOperation(name) {
      return callJobTool(operation, request, parameters, root, era)
    }
    guard let route = request.snapshot.operation(named: name) else {
      throw .parameters("Unknown tool: \(String(name).prefix(100)). tools/list has the names.")
    }
    guard request.caller.may(route) else {
      return refuse(request, scope: route.declaration.scope ?? "", era)
    }
    let (exchange, thread) = (request.exchange, request.thread)
    let elicits = era == .modern && Elicitation.canAsk(root, parameters)
    switch elicits ? Elicitation.reply(root, parameters) : .none {
    case .none: break
    case .agreed: confirm(exchange, try Elicitation.state(root, parameters))
    case .refused:
      answer(
        Problem(
          428, "confirmation.refused",
          "The user did not agree. Nothing was done; do not call this again unasked."),
        thread, era, exchange)
      return .answered
    }
    do throws(Problem) {
      thread.target.removeAll()
      thread.body.removeAll()
      let map = route.operation.arguments
      if parameters.arguments > 0, root.value(at: parameters.arguments).kind != .null {
        guard root.value(at: parameters.arguments).kind == .object else {
          throw Problem(422, "call.arguments_invalid", "The arguments must be one JSON object.")
        }
        try map.write(root.value(at: parameters.arguments), target: thread.target, body: thread.body)
      } else {
        let nothing = thread.nothing
        try map.write(nothing.root, target: thread.target, body: thread.body)
      }
    } catch {
      // The model can correct its arguments; nobody else can.
      answer(error, thread, era, exchange)
      return .answered
    }
    let (target, body) = (thread.target, thread.body)
    exchange.become(route.declaration.method, target: target.span(target.all), body: body.span(body.all))
    let call = thread.take()
    call.begin(era, id: thread.id, elicits: elicits)
    if era == .previous, !route.isInline || route.declaration.streams, let name = request.call(thread.id) {
      calls.note(name, exchange)
    }
    if route.declaration.streams { call.progressToken = MCPServer.progressToken(root, parameters) }
    return .call(RouteCall(route, state: call, envelope: envelope(thread, era)))
  }

  /// A look at a job, or its end, as a tool: the gateway answers, and `wrap` gets that.
  private func callJobTool(
    _ operation: JobOperation, _ request: MCPRequest, _ parameters: Parameters,
    _ root: borrowing JSONElement, _ era: Era
  ) -> OwnAnswer {
    let thread = request.thread
    let job: String
    do throws(Problem) {
      if parameters.arguments > 0 {
        job = try JobOperation.job(in: root.value(at: parameters.arguments))
      } else {
        let nothing = thread.nothing
        job = try JobOperation.job(in: nothing.root)
      }
    } catch {
      answer(error, thread, era, request.exchange)
      return .answered
    }
    let call = thread.take()
    call.begin(era, id: thread.id, elicits: false)
    return .job(
      RouteCall(nil, state: call, envelope: envelope(thread, era)), id: job, cancels: operation == .cancel)
  }

  private func envelope(_ thread: MCPThread, _ era: Era) -> AnswerEnvelope {
    AnswerEnvelope(frame: answers.frame(thread.id, era), repeatsJSON: true)
  }

  /// What a client names the progress of this call by, as JSON; nil where it wants to hear of none.
  private static func progressToken(_ root: borrowing JSONElement, _ parameters: Parameters) -> String? {
    let place = parameters.fields.progressToken
    guard place > 0 else { return nil }
    let token = root.value(at: place)
    switch token.kind {
    case .integer, .unsigned: break
    case .string where (token.utf8?.count ?? 0) <= Message.maxIDBytes: break
    default: return nil
    }
    let text = Arena(capacity: 64)
    text.append(json: token)
    return String(text.span(text.all))
  }

  /// Says to the route what its user said, as a client of HTTP would.
  private func confirm(_ exchange: Exchange, _ token: String) {
    let head = exchange.head
    let name = head.append("x-confirm")
    exchange.headers.append(Field(name: name, value: head.append(token)))
  }

  package func wrap(_ exchange: Exchange, _ call: RouteCall) {
    guard let tool = call.state as? ToolCall else { return }
    let thread = threads.current
    if let stream = exchange.stream { return wrap(stream, exchange, call, tool, thread) }
    let asks = tool.elicits && Elicitation.write(exchange, call, tool, answers, thread.json, to: thread.out)
    if !asks {
      ToolResult.write(
        exchange, tool, answers, thread.json,
        isPromised: call.route.map { ResultSchema.of($0, tool.era, jobAfter: jobAfter) != nil } ?? false,
        to: thread.out)
    }
    RPCAnswer.send(thread.out, exchange)
    origins.mark(exchange)
    thread.giveBack(tool)
  }

  /// The answer is a stream: so is the call's.
  private func wrap(
    _ stream: AnswerStream, _ exchange: Exchange, _ call: RouteCall, _ tool: ToolCall, _ thread: MCPThread
  ) {
    let out = thread.out
    answers.begin(tool.id, tool.era, to: out)
    stream.translate(
      by: ToolStream(
        opening: Array(out.span(out.all)), progressToken: tool.progressToken,
        isEvents: stream.kind == .events, isError: exchange.status >= 400, maxBytes: settings.maxStreamBytes,
        budget: call.budget))
    // The stream is the answer already: what was said of it before goes, it stays.
    exchange.answerHeaders.removeAll(keepingCapacity: true)
    exchange.status = 200
    exchange.addHeader("Content-Type", "text/event-stream")
    exchange.addHeader("Cache-Control", "no-store")
    exchange.addHeader("X-Accel-Buffering", "no")
    origins.mark(exchange)
    thread.giveBack(tool)
  }

  /// A problem of the call itself, as its result.
  private func answer(_ problem: Problem, _ thread: MCPThread, _ era: Era, _ exchange: Exchange) {
    answers.begin(thread.id, era, to: thread.out)
    thread.out.append("\"content\":[")
    var document: [String: JSONValue] = problem.members
    document["code"] = .string(problem.code)
    document["detail"] = .string(problem.detail)
    ToolResult.writeText(
      ProblemText.text(.object(document), status: problem.status) ?? problem.detail, to: thread.out)
    thread.out.append("],\"isError\":true}}")
    RPCAnswer.send(thread.out, exchange)
  }

  // MARK: Who may not

  /// 401 for a caller without a key, 403 for one whose key lacks the scope: a client that can log in asks for that scope
  /// and comes again (RFC 6750, section 3.1).
  func refuse(_ request: MCPRequest, scope: String, _ era: Era) -> OwnAnswer {
    let (exchange, thread) = (request.exchange, request.thread)
    let isUnknown = request.caller.grant == nil
    let problem = request.caller.refusal(scope)
    RPCAnswer.send(.problem(problem), id: thread.id, era, exchange, thread.out)
    exchange.addHeader(
      "WWW-Authenticate",
      metadata.challenge(exchange, error: isUnknown ? nil : "insufficient_scope", scope: scope))
    return .answered
  }
}
