import Application
import Domain
import Kernel
import Synchronization

// The checks with many calls at once.

extension ContractRun {
  private static let callers = 12
  /// Of each caller, however slow the machine is.
  private static let fewestRounds = 4

  /// What the threads of one check share.
  private final class Crowd: Sendable {
    let findings = Monitor<[Finding]>([])
    let left: Atomic<Int>
    let hasEnded = Atomic<Bool>(false)
    /// Something goes on that is to happen under calls.
    let isNeeded: Atomic<Bool>

    init(_ count: Int, isNeeded: Bool) {
      left = Atomic(count)
      self.isNeeded = Atomic(isNeeded)
    }

    func rest() { _ = findings.wait(until: .now + .milliseconds(5)) { $0.isEmpty ? nil : true } }
  }

  /// Many threads call until `end`, and as long as `work` runs on this one. Gives the first thing that any of them found.
  private func crowd(
    _ check: Int, by other: Caller? = nil, end: Instant, most: Int,
    _ call: @escaping @Sendable (Caller, PluginCall) -> Finding?,
    work: (() throws -> Void)? = nil
  ) throws -> Finding? {
    let crowd = Crowd(ContractRun.callers, isNeeded: work != nil)
    let (caller, maker, seed, routes) = (other ?? caller, maker, seed, manifest.routes.count)
    let threads = (0..<ContractRun.callers).map { thread in
      OSThread("call-\(thread)", stackBytes: 1 << 20) {
        var round = 0
        while !crowd.hasEnded.load(ordering: .relaxed),
          round < ContractRun.fewestRounds || Instant.now < end && round < most / ContractRun.callers
            || crowd.isNeeded.load(ordering: .relaxed)
        {
          // Beyond what it has to spend, only so many that there is always one.
          if round >= most / ContractRun.callers { crowd.rest() }
          var random = SeededNumbers(seed, check, thread, round)
          let route = Int.random(in: 0..<routes, using: &random)
          let made = random.chance(80) ? maker.valid(route, &random) : maker.mutated(route, &random)
          if let finding = call(caller, made) {
            crowd.findings.withLock { $0.append(finding) }
            crowd.hasEnded.store(true, ordering: .relaxed)
          }
          round += 1
        }
        crowd.left.subtract(1, ordering: .releasing)
      }
    }
    defer { for thread in threads { thread.join() } }
    let outcome = Result { try work?() }
    crowd.isNeeded.store(false, ordering: .relaxed)
    if case .failure = outcome { crowd.hasEnded.store(true, ordering: .relaxed) }
    do {
      while crowd.left.load(ordering: .acquiring) > 0 {
        try listen(.milliseconds(20))
        if host.crash != nil { crowd.hasEnded.store(true, ordering: .relaxed) }
      }
    } catch {
      crowd.hasEnded.store(true, ordering: .relaxed)
      throw error
    }
    // What was lost says more than what a reload said of it.
    if let finding = crowd.findings.withLock({ $0.first }) { return finding }
    try outcome.get()
    return nil
  }

  /// Every route from many threads.
  func concurrency(_ result: inout CheckResult) throws -> Finding? {
    result.detail = "\(ContractRun.callers) callers at once"
    return try crowd(4, end: end(20), most: mostCalls(20)) { caller, call in caller.check(call) }
  }

  /// Callers that leave before their answer, or in the middle of a stream, of which the plugin is told: everything goes on.
  func cancelling(_ result: inout CheckResult) throws -> Finding? {
    let finding = try crowd(5, end: end(10), most: mostCalls(10)) { caller, call in
      var random = SeededNumbers(UInt64(call.target.utf8.count), caller.calls)
      switch caller.send(call, within: .milliseconds(random.pick([1, 2, 5, 20]))) {
      case .success(let answer): return caller.judge(call, answer)
      case .failure(.timedOut): return nil
      case .failure(.unreachable(let why)):
        // Whether the host is there is asked with time.
        return caller.check(call).map {
          Finding(kind: $0.kind, text: "\($0.text); before: \(why)", call: call)
        }
      case .failure: return nil
      }
    }
    if let finding { return finding }
    if let inside = try emptied(host) {
      throw Problem(500, "plugin.cancel", "\(inside), and their callers have left.")
    }
    result.detail = "no call stays behind"
    return nil
  }

  /// Deadlines that pass while handlers work: what they answer then is too late, and harms nobody.
  func deadline(_ result: inout CheckResult) throws -> Finding? {
    try inAnotherHost(deadlineMilliseconds: 1) { host, caller in
      try load(host)
      let late = LateCalls()
      let finding = try crowd(8, by: caller, end: end(5), most: mostCalls(5)) { caller, call in
        guard let finding = caller.check(call) else { return nil }
        guard finding.kind == .late else { return finding }
        late.add()
        return nil
      }
      if let finding { throw finding }
      if let inside = try emptied(host) {
        throw Problem(500, "plugin.deadline", "\(inside), past their deadline.")
      }
      result.detail = "\(late.count) call(s) met a deadline of 1 ms; none stays behind"
      return nil
    }
  }

  private static let fewestReloads = 3

  /// Reloads under calls: each is answered by one generation or the other, and the old ones stop.
  func draining(_ result: inout CheckResult) throws -> Finding? {
    var reloads = 0
    let end = end(15)
    let finding = try crowd(6, end: end, most: mostCalls(15), { caller, call in caller.check(call) }) {
      while self.ending == nil, self.host.crash == nil,
        reloads < ContractRun.fewestReloads || reloads < 20 && Instant.now < end
      {
        _ = try self.load(self.host, again: true)
        reloads += 1
        try self.listen(.milliseconds(20))
      }
    }
    if let finding { return finding }
    if let stuck = try settled() {
      throw Problem(500, "plugin.drain", "\(stuck) after a reload under calls.")
    }
    result.detail = "\(reloads) reload(s) under \(ContractRun.callers) callers"
    return nil
  }

  /// Both ways, twice.
  private static let fewestRestarts = 4

  /// create, activate, quiesce, stop and destroy, again and again, also without a call in between.
  func restarting(_ result: inout CheckResult) throws -> Finding? {
    let end = end(5)
    var times = 0
    repeat {
      if times % 2 == 0 {
        _ = try load(host, again: true)
      } else {
        _ = try host.client.call(.unloadAutomation, [manifest.id])
        _ = try load(host)
      }
      times += 1
      try listen(.zero)
    } while times < ContractRun.fewestRestarts || times < 30 && Instant.now < end
    if let stuck = try settled() {
      throw Problem(500, "plugin.restart", "\(stuck) after \(times) restart(s).")
    }
    var random = SeededNumbers(seed, 7)
    result.detail = "\(times) time(s)"
    return caller.check(maker.valid(0, &random))
  }
}

/// Counts on any thread.
private final class LateCalls: Sendable {
  private let number = Atomic<Int>(0)
  func add() { number.add(1, ordering: .relaxed) }
  var count: Int { number.load(ordering: .relaxed) }
}
