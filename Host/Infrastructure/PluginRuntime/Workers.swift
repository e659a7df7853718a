import Application
import Glibc
package import Kernel
import Synchronization

/// The threads that handlers may block: a fixed number, shared by all automations. Each automation has a bounded queue
/// and a share of the threads that is less than all of them: one that blocks does not keep the others waiting.
///
/// A handler that is still inside when the host has answered in its place keeps its thread. Another thread takes that
/// one's part, up to a bound, so that one plugin that hangs does not stop the others; what comes back leaves.
package final class Workers: Sendable {
  package struct Limits: Sendable {
    package var threads: Int
    /// Calls of one automation that wait for a thread; rounded up to a power of two.
    package var queue: Int
    /// Threads that one automation may have at a time; 0 for three quarters of them.
    package var share: Int
    /// Threads beyond `threads`, in the place of those that do not come back.
    package var substitutes: Int
    /// Of them, in the place of one automation's; 0 for half.
    package var substituteShare: Int
    package var stackBytes: Int

    package init(
      threads: Int = max(8, 4 * sysconf(Int32(_SC_NPROCESSORS_ONLN))), queue: Int = 1024, share: Int = 0,
      substitutes: Int = 64, substituteShare: Int = 0, stackBytes: Int = 2 << 20
    ) {
      self.threads = threads
      self.queue = queue
      self.share = share
      self.substitutes = substitutes
      self.substituteShare = substituteShare
      self.stackBytes = stackBytes
    }
  }

  private struct Crew {
    /// Places of ``now`` that no thread has.
    var free: [Int]
    var alive = 0
    /// Calls that overran and are inside still.
    var overrunning = 0
    /// Places whose call overran, and whose part of its lane's share another thread has.
    var substituted: Set<Int> = []
    var lanes: [String: Lane] = [:]
    var numbered: [Lane] = []
  }

  /// How often a worker that ran out of work looks again before it sleeps: about a microsecond, less than the
  /// wake that it saves.
  private static let looks = 32
  private static let overran = UInt64.max
  /// Twice the accounts that there can be: a lane is listed once, and a place is free again a little later than its lane.
  private static let maxLanes = 2 * (AutomationLimits.Table.maxAccounts + 1)

  private let limits: Limits
  /// Lanes with calls that a worker may take, in turn.
  private let ready = JobQueue<Listing>(capacity: Workers.maxLanes)
  private let times: WorkerTimes
  private let bell = Doorbell()
  private let isEnding = Atomic<Bool>(false)
  private let crew: Monitor<Crew>
  /// The request that each thread handles; 0 for none, ``overran`` once nobody waits for it.
  private let now: AtomicWords

  package init(_ limits: Limits = Limits()) {
    precondition(limits.threads > 0 && limits.queue > 0 && limits.substitutes >= 0)
    self.limits = limits
    now = AtomicWords(count: limits.threads + limits.substitutes)
    times = WorkerTimes(threads: now.count)
    crew = Monitor(Crew(free: (0..<now.count).reversed()))
    for _ in 0..<limits.threads { hire() }
  }

  /// Threads that run now, and how many of them are in calls that nobody waits for.
  package var threads: (alive: Int, overrunning: Int) { crew.withLock { ($0.alive, $0.overrunning) } }

  /// The queue and share of an account's automation. Kept for good, as accounts are.
  func lane(of account: AutomationAccount) -> Lane {
    let bounds = AutomationAccount.QueueBounds(
      waiting: account.limits.queue ?? limits.queue,
      running: min(account.limits.workers ?? usualShare, limits.threads))
    let lane = crew.withLock { crew in
      if let known = crew.lanes[account.automation] { return known }
      let lane = Lane(
        crew.numbered.count, account: account, share: bounds.running,
        substitutes: limits.substituteShare > 0 ? limits.substituteShare : (limits.substitutes + 1) / 2,
        queue: bounds.waiting, ready: ready)
      crew.lanes[account.automation] = lane
      crew.numbered.append(lane)
      return lane
    }
    account.readQueue(within: bounds) { [weak lane] in lane?.figures ?? .init() }
    return lane
  }

  private var usualShare: Int { limits.share > 0 ? limits.share : max(1, limits.threads * 3 / 4) }

  /// False when the automation's queue is full, or the pool ends. [event]
  func submit(_ call: Call, to lane: Lane) -> Bool {
    guard !isEnding.load(ordering: .relaxed), lane.add(call) else { return false }
    bell.ring()
    return true
  }

  /// Charges the time of calls that still run to their automations. [the book's thread]
  package func chargeTimes() {
    let lanes = crew.withLock { $0.numbered }
    times.charge { $0 < lanes.count ? lanes[$0] : nil }
  }

  /// The host has answered in the place of the handler of `request`, which may be inside still; `lane` is its
  /// automation's. [any]
  func overrun(_ request: UInt64, of lane: Lane) {
    for place in 0..<now.count where now.load(place) == request {
      let substitute: Int?? = crew.withLock { crew in
        guard now.compareExchange(place, expected: request, desired: Workers.overran).exchanged else {
          return .none
        }
        crew.overrunning += 1
        let isEnding = isEnding.load(ordering: .relaxed)
        guard lane.overrun(hasSubstitute: !isEnding && !crew.free.isEmpty) else { return .some(nil) }
        crew.substituted.insert(place)
        crew.alive += 1
        return crew.free.popLast()
      }
      if case .some(.some(let free)) = substitute {
        start(at: free)
        lane.finish()
        bell.ring()
      }
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

  /// Starts one of the fixed number.
  private func hire() {
    let place = crew.withLock { crew in
      crew.alive += 1
      return crew.free.removeLast()
    }
    OSThread("worker-\(place)", stackBytes: limits.stackBytes) { self.work(place) }.leave()
  }

  /// Starts a substitute. One that the system refuses is done without: the next overrun asks again.
  private func start(at place: Int) {
    do throws(OSThread.Refused) {
      try OSThread(attempting: "worker-\(place)", stackBytes: limits.stackBytes) { self.work(place) }.leave()
    } catch { leave(place) }
  }

  private func work(_ place: Int) {
    times.begin(at: place)
    var last: Lane?
    bell.beginSearch()
    while true {
      if let (lane, call) = search() {
        bell.found { ready.isEmpty }
        times.turn(at: place, from: last, to: lane)
        last = lane
        now.store(call.request, at: place)
        call.run()
        if now.compareExchange(place, expected: call.request, desired: 0).exchanged {
          lane.finish()
        } else if isSurplus(place, lane) {
          times.end(at: place, last: lane)
          free(place)
          // What this one has made ready is for the others.
          return bell.ring()
        }
        bell.beginSearch()
      } else if isEnding.load(ordering: .sequentiallyConsistent) {
        bell.found { true }
        times.end(at: place, last: last)
        return leave(place)
      } else {
        bell.sleep { !ready.isEmpty || isEnding.load(ordering: .sequentiallyConsistent) }
      }
    }
  }

  /// After a call that overran: whether another thread does this one's work by now, and this one is to go.
  private func isSurplus(_ place: Int, _ lane: Lane) -> Bool {
    now.store(0, at: place)
    let (hadSubstitute, isSurplus) = crew.withLock { crew in
      crew.overrunning -= 1
      let hadSubstitute = crew.substituted.remove(place) != nil
      if hadSubstitute { lane.comeBack() }
      guard crew.alive - crew.overrunning > limits.threads else { return (hadSubstitute, false) }
      crew.alive -= 1
      return (hadSubstitute, true)
    }
    if !hadSubstitute { lane.finish() }
    return isSurplus
  }

  private func free(_ place: Int) { crew.signal(all: true) { $0.free.append(place) } }

  private func leave(_ place: Int) {
    crew.signal(all: true) { crew in
      crew.alive -= 1
      crew.free.append(place)
    }
  }

  private func search() -> (Lane, Call)? {
    for look in 0...Workers.looks {
      while let lane = ready.pop()?.lane {
        if let call = lane.next() { return (lane, call) }
      }
      if look > 0 { pauseBriefly() }
    }
    return nil
  }
}
