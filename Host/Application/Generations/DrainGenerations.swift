package import Kernel

/// Gives up on the requests of a generation that will not finish by themselves.
package protocol RequestCanceller: AnyObject, Sendable {
  /// Answers every request that still waits for this generation for this reason, ends its streams, and tells the
  /// plugin. One that was missed, for it changed hands at this moment, is met by a call that follows.
  func cancelRequests(of generation: Generation, _ reason: Unanswered)
  /// Tells a plugin that nobody wants more of what it answers, later and on a thread of its own. [any]
  func cancel(_ plugin: any LoadedPlugin, _ handle: UInt64)
}

/// The steps DRAIN and STOP: waits, on a thread of its own, until a retired generation is quiet, then stops it.
///
/// At `timeout` the requests that are left are cancelled; a generation that is not quiet `grace` later stays mapped
/// and is reported as stuck.
package final class DrainGenerations: Sendable {
  package struct Limits: Sendable {
    package var timeout: Duration
    package var grace: Duration

    package init(timeout: Duration = .seconds(30), grace: Duration = .seconds(5)) {
      self.timeout = timeout
      self.grace = grace
    }
  }

  private struct Retired {
    var generation: Generation
    var since: Instant
    var afterwards: @Sendable () -> Void
    /// When its requests were cancelled for the first time: their grace begins then, however late that was.
    var cancelled: Instant?
    /// Reported as stuck; stopped all the same if it becomes quiet one day.
    var isStuck = false
  }

  private struct State {
    var waiting: [Retired] = []
    var done: Set<ObjectIdentifier> = []
    var ended = false
  }

  private let automations: Automations
  private let canceller: any RequestCanceller
  private let log: any LogSink
  private let limits: Limits
  private let state = Monitor(State())

  package init(
    automations: Automations, canceller: any RequestCanceller, log: any LogSink, limits: Limits
  ) {
    self.automations = automations
    self.canceller = canceller
    self.log = log
    self.limits = limits
  }

  /// Starts the thread that drains.
  package func start() { OSThread("drain") { self.run() }.leave() }

  /// Takes generations that got their last request. `afterwards` runs once for each that has stopped, and for none that
  /// stays mapped. [control]
  package func drain(_ generations: [Generation], afterwards: @escaping @Sendable () -> Void = {}) {
    for generation in generations {
      do throws(Problem) { try generation.plugin.quiesce() } catch {
        log.log(.error, "generations", "quiesce failed: \(error.detail)", generation.logFields)
      }
    }
    let now = Instant.now
    state.signal(all: true) { state in
      state.waiting += generations.map { Retired(generation: $0, since: now, afterwards: afterwards) }
    }
  }

  /// Waits until these are stopped; false when `deadline` passes first (they go on draining).
  package func wait(for generations: [Generation], until deadline: Instant) -> Bool {
    state.wait(until: deadline) { state in
      let busy = state.waiting.contains { retired in
        !retired.isStuck && generations.contains { $0 === retired.generation }
      }
      return busy ? nil : true
    } ?? false
  }

  package func end() { state.signal(all: true) { $0.ended = true } }

  private func run() {
    while true {
      // Nothing tells when the last request left: that would cost every request. So this looks, often at first.
      let look: [Retired]? = state.wait { state in
        if state.ended { return [] }
        return state.waiting.isEmpty ? nil : state.waiting
      }
      guard let look, !look.isEmpty else { return }
      for retired in look { advance(retired) }
      let youngest = look.map { Instant.now - $0.since }.min() ?? 0
      let pause: Duration = youngest < 100_000_000 ? .microseconds(500) : .milliseconds(10)
      _ = state.wait(until: .now + pause) { $0.ended ? true : nil }
    }
  }

  private func advance(_ retired: Retired) {
    let generation = retired.generation
    let age = Instant.now - retired.since
    if generation.isQuiet {
      stop(retired)
    } else if retired.isStuck {
      return
    } else if let cancelled = retired.cancelled, Instant.now - cancelled > limits.grace.nanoseconds {
      log.log(
        .critical, "generations",
        "a generation did not become quiet and stays mapped: \(generation.requestsInside) request(s), "
          + "\(generation.plugin.callsInside) call(s) inside", generation.logFields)
      generation.state = .stuck
      automations.finished(generation, stuck: true)
      state.signal(all: true) { state in
        for index in state.waiting.indices where state.waiting[index].generation === generation {
          state.waiting[index].isStuck = true
        }
      }
    } else if age > limits.timeout.nanoseconds {
      // At every look: a request between its claim and its stream is neither waiting nor a stream yet.
      canceller.cancelRequests(of: generation, DrainGenerations.replaced)
      guard retired.cancelled == nil else { return }
      log.log(
        .warning, "generations", "the drain's deadline passed: requests are cancelled", generation.logFields)
      state.withLock { state in
        for index in state.waiting.indices where state.waiting[index].generation === generation {
          state.waiting[index].cancelled = .now
        }
      }
    }
  }

  private static let replaced = Unanswered(
    503, "automation.replaced", "The automation was replaced before this request finished.")

  private func stop(_ retired: Retired) {
    let generation = retired.generation
    do throws(Problem) {
      try generation.plugin.stop()
      try generation.plugin.destroy()
      generation.records?.close()
      retired.afterwards()
      finish(generation, as: .stopped)
      log.log(.info, "generations", "stopped", generation.logFields)
    } catch {
      log.log(
        .critical, "generations", "does not stop and stays mapped: \(error.detail)", generation.logFields)
      finish(generation, as: .stuck)
    }
  }

  private func finish(_ generation: Generation, as end: Generation.State) {
    generation.state = end
    automations.finished(generation, stuck: end == .stuck)
    state.signal(all: true) { state in state.waiting.removeAll { $0.generation === generation } }
  }
}

extension Generation {
  package var logFields: [String: JSONValue] {
    ["automation": .string(record.automation), "generation": .integer(Int64(record.number))]
  }
}
