import Application
import Domain
import Kernel
import Synchronization

/// One write on its way through the writer's queue.
final class WriteJob: Sendable {
  typealias Answer = Result<RecordResult, Problem>

  enum Work: Sendable {
    /// Writes that succeed or fail together. `batch` tells how they are answered. Those of a dry run are undone before
    /// the next job runs.
    case records([Write], batch: Bool, isDryRun: Bool)
    /// Runs alone, in a transaction of its own: a migration.
    case alone(@Sendable (Connection) throws(Problem) -> RecordResult)
  }

  struct Write: Sendable {
    var collection: CompiledCollection
    var write: RecordWrite
  }

  let work: Work
  private let answer: Monitor<Answer?>

  /// Whether there is something to commit when it succeeds.
  var isKept: Bool { if case .records(_, _, isDryRun: true) = work { false } else { true } }

  init(_ work: Work, answer: Monitor<Answer?>) {
    self.work = work
    self.answer = answer
  }

  func complete(_ result: Answer) { answer.signal { $0 = result } }
}

/// Figures of one writer since it was opened.
package struct WriterFigures: Sendable, Equatable {
  package var writes: Int
  package var commits: Int
  /// Writes that wait for their turn now.
  package var waiting: Int
  /// Writes that have left the queue to be run, so far.
  package var taken: Int
}

/// The one thread that writes a file: takes what waits, runs it in one transaction, and answers after the COMMIT.
///
/// While one commit waits for the disk the next writes gather; so the more callers there are, the more share a
/// commit. The writer never waits for more to come.
final class RecordWriter: Sendable {
  private struct Queue {
    var jobs: [WriteJob] = []
    var isClosing = false
  }

  private let queue: Monitor<Queue>
  private let answers = ThreadSlots<Monitor<WriteJob.Answer?>> { _ in Monitor(nil) }
  private let configuration: SQLiteConfiguration
  private let counters: Counters
  private let thread: OSThread

  final class Counters: Sendable {
    let writes = Atomic<Int>(0)
    let commits = Atomic<Int>(0)
    let taken = Atomic<Int>(0)
  }

  init(_ file: DatabaseFile.Shared) throws(SQLiteError) {
    let configuration = file.configuration
    let queue = Monitor(Queue())
    let counters = Counters()
    // Opened here, so that a file that cannot be opened is an error of the caller; used by the thread only.
    let opened = Monitor<WriteConnection?>(try WriteConnection(file))
    self.configuration = configuration
    self.queue = queue
    self.counters = counters
    thread = OSThread("records-writer") {
      guard let connection = opened.withLock({ $0.take() }) else { return }
      var sweep: Instant?
      while true {
        switch RecordWriter.next(queue, max: configuration.maxGroup, until: sweep) {
        case .end: return
        case .jobs(let jobs):
          counters.taken.add(jobs.count, ordering: .relaxed)
          connection.run(jobs, counters)
        case .nothing: break
        }
        // Between two groups at most one batch of a sweep, however much is left of it.
        if !file.declared.hasEnding.load(ordering: .relaxed) {
          sweep = nil
        } else if let due = sweep, Instant.now < due {
          continue
        } else {
          sweep = connection.sweep() ? .now : .now + configuration.sweepInterval
        }
      }
    }
  }

  var figures: WriterFigures {
    WriterFigures(
      writes: counters.writes.load(ordering: .relaxed), commits: counters.commits.load(ordering: .relaxed),
      waiting: queue.withLock { $0.jobs.count }, taken: counters.taken.load(ordering: .relaxed))
  }

  /// Hands work to the writer and waits until it is durable, or did not happen.
  func run(_ work: WriteJob.Work, maxWait: Duration?) -> WriteJob.Answer {
    // A thread waits for one write at a time, so its own monitor serves all of them.
    let answer = OSThread.number == nil ? Monitor(nil) : answers.current
    let job = WriteJob(work, answer: answer)
    let refusal = queue.signal { state -> Problem? in
      if state.isClosing { return .recordsUnavailable(cause: "closed", "the records are being closed") }
      guard state.jobs.count < configuration.maxQueuedWrites else { return .recordsOverloaded }
      state.jobs.append(job)
      return nil
    }
    if let refusal { return .failure(refusal) }
    let deadline = maxWait.map { Instant.now + $0 }
    if let result = answer.wait(until: deadline, { $0.take() }) { return result }
    let withdrawn = queue.withLock { state in
      guard let place = state.jobs.firstIndex(where: { $0 === job }) else { return false }
      state.jobs.remove(at: place)
      return true
    }
    if withdrawn { return .failure(.recordsOverloaded) }
    // It has begun: only its end tells whether it happened.
    return answer.wait { $0.take() } ?? .failure(.recordsInternal("a write ended without an answer"))
  }

  private enum Turn {
    /// One group, or one job that runs alone.
    case jobs([WriteJob])
    case nothing
    case end
  }

  /// What waits, or comes until then.
  private static func next(_ queue: Monitor<Queue>, max: Int, until deadline: Instant?) -> Turn {
    queue.wait(until: deadline) { state -> Turn? in
      guard !state.jobs.isEmpty else { return state.isClosing ? .end : nil }
      var count = 0
      while count < min(max, state.jobs.count) {
        if case .alone = state.jobs[count].work {
          if count == 0 { count = 1 }
          break
        }
        count += 1
      }
      let taken = Array(state.jobs[..<count])
      state.jobs.removeFirst(count)
      return .jobs(taken)
    } ?? .nothing
  }

  /// Writes what waits, then ends the thread. Once.
  func close() {
    queue.signal(all: true) { $0.isClosing = true }
    thread.join()
  }
}
