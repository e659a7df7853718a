import Application
import Kernel
import Synchronization

// The keeper: one process after another, its limits, and the commands.

extension Runner {
  /// How often a process is looked at.
  private static let interval: Int32 = 250
  private static let longestRest: Duration = .seconds(300)

  func keep() {
    var process = start()
    while let running = process {
      observe(running)
      let ending = running.reap()
      guard shouldReplace(running, ending) else { break }
      rest()
      process = start()
      let began = Instant.now
      if let process, revive() {
        log(
          .info, "a runner serves again",
          ["pid": .integer(Int64(process.id)), "restart_ms": .integer((Instant.now - began) / 1_000_000)])
      } else if let process {
        // One that ended by itself keeps its own reason.
        if !process.hasEnded { _ = kill(.refused) }
      }
    }
    life.signal(all: true) {
      $0.process = nil
      $0.hasKeeper = false
      state = .ended
    }
    hasNewsOfLife = true
    board.ring(BoardLayout.hostBell)
  }

  /// nil when nothing is to be started, or can be.
  private func start() -> RunnerProcess? {
    while true {
      if life.withLock({ $0.isEnding }) { return nil }
      do throws(Problem) {
        board.store(UInt64(identity.withLock { $0?.log.level.rawValue ?? 0 }), at: BoardLayout.logLevel)
        board.store(life.withLock { $0.commands }, at: BoardLayout.commandsBefore)
        board.store(life.withLock { $0.commands }, at: BoardLayout.command)
        let process = try RunnerProcess(
          settings.executable,
          ["council", RunnerMain.argument, "\(layout.calls)", "\(layout.arenaBytes)"], settings.environment,
          file: file.descriptor)
        let isEnding = life.signal(all: true) { life -> Bool in
          life.process = process
          life.cause = life.isEnding ? .stopped : nil
          return life.isEnding
        }
        // Whoever ended the runner meanwhile has found no process to kill.
        if isEnding { process.kill() }
        return process
      } catch {
        log(.error, "a runner does not start: \(error.detail)")
        let again = life.signal(all: true) { life -> Bool in
          life.cannotStart = error
          return life.isKept
        }
        guard again else { return nil }
        _ = life.wait(until: .now + settings.rest) { $0.isEnding ? true : nil }
      }
    }
  }

  /// Waits for the end of a process, and ends one that takes what is not its.
  private func observe(_ process: RunnerProcess) {
    var window = (since: Instant.now, cpuSeconds: 0.0)
    while !process.wait(within: Runner.interval) {
      guard let facts = process.facts else { continue }
      charge(facts.cpuSeconds)
      // So near to its limit, what it asks for next is refused: it does not come back by itself.
      if facts.dataBytes > settings.memoryBytes / 100 * 98 { _ = kill(.memory) }
      if facts.threads > settings.threads { _ = kill(.threads) }
      let now = Instant.now
      if settings.cpuPerWindow > .zero {
        if facts.cpuSeconds - window.cpuSeconds > Double(settings.cpuPerWindow.nanoseconds) / 1e9 {
          _ = kill(.cpu)
        }
        if now - window.since > settings.cpuWindow.nanoseconds { window = (now, facts.cpuSeconds) }
      }
      if settings.overrun > .zero,
        hasOverrun(now) || streams.areOverdue(now.nanoseconds - settings.overrun.nanoseconds)
      {
        _ = kill(.overran)
      }
      if let level = identity.withLock({ $0?.log.level }) {
        board.store(UInt64(level.rawValue), at: BoardLayout.logLevel)
      }
    }
  }

  /// What the process has used by now, to its automation's account: it counts as workers' time, and to the budget.
  private func charge(_ cpuSeconds: Double) {
    guard let account = identity.withLock({ $0?.account }) else { return }
    let more = life.withLock { life in
      defer { life.chargedSeconds = max(life.chargedSeconds, cpuSeconds) }
      return cpuSeconds - life.chargedSeconds
    }
    if more > 0 { account.addAnywhere(UInt64(more * 1_000_000_000), to: .workerTime) }
  }

