import Application
import Domain
import Kernel

/// The first thread of a runner: does what the host commands, and passes on which calls are cancelled.
final class RunnerControl {
  private let board: SharedBoard
  private let layout: BoardLayout
  private let arena: RunnerArena
  private let calls: RunnerCalls
  private let log: RunnerLog
  private var plugin: InProcessPlugin?
  private var streams = false
  private var patience: Duration = .seconds(10)
  private var done: UInt64 = 0

  init(_ board: SharedBoard) {
    self.board = board
    layout = board.layout
    arena = RunnerArena(board)
    calls = RunnerCalls(board, arena)
    log = RunnerLog(board)
    done = board.load(BoardLayout.commandsBefore)
  }

  func run() -> Never {
    while true {
      // First: a plugin that is to stop may wait for handlers that end when they are cancelled.
      if let plugin { calls.takeCancelled(plugin) }
      let command = board.load(BoardLayout.command)
      if command != done { obey(command) }
      board.sleep(
        BoardLayout.controlBell, sleeper: nil, limit: .seconds(1),
        unless: {
          board.load(BoardLayout.command) != done || calls.outlets.hasCancels
            || (0..<layout.words).contains { board.load(BoardLayout.cancelled($0)) != 0 }
        })
    }
  }

  private func obey(_ number: UInt64) {
    let command = RunnerCommand(rawValue: board.load(BoardLayout.commandKind))
    let count = min(Int(clamping: board.load(BoardLayout.commandCount)), BoardLayout.maxCommandBytes)
    var problem: [UInt8] = []
    var answer: [UInt8] = []
    do throws(Problem) {
      answer = try perform(command, board.bytes(layout.commandBytes, count))
    } catch {
      problem = RunnerWire.encode(error)
    }
    let bytes = ProbeWire.Parts.encode([problem, answer])
    board.write(bytes, at: layout.outcomeBytes)
    board.store(UInt64(bytes.count), at: BoardLayout.outcomeCount)
    done = number
    board.store(number, at: BoardLayout.outcome)
    board.wake(BoardLayout.outcome)
    if command == .destroy { RunnerMain.leave() }
  }

  private func perform(_ command: RunnerCommand?, _ payload: [UInt8]) throws(Problem) -> [UInt8] {
    switch command {
    case .load: return try load(payload)
    case .create: try create(payload)
    case .activate: try activate()
    case .quiesce: try plugin?.quiesce()
    case .stop: try stop()
    case .destroy: try plugin?.destroy()
    case nil: throw refusal(.load, "crashed", "The runner got a command that it does not know.", status: 502)
    }
    return []
  }

  private func load(_ payload: [UInt8]) throws(Problem) -> [UInt8] {
    guard let (path, limits) = RunnerWire.loadOrder(payload) else {
      throw refusal(.load, "crashed", "The runner cannot read its order.", status: 502)
    }
    patience = .milliseconds(limits.patienceMilliseconds)
    try RunnerMain.lockIn(path, limits)
    let workers = Workers(Workers.Limits(threads: limits.workers, queue: layout.calls))
    let loaded = try LoadPlugin(exchanges: calls, workers: workers, limits: .init(patience: patience))
      .load(path: path, sealed: nil)
    plugin = loaded
    return loaded.manifest
  }

  private func create(_ payload: [UInt8]) throws(Problem) {
    guard let plugin, let order = RunnerWire.createOrder(payload) else {
      throw refusal(.start, "crashed", "The runner cannot read its order.", status: 502)
    }
    let manifest = try Manifest.parse(plugin.manifest)
    streams = manifest.routes.contains(where: \.streams)
    let names = manifest.collections.map(\.name)
    try plugin.create(
      config: order.config,
      services: PluginServices(
        automation: order.automation, generation: order.generation,
        records: names.isEmpty ? nil : RunnerRecords(names, board, arena), log: log))
  }

  private func activate() throws(Problem) {
    guard let plugin else { return }
    try plugin.activate()
    let calls = calls
    OSThread("dispatcher", stackBytes: 8 << 20) { calls.dispatch(plugin) }.leave()
    if streams { OSThread("streams") { calls.serveStreams() }.leave() }
  }

  /// The host has its answers; a handler may still be about to return.
  private func stop() throws(Problem) {
    guard let plugin else { return }
    let limit = Instant.now + patience
    while plugin.callsInside > 0, Instant.now < limit { pauseBriefly() }
    try plugin.stop()
  }
}
