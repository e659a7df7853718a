import Application
import Domain
import Kernel
import Synchronization

/// The records of a plugin in a runner: each call is the host's to do.
final class RunnerRecords: RecordStore {
  private let names: [String]
  private let board: SharedBoard
  private let layout: BoardLayout
  private let arena: RunnerArena
  private let free = NumberSet(count: BoardLayout.asks)
  private let sequences = AtomicWords(count: BoardLayout.asks)
  /// How often a caller looks for its result before it sleeps.
  private static let looks = 200

  init(_ names: [String], _ board: SharedBoard, _ arena: RunnerArena) {
    self.names = names
    self.board = board
    self.arena = arena
    layout = board.layout
  }

  func collection(named name: String) -> Int? { names.firstIndex(of: name) }

  func call(
    _ operation: RecordOperation, collection: Int, key: Span<UInt8>, input: Span<UInt8>,
    expectedVersion: Int64, isDryRun: Bool
  ) throws(Problem) -> RecordResult {
    guard let number = free.take() else {
      throw Problem(
        503, "records.overloaded", "Too many records calls of this automation are under way.",
        retryAfterSeconds: 1)
    }
    defer { free.give(number) }
    let count = key.count + input.count
    var offset = layout.askInput(number)
    let isLarge = count > BoardLayout.askBytesInline
    if isLarge {
      guard let place = arena.take(count) else { throw Runner.noRoom(count, layout.arenaBytes) }
      offset = place
    }
    defer { if isLarge { arena.give(offset) } }
    var cursor = offset
    board.write(key, at: &cursor)
    board.write(input, at: &cursor)
    let sequence = sequences.load(number) + 1
    sequences.store(sequence, at: number)
    board.store(
      UInt64(operation.rawValue) | (isDryRun ? BoardLayout.dryRun : 0), at: layout.ask(number, .operation))
    board.store(UInt64(collection), at: layout.ask(number, .collection))
    board.store(UInt64(bitPattern: expectedVersion), at: layout.ask(number, .expectedVersion))
    board.store(UInt64(offset), at: layout.ask(number, .offset))
    board.store(UInt64(count), at: layout.ask(number, .count))
    board.store(UInt64(key.count), at: layout.ask(number, .keyCount))
    board.store(sequence, at: layout.ask(number, .sequence))
    board.insert(1 << UInt64(number), at: BoardLayout.asked)
    board.ring(BoardLayout.hostBell, sleeper: BoardLayout.hostSleeps)
    waitFor(sequence, number)
    return try result(number)
  }

  private func waitFor(_ sequence: UInt64, _ number: Int) {
    let done = layout.ask(number, .done)
    for _ in 0..<RunnerRecords.looks {
      if board.load(done) == sequence { return }
      pauseBriefly()
    }
    while board.load(done) != sequence {
      board.sleep(done, sleeper: nil, limit: .seconds(1), unless: { board.load(done) == sequence })
    }
  }

  private func result(_ number: Int) throws(Problem) -> RecordResult {
    let offset = Int(clamping: board.load(layout.ask(number, .resultOffset)))
    let count = Int(clamping: board.load(layout.ask(number, .resultCount)))
    guard offset <= layout.totalBytes, count <= layout.totalBytes - offset else {
      throw RecordsCall.invalid("The result was spoilt in the plugin's process.")
    }
    let bytes = board.bytes(offset, count)
    guard board.load(layout.ask(number, .isProblem)) == 0 else {
      throw RunnerWire.problem(bytes) ?? RecordsCall.invalid("The result was spoilt in the plugin's process.")
    }
    return RecordResult(
      json: bytes, version: Int64(bitPattern: board.load(layout.ask(number, .version))))
  }

  /// The host looks at its store itself.
  var fault: String? { nil }
  func close() {}
}

/// The log of a plugin in a runner: lines go to the host, which adds whose they are.
final class RunnerLog: LogSink {
  private let board: SharedBoard

  init(_ board: SharedBoard) { self.board = board }

  var level: LogLevel {
    get { LogLevel(rawValue: Int(clamping: board.load(BoardLayout.logLevel))) ?? .info }
    set {}
  }

  func write(_ level: LogLevel, _ module: StaticString, _ message: String, _ fields: [String: JSONValue]) {
    guard let number = board.claim(BoardLayout.linesTaken, among: .max) else {
      return board.add(1, at: BoardLayout.linesLost)
    }
    RunnerLine.write(level, message, fields, to: board, at: board.layout.line(number))
    board.insert(1 << UInt64(number), at: BoardLayout.linesReady)
    board.ring(BoardLayout.hostBell, sleeper: BoardLayout.hostSleeps)
  }
}