  private func hasOverrun(_ now: Instant) -> Bool {
    for number in 0..<table.count where table.inFlight(number) != nil {
      if now - table.deadline(number) > settings.overrun.nanoseconds { return true }
    }
    return false
  }

  /// Ends the present process for a reason; false when one was given before.
  func kill(_ cause: Cause) -> Bool {
    let (process, isFirst) = life.withLock { life -> (RunnerProcess?, Bool) in
      guard life.process != nil, life.cause == nil else { return (life.process, false) }
      life.cause = cause
      return (life.process, true)
    }
    process?.kill()
    return isFirst
  }

  // MARK: After an end

  /// Takes down what ended, has its calls failed, and says whether another process follows.
  private func shouldReplace(_ process: RunnerProcess, _ ending: RunnerProcess.Ending) -> Bool {
    let now = Instant.now
    charge(ending.cpuSeconds)
    let (cause, wasAsked) = life.withLock { ($0.cause, $0.isEnding) }
    let name =
      cause.map(\.rawValue)
      ?? (ending.signal != 0
        ? (ending.signal == 31 ? "sandbox" : RunnerProcess.signalName(ending.signal))
        : "exit \(ending.exitCode)")
    let replaces = life.signal(all: true) { life -> Bool in
      life.process = nil
      life.cpuSeconds += ending.cpuSeconds
      life.chargedSeconds = 0
      life.lastEnd = name
      life.isMourning = true
      guard !life.isEnding else { return false }
      if life.isKept { state = .restarting }
      life.crashes += 1
      life.crashTimes.removeAll { now - $0 > settings.crashWindow.nanoseconds }
      if life.crashTimes.isEmpty { life.rests = 0 }
      life.crashTimes.append(now)
      return life.isKept
    }
    if !wasAsked {
      var fields: [String: JSONValue] = [
        "cause": .string(name), "pid": .integer(Int64(process.id)),
        "cpu_s": .number(ending.cpuSeconds), "most_resident_bytes": .integer(Int64(ending.mostResidentBytes)),
      ]
      if !ending.output.isEmpty { fields["output"] = .string(ending.output) }
      log(.error, "a runner ended: \(name)", fields)
    }
    hasNewsOfLife = true
    board.ring(BoardLayout.hostBell)
    // The collector must be done with the old process before there is a new one.
    _ = life.wait { $0.isMourning ? nil : true }
    return replaces
  }

  /// Waits, after too many crashes.
  private func rest() {
    let pause = life.withLock { life -> Duration? in
      guard life.crashTimes.count > settings.crashes else { return nil }
      let pause = min(Runner.longestRest, settings.rest * (1 << min(life.rests, 10)))
      life.rests += 1
      return pause
    }
    guard let pause else { return }
    life.withLock { _ in state = .resting }
    log(
      .critical, "an automation crashed too often and answers 503",
      ["rest_ms": .integer(pause.nanoseconds / 1_000_000)])
    _ = life.wait(until: .now + pause) { $0.isEnding ? true : nil }
    life.withLock { _ in state = .restarting }
  }

  /// Takes a new process as far as the one before was. [keeper]
  private func revive() -> Bool {
    do throws(Problem) {
      _ = try command(.load, loadOrder)
      _ = try command(.create, life.withLock { $0.create })
      _ = try command(.activate)
      if life.withLock({ $0.isQuiesced }) { _ = try command(.quiesce) }
    } catch {
      let isEnding = life.withLock { $0.isEnding }
      log(
        isEnding ? .debug : .error, "a runner does not come back: \(error.detail)",
        ["code": .string(error.code)])
      return false
    }
    life.withLock { life in
      life.restarts += 1
      state = .serving
    }
    return true
  }

  // MARK: Commands

