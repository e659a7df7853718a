import Application
import Domain
import Kernel
import Synchronization

// The checks that look at answers: one call at a time, so that a failure has one cause.

extension ContractRun {
  /// However slow the machine is.
  private static let fewestRounds = 8

  /// Every route in turn, with inputs that its schemas take, or with mutations of them.
  func sequence(_ result: inout CheckResult, share: Int, valid: Bool) throws -> Finding? {
    let (end, most) = (end(share), mostCalls(share))
    var round = 0
    var late: Finding?
    repeat {
      for number in manifest.routes.indices {
        var random = SeededNumbers(seed, valid ? 1 : 2, number, round)
        let call = valid ? maker.valid(number, &random) : maker.mutated(number, &random)
        if let finding = caller.check(call) {
          // A handler that hangs takes its whole deadline each time: once is enough.
          guard finding.kind != .late else {
            late = finding
            break
          }
          return finding
        }
      }
      try listen(.zero)
      round += 1
    } while late == nil
      && (round < ContractRun.fewestRounds
        || Instant.now < end && round * manifest.routes.count < most)
    result.detail = "\(round) round(s) of \(manifest.routes.count) route(s): \(caller.takeTally())"
    if valid, late == nil { noteRefusals() }
    return late
  }

  /// A route that refuses every call that was made for it was hardly tested.
  private func noteRefusals() {
    for (number, route) in manifest.routes.enumerated() where !caller.succeeded.contains(number) {
      note("\(route.operation): no call that was made for it was answered 2xx")
    }
  }

  /// Bodies and parameters at and beyond what the host takes.
  func sizes(_ result: inout CheckResult) throws -> Finding? {
    var sent = 0
    for (number, route) in manifest.routes.enumerated() {
      var random = SeededNumbers(seed, 3, number)
      var call = maker.valid(number, &random)
      if route.method.takesBody {
        let most = route.maxBodyBytes ?? 1 << 20
        for (body, mustFail) in ContractRun.largeBodies(most, good: call.isValid == true ? call.body : nil) {
          call.body = body
          call.isValid = mustFail ? false : nil
          if let finding = caller.check(call) { return finding }
          sent += 1
        }
        continue
      }
      call.isValid = nil
      let target = call.target
      for tail in [String(repeating: "a", count: 6000), "q=" + String(repeating: "%F0%9F%99%82", count: 400)]
      {
        call.target = target + (target.contains("?") ? "&" : "?") + tail
        if let finding = caller.check(call) { return finding }
        sent += 1
      }
    }
    result.detail = "\(sent) large or deep requests"
    return nil
  }

  /// `good` is a body that the route takes: with blanks behind it, it is as large as may be and reaches the handler.
  private static func largeBodies(_ most: Int, good: [UInt8]?) -> [(body: [UInt8], mustFail: Bool)] {
    func text(_ count: Int) -> [UInt8] {
      [0x22] + [UInt8](repeating: 0x61, count: max(0, count - 2)) + [0x22]
    }
    func nested(_ depth: Int) -> [UInt8] {
      [UInt8](repeating: 0x5B, count: depth) + [UInt8](repeating: 0x5D, count: depth)
    }
    func padded(_ body: [UInt8], _ count: Int) -> [UInt8] {
      body + [UInt8](repeating: 0x20, count: max(0, count - body.count))
    }
    var all = [(text(most + 1), true), (nested(300), true), (nested(100_000), true)]
    all.append((text(min(most, 1 << 20)), false))
    all.append((nested(60), false))
    if let good {
      all.append((padded(good, most + 1), true))
      all.append((padded(good, min(most, 1 << 20)), false))
    }
    return all.filter { $0.1 || $0.0.count <= most }
  }

  /// A generation must not go on where another one was, beyond what is in records: the same calls to two generations of
  /// one host, and to one generation of another, tell.
  func state(_ result: inout CheckResult) throws -> Finding? {
    let routes = manifest.routes.indices.filter { manifest.routes[$0].method.isSafe }
    guard manifest.collections.isEmpty else {
      result.state = .skip
      result.detail = "the plugin keeps records, which generations share"
      return nil
    }
    guard !routes.isEmpty else {
      result.state = .skip
      result.detail = "no route reads only"
      return nil
    }
    let first = try round(caller, routes)
    let second = try round(caller, routes)
    let (other, afterReload) = try inAnotherHost { host, caller in
      try load(host)
      let before = try round(caller, routes)
      try load(host, again: true)
      return (before, try round(caller, routes))
    }
    guard first == other else {
      result.state = .skip
      result.detail = "answers differ from run to run: what a generation keeps cannot be told from them"
      return nil
    }
    if afterReload != first, afterReload == second {
      let index = zip(afterReload, first).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? 0
      let call = maker.fixed(routes[index % routes.count], round: index / routes.count, seed: seed)
      return Finding(kind: .wrong, text: "a new generation goes on where the one before was", call: call)
    }
    result.detail = "a new generation begins anew"
    return nil
  }

  private func round(_ caller: Caller, _ routes: [Int]) throws -> [String] {
    try (0..<4).flatMap { round in
      try routes.map { number in
        let call = maker.fixed(number, round: round, seed: seed)
        switch caller.send(call) {
        case .success(let answer):
          // A deadline for each call to find out nothing.
          if let finding = caller.judge(call, answer), finding.kind == .late { throw finding }
          return "\(answer.status) \(Hex.encode(answer.body))"
        case .failure(.unreachable(let why)):
          throw Finding(kind: .lost, text: "the connection ended without an answer (\(why))", call: call)
        case .failure(let failure): return "\(failure)"
        }
      }
    }
  }
}
