package import Application
import Domain
package import Kernel

/// The public listener: the path of every request, DESIGN section 4.
///
///     trace → match route → authenticate → limit rate → authorize → validate → bulkhead → handler → check answer
///     → shape answer → audit → metrics
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
    /// For calls that have an exchange of their own; the table of the listener and of the plugins.
    package var exchanges: any SpareExchanges

    package init(
      automations: Automations, keys: Keys, audit: any AuditTrail, meter: any RequestMeter,
      log: any LogSink, health: Health, exchanges: any SpareExchanges
    ) {
      self.automations = automations
      self.keys = keys
      self.audit = audit
      self.meter = meter
      self.log = log
      self.health = health
      self.exchanges = exchanges
    }
  }

  let ports: Ports
  let limits: Limits
  let threads: ThreadSlots<EventThread>
  /// Limits of callers without a key, and of routes with a limit of their own.
  let cells: LimitCells
  let anonymousRate: GCRA
  private let unmatched: Int
  package let inlineWatch: InlineWatch

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
      guard let route = try match(exchange, call, thread) else { return .answer }
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
    guard let route = call.route else { return .answered }
    let thread = threads.current
    do throws(Problem) {
      try takeWishes(exchange, call, route)
      try validate(exchange, route, thread)
    } catch {
      refuse(exchange, error)
      return .answered
    }
    call.isHandled = true
    // A body takes the client's time, not the handler's.
    let began = exchange.body.count > 0 ? Instant.now : exchange.started
    exchange.deadline = Instant(nanoseconds: began.nanoseconds &+ route.deadlineNanoseconds)
    return run(exchange, call, route, began: began, thread)
  }

  // MARK: The answer

  @discardableResult
  package func conclude(_ exchange: Exchange) -> Completion {
    let call = call(of: exchange)
    // The edge refuses some requests before `begin` saw them.
    if exchange.requestID.isEmpty { TraceContext.begin(exchange, &threads.current.random) }
    exchange.endWaiting()
    call.dismissErrand()
    check(exchange, call)
    if case .pending = shapeAnswer(exchange, call) { return .pending }
    call.leave()
    decorate(exchange, call, threads.current.scratch)
    account(exchange, call)
    return .answered
  }

  /// Whether there is anything to shape costs a few comparisons.
  @inline(__always)
  private func shapeAnswer(_ exchange: Exchange, _ call: Call) -> Completion {
    let markdown = AcceptedTypes.prefersMarkdown(exchange)
    if let route = call.route, call.isHandled,
      markdown || call.wishes != nil || route.outline.isList || exchange.answerBody.count > call.answerLimit,
      shape(exchange, call, route, markdown: markdown) == .pending
    {
      return .pending
    }
    if markdown, exchange.status >= 400 { writeProblemAsMarkdown(exchange) }
    return .answered
  }

  /// Audit and metrics, once for each request, also for one whose client left before its answer.
  private func account(_ exchange: Exchange, _ call: Call) {
    call.isConcluded = true
    let nanoseconds = Instant.now - exchange.started
    if call.isAudited {
      ports.audit.record(
        RequestAudit(
          time: .now, durationMicroseconds: Int(nanoseconds / 1000), status: exchange.status,
          labels: call.route?.labels, key: call.grant.map(ports.keys.table.id)),
        of: exchange)
    }
    ports.meter.record(
      series: call.route?.series ?? unmatched, status: exchange.status, nanoseconds: nanoseconds)
    if let extras = call.extras { observe(exchange, call, extras, nanoseconds) }
    if ports.log.level == .debug || exchange.status >= 500 { logRequest(exchange, call, nanoseconds) }
  }

  package func refuse(_ exchange: Exchange, _ problem: Problem) {
    exchange.answer(problem)
    if problem.status == 401 { exchange.addHeader("WWW-Authenticate", "Bearer realm=\"council\"") }
    if problem.status == 405, case .string(let allowed)? = problem.members["allow"] {
      exchange.addHeader("Allow", allowed)
    }
  }

  package func finished(_ exchange: Exchange, sent: Bool) {
    exchange.endWaiting()
    let call = call(of: exchange)
    if call.isAudited, !call.isConcluded {
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
