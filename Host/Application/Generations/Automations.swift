import Domain
package import Kernel

/// Every automation that serves, and the one place where that changes.
package final class Automations: Sendable {
  /// What the request path reads.
  package let snapshots = Published<Snapshot>(.empty)

  private struct State {
    var live: [String: LiveAutomation] = [:]
    /// Generations that left the snapshot and are not stopped yet.
    var retiring: [Generation] = []
    var stuck: [Generation] = []
    /// Automations that are stored as active and did not come back.
    var unavailable: [String: Unavailability] = [:]
    /// The numbers of generations that are stored as active, by automation, where an earlier one serves in their place.
    var displaced: [String: Int] = [:]
    var canaries: [String: Canary] = [:]
    var recordings: [String: Recording] = [:]
    var version = 0
  }

  private let state = Monitor(State())
  private let listener = Monitor<(@Sendable () -> Void)?>(nil)

  package init() {}

  /// Calls `listener` after each change of what serves. It must neither block nor come back here. [control]
  package func onChange(_ listener: @escaping @Sendable () -> Void) {
    self.listener.withLock { $0 = listener }
  }

  package var live: [LiveAutomation] { snapshots.current.automations }

  package func live(_ id: String) -> LiveAutomation? { state.withLock { $0.live[id] } }

  package var retiring: [Generation] { state.withLock { $0.retiring } }

  package var stuck: [Generation] { state.withLock { $0.stuck } }

  /// Automations that should serve and do not.
  package var unavailable: [String: Unavailability] { state.withLock { $0.unavailable } }

  /// The generation that is stored as active where the one that serves only stands in for it; nil where none does.
  package func displaced(of id: String) -> Int? { state.withLock { $0.displaced[id] } }

  /// How every automation stands that serves or should.
  package var standings: [String: Standing] {
    state.withLock { state in
      let serving = state.live.map { id, _ in (id, state.displaced[id] == nil ? Standing.active : .standIn) }
      let missing = state.unavailable.map { id, why in (id, Standing(why)) }
      return Dictionary(serving + missing) { serving, _ in serving }
    }
  }

  /// What serves as `id` stands in for generation `number`, until the automation is changed.
  func standIn(_ id: String, for number: Int) { state.withLock { $0.displaced[id] = number } }

  /// An automation that should serve and cannot: its paths answer 503, not 404.
  func miss(_ id: String, _ why: Unavailability) {
    state.withLock { state in
      state.unavailable[id] = why
      publish(&state)
    }
  }

  /// Puts automations in place of those with the same ids, and takes others away, in one step that a request
  /// sees whole or not at all. Returns the generations that no longer get requests.
  package func swap(in arriving: [LiveAutomation], out leaving: [String] = []) -> [Generation] {
    state.withLock { state in
      var replaced: [Generation] = []
      for id in leaving {
        if let old = state.live.removeValue(forKey: id) { replaced.append(old.generation) }
        if let canary = state.canaries.removeValue(forKey: id) {
          replaced.append(canary.candidate.generation)
        }
        state.recordings[id] = nil
      }
      for automation in arriving {
        automation.generation.state = .active
        let id = automation.generation.manifest.id
        if let old = state.live.updateValue(automation, forKey: id) { replaced.append(old.generation) }
      }
      for id in leaving + arriving.map(\.generation.manifest.id) {
        state.unavailable[id] = nil
        state.displaced[id] = nil
      }
      return retire(replaced, &state)
    }
  }

  /// Publishes what serves now, then closes the doors of what does not.
  private func retire(_ generations: [Generation], _ state: inout State) -> [Generation] {
    publish(&state)
    for generation in generations { generation.retire() }
    state.retiring += generations
    return generations
  }

  private func publish(_ state: inout State) {
    state.version += 1
    let serving = state.live.map { id, automation in
      let (canary, recording) = (state.canaries[id], state.recordings[id])
      if canary == nil, recording == nil { return automation }
      return LiveAutomation(automation, ServingExtras(canary: canary, recording: recording))
    }
    snapshots.publish(Snapshot(serving, unavailable: state.unavailable, version: state.version))
    listener.withLock { $0 }?()
  }

  func finished(_ generation: Generation, stuck: Bool) {
    state.withLock { state in
      state.retiring.removeAll { $0 === generation }
      state.stuck.removeAll { $0 === generation }
      if stuck { state.stuck.append(generation) }
    }
  }

  // MARK: Canaries

  package func canary(of id: String) -> Canary? { state.withLock { $0.canaries[id] } }

  /// Those that run, by automation.
  package var canaries: [Canary] {
    state.withLock { $0.canaries.values.sorted { $0.automation < $1.automation } }
  }

  /// Every generation that requests enter: those that serve, and canaries.
  package var entered: [Generation] {
    state.withLock { state in
      state.live.values.map(\.generation) + state.canaries.values.map(\.candidate.generation)
    }
  }

  /// Gives a canary its part of the requests; throws when `limit` run already.
  func begin(_ canary: Canary, limit: Int) throws(Problem) {
    try state.withLock { state throws(Problem) in
      guard state.canaries.count < limit else {
        throw Problem(
          409, "canary.too_many", "\(limit) canaries run already; wait until one has ended.",
          retryAfterSeconds: 30)
      }
      // The host may have begun to end.
      guard state.live[canary.automation]?.generation === canary.baseline else {
        throw Problem(409, "automation.changed", "'\(canary.automation)' was changed meanwhile.")
      }
      canary.candidate.generation.state = .active
      state.canaries[canary.automation] = canary
      publish(&state)
    }
  }

  /// Ends a canary: its generation serves everybody, or nobody. Returns what no longer gets requests; nil when the
  /// canary is over already.
  func end(_ canary: Canary, promoting: Bool) -> [Generation]? {
    state.withLock { state in
      let id = canary.automation
      guard state.canaries[id] === canary else { return nil }
      state.canaries[id] = nil
      guard promoting else { return retire([canary.candidate.generation], &state) }
      state.displaced[id] = nil
      let old = state.live.updateValue(canary.candidate, forKey: id)
      return retire(old.map { [$0.generation] } ?? [], &state)
    }
  }

  // MARK: Recordings

  package func recording(of id: String) -> Recording? { state.withLock { $0.recordings[id] } }

  /// Lets a recording see the automation's requests. False: one does already, or nothing of that name serves.
  func begin(_ recording: Recording) -> Bool {
    state.withLock { state in
      let id = recording.automation
      guard state.live[id] != nil, state.recordings[id] == nil else { return false }
      state.recordings[id] = recording
      publish(&state)
      return true
    }
  }

  func end(_ recording: Recording) {
    state.withLock { state in
      guard state.recordings[recording.automation] === recording else { return }
      state.recordings[recording.automation] = nil
      publish(&state)
    }
  }
}
