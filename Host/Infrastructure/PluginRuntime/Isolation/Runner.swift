import Application
import Kernel
import Synchronization

/// One runner as the host sees it: a process after another, the memory shared with them, and two threads of the host.
///
/// - The *keeper* starts the process, waits for its end, and starts the next one. It is the process's parent for good: a
///   runner is killed when the thread that started it ends.
/// - The *collector* takes answers, records calls and lines of log out of the board. It alone fails the calls of a
///   process that ended, so that an answer and a crash cannot both end a call.
///
/// Event threads put calls into the board and touch nothing else. While a process is being replaced they go on: what no
/// process has begun waits for the next.
final class Runner: Sendable {
  enum State: UInt64, Sendable {
    case starting, serving, restarting, resting, ended
  }

  /// Why the host itself ended a process.
  enum Cause: String, Sendable {
    case stopped, refused, hung, memory, threads, cpu, overran, breach
  }

  /// What the keeper and those who wait for it share.
  struct Life {
    var process: RunnerProcess?
    var cause: Cause?
    /// Set by stop: an end is no crash, and nothing is started any more.
    var isEnding = false
    /// The process began to serve once: from now on it is replaced when it ends.
    var isKept = false
    var isQuiesced = false
    /// For a process that replaces another.
    var create: [UInt8] = []
    var cannotStart: Problem?
    var crashTimes: [Instant] = []
    var rests = 0
    var crashes = 0
    var restarts = 0
    /// Of the processes that ended.
    var cpuSeconds = 0.0
    /// Of the present one, in its automation's account by now.
    var chargedSeconds = 0.0
    var lastEnd: String?
    /// A process ended and the collector has yet to fail its calls.
    var isMourning = false
    var hasKeeper = true
    var hasCollector = true
    var commands: UInt64 = 0
    var isCommanding = false
  }

  let path: String
  let settings: RunnerSettings
  let board: SharedBoard
  let layout: BoardLayout
  let table: CallTable
  let streams: StreamTable
  let desk: RecordsDesk
  let exchanges: any ExchangeTable
  let life = Monitor(Life())
  let identity = Monitor<Identity?>(nil)
  /// Part of the arena that the host writes.
  let blocks: Monitor<BlockTable>
  let asks = Monitor(Asks())
  /// The state, and whether the collector has to look at ``life``.
  private let words = AtomicWords(count: 2)
  let file: BoardFile
  let spin: AdaptiveSpin
  /// Where the answer of call 0 is checked by the event thread that looked for it: its own from take to end.
  private let scratch = Scratch()

  /// Who the plugin is, once it was created.
  struct Identity: Sendable {
    var automation: String
    var generation: Int
    var records: (any RecordStore)?
    var log: any LogSink
    var account: AutomationAccount
    var fields: [String: JSONValue] {
      ["automation": .string(automation), "generation": .integer(Int64(generation))]
    }
  }

  /// Records calls of the present process that the host works on.
  struct Asks {
    /// Grows with each process: what was asked by one that is gone gets no answer.
    var incarnation = 0
    var busy: UInt64 = 0
    /// Places in the arena that results took, by ask.
    var blocks: [Int: Int] = [:]
  }

  init(
    _ path: String, _ settings: RunnerSettings, exchanges: any ExchangeTable, desk: RecordsDesk
  ) throws(Problem) {
    self.path = path
    self.settings = settings
    self.exchanges = exchanges
    self.desk = desk
    layout = BoardLayout(calls: settings.calls, arenaBytes: settings.arenaBytes)
    let file = try BoardFile(bytes: layout.totalBytes)
    guard let board = SharedBoard(layout, file: file.descriptor) else {
      throw refusal(.load, "runner_unavailable", "There is no room for a runner's memory.", status: 500)
    }
    self.file = file
    self.board = board
    table = CallTable(count: layout.calls)
    streams = StreamTable(calls: layout.calls)
    blocks = Monitor(BlockTable(arenaBytes: layout.arenaBytes))
    spin = AdaptiveSpin(limit: settings.spin)
    board.store(UInt64(settings.streams.bufferBytes), at: BoardLayout.streamBuffer)
    board.store(UInt64(settings.streams.longest.nanoseconds), at: BoardLayout.streamLongest)
    do throws(OSThread.Refused) {
      try OSThread(attempting: "runner-answers") { self.collect() }.leave()
      try OSThread(attempting: "runner-keeper") { self.keep() }.leave()
    } catch {
      // The collector ends when there is no keeper.
      life.withLock { $0.hasKeeper = false }
      hasNewsOfLife = true
      throw refusal(.load, "runner_unavailable", "The system refuses threads for a runner.", status: 500)
    }
  }

  var state: State {
    get { State(rawValue: words.loadAcquiring(0)) ?? .ended }
    // Written while `life` is locked, by whoever changes it.
    set { words.storeReleasing(newValue.rawValue, at: 0) }
  }

