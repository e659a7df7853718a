import Glibc
package import Kernel
import Synchronization

/// The threads that handlers may block: a fixed number, shared by all plugins, behind a bounded queue.
package final class Workers: Sendable {
  package struct Limits: Sendable {
    package var threads: Int
    /// Calls that wait for a thread; rounded up to a power of two.
    package var queue: Int
    package var stackBytes: Int

    package init(
      threads: Int = max(8, 4 * sysconf(Int32(_SC_NPROCESSORS_ONLN))), queue: Int = 1024,
      stackBytes: Int = 2 << 20
    ) {
      self.threads = threads
      self.queue = queue
      self.stackBytes = stackBytes
    }
  }

  /// How often a worker that ran out of work looks again before it sleeps: about a microsecond, less than the
  /// wake that it saves.
  private static let looks = 32

  private let queue: JobQueue
  private let bell = Doorbell()
  private let isEnding = Atomic<Bool>(false)
  private let alive: Monitor<Int>
  private let count: Int

  package init(_ limits: Limits = Limits()) {
    precondition(limits.threads > 0 && limits.queue > 0)
    queue = JobQueue(capacity: limits.queue)
    count = limits.threads
    alive = Monitor(limits.threads)
    for number in 0..<limits.threads {
      _ = OSThread("worker-\(number)", stackBytes: limits.stackBytes) { self.work() }
    }
  }

  /// Calls that can wait at a time.
  package var queueBound: Int { queue.capacity }
  package var threads: Int { count }
  /// Whether no call waits for a thread now.
  package var isQueueEmpty: Bool { queue.isEmpty }

  /// False when the queue is full, or the pool ends. [event]
  func submit(_ job: Job) -> Bool {
    guard !isEnding.load(ordering: .relaxed), queue.push(job) else { return false }
    bell.ring()
    return true
  }

  /// Takes no more calls, runs those that wait, and ends the threads. False when some are still in a handler at
  /// `deadline`: those are left to the end of the process.
  package func end(by deadline: Instant) -> Bool {
    isEnding.store(true, ordering: .sequentiallyConsistent)
    bell.ringAll()
    return alive.wait(until: deadline) { $0 == 0 ? true : nil } ?? false
  }

  private func work() {
    bell.beginSearch()
    while true {
      if let job = search() {
        bell.found { queue.isEmpty }
        job.run()
        bell.beginSearch()
      } else if isEnding.load(ordering: .sequentiallyConsistent) {
        bell.found { true }
        return alive.signal(all: true) { $0 -= 1 }
      } else {
        bell.sleep { !queue.isEmpty || isEnding.load(ordering: .sequentiallyConsistent) }
      }
    }
  }

  private func search() -> Job? {
    for look in 0..<Workers.looks {
      if let job = queue.pop() { return job }
      if look > 0 { pauseBriefly() }
    }
    return queue.pop()
  }
}
