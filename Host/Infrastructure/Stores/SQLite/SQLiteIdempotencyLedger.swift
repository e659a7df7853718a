package import Application
package import Kernel
import Domain

/// The calls with an Idempotency-Key, in a database of its own, `idempotency.sqlite`.
///
/// One thread takes what waits, runs it in one transaction, and tells after the COMMIT: the more callers, the more share a
/// commit. Hosts that hand over to each other have the file open together; who began a call is written beside it, and whether
/// that process lives is the kernel's to say.
package final class SQLiteIdempotencyLedger: IdempotencyLedger {
  package struct Limits: Sendable {
    package var expiry = Duration.seconds(86_400)
    /// Calls remembered of one caller; one more is refused until the oldest expires.
    package var callsPerCaller = 10_000
    /// Of one answer: a larger one is not kept, and a repeated call is told so.
    package var answerBytes = 256 << 10
    /// Of all kept answers of one caller: one that finds no room is not kept, and a repeated call is told so.
    package var callerBytes = 64 << 20
    /// The file grows no larger. New calls are refused at nine tenths, so that answers of those that run find room.
    package var fileBytes: Int64 = 1 << 30
    /// New calls that may wait for the thread.
    package var queue = 1024

    package init() {}
  }

  enum Job: Sendable {
    case reserve(KeyedCallName, mayBegin: Bool, then: @Sendable (Result<Reservation, Problem>) -> Void)
    case complete(Digest256, status: Int, KeptAnswer?, then: @Sendable (Problem?) -> Void)
    case release(Digest256)
    case lose(Digest256)
  }

  private struct Queue {
    var jobs: [Job] = []
    var reservations = 0
    var isEnding = false
  }

  package let limits: Limits
  private let queue: Monitor<Queue>
  private let thread: OSThread
  private static let group = 256
  private static let idle = Duration.seconds(60)

  package var answerBytes: Int { limits.answerBytes }

  /// Opens `path`, and makes it where there is none. Throws `idempotency.unavailable` (503).
  package init(
    path: String, limits: Limits = Limits(), configuration: SQLiteConfiguration = SQLiteConfiguration(),
    log: any LogSink
  ) throws(Problem) {
    self.limits = limits
    let queue = Monitor(Queue())
    self.queue = queue
    let opened: Monitor<IdempotencyFile?>
    do throws(SQLiteError) {
      // Opened here, so that a file that cannot be opened is an error of the caller; used by the thread only.
      opened = Monitor<IdempotencyFile?>(try IdempotencyFile(path, limits, configuration))
    } catch {
      throw SQLiteIdempotencyLedger.problem(error)
    }
    thread = OSThread("idempotency") {
      guard let file = opened.withLock({ $0.take() }) else { return }
      while let jobs = SQLiteIdempotencyLedger.next(queue) { file.run(jobs, log) }
    }
  }

  /// Does what waits, then ends the thread. Once, when no request comes any more.
  package func end() {
    queue.signal(all: true) { $0.isEnding = true }
    thread.join()
  }

  static func problem(_ error: SQLiteError) -> Problem {
    let known = error.problem(SQLiteConfiguration())
    return Problem(
      503, "idempotency.unavailable",
      "What calls with an Idempotency-Key did cannot be looked up or kept now, so nothing was done. Send the call again later, with the same key.",
      members: ["cause": known.members["cause"] ?? .string("code_\(error.code)")], retryAfterSeconds: 1)
  }

  private static let overloaded = Problem(
    503, "idempotency.overloaded",
    "Too many calls with an Idempotency-Key wait. Nothing was done: send the call again, with the same key.",
    retryAfterSeconds: 1)

  // MARK: Asking

  package func reserve(
    _ call: KeyedCallName, mayBegin: Bool,
    then: @escaping @Sendable (Result<Reservation, Problem>) -> Void
  ) {
    let isTaken = queue.signal { queue in
      guard queue.reservations < limits.queue, !queue.isEnding else { return false }
      queue.reservations += 1
      queue.jobs.append(.reserve(call, mayBegin: mayBegin, then: then))
      return true
    }
    if !isTaken { then(.failure(SQLiteIdempotencyLedger.overloaded)) }
  }

  // What follows is bounded by the calls that were reserved.

  package func complete(
    _ id: Digest256, status: Int, _ answer: KeptAnswer?, then: @escaping @Sendable (Problem?) -> Void
  ) {
    let isTaken = add(.complete(id, status: status, answer, then: then))
    if !isTaken { then(SQLiteIdempotencyLedger.overloaded) }
  }

  package func release(_ id: Digest256) { _ = add(.release(id)) }

  package func lose(_ id: Digest256) { _ = add(.lose(id)) }

  private func add(_ job: Job) -> Bool {
    queue.signal { queue in
      if queue.isEnding { return false }
      queue.jobs.append(job)
      return true
    }
  }

  /// What waits; nothing, after a while without; nil at the end.
  private static func next(_ queue: Monitor<Queue>) -> [Job]? {
    let jobs: [Job]?? = queue.wait(until: .now + idle) { queue in
      if queue.jobs.isEmpty { return queue.isEnding ? .some(nil) : nil }
      let taken = Array(queue.jobs.prefix(group))
      queue.jobs.removeFirst(taken.count)
      for case .reserve in taken { queue.reservations -= 1 }
      return taken
    }
    return jobs ?? []
  }
}
