package import Application
import CPlugins
package import Domain
package import Kernel
import Synchronization

/// A plugin whose code runs in runner processes: the same calls, with the same outcomes, and nothing of it in this
/// process.
package final class IsolatedPlugin: LoadedPlugin {
  package let manifest: [UInt8]
  let all: [Runner]
  /// Which of several runners the next call goes to.
  private let turn = Atomic<Int>(0)

  init(_ runners: [Runner], manifest: [UInt8]) {
    all = runners
    self.manifest = manifest
  }

  deinit { for runner in all { runner.end() } }

  package func create(config: [UInt8], services: PluginServices) throws(Problem) {
    let order = RunnerWire.create(services.automation, services.generation, config)
    for runner in all {
      runner.identity.withLock {
        $0 = Runner.Identity(
          automation: services.automation, generation: services.generation, records: services.records,
          log: services.log, account: services.account)
      }
      if cplugins_landlock_abi() == 0 {
        runner.log(.critical, "this kernel has no Landlock: the plugin's process can read files")
      }
      runner.life.withLock { $0.create = order }
      do throws(Problem) { _ = try runner.command(.create, order) } catch {
        // After a create that failed, nothing else is called.
        for runner in all { runner.end() }
        throw error
      }
    }
  }

  package func activate() throws(Problem) {
    for runner in all {
      _ = try runner.command(.activate)
      try runner.serve()
    }
  }

  package func handle(
    _ exchange: Exchange, route: Int, execution: RouteDeclaration.Execution
  ) -> Completion {
    let start = all.count == 1 ? 0 : turn.add(1, ordering: .relaxed).newValue & Int.max
    var refusal = Runner.Refusal.resting
    for step in 0..<all.count {
      let runner = all[(start % all.count + step) % all.count]
      switch runner.submit(exchange, route: route, isInline: execution == .inline) {
      case .submitted: return .pending
      case .answered: return .answered
      // A full runner says more than one that rests.
      case .refused(let reason): if reason != .resting { refusal = reason }
      }
    }
    guard exchange.claim(exchange.handle) else { return .pending }
    exchange.answer(problem(refusal))
    return .answered
  }

  private func problem(_ refusal: Runner.Refusal) -> Problem {
    switch refusal {
    case .resting: all[0].restingProblem
    case .full:
      Problem(
        503, "plugin.overloaded", "Too many requests wait for this automation. Send this one again later.",
        retryAfterSeconds: 1)
    case .tooLarge:
      Problem(
        413, "plugin.request_too_large",
        "The request does not fit into the memory shared with this automation's process.",
        members: ["max_bytes": .integer(Int64(all[0].layout.arenaBytes))])
    }
  }

  package func cancel(_ handle: UInt64) { _ = all.contains { $0.cancel(handle) } }

  package var callsInside: Int { all.reduce(0) { $0 + $1.table.total } }

  package var runners: [RunnerFigures] { all.map(\.figures) }

  package func quiesce() throws(Problem) {
    for runner in all {
      runner.life.withLock { $0.isQuiesced = true }
      guard runner.state == .serving else { continue }
      _ = try runner.command(.quiesce)
    }
  }

  /// A runner that does not stop is killed: nothing of it is left either way.
  package func stop() throws(Problem) {
    for runner in all {
      guard runner.beginEnd() else {
        // One that is just being brought back has nothing to stop.
        runner.end()
        continue
      }
      do throws(Problem) { _ = try runner.command(.stop) } catch {
        runner.log(
          .warning, "a plugin did not stop and was killed: \(error.detail)", ["code": .string(error.code)])
        _ = runner.kill(.stopped)
      }
    }
  }

  package func destroy() throws(Problem) {
    for runner in all {
      if !runner.wasKilled {
        do throws(Problem) { _ = try runner.command(.destroy) } catch {
          runner.log(
            .warning, "a plugin was killed in destroy: \(error.detail)", ["code": .string(error.code)])
        }
      }
      runner.end()
    }
    for runner in all { runner.waitForEnd() }
  }
}

extension Runner {
  /// After activate: from now on a process that ends is replaced.
  func serve() throws(Problem) {
    let serves = life.withLock { life -> Bool in
      guard life.process != nil, life.hasKeeper else { return false }
      life.isKept = true
      state = .serving
      return true
    }
    guard serves else {
      throw refusal(.start, "crashed", "The plugin's process ended after activate.", status: 502)
    }
  }

  /// No process follows this one. False: there is none to stop.
  func beginEnd() -> Bool {
    let hasProcess = life.signal(all: true) { life -> Bool in
      life.isEnding = true
      return life.process != nil
    }
    return hasProcess && (state == .serving || state == .starting)
  }

  var wasKilled: Bool { life.withLock { $0.cause != nil || $0.process == nil } }

  /// Ends the process, and the threads that serve it.
  func end() {
    let process = life.signal(all: true) { life -> RunnerProcess? in
      life.isEnding = true
      return life.process
    }
    if process != nil { _ = kill(.stopped) }
  }

  /// Waits until process and threads are gone.
  func waitForEnd() {
    _ = life.wait(until: .now + settings.patience) { $0.hasKeeper || $0.hasCollector ? nil : true }
  }
}
