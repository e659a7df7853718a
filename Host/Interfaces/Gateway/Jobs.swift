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
    /// For how long an answer is kept.
    package var kept: Duration
    /// What a client is told to wait between two looks.
    package var pollSeconds: Int

    package init(
      after: Duration = .seconds(40), count: Int = 1024, bytes: Int = 64 << 20,
      kept: Duration = .seconds(600),
      pollSeconds: Int = 2
    ) {
      self.after = after
      self.count = count
      self.bytes = bytes
      self.kept = kept
      self.pollSeconds = pollSeconds
    }
  }

  /// What a job was asked for, and by whom.
  struct Terms: Sendable {
    /// nil for a caller without a key: then whoever knows the id may ask.
    var key: KeyID?
    var route: LiveRoute
    var wishes: AnswerWishes?
  }

  private struct Job {
    var terms: Terms
    /// nil once it has ended.
    var errand: Errand?
    var answer: StoredAnswer?

    /// The id of one that was begun without a key cannot be guessed: who knows it may have the answer.
    func isOf(_ key: KeyID?) -> Bool { terms.key == nil || terms.key == key }
  }

  private struct Alarm {
    var at: Instant
    var errand: Errand
    var terms: Terms
  }

  private struct State {
    var jobs: [String: Job] = [:]
    /// Kept answers, the one that goes first in front.
    var kept: [(id: String, until: Instant)] = []
    var bytes = 0
    /// Calls that may become jobs, in order of time.
    var alarms: [Alarm] = []
    /// How many there were after those of ended calls were last thrown out, 64 at least.
    var lastAlarms = 64
    var isEnded = false

    mutating func forget(_ id: String) {
      if let job = jobs.removeValue(forKey: id), let answer = job.answer { bytes -= answer.byteCount }
      kept.removeAll { $0.id == id }
    }
  }

  let limits: Limits
  let afterNanoseconds: Int64
  private let state = Monitor(State())
  /// Begins the ids of this process' jobs.
  private let origin: String

  init(_ limits: Limits) {
    self.limits = limits
    afterNanoseconds = limits.after.nanoseconds
    origin = Jobs.hex(UInt64.random(in: 0...UInt64(UInt32.max)), digits: 8)
  }

  // MARK: The thread

  package func start() {
    OSThread("jobs") { self.work() }.leave()
  }

  package func end() { state.signal(all: true) { $0.isEnded = true } }

  private func work() {
    while let due = wait() {
      for alarm in due { accept(alarm.errand, alarm.terms) }
    }
  }

  /// The calls whose time has come; nil at the end.
  private func wait() -> [Alarm]? {
    let next = state.withLock { state -> Instant? in
      [state.alarms.first?.at, state.kept.first?.until].compactMap { $0 }.min()
    }
    let isEnded = state.wait(until: next) { state -> Bool? in
      if state.isEnded { return true }
      let earliest = [state.alarms.first?.at, state.kept.first?.until].compactMap { $0 }.min()
      // Something came that is earlier than what this waits for.
      return earliest == next ? nil : false
    }
    if isEnded == true { return nil }
    let now = Instant.now
    return state.withLock { state in
      while let first = state.kept.first, first.until <= now { state.forget(first.id) }
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
    let hasRoom = state.withLock { state in
      while state.jobs.count >= limits.count, let oldest = state.kept.first { state.forget(oldest.id) }
      guard state.jobs.count < limits.count else { return false }
      state.jobs[id] = Job(terms: terms, errand: errand)
      return true
    }
    return hasRoom ? id : nil
  }

  private func accept(_ errand: Errand, _ terms: Terms) {
    guard !errand.isOver, let id = adopt(errand, terms) else { return }
    guard let waiting = errand.becomeJob(id) else {
      return state.withLock { $0.jobs[id] = nil }
    }
    writeRunning(id, to: waiting)
    waiting.deliver()
  }

  /// The answer is there. [any]
  func finish(_ id: String, _ answer: StoredAnswer) {
    state.signal { state in
      // Cancelled meanwhile.
      guard var job = state.jobs[id] else { return }
      job.errand = nil
      job.answer = answer
      state.jobs[id] = job
      state.bytes += answer.byteCount
      state.kept.append((id, .now + limits.kept))
      while state.bytes > limits.bytes, let oldest = state.kept.first { state.forget(oldest.id) }
    }
  }

  // MARK: Looking

  enum Look {
    case running
    case ended(StoredAnswer, Terms)
  }

  /// Throws `job.not_found` (404), also for another key's; `job.lost` (410) for one of a host before. [event]
  func look(_ id: String, key: KeyID?) throws(Problem) -> Look {
    guard let job = state.withLock({ $0.jobs[id] }), job.isOf(key) else { throw missing(id) }
    return job.answer.map { .ended($0, job.terms) } ?? .running
  }

  /// Cancels it, or forgets its answer. Throws as ``look(_:key:)``. [event]
  func remove(_ id: String, key: KeyID?) throws(Problem) {
    let job = state.withLock { state -> Job? in
      guard let job = state.jobs[id], job.isOf(key) else { return nil }
      state.forget(id)
      return job
    }
    guard let job else { throw missing(id) }
    job.errand?.abandon()
  }

  /// No job runs. [any]
  package var isIdle: Bool { state.withLock { state in state.jobs.allSatisfy { $0.value.errand == nil } } }

  /// Running ones, and kept answers. [any]
  package var count: Int { state.withLock { $0.jobs.count } }

  private func missing(_ id: String) -> Problem {
    let parts = id.utf8.split(separator: UInt8(ascii: "-"))
    if parts.count == 2, parts[0].count == 8, parts[1].count == 32, !id.hasPrefix(origin) {
      return Problem(
        410, "job.lost",
        "The host that ran this job has been replaced, and its answer cannot be fetched any more. The job itself may have been carried out: read what it was to change before you send the request again."
      )
    }
    return Problem(
      404, "job.not_found",
      "This key has no such job. Answers are kept for \(limits.kept.nanoseconds / 1_000_000_000) seconds, less when there are many."
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
    exchange.answerBody.append(json: [
      "job": .string(id), "status": "running", "poll": .string("/jobs/\(id)"),
      "poll_after_s": .integer(Int64(limits.pollSeconds)),
    ])
  }

  private static func hex(_ word: UInt64, digits: Int) -> String {
    let text = String(word, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
  }
}
