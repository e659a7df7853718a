import Kernel

/// What the host remembers of the calls in one runner, in its own memory.
///
/// A call's word is its sequence number and its phase. Only who changes the phase from `submitting` or `inFlight` to
/// `taken` ends the call, so that an answer and a crash do not both.
final class CallTable: Sendable {
  private enum Phase {
    static let free: UInt64 = 0
    /// Its event thread is about to tell the runner.
    static let submitting: UInt64 = 1
    static let inFlight: UInt64 = 2
    static let taken: UInt64 = 3
  }

  let count: Int
  private let free: NumberSet
  private let words: AtomicWords
  private let requests: AtomicWords
  private let deadlines: AtomicWords
  private let blocks: AtomicWords

  init(count: Int) {
    self.count = count
    free = NumberSet(count: count)
    words = AtomicWords(count: count)
    requests = AtomicWords(count: count)
    deadlines = AtomicWords(count: count)
    blocks = AtomicWords(count: count)
  }

  /// A number that is the caller's; nil when every one is under way.
  func claim() -> Int? { free.take() }

  /// Whether a number that the caller has claimed is the only one, and 0.
  func isAlone(_ number: Int) -> Bool { number == 0 && free.hasOnlyZeroTaken }

  /// Gives a number back that was never submitted.
  func abandon(_ number: Int) { free.give(number) }

  /// Returns the call's sequence number. The caller tells the runner, then calls ``submitted(_:_:)``.
  func submit(_ number: Int, request: UInt64, deadline: Instant, block: Int?) -> UInt64 {
    let sequence = (words.load(number) >> 2) + 1
    requests.store(request, at: number)
    deadlines.store(UInt64(bitPattern: deadline.nanoseconds), at: number)
    blocks.store(block.map { UInt64($0) + 1 } ?? 0, at: number)
    words.storeReleasing(sequence << 2 | Phase.submitting, at: number)
    return sequence
  }

  /// The runner was told. When it has answered already, this does nothing.
  func submitted(_ number: Int, _ sequence: UInt64) {
    _ = words.compareExchange(
      number, expected: sequence << 2 | Phase.submitting, desired: sequence << 2 | Phase.inFlight)
  }

  /// Takes the right to end a call; false when it is not under way, or another one by now.
  func take(_ number: Int, _ sequence: UInt64) -> Bool {
    let taken = sequence << 2 | Phase.taken
    return words.compareExchange(number, expected: sequence << 2 | Phase.inFlight, desired: taken).exchanged
      || words.compareExchange(number, expected: sequence << 2 | Phase.submitting, desired: taken).exchanged
  }

  /// The sequence number of a call that the runner was told of and that is under way.
  func inFlight(_ number: Int) -> UInt64? {
    let word = words.loadAcquiring(number)
    return word & 3 == Phase.inFlight ? word >> 2 : nil
  }

  /// The same, or one that the runner is just being told of.
  func current(_ number: Int) -> UInt64? {
    let word = words.loadAcquiring(number)
    return word & 3 == Phase.inFlight || word & 3 == Phase.submitting ? word >> 2 : nil
  }

  func request(_ number: Int) -> UInt64 { requests.load(number) }
  func deadline(_ number: Int) -> Instant { Instant(nanoseconds: Int64(bitPattern: deadlines.load(number))) }
  /// The place in the arena that a call took, if it did.
  func block(_ number: Int) -> Int? {
    let block = blocks.load(number)
    return block == 0 ? nil : Int(block) - 1
  }

  /// The number is free for another call. After ``take(_:_:)``.
  func end(_ number: Int, _ sequence: UInt64) {
    words.storeReleasing(sequence << 2 | Phase.free, at: number)
    free.give(number)
  }

  /// Calls under way.
  var total: Int { (0..<count).reduce(0) { $0 + (words.loadAcquiring($1) & 3 == Phase.free ? 0 : 1) } }
}
