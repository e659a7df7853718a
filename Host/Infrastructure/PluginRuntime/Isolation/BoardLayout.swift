/// Where everything lies in the memory that a host and a runner share. Both work it out from two numbers.
///
/// Words are 64 bits; words that different threads write often stand on cache lines of their own. Who writes what is
/// said here and nowhere else: "host" and "runner" are the processes.
struct BoardLayout: Sendable, Equatable {
  /// Calls that can be under way at a time.
  let calls: Int
  /// Of each of the two arenas, for what is larger than a place of its own.
  let arenaBytes: Int

  static let maxCalls = 1024
  /// Records calls of one runner at a time, and lines of log on their way.
  static let asks = 64
  static let lines = 64

  init(calls: Int, arenaBytes: Int) {
    precondition((1...BoardLayout.maxCalls).contains(calls) && arenaBytes >= 1 << 16)
    self.calls = calls
    self.arenaBytes = arenaBytes / BoardLayout.page * BoardLayout.page
  }

  private static let page = 4096

  // MARK: Bells: 32-bit words that the other side sleeps on, each with a word that says whether it does

  /// Rung by the host, slept on by the runner's dispatcher.
  static let runnerBell = 0
  static let runnerSleeps = 64
  /// Rung by the runner, slept on by the host's collector.
  static let hostBell = 128
  static let hostSleeps = 192
  /// Rung by the host for the runner's first thread: a command, or a cancelled call.
  static let controlBell = 256

  // MARK: Sets of numbers, one bit each

  /// host sets, runner takes: calls to run.
  static func submitted(_ word: Int) -> Int { 1024 + word * 8 }
  /// runner sets, host takes: calls that are over.
  static func answered(_ word: Int) -> Int { 1216 + word * 8 }
  /// host sets, runner takes: calls whose answer nobody wants any more.
  static func cancelled(_ word: Int) -> Int { 1408 + word * 8 }
  /// runner sets, host takes: records calls, lines of log.
  static let asked = 1600
  static let linesReady = 1664
  /// runner sets, host clears when it has read a line.
  static let linesTaken = 1728
  /// runner counts: lines that found no room.
  static let linesLost = 1792
  /// host: the least level of log that is kept.
  static let logLevel = 1856

  // MARK: One command at a time

  /// host: number of the command, its kind, and how many bytes lie in `commandBytes`.
  static let command = 1920
  static let commandKind = 1928
  static let commandCount = 1936
  /// host: the last command that was another process's.
  static let commandsBefore = 1944
  /// runner: the number of the last command done, which the host clears before the next; and how many bytes lie in
  /// `outcomeBytes`.
  static let outcome = 1984
  static let outcomeCount = 1992

  // MARK: Streams

  /// runner sets, host takes: calls whose streams have bytes in their rings, or an end.
  static func streamed(_ word: Int) -> Int { 2048 + word * 8 }
  /// host sets, runner takes: calls whose rings have room again, or whose streams are over.
  static func streamRoom(_ word: Int) -> Int { 2240 + word * 8 }
  /// Rung by the host, slept on by the runner's thread of streams.
  static let streamBell = 2432
  /// host: what a stream may hold in the runner, in bytes, and how long it lasts at most, in nanoseconds.
  static let streamBuffer = 2496
  static let streamLongest = 2504

  // MARK: Records of calls, 128 bytes each

  static let callBytes = 128
  private static let firstCall = page
  func call(_ number: Int, _ field: CallField) -> Int {
    BoardLayout.firstCall + number * BoardLayout.callBytes + field.rawValue
  }

  enum CallField: Int {
    // host
    case sequence = 0
    case offset = 8
    case count = 16
    /// With ``inline``, ``mayStream`` and ``noStreamNow``.
    case route = 24
    case deadline = 32
    /// The sequence number of the call that is cancelled.
    case cancelled = 40
    /// The sequence number of the last call whose answer the host has read: its memory is the runner's again.
    case consumed = 48
    /// The sequence number of the call whose answer an event thread looks for: the collector need not be woken.
    case awaited = 56
    // runner
    case answerSequence = 64
    case answerOffset = 72
    case answerCount = 80
  }

  /// Beside the number of the route: it is inline, it streams, as many streams are open as may be.
  static let inline: UInt64 = 1 << 32
  static let mayStream: UInt64 = 1 << 33
  static let noStreamNow: UInt64 = 1 << 34

  // MARK: Records of records calls, 128 bytes each

  private var firstAsk: Int { BoardLayout.firstCall + calls * BoardLayout.callBytes }
  func ask(_ number: Int, _ field: AskField) -> Int { firstAsk + number * 128 + field.rawValue }

