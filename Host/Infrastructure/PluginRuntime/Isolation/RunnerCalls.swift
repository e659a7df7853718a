import Application
import Domain
import Kernel
import Synchronization

/// The runner's side of calls: takes requests out of the board, has the plugin handle them, puts answers back.
///
/// To the plugin's code it is the edge: it owns the exchanges, waits for answers and sends them. One thread, the
/// dispatcher, takes requests; any thread may answer.
final class RunnerCalls: ExchangeTable {
  let board: SharedBoard
  private let layout: BoardLayout
  private let all: [Exchange]
  private let free: NumberSet
  /// Answers without a handler: there is no exchange for their requests.
  private let spare: Exchange
  // By exchange: the call it serves, and whether its answer is not wanted any more.
  private let numbers: AtomicWords
  private let sequences: AtomicWords
  let dropped: AtomicWords
  /// In ``dropped``: the answer was a stream, which the host has ended.
  static let droppedStream: UInt64 = 2
  let outlets: StreamOutlets
  /// By call: the exchange that serves it, plus one.
  private let serving: AtomicWords
  private let arena: RunnerArena
  /// Handlers may hold exchanges longer than their calls last.
  private static let extra = 32

  init(_ board: SharedBoard, _ arena: RunnerArena) {
    self.board = board
    self.arena = arena
    layout = board.layout
    let count = layout.calls + RunnerCalls.extra
    let outlets = StreamOutlets(board)
    self.outlets = outlets
    all = (0..<count).map { Exchange(slot: UInt32($0), streams: outlets.limits) }
    spare = Exchange(slot: UInt32(count))
    free = NumberSet(count: count)
    numbers = AtomicWords(count: count + 1)
    sequences = AtomicWords(count: count + 1)
    dropped = AtomicWords(count: count + 1)
    serving = AtomicWords(count: layout.calls)
    for exchange in all {
      exchange.wake = { [unowned self] in finish($0) }
      exchange.recycle = { [unowned self] in recycle($0) }
    }
  }

  func exchange(slot: UInt32) -> Exchange? { Int(slot) < all.count ? all[Int(slot)] : nil }
  var slotCount: Int { all.count }

  // MARK: Requests

  /// Serves until the process ends. [dispatcher]
  func dispatch(_ plugin: InProcessPlugin) -> Never {
    let scratch = Arena(capacity: 4096)
    var wait = ShortWait()
    while true {
      var found = false
      for word in 0..<layout.words {
        let bits = board.takeAll(BoardLayout.submitted(word))
        if bits == 0 { continue }
        found = true
        forEachBit(bits) { bit in
          let number = word * 64 + bit
          if number < layout.calls { begin(number, plugin, scratch) }
        }
      }
      if found {
        wait.found()
        continue
      }
      if wait.looksAgain() { continue }
      board.sleep(
        BoardLayout.runnerBell, sleeper: BoardLayout.runnerSleeps, limit: .seconds(1),
        unless: { (0..<layout.words).contains { board.load(BoardLayout.submitted($0)) != 0 } })
    }
  }

  private func begin(_ number: Int, _ plugin: InProcessPlugin, _ scratch: Arena) {
    let sequence = board.load(layout.call(number, .sequence))
    guard let index = free.take() else {
      return refuse(
        number, sequence,
        Problem(
          503, "plugin.overloaded", "Too many handlers still hold on to their requests.", retryAfterSeconds: 1
        ))
    }
    let exchange = all[index]
    let route = board.load(layout.call(number, .route))
    let offset = board.load(layout.call(number, .offset))
    let count = board.load(layout.call(number, .count))
    guard offset <= UInt64(layout.totalBytes), count <= UInt64(layout.totalBytes) - offset,
      RequestImage.read(board, Int(offset), Int(count), into: exchange, scratch)
    else {
      exchange.reset()
      free.give(index)
      return refuse(
        number, sequence, Problem(502, "plugin.crashed", "The request was spoilt in the plugin's process."))
    }
    exchange.deadline = Instant(nanoseconds: Int64(bitPattern: board.load(layout.call(number, .deadline))))
    // Before the exchange gets its new name: see `cancel`.
    numbers.storeReleasing(UInt64(number), at: index)
    sequences.storeReleasing(sequence, at: index)
    dropped.store(0, at: index)
    exchange.streamPermit = RunnerCalls.permit(route)
    exchange.open()
    exchange.beginHandling()
    serving.storeReleasing(UInt64(index) + 1, at: number)
    // Either a cancel sees what is served now, or this sees the cancel.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    if board.load(layout.call(number, .cancelled)) == sequence { return drop(exchange) }
    let isInline = route & BoardLayout.inline != 0
    let completion = plugin.handle(
      exchange, route: Int(route & 0xFFFF_FFFF), execution: isInline ? .inline : .blocking)
    switch completion {
    case .answered: finish(exchange)
    case .pending: if !exchange.park() { finish(exchange) }
    }
  }

  /// Ends a call that was cancelled before its handler ran.
  private func drop(_ exchange: Exchange) {
    let isOwn = exchange.claim(exchange.handle)
    if isOwn { dropped.storeReleasing(1, at: Int(exchange.slot)) }
    exchange.endHandling()
    guard isOwn else { return }
    exchange.close()
    if exchange.relinquish() { recycle(exchange) }
  }

  // MARK: Answers

  private func finish(_ exchange: Exchange) {
    let index = Int(exchange.slot)
    let (number, sequence) = (Int(numbers.loadAcquiring(index)), sequences.loadAcquiring(index))
    let outlet = exchange.stream.map { prepare($0, exchange, number, sequence) }
    send(exchange, number, sequence)
    exchange.close()
    if let outlet { return begin(outlet) }
    if exchange.relinquish() { recycle(exchange) }
  }