  var loadOrder: [UInt8] {
    RunnerWire.load(
      path,
      RunnerWire.Limits(
        memoryBytes: settings.memoryBytes, openFiles: settings.openFiles, workers: settings.workers,
        needsLandlock: settings.needsLandlock,
        patienceMilliseconds: settings.patience.nanoseconds / 1_000_000))
  }

  /// Beyond its own watch, which speaks first.
  private static let commandGrace: Duration = .seconds(2)

  /// Has the runner do something and waits for it. A runner that does not come back is killed. [control, keeper]
  func command(_ command: RunnerCommand, _ payload: [UInt8] = []) throws(Problem) -> [UInt8] {
    let step: Step =
      switch command {
      case .load: .load
      case .create, .activate: .start
      case .quiesce: .drain
      case .stop, .destroy: .stop
      }
    let process = life.wait(until: .now + settings.patience) { life -> RunnerProcess?? in
      if let process = life.process, !life.isCommanding {
        life.isCommanding = true
        return .some(process)
      }
      return life.hasKeeper ? nil : .some(nil)
    }
    guard case .some(.some(let process)) = process else {
      throw life.withLock({ $0.cannotStart })
        ?? refusal(step, "crashed", "The runner is not there.", status: 502)
    }
    defer { life.signal(all: true) { $0.isCommanding = false } }
    guard payload.count <= BoardLayout.maxCommandBytes else {
      throw refusal(step, "config_too_large", "The configuration does not fit into a runner.", status: 413)
    }
    let number = life.withLock { life -> UInt64 in
      life.commands += 1
      return life.commands
    }
    // A process may have written what it likes as the outcome of a command that was yet to come.
    board.store(0, at: BoardLayout.outcome)
    board.write(payload, at: layout.commandBytes)
    board.store(command.rawValue, at: BoardLayout.commandKind)
    board.store(UInt64(payload.count), at: BoardLayout.commandCount)
    board.store(number, at: BoardLayout.command)
    board.ring(BoardLayout.controlBell)
    let limit = Instant.now + settings.patience + Runner.commandGrace
    while board.load(BoardLayout.outcome) != number {
      if process.wait(within: 0) {
        // It may have answered last.
        if board.load(BoardLayout.outcome) == number { break }
        throw ended(process, command, step)
      }
      guard Instant.now < limit else {
        _ = kill(.hung)
        throw refusal(
          step, "hung", "\(command) did not return; the process was killed.", ["call": .string("\(command)")],
          status: 504)
      }
      board.sleep(
        BoardLayout.outcome, sleeper: nil, limit: .milliseconds(5),
        unless: { board.load(BoardLayout.outcome) == number })
    }
    return try outcome(of: command, step)
  }

  /// The keeper learns why a process ended; it cannot wait for itself.
  private func ended(_ process: RunnerProcess, _ command: RunnerCommand, _ step: Step) -> Problem {
    let isKeeper = state == .restarting
    let name =
      isKeeper ? nil : life.wait(until: .now + .seconds(1)) { $0.process === process ? nil : $0.lastEnd }
    return refusal(
      step, "crashed", "The plugin's process ended in \(command)\(name.map { ": \($0)" } ?? "").",
      ["call": .string("\(command)"), "cause": name.map { .string($0) } ?? .null], status: 502)
  }

  private func outcome(of command: RunnerCommand, _ step: Step) throws(Problem) -> [UInt8] {
    let count = board.load(BoardLayout.outcomeCount)
    if count <= UInt64(BoardLayout.maxCommandBytes),
      let parts = ProbeWire.Parts.decode(board.bytes(layout.outcomeBytes, Int(count)), count: 2)
    {
      if parts[0].isEmpty { return parts[1] }
      if let problem = RunnerWire.problem(parts[0]) { throw problem }
    }
    _ = kill(.breach)
    throw refusal(step, "crashed", "The runner's answer to \(command) makes no sense.", status: 502)
  }
}