  enum AskField: Int {
    // runner
    case sequence = 0
    /// With ``dryRun`` for one that is to change nothing.
    case operation = 8
    case collection = 16
    case expectedVersion = 24
    case offset = 32
    case count = 40
    /// How many of the bytes are the key; the rest is the input.
    case keyCount = 48
    // host
    /// The sequence number of the last one done; its low half is what the runner sleeps on.
    case done = 64
    case resultOffset = 72
    case resultCount = 80
    case version = 88
    /// Not 0: the bytes are a problem.
    case isProblem = 96
  }

  // MARK: Records of streams, one for each call, 128 bytes each

  private var firstStream: Int { firstAsk + BoardLayout.asks * 128 }
  func stream(_ number: Int, _ field: StreamField) -> Int { firstStream + number * 128 + field.rawValue }

  /// Bytes of a ring are counted from the first that any stream of its call ever wrote: the place of a byte is its number
  /// modulo ``ringBytes``.
  enum StreamField: Int {
    // host
    /// How many bytes were taken.
    case taken = 0
    /// The sequence number of the call whose stream nobody wants any more.
    case over = 8
    // runner
    /// How many bytes were written.
    case written = 64
    /// The sequence number of the last call whose stream ended, and how: see ``StreamTable/End``.
    case ended = 72
    /// Not 0: the runner waits for room, and is to be woken. The host clears it.
    case starved = 80
  }

  /// Beside the operation of a records call.
  static let dryRun: UInt64 = 1 << 32

  // MARK: Bytes

  static let lineBytes = 12 * 1024
  static let maxCommandBytes = 4 << 20
  static let callBytesInline = 8192
  static let askBytesInline = 8192

  private var firstLine: Int { align(firstStream + calls * 128) }
  func line(_ number: Int) -> Int { firstLine + number * BoardLayout.lineBytes }
  private var commandStart: Int { align(firstLine + BoardLayout.lines * BoardLayout.lineBytes) }
  var commandBytes: Int { commandStart }
  var outcomeBytes: Int { commandStart + BoardLayout.maxCommandBytes }
  private var firstRequest: Int { outcomeBytes + BoardLayout.maxCommandBytes }
  func request(_ number: Int) -> Int { firstRequest + number * BoardLayout.callBytesInline }
  private var firstAnswer: Int { firstRequest + calls * BoardLayout.callBytesInline }
  func answer(_ number: Int) -> Int { firstAnswer + number * BoardLayout.callBytesInline }
  private var firstAskInput: Int { firstAnswer + calls * BoardLayout.callBytesInline }
  func askInput(_ number: Int) -> Int { firstAskInput + number * BoardLayout.askBytesInline }
  private var firstAskResult: Int { firstAskInput + BoardLayout.asks * BoardLayout.askBytesInline }
  func askResult(_ number: Int) -> Int { firstAskResult + number * BoardLayout.askBytesInline }
  /// What the stream of a call writes, on its way.
  static let ringBytes = 16 * 1024
  private var firstRing: Int { align(firstAskResult + BoardLayout.asks * BoardLayout.askBytesInline) }
  func ring(_ number: Int) -> Int { firstRing + number * BoardLayout.ringBytes }
  /// The host writes one arena, the runner the other.
  var hostArena: Int { firstRing + calls * BoardLayout.ringBytes }
  var runnerArena: Int { hostArena + arenaBytes }
  var totalBytes: Int { runnerArena + arenaBytes }

  /// Words of a set of calls.
  var words: Int { (calls + 63) / 64 }

  private func align(_ offset: Int) -> Int {
    (offset + BoardLayout.page - 1) / BoardLayout.page * BoardLayout.page
  }

  // MARK: What the host believes

  /// Whether bytes that the runner names as an answer lie where it may put one.
  func mayHoldAnswer(_ number: Int, offset: UInt64, count: UInt64) -> Bool {
    holds(answer(number), BoardLayout.callBytesInline, offset, count)
  }

  /// The same for the input of a records call.
  func mayHoldInput(_ number: Int, offset: UInt64, count: UInt64) -> Bool {
    holds(askInput(number), BoardLayout.askBytesInline, offset, count)
  }

  private func holds(_ place: Int, _ capacity: Int, _ offset: UInt64, _ count: UInt64) -> Bool {
    if offset == UInt64(place) { return count <= UInt64(capacity) }
    let arena = UInt64(runnerArena)
    guard offset >= arena, offset <= arena + UInt64(arenaBytes) else { return false }
    return count <= arena + UInt64(arenaBytes) - offset
  }
}
