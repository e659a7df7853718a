import Glibc
package import Kernel
import Synchronization

/// The threads that handlers may block: a fixed number, shared by all plugins, behind a bounded queue.
///
/// A handler that is still inside when the host has answered in its place keeps its thread. Another thread takes that
/// one's part, up to a bound, so that one plugin that hangs does not stop the others; what comes back leaves.
package final class Workers: Sendable {
  package struct Limits: Sendable {
    package var threads: Int
    /// Calls that wait for a thread; rounded up to a power of two.
    package var queue: Int
    /// Threads beyond `threads`, in the place of those that do not come back.
    package var substitutes: Int
    package var stackBytes: Int

    package init(
      threads: Int = max(8, 4 * sysconf(Int32(_SC_NPROCESSORS_ONLN))), queue: Int = 1024,
      substitutes: Int = 64, stackBytes: Int = 2 << 20
    ) {
      self.threads = threads
      self.queue = queue
      self.substitutes = substitutes
      self.stackBytes = stackBytes
    }
  }

  private struct Crew {
    /// Places of ``now`` that no thread has.
    var free: [Int]
    var alive = 0
    /// Calls that overran and are inside still.
    var overrunning = 0
  }

  /// How often a worker that ran out of work looks again before it sleeps: about a microsecond, less than the
  /// wake that it saves.
  private static let looks = 32
  private static let overran = UInt64.max

  private let limits: Limits
  private let queue: JobQueue
  private let bell = Doorbell()
  private let isEnding = Atomic<Bool>(false)
  private let crew: Monitor<Crew>
  /// The request that each thread handles; 0 for none, ``overran`` once nobody waits for it.
  private let now: AtomicWords

  package init(_ limits: Limits = Limits()) {
    precondition(limits.threads > 0 && limits.queue > 0 && limits.substitutes >= 0)
    self.limits = limits
    queue = JobQueue(capacity: limits.queue)
    now = AtomicWords(count: limits.threads + limits.substitutes)
    crew = Monitor(Crew(free: (0..<now.count).reversed()))
    for _ in 0..<limits.threads { hire(isNeeded: true) }
  }

  /// Calls that can wait at a time.
  package var queueBound: Int { queue.capacity }
  /// Whether no call waits for a thread now.
  package var isQueueEmpty: Bool { queue.isEmpty }
  /// Threads that run now, and how many of them are in calls that nobody waits for.
  package var threads: (alive: Int, overrunning: Int) { crew.withLock { ($0.alive, $0.overrunning) } }

  /// False when the queue is full, or the pool ends. [event]
  func submit(_ job: Job) -> Bool {
    guard !isEnding.load(ordering: .relaxed), queue.push(job) else { return false }
    bell.ring()
    return true
  }

  /// The host has answered in the place of the handler of `request`, which may be inside still. [any]
  func overrun(_ request: UInt64) {
    for place in 0..<now.count where now.load(place) == request {
      guard now.compareExchange(place, expected: request, desired: Workers.overran).exchanged else { return }
      crew.withLock { $0.overrunning += 1 }
      if !isEnding.load(ordering: .relaxed) { hire() }
      return
    }
  }

  /// Takes no more calls, runs those that wait, and ends the threads. False when some are still in a handler at
  /// `deadline`: those are left to the end of the process.
  package func end(by deadline: Instant) -> Bool {
    isEnding.store(true, ordering: .sequentiallyConsistent)
    bell.ringAll()
    return crew.wait(until: deadline) { $0.alive == 0 ? true : nil } ?? false
  }

  /// Starts a thread, if there is a place for one. A substitute that the system refuses is done without: the next overrun
  /// asks again.
  private func hire(isNeeded: Bool = false) {
    let place = crew.withLock { crew -> Int? in
      guard let place = crew.free.popLast() else { return nil }
      crew.alive += 1
      return place
    }
    guard let place else { return }
    let name = "worker-\(place)"
    if isNeeded { return OSThread(name, stackBytes: limits.stackBytes) { self.work(place) }.leave() }
    do throws(OSThread.Refused) {
      try OSThread(attempting: name, stackBytes: limits.stackBytes) { self.work(place) }.leave()
    } catch { leave(place) }
  }

  private func work(_ place: Int) {
    bell.beginSearch()
    while true {
      if let job = search() {
        bell.found { queue.isEmpty }
        now.store(job.request, at: place)
        job.run()
        if !now.compareExchange(place, expected: job.request, desired: 0).exchanged, isSurplus(place) {
          return
        }
        bell.beginSearch()
      } else if isEnding.load(ordering: .sequentiallyConsistent) {
        bell.found { true }
        return leave(place)
      } else {
        bell.sleep { !queue.isEmpty || isEnding.load(ordering: .sequentiallyConsistent) }
      }
    }
  }

  /// After a call that overran: whether another thread does this one's work by now, and this one is to go.
  private func isSurplus(_ place: Int) -> Bool {
    now.store(0, at: place)
    return crew.signal(all: true) { crew in
      crew.overrunning -= 1
      guard crew.alive - crew.overrunning > limits.threads else { return false }
      crew.alive -= 1
      crew.free.append(place)
      return true
    }
  }

  private func leave(_ place: Int) {
    crew.signal(all: true) { crew in
      crew.alive -= 1
      crew.free.append(place)
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
