import Application
import Synchronization

/// A handler's call on its way to a worker.
@safe
struct Call {
  // Unretained: the generation waits for its calls before it ends, and an exchange lives as long as the host.
  unowned(unsafe) let plugin: InProcessPlugin
  unowned(unsafe) let exchange: Exchange
  let request: UInt64
  let route: UInt32

  init(plugin: InProcessPlugin, exchange: Exchange, request: UInt64, route: UInt32) {
    unsafe self.plugin = plugin
    unsafe self.exchange = exchange
    self.request = request
    self.route = route
  }

  func run() { unsafe plugin.work(exchange, request, route) }
}

/// An automation whose calls wait for a worker.
@safe
struct Listing {
  // Unretained: the workers keep every lane for good.
  unowned(unsafe) private let own: Lane

  init(_ lane: Lane) { unsafe own = lane }

  var lane: Lane { unsafe own }
}

/// A bounded queue of many producers and consumers without a lock: each place has a number that says whose turn it
/// is (Dmitry Vyukov, "Bounded MPMC queue").
@safe
final class JobQueue<Job>: @unchecked Sendable {
  private struct Place: ~Copyable {
    let turn: Atomic<Int>
    var job: Job?
  }

  // A place's job is touched only by the thread whose turn it is: that is what makes this class Sendable.
  private let places: UnsafeMutablePointer<Place>
  // Head and tail stand on cache lines of their own.
  private let ends: UnsafeMutablePointer<Atomic<Int>>
  private let mask: Int
  private static var tail: Int { 0 }
  private static var head: Int { 16 }

  /// Room for `capacity` jobs, rounded up to a power of two, at least 2.
  init(capacity: Int) {
    var size = 2
    while size < capacity { size *= 2 }
    mask = size - 1
    unsafe places = .allocate(capacity: size)
    for index in 0..<size { unsafe (places + index).initialize(to: Place(turn: Atomic(index), job: nil)) }
    unsafe ends = .allocate(capacity: 32)
    for index in 0..<32 { unsafe (ends + index).initialize(to: Atomic(0)) }
  }

  deinit {
    unsafe places.deinitialize(count: mask + 1)
    unsafe places.deallocate()
    unsafe ends.deinitialize(count: 32)
    unsafe ends.deallocate()
  }

  var capacity: Int { mask + 1 }

  /// False when the queue is full.
  func push(_ job: Job) -> Bool {
    var position = unsafe ends[JobQueue.tail].load(ordering: .relaxed)
    while true {
      // Safe: the mask keeps the index inside.
      let turn = unsafe places[position & mask].turn.load(ordering: .acquiring)
      if turn == position {
        let (won, seen) = unsafe ends[JobQueue.tail].weakCompareExchange(
          expected: position, desired: position + 1, ordering: .relaxed)
        if won {
          // Safe: winning the position made this place ours until its turn moves on.
          unsafe places[position & mask].job = job
          unsafe places[position & mask].turn.store(position + 1, ordering: .releasing)
          return true
        }
        position = seen
      } else if turn < position {
        return false
      } else {
        position = unsafe ends[JobQueue.tail].load(ordering: .relaxed)
      }
    }
  }

  func pop() -> Job? {
    var position = unsafe ends[JobQueue.head].load(ordering: .relaxed)
    while true {
      // Safe: the mask keeps the index inside.
      let turn = unsafe places[position & mask].turn.load(ordering: .acquiring)
      if turn == position + 1 {
        let (won, seen) = unsafe ends[JobQueue.head].weakCompareExchange(
          expected: position, desired: position + 1, ordering: .relaxed)
        if won {
          // Safe: winning the position made this place ours until its turn moves on.
          let job = unsafe places[position & mask].job
          unsafe places[position & mask].turn.store(position + mask + 1, ordering: .releasing)
          return job
        }
        position = seen
      } else if turn < position + 1 {
        return nil
      } else {
        position = unsafe ends[JobQueue.head].load(ordering: .relaxed)
      }
    }
  }

  /// How many jobs wait. Right at one moment only.
  var count: Int {
    let head = unsafe ends[JobQueue.head].load(ordering: .relaxed)
    return unsafe max(0, ends[JobQueue.tail].load(ordering: .relaxed) - head)
  }

  /// Whether a job waits. Right at one moment only.
  var isEmpty: Bool {
    let position = unsafe ends[JobQueue.head].load(ordering: .sequentiallyConsistent)
    return unsafe places[position & mask].turn.load(ordering: .sequentiallyConsistent) < position + 1
  }
}
