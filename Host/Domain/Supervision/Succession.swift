package import Kernel

/// Which host processes there are and what is asked of them: everything that the supervisor decides.
///
/// At most one host serves. A hand-over goes freeze → boot → yield → take over → leave; whatever fails before the new
/// host serves leaves the old one serving. What ends unasked is followed by another.
package struct Succession: Sendable {
  package typealias HostID = Int

  package struct Limits: Sendable {
    package var backoff = RestartBackoff()
    /// For the old host to end the changes that are under way.
    package var freeze = Duration.seconds(10)
    /// For a host to report that it could serve.
    package var boot = Duration.seconds(60)
    /// For the switch itself: the old host lets go of the audit trail, the new one takes it.
    package var takeOver = Duration.seconds(10)
    /// For the orderly end of every host.
    package var drain = Duration.seconds(60)
    /// For an old host to end once another serves.
    package var leave = Duration.seconds(120)
    /// Old hosts that may still finish their requests.
    package var leaving = 4

    package init() {}
  }

  package enum Order: Sendable, Equatable {
    /// Change nothing from now on: say `frozen`, or `busy`.
    case freeze
    /// There will be no hand-over, for this reason: go on as before.
    case goOn(String)
    /// Let go of what only one host may write: say `yielded`.
    case yield
    /// Take it, and serve: say `serving`.
    case takeOver
    /// Another host serves: end when the clients have gone.
    case leave
    /// End soon.
    case drain
    /// A host that had yielded is gone.
    case predecessorGone
  }

  package enum Action: Sendable, Equatable {
    /// A standby boots and waits for `takeOver`; another serves as soon as it can.
    case start(HostID, isStandby: Bool)
    case tell(HostID, Order)
    case kill(HostID)
    case log(String)
    /// The supervisor ends with this code.
    case end(Int32)
  }

  package enum Word: Sendable, Equatable {
    case standby, serving, frozen, yielded
    case busy(String)
    case wantsHandOver(String)
  }

  package enum Ending: Sendable, Equatable {
    case exited(Int32)
    /// Unasked: a signal, or an exit of somebody who had no right to.
    case crashed(hasCulprit: Bool)
  }

  private struct HandOver {
    enum Phase: Equatable { case freezing, booting, yielding, takingOver }
    var phase: Phase
    /// nil while the old one freezes.
    var successor: HostID?
    var deadline: Instant
  }

  private var limits: Limits
  private var nextID = 1
  /// The host that serves, or boots in order to serve.
  private var current: HostID?
  private var isServing = false
  private var hasServed = false
  private var handOver: HandOver?
  /// Oldest first; each is killed at its deadline.
  private var leaving: [(host: HostID, deadline: Instant)] = []
  private var starts: [HostID: Instant] = [:]
  private var bootDeadline: Instant?
  private var restartAt: Instant?
  private var drainDeadline: Instant?
  private var isEnding = false
  private var code: Int32 = 0

  package private(set) var restarts = 0
  package private(set) var handOvers = 0

  package init(_ limits: Limits) { self.limits = limits }

  /// When ``tick(_:)`` has something to do.
  package var deadline: Instant? {
    [
      handOver?.deadline, bootDeadline, restartAt, drainDeadline,
      isEnding ? nil : leaving.map(\.deadline).min(),
    ]
    .compactMap { $0 }.min()
  }

  /// The host that admins reach.
  package var servingHost: HostID? { isServing ? current : nil }
  package var isHandingOver: Bool { handOver != nil }
  /// Whether a host's end was asked for.
  package func wasAsked(_ host: HostID) -> Bool { isEnding || leaving.contains { $0.host == host } }

  // MARK: Events

  package mutating func begin(_ now: Instant) -> [Action] { [start(now)] }

  package mutating func requestHandOver(_ now: Instant) -> [Action] {
    guard let current, isServing, !isEnding, handOver == nil else {
      return [
        .log("no hand-over now: \(isServing ? "one is under way, or the host ends" : "no host serves")")
      ]
    }
    handOver = HandOver(phase: .freezing, successor: nil, deadline: now + limits.freeze)
    return [.tell(current, .freeze)]
  }

  package mutating func said(_ host: HostID, _ word: Word, _ now: Instant) -> [Action] {
    if case .wantsHandOver = word {
      if host == current { return requestHandOver(now) }
      return []
    }
    guard let phase = handOver?.phase else {
      guard word == .serving, host == current else { return [] }
      serves()
      return []
    }
    switch (phase, word) {
    case (.freezing, .frozen) where host == current:
      let next = take(now)
      handOver = HandOver(phase: .booting, successor: next, deadline: now + limits.boot)
      return [.start(next, isStandby: true)]
    case (.freezing, .busy(let cause)) where host == current: return fail(cause)
    case (.booting, .standby) where host == handOver?.successor:
      guard let current else { return promote(now) }
      handOver?.phase = .yielding
      handOver?.deadline = now + limits.takeOver
      return [.tell(current, .yield)]
    case (.yielding, .busy(let cause)) where host == current: return abandonSuccessor(cause)
    case (.yielding, .yielded) where host == current:
      return promote(now)
    case (.takingOver, .serving) where host == handOver?.successor: return complete(now)
    default: return []
    }
  }

  package mutating func ended(_ host: HostID, _ ending: Ending, _ now: Instant) -> [Action] {
    let uptime = Duration.nanoseconds(now - (starts.removeValue(forKey: host) ?? now))
    if leaving.contains(where: { $0.host == host }) {
      leaving.removeAll { $0.host == host }
      return finish() + (current.map { [.tell($0, .predecessorGone)] } ?? [])
    }
    if isEnding {
      if current == host { current = nil }
      if handOver?.successor == host { handOver = nil }
      if case .crashed = ending { code = 1 }
      return finish()
    }
    if host == handOver?.successor {
      let cause = "the new host ended before it served"
      if current == nil { return failAndRestart(ending, uptime, now, cause) }
      return fail(cause)
    }
    guard host == current else { return [] }
    return currentEnded(ending, uptime, now)
  }

  private mutating func currentEnded(_ ending: Ending, _ uptime: Duration, _ now: Instant) -> [Action] {
    current = nil
    isServing = false
    bootDeadline = nil
    if case .exited(let code) = ending, !hasServed {
      // What is wrong from the start stays wrong: the host has said what, and its code says it too.
      isEnding = true
      self.code = code
      return finish()
    }
    if let handOver {
      switch handOver.phase {
      case .freezing: self.handOver = nil
      case .booting, .takingOver: return []
      case .yielding: return promote(now)
      }
    }
    return scheduleRestart(ending, uptime, now)
  }

  package mutating func asksToEnd(_ now: Instant) -> [Action] {
    if isEnding {
      code = 1
      return starts.keys.sorted().map { .kill($0) } + (starts.isEmpty ? [.end(1)] : [])
    }
    isEnding = true
    restartAt = nil
    bootDeadline = nil
    drainDeadline = now + limits.drain
    // Whoever was about to take over ends with the others.
    handOver?.deadline = Instant(nanoseconds: .max)
    let all = starts.keys.sorted().map { Action.tell($0, .drain) }
    return all + finish()
  }

  package mutating func tick(_ now: Instant) -> [Action] {
    if let drainDeadline, now >= drainDeadline {
      self.drainDeadline = nil
      code = 1
      return starts.keys.sorted().map { .kill($0) }
    }
    guard !isEnding else { return [] }
    if let late = leaving.firstIndex(where: { now >= $0.deadline }) {
      // Once: its end takes it off the list.
      leaving[late].deadline = Instant(nanoseconds: .max)
      return [.log("a host that was replaced does not end: it is killed"), .kill(leaving[late].host)]
    }
    if let bootDeadline, now >= bootDeadline, let current {
      self.bootDeadline = nil
      return [.log("the host does not get ready: it is killed"), .kill(current)]
    }
    if let restartAt, now >= restartAt {
      self.restartAt = nil
      return [start(now)]
    }
    if let handOver, now >= handOver.deadline {
      switch handOver.phase {
      case .freezing: return fail("a change is under way and does not end")
      case .booting: return abandonSuccessor("the new host did not get ready in time")
      case .yielding: return abandonSuccessor("the old host did not let go in time")
      case .takingOver: return abandonSuccessor("the new host did not take over in time")
      }
    }
    return []
  }

  // MARK: Steps

  private mutating func take(_ now: Instant) -> HostID {
    defer { nextID += 1 }
    starts[nextID] = now
    return nextID
  }

  private mutating func start(_ now: Instant) -> Action {
    let host = take(now)
    current = host
    isServing = false
    bootDeadline = now + limits.boot
    return .start(host, isStandby: false)
  }

  private mutating func serves() {
    isServing = true
    hasServed = true
    bootDeadline = nil
  }

  /// The successor takes what the old host has let go of, or left behind.
  private mutating func promote(_ now: Instant) -> [Action] {
    guard let successor = handOver?.successor else { return [] }
    handOver?.phase = .takingOver
    handOver?.deadline = now + limits.takeOver
    return [.tell(successor, .takeOver)]
  }

  private mutating func complete(_ now: Instant) -> [Action] {
    guard let successor = handOver?.successor else { return [] }
    let old = current
    handOver = nil
    current = successor
    serves()
    handOvers += 1
    guard let old else {
      restarts += 1
      return [.tell(successor, .predecessorGone)]
    }
    leaving.append((old, now + limits.leave))
    var actions: [Action] = [.tell(old, .leave)]
    // Each holds memory: too many hand-overs in a row, and the oldest has to hurry.
    if leaving.count > limits.leaving {
      actions.append(.tell(leaving[leaving.count - limits.leaving - 1].host, .drain))
    }
    return actions
  }

  private mutating func fail(_ cause: String) -> [Action] {
    handOver = nil
    let told = current.map { [Action.tell($0, .goOn(cause))] } ?? []
    return [.log("no hand-over: \(cause)")] + told
  }

  private mutating func failAndRestart(
    _ ending: Ending, _ uptime: Duration, _ now: Instant, _ cause: String
  ) -> [Action] {
    fail(cause) + scheduleRestart(ending, uptime, now)
  }

  /// Kills the successor; its end makes the hand-over fail.
  private mutating func abandonSuccessor(_ cause: String) -> [Action] {
    guard let successor = handOver?.successor else { return fail(cause) }
    handOver?.deadline = Instant(nanoseconds: .max)
    return [.log("\(cause): it is killed"), .kill(successor)]
  }

  private mutating func scheduleRestart(
    _ ending: Ending, _ uptime: Duration, _ now: Instant
  ) -> [Action] {
    restarts += 1
    let hasCulprit = ending == .crashed(hasCulprit: true)
    let wait = limits.backoff.ended(after: uptime, hasCulprit: hasCulprit)
    if wait == .zero { return [start(now)] }
    restartAt = now + wait
    return [.log("the host is started again in \(wait.nanoseconds / 1_000_000) ms")]
  }

  private mutating func finish() -> [Action] {
    isEnding && starts.isEmpty ? [.end(code)] : []
  }
}
