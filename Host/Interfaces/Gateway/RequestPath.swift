package import Application
import Domain
package import Kernel

/// The public listener: the path of every request, DESIGN section 4.
///
///     trace → match route → authenticate → limit rate → authorize → validate → guard → bulkhead → handler
///     → check answer → shape answer → audit → metrics
///
/// This file is the list; each step is a method named after it. The head of a request passes the first five before
/// any of its body is read.
package final class Gateway: HTTPApplication {
  package struct Ports: Sendable {
    package var automations: Automations
    package var keys: Keys
    package var audit: any AuditTrail
    package var meter: any RequestMeter
    package var log: any LogSink
    package var health: Health
    /// For calls that have an exchange of their own, from the table that the plugins know; without it there are none.
    package var exchanges: (any SpareExchanges)?
    package var safety: Safety
    /// What answers the host's own paths, beside its health.
    package var ownPaths: [any OwnPath]
    /// Tells a plugin that the client of its stream has left, or that the host has ended it.
    package var canceller: (any RequestCanceller)?

    package init(
      automations: Automations, keys: Keys, audit: any AuditTrail, meter: any RequestMeter,
      log: any LogSink, health: Health, exchanges: (any SpareExchanges)? = nil, safety: Safety,
      ownPaths: [any OwnPath] = [], canceller: (any RequestCanceller)? = nil
    ) {
      self.ownPaths = ownPaths
      self.automations = automations
      self.keys = keys
      self.audit = audit
      self.meter = meter
      self.log = log
      self.health = health
      self.exchanges = exchanges
      self.safety = safety
      self.canceller = canceller
    }
  }

  let ports: Ports
  let limits: Limits
  let threads: ThreadSlots<EventThread>
  /// Limits of callers without a key, and of routes with a limit of their own.
  let cells: LimitCells
  let anonymousRate: GCRA
  private let unmatched: Int
  let own: OwnTable
  package let inlineWatch: InlineWatch
  package let jobs: Jobs

  /// Throws `limit.invalid` for a default limit out of range.
  package init(_ ports: Ports, limits: Limits) throws(Problem) {
    self.ports = ports
    self.limits = limits
    var random = SystemRandomNumberGenerator()
    cells = LimitCells(seed: (random.next(), random.next()))
    anonymousRate = try GCRA(limits.anonymous)
    let snapshots = ports.automations.snapshots
    threads = ThreadSlots { _ in EventThread(snapshots, jsonDepth: limits.jsonDepth) }
    inlineWatch = InlineWatch(threads, automations: ports.automations, log: ports.log, limits: limits.inline)
    jobs = Jobs(limits.jobs, ports.audit)
    own = OwnTable(ports.ownPaths + [jobs], meter: ports.meter)
    unmatched = ports.meter.series(automation: "", route: "", method: "")
  }

  // MARK: The head

  package func begin(_ exchange: Exchange) -> HeadDecision {
    let thread = threads.current
    let call = call(of: exchange)
    call.reset()
    TraceContext.begin(exchange, &thread.random)
    do throws(Problem) {
      let fault = RequestTarget.split(exchange)
      // Whether the host lives does not depend on its audit trail.
      if fault == nil, answerOwn(exchange, call) { return .answer }
      guard ports.audit.admit() else { throw Gateway.auditIsBehind }
      call.isAudited = true
      if let fault { throw fault }
      guard let route = try match(exchange, call, thread) else {
        guard let own = call.own else { return .answer }
        try begin(own, exchange, call)
        return .readBody(maxBytes: own.route.maxBodyBytes)
      }
      try authenticate(exchange, call, route)
      try limit(exchange, call, route)
      try authorize(call, route)
      return .readBody(maxBytes: route.maxBodyBytes)
    } catch {
      refuse(exchange, error)
      return .answer
    }
  }

  // MARK: The whole request

  package func handle(_ exchange: Exchange) -> Completion {
    let call = call(of: exchange)
    let thread = threads.current
    guard let route = call.route else { return answer(exchange, call, thread) }
    do throws(Problem) {
      return try handle(exchange, call, route, thread)
    } catch {
      refuse(exchange, error)
      return .answered
    }
  }

  /// The steps from the body on.
  func handle(
    _ exchange: Exchange, _ call: Call, _ route: LiveRoute, _ thread: EventThread
  ) throws(Problem) -> Completion {
    var keyed: KeyedCall?
    if route.isGuarded { try route.safety.take(from: exchange) }
    try takeWishes(exchange, call, route)
    try validate(exchange, route, thread)
    if route.isGuarded { keyed = try guardWrite(exchange, call, route, thread) }
    // A body takes the client's time, not the handler's.
    let began = exchange.body.count > 0 ? Instant.now : exchange.started
    exchange.deadline = Instant(nanoseconds: began.nanoseconds &+ route.deadlineNanoseconds)
    // A stream leaves while it is written, and what is not confirmed does not begin: neither becomes a job.
    if route.deadlineNanoseconds > jobs.afterNanoseconds, !route.declaration.streams, keyed?.refusal == nil,
      let completion = try runForLong(exchange, call, route, keyed, thread)
    {
      return completion
    }
    // An answer that is kept under a key is a whole one, no stream.
    if let keyed { return runKeyed(exchange, call, route, keyed) }
    call.isHandled = true
    exchange.mayStream = route.declaration.streams
    return run(exchange, call, route, began: began, thread)
  }

  // MARK: The answer

  @discardableResult
  package func conclude(_ exchange: Exchange) -> Completion {
    let call = call(of: exchange)
    // The edge refuses some requests before `begin` saw them.
    if exchange.requestID.isEmpty { TraceContext.begin(exchange, &threads.current.random) }
    exchange.endWaiting()
    if exchange.isStreaming {
      concludeStream(exchange, call)
      return .answered
    }
    if call.errand != nil { call.dismissErrand() }
    if call.awaitedJob != nil { lookAgain(exchange, call) }
    let isParsed = check(exchange, call)
    if case .pending = shapeAnswer(exchange, call, isParsed: isParsed) { return .pending }
    call.leave()
    account(exchange, call)
    if let own = call.own, let routeCall = call.routeCall { own.path.wrap(exchange, routeCall) }
    decorate(exchange, call, threads.current.scratch)
    return .answered
  }

  /// Whether there is anything to shape costs a few comparisons.
  @inline(__always)
  private func shapeAnswer(_ exchange: Exchange, _ call: Call, isParsed: Bool) -> Completion {
    // What wraps a call reads JSON.
    let markdown = call.routeCall == nil && AcceptedTypes.prefersMarkdown(exchange)
    if let route = call.route, call.isHandled || exchange.isFromLedger, !call.isAccepted,
      markdown || call.wishes != nil || route.outline.isList || !call.surelyFits(exchange.answerBody.count),
      shape(exchange, call, route, markdown: markdown, isParsed: isParsed) == .pending
    {
      return .pending
    }
    if exchange.status >= 400 {
      let envelope = call.routeCall?.envelope ?? .none
      if envelope.atMost(exchange.answerBody.count) > limits.answerCharacters {
        shortenProblem(exchange, in: envelope)
      }
      if markdown { writeProblemAsMarkdown(exchange) }
    }
    // Of what is read, every form says what chose it (RFC 9110, section 12.5.5).
    if call.routeCall == nil, call.route?.isGuarded == false {
      exchange.addHeader("Vary", "Accept, Prefer")
    } else if markdown {
      exchange.addHeader("Vary", "Accept")
    }
    return .answered
  }

  /// Audit and metrics, once for each request, also for one whose client left before its answer.
  func account(_ exchange: Exchange, _ call: Call) {
    call.isConcluded = true
    let nanoseconds = Instant.now - exchange.started
    if call.isAudited {
      ports.audit.record(
        RequestAudit(
          time: .now, durationMicroseconds: Int(nanoseconds / 1000), status: exchange.status,
          labels: call.route?.labels ?? call.labels, key: call.grant.map(ports.keys.table.id),
          isDryRun: call.isDryRun, isReplayed: exchange.isReplayed, job: call.job),
        of: exchange)
    }
    ports.meter.record(
      series: call.route?.series ?? call.own?.series ?? unmatched, status: exchange.status,
      nanoseconds: nanoseconds)
    if let extras = call.extras { observe(exchange, call, extras, nanoseconds) }
    if ports.log.level == .debug || exchange.status >= 500 { logRequest(exchange, call, nanoseconds) }
  }

  package func refuse(_ exchange: Exchange, _ problem: Problem) {
    exchange.answer(problem)
    if problem.status == 401 {
      exchange.addHeader("WWW-Authenticate", call(of: exchange).own?.route.challenge ?? OwnRoute.challenge)
    }
    if problem.status == 405, case .string(let allowed)? = problem.members["allow"] {
      exchange.addHeader("Allow", allowed)
    }
    let call = call(of: exchange)
    if let own = call.own, call.routeCall == nil {
      own.path.refused(exchange, own.number, problem, ports.automations.snapshots.current)
    }
  }

  package func finished(_ exchange: Exchange, sent: Bool) {
    exchange.endWaiting()
    let call = call(of: exchange)
    if exchange.isStreaming, !call.isConcluded {
      finishStream(exchange, call)
    } else if call.isAudited, !call.isConcluded {
      // The code that log analysers know for a client that went away.
      exchange.status = 499
      account(exchange, call)
    }
    call.leave()
    call.reset()
  }

  func call(of exchange: Exchange) -> Call {
    if let known = exchange.attachment as? Call { return known }
    let made = Call()
    exchange.attachment = made
    return made
  }

  private static let auditIsBehind = Problem(
    503, "audit.unavailable", "The audit trail cannot take this request now. Send it again.",
    retryAfterSeconds: 1)
}