  /// What the keeper has changed in ``life`` and the collector has not seen.
  var hasNewsOfLife: Bool {
    get { words.loadAcquiring(1) != 0 }
    set { words.storeReleasing(newValue ? 1 : 0, at: 1) }
  }

  func log(_ level: LogLevel, _ message: String, _ fields: [String: JSONValue] = [:]) {
    guard let identity = identity.withLock({ $0 }) else { return }
    identity.log.log(level, "isolation", message, identity.fields.merging(fields) { first, _ in first })
  }
}

// MARK: - Calls

extension Runner {
  enum Refusal { case full, tooLarge, resting }

  enum Submission {
    case refused(Refusal)
    /// The runner has it.
    case submitted
    /// And has answered: the answer is in the exchange.
    case answered
  }

  /// Gives a call to the runner. [event]
  func submit(_ exchange: Exchange, route: Int, isInline: Bool) -> Submission {
    let now = state
    guard now == .serving || now == .restarting else { return .refused(.resting) }
    guard let number = table.claim() else { return .refused(.full) }
    let count = RequestImage.count(exchange)
    var offset = layout.request(number)
    var block: Int?
    if count > BoardLayout.callBytesInline {
      block = blocks.withLock { $0.take(count) }
      guard let block else {
        table.abandon(number)
        return .refused(count > layout.arenaBytes ? .tooLarge : .full)
      }
      offset = layout.hostArena + block
    }
    RequestImage.write(exchange, to: board, at: offset)
    let sequence = table.submit(number, request: exchange.handle, deadline: exchange.deadline, block: block)
    board.store(UInt64(offset), at: layout.call(number, .offset))
    board.store(UInt64(count), at: layout.call(number, .count))
    board.store(
      UInt64(route) | (isInline ? BoardLayout.inline : 0) | admitStream(exchange, number),
      at: layout.call(number, .route))
    board.store(UInt64(bitPattern: exchange.deadline.nanoseconds), at: layout.call(number, .deadline))
    board.store(sequence, at: layout.call(number, .sequence))
    // Where other calls wait, this thread has more to do than to look.
    let looks = isInline && now == .serving && table.isAlone(number) && spin.isWorthwhile()
    if looks { board.store(sequence, at: layout.call(number, .awaited)) }
    board.insert(1 << UInt64(number % 64), at: BoardLayout.submitted(number / 64))
    table.submitted(number, sequence)
    board.ring(BoardLayout.runnerBell, sleeper: BoardLayout.runnerSleeps)
    guard looks else { return .submitted }
    let isFound = look(for: number, sequence, exchange)
    spin.ended(found: isFound)
    return isFound ? .answered : .submitted
  }

  /// Looks for the answer to a call of `exchange` for some microseconds. False: it comes through the collector. [event]
  private func look(for number: Int, _ sequence: UInt64, _ exchange: Exchange) -> Bool {
    let until = Instant.now + spin.limit
    var isOver = false
    while true {
      // A look costs less than the clock.
      for _ in 0..<(isOver ? 1 : 16) {
        if let found = takeAnswer(number, sequence, exchange, scratch.arena) { return found }
        if !isOver { pauseBriefly() }
      }
      if isOver || table.current(number) != sequence { return false }
      if Instant.now > until {
        // From here on the runner wakes the collector. Either it sees this, or the last look sees its answer.
        board.store(0, at: layout.call(number, .awaited))
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        isOver = true
      }
    }
  }

  /// Tells the plugin that nobody waits for a call's answer any more; false when the call is not here. [any]
  func cancel(_ request: UInt64) -> Bool {
    for number in 0..<table.count where table.request(number) == request {
      guard let sequence = table.current(number) else { continue }
      board.store(sequence, at: layout.call(number, .cancelled))
      board.insert(1 << UInt64(number % 64), at: BoardLayout.cancelled(number / 64))
      board.ring(BoardLayout.controlBell)
      return true
    }
    return false
  }

  /// After ``CallTable/take(_:_:)``: the place of a call is free again.
  func end(_ number: Int, _ sequence: UInt64) {
    if let block = table.block(number) { blocks.withLock { $0.give(block) } }
    forgoStream(number)
    table.end(number, sequence)
  }

  var figures: RunnerFigures {
    let (process, life) = life.withLock { ($0.process, $0) }
    let facts = process?.facts
    let shown: RunnerFigures.State =
      switch state {
      case .starting: .starting
      case .serving: .serving
      case .restarting: .restarting
      case .resting: .resting
      case .ended: .ended
      }
    return RunnerFigures(
      state: shown, processID: facts == nil ? nil : process.map { Int($0.id) }, crashes: life.crashes,
      restarts: life.restarts, cpuSeconds: life.cpuSeconds + (facts?.cpuSeconds ?? 0),
      residentBytes: facts?.residentBytes ?? 0, callsInside: table.total, lastEnd: life.lastEnd)
  }
}
