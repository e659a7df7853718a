import Application
import Kernel
import Synchronization

/// What the host remembers of the streams in one runner, in its own memory.
///
/// A call whose answer is a stream stays `taken` in the ``CallTable`` until that is over: an entry here ends it. Whoever
/// begins the stream makes the entry; the collector alone changes and removes it.
final class StreamTable: Sendable {
  struct Entry: Sendable {
    let sequence: UInt64
    /// nil once nobody wants it any more, and the runner was told so.
    var stream: AnswerStream?
    /// How it ended, and how many bytes its call had written then; nil until the runner says so.
    var end: (how: End, written: UInt64)?
    /// How long its handler may work on once its stream is over.
    var patience: Int64 = 0
    /// When the runner must have said that it has come back. Once it was told.
    var until: Instant?
  }

  /// How a stream ended, as the runner says.
  enum End: UInt64, Sendable {
    case whole = 1
    case cut = 2
    /// The host had ended it, and its handler has come back.
    case noticed = 3
  }

  private struct State {
    var entries: [Int: Entry] = [:]
  }

  private let state = Monitor(State())
  /// Calls with news for the collector: room, or an end.
  let news: NumberSet
  /// By call: bytes taken out of its ring, of all its streams.
  private let taken: AtomicWords
  /// By call: 1 where room is kept for a stream that it may begin.
  private let held: AtomicWords
  /// Grows with each process. See ``insert(_:_:_:)``.
  private let processes = Atomic<Int>(0)

  init(calls: Int) {
    news = NumberSet(count: calls, isFull: false)
    taken = AtomicWords(count: calls)
    held = AtomicWords(count: calls)
  }

  // MARK: Room

  func hold(_ number: Int) { held.storeReleasing(1, at: number) }
  func isHeld(_ number: Int) -> Bool { held.loadAcquiring(number) != 0 }
  /// Takes the room that is kept; false when there is none. One caller gets it.
  func takeHeld(_ number: Int) -> Bool { held.compareExchange(number, expected: 1, desired: 0).exchanged }

  // MARK: Entries

  /// Read before a call is taken, to be given to ``insert(_:_:_:)``.
  var incarnation: Int { processes.load(ordering: .acquiring) }

  /// False: the process that began this stream has ended, and its streams are buried.
  func insert(_ entry: Entry, _ number: Int, _ incarnation: Int) -> Bool {
    state.withLock { state in
      guard self.incarnation == incarnation else { return false }
      state.entries[number] = entry
      return true
    }
  }

  subscript(number: Int) -> Entry? {
    get { state.withLock { $0.entries[number] } }
    set { state.withLock { $0.entries[number] = newValue } }
  }

  /// Removes what `fits`, and returns it. `endsProcess`: from now on streams of the process until now are not inserted.
  func remove(endsProcess: Bool, _ fits: (Entry) -> Bool) -> [(Int, Entry)] {
    state.withLock { state in
      if endsProcess { processes.add(1, ordering: .acquiringAndReleasing) }
      let gone = state.entries.filter { fits($0.value) }
      for (number, _) in gone { state.entries[number] = nil }
      return gone.map { ($0.key, $0.value) }
    }
  }

  /// Whether a handler has not come back that should have by `then`.
  func areOverdue(_ then: Int64) -> Bool {
    state.withLock { state in state.entries.values.contains { ($0.until?.nanoseconds ?? .max) < then } }
  }

  // MARK: Rings

  func position(_ number: Int) -> UInt64 { taken.load(number) }
  /// [collector]
  func advance(_ number: Int, to position: UInt64) { taken.store(position, at: number) }
}