  /// Nobody looks at an exchange any more. [any]
  func recycle(_ exchange: Exchange) {
    let index = Int(exchange.slot)
    switch dropped.loadAcquiring(index) {
    case 0: break
    case RunnerCalls.droppedStream: tellEnd(Int(numbers.load(index)), sequences.load(index), .noticed)
    default: tell(Int(numbers.load(index)), sequences.load(index), offset: 0, count: 0, isDropped: true)
    }
    exchange.reset()
    free.give(index)
  }

  private func refuse(_ number: Int, _ sequence: UInt64, _ problem: Problem) {
    spare.reset()
    spare.answer(problem)
    send(spare, number, sequence)
  }

  private func send(_ exchange: Exchange, _ number: Int, _ sequence: UInt64) {
    var count = AnswerImage.count(exchange)
    var offset = layout.answer(number)
    if count > BoardLayout.callBytesInline {
      if let place = arena.takeAnswer(count, number, sequence) {
        offset = place
      } else {
        exchange.answer(RunnerCalls.noRoom(count, layout.arenaBytes))
        // Its handler has run, whatever the answer sounds like.
        exchange.hasWritten = true
        count = AnswerImage.count(exchange)
      }
    }
    AnswerImage.write(exchange, to: board, at: offset)
    tell(number, sequence, offset: offset, count: count, isDropped: false)
  }

  private static func noRoom(_ bytes: Int, _ most: Int) -> Problem {
    bytes > most
      ? Problem(
        500, "plugin.answer_too_large",
        "The answer has \(bytes) bytes; \(most) fit into the memory shared with the host.")
      : Problem(
        503, "plugin.overloaded",
        "The memory shared with the host is full of answers. What the call did stays done: read before you send it again.",
        retryAfterSeconds: 1)
  }

  private func tell(_ number: Int, _ sequence: UInt64, offset: Int, count: Int, isDropped: Bool) {
    board.store(UInt64(isDropped ? layout.answer(number) : offset), at: layout.call(number, .answerOffset))
    board.store(UInt64(count), at: layout.call(number, .answerCount))
    board.store(sequence, at: layout.call(number, .answerSequence))
    board.insert(1 << UInt64(number % 64), at: BoardLayout.answered(number / 64))
    // Either the event thread that gives up sees the bit, or this sees that it has given up: see `Runner.look`.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    if board.load(layout.call(number, .awaited)) == sequence { return }
    board.ring(BoardLayout.hostBell, sleeper: BoardLayout.hostSleeps)
  }

  // MARK: Cancelled calls

  /// Tells the plugin of calls whose answers nobody waits for. [control]
  func takeCancelled(_ plugin: InProcessPlugin) {
    for request in outlets.takeCancels() { plugin.cancel(request) }
    for word in 0..<layout.words {
      forEachBit(board.takeAll(BoardLayout.cancelled(word))) { bit in
        let number = word * 64 + bit
        if number < layout.calls { cancel(number, plugin) }
      }
    }
  }

  private func cancel(_ number: Int, _ plugin: InProcessPlugin) {
    let sequence = board.load(layout.call(number, .cancelled))
    let bit = UInt64(1) << UInt64(number % 64)
    if board.load(layout.call(number, .sequence)) == sequence,
      board.remove(bit, at: BoardLayout.submitted(number / 64)) != 0
    {
      // The dispatcher has not come to it, and will not.
      return tell(number, sequence, offset: 0, count: 0, isDropped: true)
    }
    let index = Int(serving.loadAcquiring(number)) - 1
    guard index >= 0 else { return }
    let exchange = all[index]
    // The name first: if the exchange goes on to another call after this, the name is stale and claims nothing.
    let handle = exchange.handle
    guard numbers.loadAcquiring(index) == UInt64(number), sequences.loadAcquiring(index) == sequence,
      exchange.claim(handle)
    else { return }
    dropped.storeReleasing(1, at: index)
    plugin.cancel(handle)
    exchange.close()
    if exchange.relinquish() { recycle(exchange) }
  }
}

/// The part of the board that the runner alone writes, and who has which part of it.
final class RunnerArena: Sendable {
  private let board: SharedBoard
  private let state: Monitor<State>

  private struct State {
    var blocks: BlockTable
    /// Answers that the host may still read, by call.
    var answers: [Int: (sequence: UInt64, block: Int)] = [:]
  }

  init(_ board: SharedBoard) {
    self.board = board
    state = Monitor(State(blocks: BlockTable(arenaBytes: board.layout.arenaBytes)))
  }

  /// Room for an answer, until the host has read it; nil when there is none.
  func takeAnswer(_ bytes: Int, _ number: Int, _ sequence: UInt64) -> Int? {
    state.withLock { state in
      sweep(&state)
      guard let block = state.blocks.take(bytes) else { return nil }
      state.answers[number] = (sequence, block)
      return board.layout.runnerArena + block
    }
  }

  /// Room until ``give(_:)``.
  func take(_ bytes: Int) -> Int? {
    state.withLock { state in
      sweep(&state)
      return state.blocks.take(bytes).map { board.layout.runnerArena + $0 }
    }
  }

  func give(_ offset: Int) { state.withLock { $0.blocks.give(offset - board.layout.runnerArena) } }

  private func sweep(_ state: inout State) {
    for (number, answer) in state.answers
    where board.load(board.layout.call(number, .consumed)) >= answer.sequence {
      state.blocks.give(answer.block)
      state.answers[number] = nil
    }
  }
}
