package import Application
package import Domain
package import Kernel
import Synchronization

/// A plugin whose code runs in this process.
///
/// The control calls come from one thread at a time, in the order of council.h; ``handle(_:route:execution:)`` and
/// ``cancel(_:)`` between activate and stop, from any.
package final class InProcessPlugin: LoadedPlugin, @unchecked Sendable {
  /// What may be called next.
  private enum State: UInt8 {
    case loaded, created, active, quiesced, stopped, destroyed
    /// Did not come back, or may still run: never called again.
    case poisoned
  }

  package let manifest: [UInt8]
  private let image: PluginImage
  private let control: ControlThread
  private let workers: Workers
  private let patience: Duration
  /// What the crash page calls this generation.
  private let crashEntry: UInt32
  // All three are written by `create`, before the generation is published to the threads that read them.
  private var instance = Instance()
  private var context: HostContext?
  private var lane: Lane?
  private let state = Atomic<UInt8>(State.loaded.rawValue)
  private let calls = CallCounter()
  /// Open from create to the beginning of stop.
  private let cancelling = CallGate()

  init(
    _ image: PluginImage, manifest: [UInt8], control: ControlThread, workers: Workers, patience: Duration,
    crashEntry: UInt32
  ) {
    self.crashEntry = crashEntry
    self.image = image
    self.manifest = manifest
    self.control = control
    self.workers = workers
    self.patience = patience
  }

  deinit { control.end() }
}

// MARK: - Control

extension InProcessPlugin {
  package func create(config: [UInt8], services: PluginServices) throws(Problem) {
    try expect([.loaded], .start, "create")
    let context = HostContext(services, crashEntry: crashEntry)
    self.context = context
    lane = workers.lane(of: services.account)
    CrashPage.name(services.routes, of: crashEntry)
    let made = try watched(.start, .create) { [image] () -> Made in
      var instance = Instance()
      let status = image.create(context, config, into: &instance)
      return Made(status: status, instance: instance)
    }
    guard made.status == Status.ok else {
      throw give(up: context, refused("create", "create_refused", made.status, context))
    }
    instance = made.instance
    advance(to: .created)
  }

  package func activate() throws(Problem) {
    try expect([.created], .start, "activate")
    guard let context else { preconditionFailure("create sets the context") }
    context.listen()
    let status = try watched(.start, .activate) { [image, instance] in image.activate(instance) }
    guard status == Status.ok else { throw refused("activate", "activate_refused", status, context) }
    advance(to: .active)
  }

  package func quiesce() throws(Problem) {
    try expect([.active], .drain, "quiesce")
    try watched(.drain, .quiesce) { [image, instance] in image.quiesce(instance) }
    advance(to: .quiesced)
  }

  package func stop() throws(Problem) {
    try expect([.created, .active, .quiesced], .stop, "stop")
    cancelling.close()
    let limit = Instant.now + patience
    while !cancelling.isEmpty {
      guard Instant.now < limit else { throw poison(.stop, "cancel") }
      pauseBriefly()
    }
    let status = try watched(.stop, .stop) { [image, instance] in image.stop(instance) }
    context?.end()
    guard status == Status.ok else {
      advance(to: .poisoned)
      control.end()
      throw refusal(
        .stop, "stop_failed",
        "stop returned \(Status.name(status)): something of the plugin may still run, so it is left alone.",
        ["status": .integer(Int64(status))], status: 500)
    }
    advance(to: .stopped)
  }

  package func destroy() throws(Problem) {
    try expect([.stopped], .stop, "destroy")
    try watched(.stop, .destroy) { [image, instance] in image.destroy(instance) }
    advance(to: .destroyed)
    control.end()
    image.retire()
  }

  private struct Made: Sendable {
    var status: Int32
    var instance: Instance
  }

  /// Runs a call of the plugin on the control thread; one that does not return in time poisons the instance.
  private func watched<Result: Sendable>(
    _ step: Step, _ call: CrashPage.Call, _ body: @escaping @Sendable () -> Result
  ) throws(Problem) -> Result {
    let entry = crashEntry
    if let result = control.run(within: patience, { CrashPage.within(entry, call, body) }) { return result }
    throw poison(step, call.name)
  }

  private func poison(_ step: Step, _ call: String) -> Problem {
    advance(to: .poisoned)
    control.end()
    context?.end()
    let milliseconds = patience.nanoseconds / 1_000_000
    return refusal(
      step, "hung", "\(call) did not return within \(milliseconds) ms; the instance is never called again.",
      ["call": .string(call), "timeout_ms": .integer(milliseconds)], status: 504)
  }

  private func refused(_ call: String, _ code: String, _ status: Int32, _ context: HostContext) -> Problem {
    let text = context.heard()
    return refusal(
      .start, code, "\(call) returned \(Status.name(status)): \(text ?? "it gave no reason").",
      ["status": .integer(Int64(status)), "reason": text.map { .string($0) } ?? .null])
  }

