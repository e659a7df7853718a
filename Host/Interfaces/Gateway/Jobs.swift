import Application
import Domain
import Kernel

/// Calls that outlast the time a client waits: they go on without it, and their answers are kept to be fetched.
///
/// In memory, and gone with the process. A host that leaves lets its jobs end; nobody can fetch their answers from the host that
/// follows, which says so.
package final class Jobs: Sendable {
  package struct Limits: Sendable {
    /// A call that lasts longer becomes a job, on routes whose deadline is later than that.
    package var after: Duration
    /// Running ones and kept answers together.
    package var count: Int
    /// Of kept answers.
    package var bytes: Int
    /// Of both, what one key may have, or one address without a key.
    package var sharePercent: Int
    /// For how long an answer is kept.
    package var kept: Duration
    /// What a client is told to wait between two looks.
    package var pollSeconds: Int
    /// How long a look that may wait waits for the answer.
    package var wait: Duration

    package init(
      after: Duration = .milliseconds(HostConfiguration.defaults.jobAfterMilliseconds), count: Int = 1024,
      bytes: Int = 64 << 20, sharePercent: Int = 25,
      kept: Duration = .seconds(600), pollSeconds: Int = 2, wait: Duration = .seconds(20)
    ) {
      self.after = after
      self.count = count
      self.bytes = bytes
      self.sharePercent = sharePercent
      self.kept = kept
      self.pollSeconds = pollSeconds
      self.wait = wait
    }

    /// One at least, where there may be any.
    var shareCount: Int { count == 0 ? 0 : max(1, count * sharePercent / 100) }
    var shareBytes: Int { bytes / 100 * sharePercent }
  }

  typealias Terms = JobTable.Terms

  private struct Alarm {
    var at: Instant
    var errand: Errand
    var terms: Terms
  }

  /// A request that waits for the end of a job.
  private struct Waiter {
    var exchange: Exchange
    var name: UInt64

    /// It looks again, and answers itself.
    func wake() {
      if exchange.claim(name) { exchange.deliver() }
    }
  }

  private struct State {
    var table: JobTable
    /// By job.
    var waiters: [String: [Waiter]] = [:]
    /// The host leaves: nobody waits for a job any more.
    var isLeaving = false
    /// Calls that may become jobs, in order of time.
    var alarms: [Alarm] = []
    /// How many there were after those of ended calls were last thrown out, 64 at least.
    var lastAlarms = 64
    var isEnded = false

    /// When there is something to do next.
    var next: Instant? { [alarms.first?.at, table.firstEnd].compactMap { $0 }.min() }
  }

  let limits: Limits
  let afterNanoseconds: Int64
  private let state: Monitor<State>
  private let audit: any AuditTrail
  /// Begins the ids of this process' jobs.
  private let origin: String

  init(_ limits: Limits, _ audit: any AuditTrail) {
    self.limits = limits
    self.audit = audit
    state = Monitor(State(table: JobTable(limits)))
    afterNanoseconds = limits.after.nanoseconds
    origin = Jobs.hex(UInt64.random(in: 0...UInt64(UInt32.max)), digits: 8)
  }

  // MARK: The thread

  package func start() {
    OSThread("jobs") { self.work() }.leave()
  }

  package func end() { state.signal(all: true) { $0.isEnded = true } }

  /// The process ends: of what still runs, nobody will know how it ended, and the trail says so. [main]
  package func loseRest() {
    for errand in state.withLock({ $0.table.running }) { errand.lose() }
  }

  private func work() {
    while let due = wait() {
      for alarm in due { accept(alarm.errand, alarm.terms) }
    }
  }

  /// The calls whose time has come; nil at the end.
  private func wait() -> [Alarm]? {
    let next = state.withLock { $0.next }
    let isEnded = state.wait(until: next) { state -> Bool? in
      if state.isEnded { return true }
      // Something came that is earlier than what this waits for.
      return state.next == next ? nil : false
    }
    if isEnded == true { return nil }
    let now = Instant.now
    return state.withLock { state in
      state.table.removeExpired(at: now)
      let due = state.alarms.prefix { $0.at <= now }
      state.alarms.removeFirst(due.count)
      return Array(due)
    }
  }

  // MARK: From call to job

  /// A call may become a job when it lasts. [event]
  func expect(_ errand: Errand, _ terms: Terms) {
    let alarm = Alarm(at: .now + limits.after, errand: errand, terms: terms)
    state.signal { state in
      state.alarms.append(alarm)
      // Calls that ended in time leave theirs behind; half of the room at most.
      if state.alarms.count >= 2 * state.lastAlarms {
        state.alarms.removeAll { $0.errand.isOver }
        state.lastAlarms = max(64, state.alarms.count)
      }
    }
  }

  /// Makes a job of a call that has begun or is about to; nil when there is no room, or the call has ended. [any]
  func adopt(_ errand: Errand, _ terms: Terms) -> String? {
    var random = SystemRandomNumberGenerator()
    let id = "\(origin)-\(Jobs.hex(random.next(), digits: 16))\(Jobs.hex(random.next(), digits: 16))"
    return state.withLock { $0.table.add(id, terms, errand) } ? id : nil
  }

  private func accept(_ errand: Errand, _ terms: Terms) {
    guard !errand.isOver, let id = adopt(errand, terms) else { return }
    guard let waiting = errand.becomeJob(.init(id: id, key: terms.key)) else {
      return state.withLock { $0.table.remove(id) }
    }
    writeRunning(id, to: waiting)
    waiting.deliver()
  }

  /// The answer is in the errand's exchange. [any]
  func finish(_ job: Errand.Job, _ errand: Errand) {
    record(job, errand, status: errand.exchange.status)
    guard job.end != .cancelled else { return }
    let answer = errand.exchange.keptAnswer
    let until = Instant.now + limits.kept
    let waiters = state.signal { state in
      state.table.end(job.id, answer, until: until)
      return state.waiters.removeValue(forKey: job.id)
    }
    for waiter in waiters ?? [] { waiter.wake() }
  }

  /// Says in the audit trail how a job ended, and after what time: nobody may ever ask for it. [any, who owns the exchange]
  func record(_ job: Errand.Job, _ errand: Errand, status: Int) {
    let exchange = errand.exchange
    audit.record(
      endOfJob: RequestAudit(
        time: .now, durationMicroseconds: Int((Instant.now - exchange.started) / 1000), status: status,
        labels: errand.call.route?.labels, key: job.key, isDryRun: exchange.isDryRun,
        isReplayed: exchange.isReplayed, job: job.id, jobEnd: job.end),
      of: exchange)
  }

  /// Of `job.lost`, and of the row of a job whose host ended before it.
  static let lostStatus = 410

  // MARK: Looking

  enum Look {
    case running
    case ended(KeptAnswer, Terms)
  }

  /// Throws `job.not_found` (404), also for another key's; `job.lost` (410) for one of a host before. [event]
  func look(_ id: String, key: KeyID?) throws(Problem) -> Look {
    guard let job = state.withLock({ $0.table[id] }), job.isOf(key) else { throw missing(id) }
    return job.answer.map { .ended($0, job.terms) } ?? .running
  }

  /// Cancels it, or forgets its answer. Throws as ``look(_:key:)``. [event]
  func remove(_ id: String, key: KeyID?) throws(Problem) {
    let (job, waiters) = state.withLock { state -> (JobTable.Job?, [Waiter]?) in
      guard let job = state.table[id], job.isOf(key) else { return (nil, nil) }
      state.table.remove(id)
      return (job, state.waiters.removeValue(forKey: id))
    }
    guard let job else { throw missing(id) }
    job.errand?.abandon(isAsking: true)
    for waiter in waiters ?? [] { waiter.wake() }
  }

  /// Has the request that was just asked about a running job wait for its end. False: it has ended meanwhile, or enough
  /// wait for it. [event]
  func wait(for id: String, _ exchange: Exchange) -> Bool {
    let waiter = Waiter(exchange: exchange, name: exchange.handle)
    return state.withLock { state in
      guard !state.isLeaving, state.table[id]?.errand != nil else { return false }
      var waiters = state.waiters[id] ?? []
      // Those whose own time was up are over.
      waiters.removeAll { !$0.exchange.isOpen($0.name) }
      guard waiters.count < Jobs.maxWaiters else { return false }
      state.waiters[id] = waiters + [waiter]
      return true
    }
  }

  private static let maxWaiters = 16

  /// Who waits for a job is told how it stands, and asks the host that follows. [any]
  package func endWaits() {
    let waiters = state.withLock { state in
      state.isLeaving = true
      defer { state.waiters = [:] }
      return state.waiters.values.flatMap { $0 }
    }
    for waiter in waiters { waiter.wake() }
  }

  /// The job that runs for that very call with an idempotency key. [any]
  func running(for name: KeyedCallName) -> String? { state.withLock { $0.table.running(for: name) } }

  /// How many run, and of how many the answer is kept. [any]
  package var count: (running: Int, kept: Int) {
    state.withLock { ($0.table.runningCount, $0.table.keptCount) }
  }

  /// No job runs. [any]
  package var isIdle: Bool { count.running == 0 }

  private func missing(_ id: String) -> Problem {
    let parts = id.utf8.split(separator: UInt8(ascii: "-"))
    if parts.count == 2, parts[0].count == 8, parts[1].count == 32, !id.hasPrefix(origin) {
      return Problem(
        Jobs.lostStatus, "job.lost",
        "The host that ran this job has been replaced, and its answer cannot be fetched any more. The job itself may have been carried out: read what it was to change before you send the request again. One that was sent with an idempotency key can be sent again as it was: it is answered with what came of the first."
      )
    }
    return Problem(
      404, "job.not_found",
      "This key has no such job. Answers are kept for \(limits.kept.nanoseconds / 1_000_000_000) seconds, less when there are many. Compare the id with the one that the call was answered with; if it is the same, the job may have been carried out: read what it was to change before you send the call again."
    )
  }

  /// What a client gets until the answer is there. By whoever claimed the exchange.
  func writeRunning(_ id: String, to exchange: Exchange) {
    let closes = exchange.closes
    exchange.discardAnswer()
    exchange.closes = closes
    exchange.status = 202
    exchange.addHeader("Content-Type", "application/json")
    exchange.addHeader("Location", "/jobs/\(id)")
    exchange.addHeader("Retry-After", String(limits.pollSeconds))
    exchange.addHeader("Cache-Control", "no-store")
    exchange.answerBody.append(json: JobOperation.handle(id, pollSeconds: limits.pollSeconds))
  }

  private static func hex(_ word: UInt64, digits: Int) -> String {
    let text = String(word, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
  }
}
