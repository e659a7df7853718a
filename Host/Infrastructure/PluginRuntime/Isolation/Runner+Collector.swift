import Application
import Kernel
import Synchronization

// The collector: what a runner has to say, taken out of the board, checked, and passed on.

extension Runner {
  func collect() {
    let scratch = Arena(capacity: 16 * 1024)
    var wait = ShortWait()
    while true {
      var found = takeAnswers(scratch)
      if takeStreams(scratch) { found = true }
      if takeAsks() { found = true }
      if takeLines() { found = true }
      if hasNewsOfLife {
        hasNewsOfLife = false
        let (isMourning, isOver) = life.withLock { ($0.isMourning, !$0.hasKeeper) }
        if isMourning { bury(scratch) }
        if isOver { break }
      }
      if found {
        wait.found()
        continue
      }
      if wait.looksAgain() { continue }
      if state == .resting { failAll(restingProblem) }
      board.sleep(
        BoardLayout.hostBell, sleeper: BoardLayout.hostSleeps, limit: .milliseconds(250),
        unless: { hasNews })
    }
    failAll(Runner.crashed)
    dropStreams { _ in true }
    life.signal(all: true) { $0.hasCollector = false }
  }

  private var hasNews: Bool {
    for word in 0..<layout.words
    where board.load(BoardLayout.answered(word)) | board.load(BoardLayout.streamed(word)) != 0 { return true }
    return !streams.news.isEmpty || board.load(BoardLayout.asked) != 0
      || board.load(BoardLayout.linesReady) != 0 || hasNewsOfLife
  }

  // MARK: Answers

  private func takeAnswers(_ scratch: Arena) -> Bool {
    var found = false
    for word in 0..<layout.words {
      let bits = board.takeAll(BoardLayout.answered(word))
      if bits == 0 { continue }
      found = true
      forEachBit(bits) { bit in finish(word * 64 + bit, scratch)?.deliver() }
    }
    return found
  }

  /// Takes the answer to a call, if it is there, for the event thread that looks for it: true when it is in `exchange`,
  /// false when somebody else has ended the call or will, nil when there is none yet. [event]
  func takeAnswer(_ number: Int, _ sequence: UInt64, _ exchange: Exchange, _ scratch: Arena) -> Bool? {
    let (word, bit) = (BoardLayout.answered(number / 64), UInt64(1) << UInt64(number % 64))
    if board.load(word) & bit == 0 { return nil }
    guard board.remove(bit, at: word) != 0 else { return false }
    guard let finished = finish(number, scratch, awaiting: sequence) else { return false }
    if finished === exchange { return true }
    finished.deliver()
    return false
  }

  /// Takes the answer that a bit stands for: checks it, puts it into its exchange, which the caller delivers, and frees
  /// the place. nil when nobody waits for it.
  ///
  /// An event thread says which call it awaits. While it took the bit, the process may have ended, the collector have
  /// failed that call, and another have come to its place: that is no breach.
  private func finish(_ number: Int, _ scratch: Arena, awaiting: UInt64? = nil) -> Exchange? {
    let incarnation = streams.incarnation
    let current = number < layout.calls ? table.current(number) : nil
    guard let sequence = current, board.load(layout.call(number, .answerSequence)) == sequence,
      table.take(number, sequence)
    else {
      if awaiting == nil || awaiting == current { breach("an answer to no call") }
      return nil
    }
    let exchange = claimed(table.request(number))
    let offset = board.load(layout.call(number, .answerOffset))
    let count = board.load(layout.call(number, .answerCount))
    if !layout.mayHoldAnswer(number, offset: offset, count: count) {
      exchange?.answer(Runner.crashed)
      breach("an answer outside its place")
    } else if count == 0 {
      // The handler of a cancelled call came back: the host has answered long ago.
      exchange?.answer(Runner.crashed)
    } else if let parts = AnswerImage.read(board, Int(offset), Int(count), scratch), mayBegin(parts, number) {
      if parts.isStream { return begin(parts, number, sequence, incarnation, exchange, scratch) }
      if let exchange { AnswerImage.answer(exchange, parts, board, scratch) }
    } else {
      exchange?.answer(Runner.crashed)
      breach("an answer that breaks the rules of one")
    }
    board.store(sequence, at: layout.call(number, .consumed))
    // The place is free before its caller can come again.
    end(number, sequence)
    return exchange
  }

