package import Application
import Domain
package import Kernel

/// The admin listener: loopback by default, a key with an admin scope for everything but health and metrics.
///
///     trace → host name → match → authenticate → limit rate → authorize → body → act → audit → answer
///
/// What may block runs on control threads, never on an event thread. An act is in the audit trail, on disk, before
/// its answer is sent; a read is audited as requests are. ``AdminEndpoint`` lists what there is.
package final class AdminApplication: HTTPApplication {
  package struct Ports: Sendable {
    package var automations: Automations
    package var change: ChangeAutomation
    package var catalog: any Catalog
    package var files: any GenerationFiles
    package var keys: Keys
    package var audit: any AuditTrail
    package var meter: any RequestMeter
    package var log: any LogSink
    package var health: Health
    package var recordings: RecordTraffic
    /// nil where nobody supervises: then there is nobody to hand over to.
    package var host: (any HostControl)?
    package var crashes: (any CrashStore)?
    package var usage: UsageBook
    /// What needs no key and never changes, by path: the document of this API, and the page for people.
    package var documents: [String: Document]

    package init(
      automations: Automations, change: ChangeAutomation, catalog: any Catalog, files: any GenerationFiles,
      keys: Keys, audit: any AuditTrail, meter: any RequestMeter, log: any LogSink, health: Health,
      recordings: RecordTraffic, host: (any HostControl)? = nil, crashes: (any CrashStore)? = nil,
      usage: UsageBook = UsageBook(), documents: [String: Document] = [:]
    ) {
      self.documents = documents
      self.host = host
      self.crashes = crashes
      self.automations = automations
      self.change = change
      self.catalog = catalog
      self.files = files
      self.keys = keys
      self.audit = audit
      self.meter = meter
      self.log = log
      self.health = health
      self.recordings = recordings
      self.usage = usage
    }
  }

  let ports: Ports
  let limits: Limits
  let threads = ThreadSlots<AdminThread> { _ in AdminThread() }
  let routes: AdminRoutes
  let control: ControlThreads
  let followers: CallFollowers

  /// Starts the control threads. Throws `scope.too_many` when the table of scopes is full.
  package init(_ ports: Ports, limits: Limits = Limits()) throws(Problem) {
    self.ports = ports
    self.limits = limits
    routes = try AdminRoutes(
      scopes: ports.keys.table.scopes, meter: ports.meter, metricsNeedKey: limits.metricsNeedKey)
    followers = CallFollowers(limit: max(1, limits.controlThreads / 2))
    control = ControlThreads(count: limits.controlThreads, queued: limits.queuedJobs)
  }

  /// Ends the control threads after the jobs that run now; those that wait are answered 503. [not event]
  package func stop() { control.stop() }

  // MARK: The head

  package func begin(_ exchange: Exchange) -> HeadDecision {
    let thread = threads.current
    let call = call(of: exchange)
    call.reset()
    TraceContext.begin(exchange, &thread.random)
    let target = locate(exchange, call, thread)
    do throws(Problem) {
      if case .success(let route) = target, route.isOpen {
        answerOpenly(exchange, route)
        return .answer
      }
      if exchange.method == .options, !exchange.methodIsTrace, case .failure(let problem) = target,
        problem.status == 405
      {
        answerOptions(exchange, problem)
        return .answer
      }
      if case .failure(let problem) = target, problem.status == 404, try answerPage(exchange) {
        return .answer
      }
      guard ports.audit.admit() else { throw AdminApplication.auditIsBehind }
      call.isAudited = true
      let route = try target.get()
      try authenticate(exchange, call)
      try limit(exchange, call)
      try authorize(call, route)
      return try expectBody(exchange, call, route)
    } catch {
      refuse(exchange, error)
      return .answer
    }
  }

  // MARK: The whole request

  package func handle(_ exchange: Exchange) -> Completion {
    let call = call(of: exchange)
    do throws(Problem) {
      let request = try read(exchange, call)
      let handle = exchange.handle
      let isAct = request.endpoint.row.act != nil
      guard
        control.submit(
          isAct ? .act : .read, run: { self.work(request, exchange, handle) },
          abandon: { self.abandon(request, exchange, handle) })
      else { throw AdminApplication.busy }
      // The act writes its own row; an upload is the job's from here on.
      if isAct { call.isAudited = false }
      call.upload = nil
      return .pending
    } catch {
      refuse(exchange, error)
      return .answered
    }
  }

  // MARK: The answer

  @discardableResult
  package func conclude(_ exchange: Exchange) -> Completion {
    let call = call(of: exchange)
    // The edge refuses some requests before `begin` saw them.
    if exchange.requestID.isEmpty { TraceContext.begin(exchange, &threads.current.random) }
    decorate(exchange, call)
    let nanoseconds = Instant.now - exchange.started
    if call.isAudited {
      ports.audit.record(
        RequestAudit(
          time: .now, durationMicroseconds: Int(nanoseconds / 1000), status: exchange.status,
          labels: call.route?.labels, key: call.grant.map(ports.keys.table.id)),
        of: exchange)
    }
    ports.meter.record(
      series: call.route?.series ?? routes.unmatched, status: exchange.status, nanoseconds: nanoseconds)
    if ports.log.level == .debug || exchange.status >= 500 { logRequest(exchange, call, nanoseconds) }
    return .answered
  }

  package func refuse(_ exchange: Exchange, _ problem: Problem) {
    exchange.answer(problem)
    exchange.addHeader("Cache-Control", "no-store")
    if problem.status == 401 { exchange.addHeader("WWW-Authenticate", "Bearer realm=\"council-admin\"") }
    if problem.status == 405, case .string(let allowed)? = problem.members["allow"] {
      exchange.addHeader("Allow", allowed)
    }
  }

  package func finished(_ exchange: Exchange, sent: Bool) {
    let call = call(of: exchange)
    call.upload?.abandon()
    call.reset()
  }

  func call(of exchange: Exchange) -> AdminCall {
    if let known = exchange.attachment as? AdminCall { return known }
    let made = AdminCall()
    exchange.attachment = made
    return made
  }

  static let auditIsBehind = Problem(
    503, "audit.unavailable", "The audit trail cannot take this request now. Send it again.",
    retryAfterSeconds: 1)
  static let busy = Problem(
    503, "admin.busy", "Too many changes are under way or wait. Send the request again.", retryAfterSeconds: 2
  )
  static let stopping = Problem(
    503, "admin.stopping", "The host is shutting down; nothing was done.", retryAfterSeconds: 5)
}
