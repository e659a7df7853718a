import Application
import Domain
package import Kernel
import Synchronization

/// Notices inline handlers that block their event thread, and with it every connection of that thread.
///
/// A thread of its own looks at what each event thread runs. A call that it finds old is measured when it returns; one
/// that does not return is counted while it runs. Time in which the event thread was ready and had no processor is not the
/// handler's. A route whose handler blocks again and again is moved to the workers, as long as its generation serves.
package final class InlineWatch: Sendable {
  package struct Limits: Sendable {
    /// An inline call that takes longer counts as blocked.
    package var blockedAfter: Duration
    /// So many of one route within `window` move it to the workers; 0 for never.
    package var strikes: Int
    package var window: Duration

    package init(
      blockedAfter: Duration = .milliseconds(HostConfiguration.defaults.inlineBlockedMilliseconds),
      strikes: Int = HostConfiguration.defaults.inlineStrikes,
      window: Duration = .seconds(HostConfiguration.defaults.inlineWindowSeconds)
    ) {
      self.blockedAfter = blockedAfter
      self.strikes = strikes
      self.window = window
    }
  }

  /// A call is counted while it runs when it takes so many times the limit: long enough that nothing else explains it.
  private static let patience: Int64 = 20
  /// After so many looks without a new call it sleeps.
  private static let quietLooks = 40
  /// Between two lines of the log.
  private static let logInterval: Int64 = 1_000_000_000

  private struct State {
    var strikes = BlockedRoutes()
    var lastLook = Instant(nanoseconds: 0)
    var lastLine: Instant?
    var unsaid = 0
  }

  private let threads: ThreadSlots<EventThread>
  private let automations: Automations
  private let log: any LogSink
  private let limits: Limits
  private let limit: Int64
  private let state = Monitor(State())
  private let waiting = Monitor((isEnding: false, isWoken: false))
  private let isDozing = Atomic<Bool>(false)

  init(
    _ threads: ThreadSlots<EventThread>, automations: Automations, log: any LogSink, limits: Limits
  ) {
    self.threads = threads
    self.automations = automations
    self.log = log
    self.limits = limits
    limit = limits.blockedAfter.nanoseconds
  }

  package func start() { OSThread("inline-watch") { self.run() }.leave() }

  package func end() { waiting.signal(all: true) { $0.isEnding = true } }

  private func run() {
    // Twice within the limit: a call is found before it has reached it.
    let interval = Duration.nanoseconds(limit / 2)
    var before = Instant.now
    var (turns, quiet) = (0, 0)
    while waiting.wait(until: before + interval, { $0.isEnding ? true : nil }) == nil {
      let now = Instant.now
      // Late itself, it knows nothing of others: the machine stood still, or is too busy.
      if now - before < limit * 2 { look(at: now) }
      before = now
      let seen = begun
      quiet = seen == turns ? quiet + 1 : 0
      turns = seen
      if quiet >= InlineWatch.quietLooks, doze(turns) {
        before = .now
        // The call that woke this one began no earlier than now, or hardly.
        state.withLock { $0.lastLook = before }
      }
    }
  }

  /// Inline calls that began.
  private var begun: Int {
    var sum = 0
    threads.forEach { sum &+= $0.inline.turns }
    return sum
  }

  /// Sleeps until an inline call begins, where none has begun for a while: an idle host does nothing. A call that comes just
  /// now may be overlooked: the next one wakes it, or a second that passes.
  private func doze(_ turns: Int) -> Bool {
    isDozing.store(true, ordering: .sequentiallyConsistent)
    defer { isDozing.store(false, ordering: .relaxed) }
    guard begun == turns else { return false }
    _ = waiting.wait(until: .now + .seconds(1)) { waiting in
      defer { waiting.isWoken = false }
      return waiting.isWoken || waiting.isEnding ? true : nil
    }
    return true
  }

  /// An inline call begins. [event]
  @inline(__always)
  func wakeIfDozing() {
    if isDozing.load(ordering: .relaxed) { wake() }
  }

  @inline(never)
  private func wake() { waiting.signal(all: true) { $0.isWoken = true } }

  /// [watch]
  package func look(at now: Instant) {
    let last = state.withLock { state in
      defer { state.lastLook = now }
      return state.lastLook
    }
    threads.forEach { thread in
      let slot = thread.inline
      guard let call = slot.look(last: last) else { return }
      let age = now - call.began
      if !call.isSuspected {
        if age >= limit / 2 { slot.suspect(call.name) }
        return
      }
      guard age >= limit * InlineWatch.patience else { return }
      let (serial, number) = slot.running
      guard let generation = generation(serial), number < generation.manifest.routes.count,
        slot.count(call.name)
      else { return }
      strike(generation, number, age, isRunning: true, at: now)
    }
  }

  /// The call is over. [event]
  @inline(__always)
  func end(_ slot: InlineSlot, _ route: LiveRoute) {
    if let name = slot.end() { settle(slot, route, name) }
  }

  /// The call is over, and took so long: it stands for all that were not measured. [event]
  @inline(__always)
  func endSampled(_ slot: InlineSlot, _ route: LiveRoute, _ nanoseconds: Int64) {
    if let name = slot.end() { return settle(slot, route, name) }
    let counted = UInt64(max(0, min(nanoseconds, limit / 2))) &* UInt64(AutomationAccount.inlineSample)
    route.generation.account.add(counted, to: .inlineTime)
  }

  /// An old call returned.
  @inline(never)
  private func settle(_ slot: InlineSlot, _ route: LiveRoute, _ name: Instant) {
    let now = Instant.now
    let took = max(0, now - slot.begin(of: name) - max(0, slot.delay))
    route.generation.account.add(UInt64(took), to: .inlineTime)
    if took >= limit, slot.count(name) {
      strike(route.generation, route.number, took, isRunning: false, at: now)
    }
  }

  private func strike(
    _ generation: Generation, _ number: Int, _ nanoseconds: Int64, isRunning: Bool, at now: Instant
  ) {
    generation.account.add(1, to: .blocked)
    let name = BlockedRoutes.Name(serial: generation.serial, route: number)
    let (count, unsaid) = state.withLock { state -> (Int, Int?) in
      let count = state.strikes.strike(name, at: now, window: limits.window)
      if let last = state.lastLine, now - last < InlineWatch.logInterval {
        state.unsaid += 1
        return (count, nil)
      }
      defer { (state.lastLine, state.unsaid) = (now, 0) }
      return (count, state.unsaid)
    }
    var fields = generation.logFields
    fields["operation"] = .string(generation.manifest.routes[number].operation)
    fields["duration_ms"] = .number(Double(nanoseconds / 1000) / 1000)
    if let unsaid {
      fields["unsaid"] = .integer(Int64(unsaid))
      log.log(
        .warning, "watchdog",
        isRunning
          ? "an inline handler blocks its event thread" : "an inline handler blocked its event thread",
        fields)
    }
    guard limits.strikes > 0, count >= limits.strikes, let route = liveRoute(generation, number),
      route.moveToWorkers()
    else { return }
    fields["blocked_calls"] = .integer(Int64(count))
    log.log(.error, "watchdog", "a route whose inline handler blocks is moved to the workers", fields)
  }

  private func generation(_ serial: Int) -> Generation? {
    (automations.entered + automations.retiring).first { $0.serial == serial }
  }

  /// nil for a generation that was replaced: its last calls stay where they are.
  private func liveRoute(_ generation: Generation, _ number: Int) -> LiveRoute? {
    let serving = automations.live.first { $0.generation === generation }
    let automation =
      serving ?? automations.canaries.first { $0.candidate.generation === generation }?.candidate
    return automation?.routes[number]
  }
}

/// When inline calls of routes blocked. A value: the caller brings the time.
struct BlockedRoutes: Sendable {
  struct Name: Hashable, Sendable {
    var serial: Int
    var route: Int
  }

  private static let maxRoutes = 4096
  private static let maxTimes = 1000

  private var times: [Name: [Instant]] = [:]

  /// Counts one; returns how many there were within `window`, this one included.
  mutating func strike(_ name: Name, at now: Instant, window: Duration) -> Int {
    if times[name] == nil, times.count >= BlockedRoutes.maxRoutes { forget(before: now, window) }
    var all = (times[name] ?? []).filter { now - $0 < window.nanoseconds }.suffix(BlockedRoutes.maxTimes - 1)
    all.append(now)
    if times[name] != nil || times.count < BlockedRoutes.maxRoutes { times[name] = Array(all) }
    return all.count
  }

  private mutating func forget(before now: Instant, _ window: Duration) {
    times = times.filter { _, all in all.contains { now - $0 < window.nanoseconds } }
  }
}
