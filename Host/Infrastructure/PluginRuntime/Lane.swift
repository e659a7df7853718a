import Application
import Synchronization

/// The calls of one automation that wait for a worker, and its share of the workers: what keeps one that blocks from
/// taking all of them.
///
/// A lane that has a call and room in its share stands in the list of the ready ones, once. The worker that takes it
/// from there takes one call, and puts it back to the end if there is more: lanes are served in turn. Who changes
/// what makes a lane ready (adds a call, frees a part of the share, takes it from the list) looks afterwards whether
/// it is to be listed; each of these steps is sequentially consistent, so that the last one sees all.
final class Lane: Sendable {
  let number: Int
  let account: AutomationAccount
  /// Workers that run calls of this lane at a time.
  let share: Int
  /// Threads that may be inside for good while others do their part.
  let substitutes: Int
  private let queue: JobQueue<Call>
  private let ready: JobQueue<Listing>
  private let running = Atomic<Int>(0)
  private let overrunning = Atomic<Int>(0)
  private let isListed = Atomic<Bool>(false)

  init(
    _ number: Int, account: AutomationAccount, share: Int, substitutes: Int, queue: Int,
    ready: JobQueue<Listing>
  ) {
    self.number = number
    self.account = account
    self.share = share
    self.substitutes = substitutes
    self.queue = JobQueue(capacity: queue)
    self.ready = ready
  }

  var figures: AutomationAccount.Queue {
    .init(
      waiting: queue.count, running: running.load(ordering: .relaxed),
      overrunning: overrunning.load(ordering: .relaxed))
  }

  /// False when the queue is full. Who adds a call rings afterwards. [event]
  func add(_ call: Call) -> Bool {
    guard queue.push(call) else { return false }
    // Orders the call before the look at the share; `finish` orders its steps the other way round.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    // At its bound: who finishes will see the call.
    if running.load(ordering: .sequentiallyConsistent) < share { list() }
    return true
  }

  /// The next call, with a part of the share. Only for who took the lane from the list. [worker]
  func next() -> Call? {
    // Nobody else adds meanwhile: the lane is listed once.
    let hasRoom = running.load(ordering: .sequentiallyConsistent) < share
    if hasRoom { running.add(1, ordering: .sequentiallyConsistent) }
    let call = hasRoom ? queue.pop() : nil
    if hasRoom, call == nil { running.subtract(1, ordering: .sequentiallyConsistent) }
    // An exchange: what came before it on the thread that found the lane listed is seen here.
    _ = isListed.exchange(false, ordering: .sequentiallyConsistent)
    listIfReady()
    return call
  }

  /// A call is over. [worker]
  func finish() {
    running.subtract(1, ordering: .sequentiallyConsistent)
    listIfReady()
  }

  /// A call has overrun: another thread takes its part of the share, when this automation may have one more of them.
  /// Under the lock of the workers.
  func overrun(hasSubstitute: Bool) -> Bool {
    guard hasSubstitute, overrunning.load(ordering: .relaxed) < substitutes else { return false }
    overrunning.add(1, ordering: .relaxed)
    return true
  }

  /// A call that overran, and whose part another thread has taken, is over. Under the lock of the workers.
  func comeBack() { overrunning.subtract(1, ordering: .relaxed) }

  private func listIfReady() {
    if !queue.isEmpty, running.load(ordering: .sequentiallyConsistent) < share { list() }
  }

  private func list() {
    guard !isListed.exchange(true, ordering: .sequentiallyConsistent) else { return }
    // There is a place for every lane; it is taken only while a worker is about to leave it.
    while !ready.push(Listing(self)) { pauseBriefly() }
  }
}