  /// The exchange of a request, with the right to answer it; nil when somebody has.
  private func claimed(_ request: UInt64) -> Exchange? {
    guard let exchange = exchanges.exchange(slot: UInt32(truncatingIfNeeded: request) &- 1),
      exchange.claim(request)
    else { return nil }
    return exchange
  }

  /// Ends a call in the plugin's place.
  private func end(_ number: Int, _ sequence: UInt64, answering problem: Problem) {
    let exchange = claimed(table.request(number))
    exchange?.answer(problem)
    end(number, sequence)
    exchange?.deliver()
  }

  static let crashed = Problem(
    502, "plugin.crashed",
    "The process of this automation ended before it answered. What it did until then stays done.",
    retryAfterSeconds: 1)

  var restingProblem: Problem {
    Problem(
      503, "automation.crashed",
      "This automation crashed too often and rests. An admin can reload it.",
      retryAfterSeconds: Int(settings.rest.nanoseconds / 1_000_000_000) + 1)
  }

  func breach(_ what: String) {
    if kill(.breach) { log(.critical, "a runner broke the protocol: \(what)") }
  }

  // MARK: A process that ended

  /// Fails the calls that it had begun; what it had not waits for the next one.
  private func bury(_ scratch: Arena) {
    // What it finished is finished.
    _ = takeAnswers(scratch)
    _ = takeStreams(scratch)
    _ = takeLines()
    var waiting: [UInt64] = []
    for word in 0..<layout.words { waiting.append(board.load(BoardLayout.submitted(word))) }
    for number in 0..<layout.calls {
      let bit = UInt64(1) << UInt64(number % 64)
      // A call that nobody waits for any more is not begun by the next process either.
      if waiting[number / 64] & bit != 0 {
        guard table.inFlight(number) != nil, !isWanted(number) else { continue }
        board.remove(bit, at: BoardLayout.submitted(number / 64))
      }
      fail(number, Runner.crashed)
    }
    // Nothing of it may be taken for the next one's. Nobody else writes these words now. What came of its last command stays:
    // whoever gave it may be about to read that, for a process that was told to destroy ends at once.
    for word in 0..<layout.words {
      _ = board.takeAll(BoardLayout.answered(word))
      _ = board.takeAll(BoardLayout.cancelled(word))
    }
    buryStreams()
    for word in [
      BoardLayout.asked, BoardLayout.linesReady, BoardLayout.linesTaken, BoardLayout.runnerSleeps,
    ] { board.store(0, at: word) }
    asks.withLock { asks in
      asks.incarnation += 1
      asks.busy = 0
      blocks.withLock { blocks in for block in asks.blocks.values { blocks.give(block) } }
      asks.blocks = [:]
    }
    life.signal(all: true) { $0.isMourning = false }
  }

  private func isWanted(_ number: Int) -> Bool {
    let request = table.request(number)
    return exchanges.exchange(slot: UInt32(truncatingIfNeeded: request) &- 1)?.isOpen(request) ?? false
  }

  private func failAll(_ problem: Problem) {
    for number in 0..<layout.calls where table.inFlight(number) != nil {
      board.remove(1 << UInt64(number % 64), at: BoardLayout.submitted(number / 64))
      fail(number, problem)
    }
  }

  private func fail(_ number: Int, _ problem: Problem) {
    guard let sequence = table.inFlight(number), table.take(number, sequence) else { return }
    end(number, sequence, answering: problem)
  }

  // MARK: Records

  private func takeAsks() -> Bool {
    let bits = board.takeAll(BoardLayout.asked)
    if bits == 0 { return false }
    let (fresh, incarnation) = asks.withLock { asks -> (Bool, Int) in
      guard asks.busy & bits == 0 else { return (false, 0) }
      asks.busy |= bits
      return (true, asks.incarnation)
    }
    guard fresh else {
      breach("a records call in the place of another")
      return true
    }
    forEachBit(bits) { number in
      desk.submit(RecordsDesk.Ask(runner: self, number: number, incarnation: incarnation))
    }
    return true
  }

  // MARK: Log

  private func takeLines() -> Bool {
    let bits = board.takeAll(BoardLayout.linesReady)
    if bits == 0 { return false }
    forEachBit(bits) { number in
      let line = RunnerLine.read(board, layout.line(number))
      board.remove(1 << UInt64(number), at: BoardLayout.linesTaken)
      guard let line, let identity = identity.withLock({ $0 }) else { return }
      identity.log.log(
        line.level, "plugin", line.text, identity.fields.merging(line.fields) { first, _ in first })
    }
    return true
  }
}