  /// After a create that failed, nothing else is called.
  private func give(up context: HostContext, _ problem: Problem) -> Problem {
    context.end()
    advance(to: .destroyed)
    control.end()
    return problem
  }

  private func expect(_ states: [State], _ step: Step, _ call: String) throws(Problem) {
    let now = State(rawValue: state.load(ordering: .acquiring)) ?? .poisoned
    if states.contains(now) { return }
    if now == .poisoned {
      throw refusal(step, "poisoned", "The instance hung before; it is never called again.", status: 503)
    }
    throw refusal(step, "wrong_state", "\(call) cannot follow: the instance is \(now).", status: 409)
  }

  private func advance(to next: State) { state.store(next.rawValue, ordering: .releasing) }
}

// MARK: - Requests

extension InProcessPlugin {
  package var callsInside: Int { calls.total }

  package func handle(
    _ exchange: Exchange, route: Int, execution: RouteDeclaration.Execution
  ) -> Completion {
    let request = exchange.handle
    let now = state.load(ordering: .relaxed)
    guard now == State.active.rawValue || now == State.quiesced.rawValue else {
      return refuse(
        exchange, request,
        Problem(503, "plugin.out_of_service", "The plugin is out of service.", retryAfterSeconds: 5))
    }
    exchange.beginHandling()
    calls.add(1)
    if execution == .inline {
      let completion = call(exchange, request, UInt32(route), isInline: true)
      calls.add(-1)
      return completion
    }
    let queued = Call(plugin: self, exchange: exchange, request: request, route: UInt32(route))
    if let lane, workers.submit(queued, to: lane) { return .pending }
    exchange.endHandling()
    calls.add(-1)
    lane?.account.add(1, to: .overloaded)
    return refuse(exchange, request, AutomationAccount.overloaded)
  }

  /// Runs a queued call. [worker]
  func work(_ exchange: Exchange, _ request: UInt64, _ route: UInt32) {
    if exchange.isOpen(request) {
      _ = call(exchange, request, route, isInline: false)
    } else {
      // Answered in the handler's place while it waited for a worker.
      exchange.endHandling()
    }
    calls.add(-1)
  }

  package func cancel(_ handle: UInt64) {
    // First: a cancel that blocks must not keep the worker's substitute away.
    if let lane { workers.overrun(handle, of: lane) }
    let now = state.load(ordering: .acquiring)
    if now == State.active.rawValue || now == State.quiesced.rawValue, cancelling.enter() {
      CrashPage.within(crashEntry, .cancel) { image.cancel(instance, handle) }
      cancelling.leave()
    }
  }

  /// Calls the handler. After `endHandling` the exchange may belong to another request.
  private func call(_ exchange: Exchange, _ request: UInt64, _ route: UInt32, isInline: Bool) -> Completion {
    let place = CurrentRequest.Place(crashEntry: crashEntry, route: route, isInline: isInline)
    let (status, answered, refused) = CurrentRequest.run(request, exchange, place) {
      image.handle(instance, route, request)
    }
    if status != Status.pending, exchange.mayStream, let stream = exchange.stream(of: request) {
      // A handler that is done has written what it had to.
      if status == Status.ok { stream.end() } else { stream.abort() }
    }
    if answered || status == Status.pending {
      exchange.endHandling()
      return answered && isInline ? .answered : .pending
    }
    // Another thread may have answered, the plugin's or the deadline's; then that one delivers.
    guard exchange.claim(request) else {
      exchange.endHandling()
      return .pending
    }
    exchange.answer(unanswered(exchange, status, refused, route))
    exchange.endHandling()
    if isInline { return .answered }
    exchange.deliver()
    return .pending
  }

  private func unanswered(
    _ exchange: Exchange, _ status: Int32, _ refused: Bool, _ route: UInt32
  ) -> Problem {
    let problem =
      refused
      ? Problem(
        500, "plugin.answer_invalid",
        "The automation's answer breaks a rule of its contract (a status, a header, or a body where none may be), and was withheld."
      )
      : status == Status.ok
        ? Problem(500, "plugin.no_answer", "The handler returned without an answer.")
        : Problem(500, "plugin.failed", "The handler failed.")
    if let context {
      var fields = context.logFields
      fields["route"] = .integer(Int64(route))
      fields["code"] = .string(problem.code)
      let head = exchange.head
      fields["request_id"] = .string(String(head.span(exchange.requestID)))
      context.log.log(.error, "plugin", "handle returned \(Status.name(status)) without an answer", fields)
    }
    return problem
  }

  /// Answers in the handler's place, unless somebody else does.
  private func refuse(_ exchange: Exchange, _ request: UInt64, _ problem: Problem) -> Completion {
    guard exchange.claim(request) else { return .pending }
    exchange.answer(problem)
    return .answered
  }
}
