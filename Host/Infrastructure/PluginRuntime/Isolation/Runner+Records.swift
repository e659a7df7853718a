import Application
import Kernel
import Synchronization

// Records calls of a runner, run by the host with the automation's own store.

extension Runner {
  /// Runs one and puts its result where the runner waits for it; one of a process that is gone gets none. [desk]
  func perform(_ number: Int, _ incarnation: Int, _ scratch: Arena) {
    let sequence = board.load(layout.ask(number, .sequence))
    let result = Result { () throws(Problem) in try run(number, scratch) }
    let bytes: [UInt8]
    var version: Int64 = 0
    var isProblem = false
    switch result {
    case .success(let found):
      bytes = found.json
      version = found.version
    case .failure(let problem):
      bytes = RunnerWire.encode(problem)
      isProblem = true
    }
    asks.withLock { asks in
      guard asks.incarnation == incarnation else { return }
      if let old = asks.blocks.removeValue(forKey: number) { blocks.withLock { $0.give(old) } }
      var (offset, sent) = (layout.askResult(number), bytes)
      if sent.count > BoardLayout.askBytesInline {
        if let block = blocks.withLock({ $0.take(sent.count) }) {
          asks.blocks[number] = block
          offset = layout.hostArena + block
        } else {
          sent = RunnerWire.encode(Runner.noRoom(sent.count, layout.arenaBytes))
          isProblem = true
        }
      }
      board.write(sent, at: offset)
      board.store(UInt64(offset), at: layout.ask(number, .resultOffset))
      board.store(UInt64(sent.count), at: layout.ask(number, .resultCount))
      board.store(UInt64(bitPattern: version), at: layout.ask(number, .version))
      board.store(isProblem ? 1 : 0, at: layout.ask(number, .isProblem))
      // Free before the runner knows: it may ask again in this place at once.
      asks.busy &= ~(1 << UInt64(number))
      board.store(sequence, at: layout.ask(number, .done))
      board.wake(layout.ask(number, .done))
    }
  }

  private func run(_ number: Int, _ scratch: Arena) throws(Problem) -> RecordResult {
    let offset = board.load(layout.ask(number, .offset))
    let count = board.load(layout.ask(number, .count))
    let keyCount = board.load(layout.ask(number, .keyCount))
    let version = Int64(bitPattern: board.load(layout.ask(number, .expectedVersion)))
    let asked = board.load(layout.ask(number, .operation))
    guard layout.mayHoldInput(number, offset: offset, count: count), keyCount <= count, version >= 0,
      let code = UInt32(exactly: asked & ~BoardLayout.dryRun),
      let operation = RecordOperation(rawValue: code),
      let collection = UInt32(exactly: board.load(layout.ask(number, .collection)))
    else { throw RecordsCall.invalid("The runner's records call makes no sense.") }
    guard let owner = identity.withLock({ $0 }), let store = owner.records else {
      throw Problem(403, "records.denied", "The manifest declares no collections.")
    }
    let began = Instant.now
    defer { owner.account.addAnywhere(UInt64(max(0, Instant.now - began)), to: .storeTime) }
    scratch.removeAll()
    let all = board.copy(Int(offset), Int(count), to: scratch)
    let key = ByteRange(offset: all.start, count: Int(keyCount))
    let input = ByteRange(offset: key.end, count: Int(count - keyCount))
    return try store.call(
      operation, collection: Int(collection), key: scratch.span(key), input: scratch.span(input),
      expectedVersion: version, isDryRun: asked & BoardLayout.dryRun != 0)
  }

  static func noRoom(_ bytes: Int, _ most: Int) -> Problem {
    bytes > most
      ? Problem(
        413, "records.too_large",
        "\(bytes) bytes do not fit into the memory shared with this automation's process (\(most)).")
      : Problem(
        503, "records.overloaded", "The memory shared with this automation's process is full.",
        retryAfterSeconds: 1)
  }
}
