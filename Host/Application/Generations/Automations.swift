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
  }

  private let state = Monitor(State())

  package init() {}

  package var live: [LiveAutomation] { snapshots.current.automations }

  package func live(_ id: String) -> LiveAutomation? { state.withLock { $0.live[id] } }

  package var retiring: [Generation] { state.withLock { $0.retiring } }

  package var stuck: [Generation] { state.withLock { $0.stuck } }

  /// Automations that should serve and do not.
  package var unavailable: [String: Unavailability] { state.withLock { $0.unavailable } }

  /// An automation that should serve and cannot: its paths answer 503, not 404.
  func miss(_ id: String, _ why: Unavailability) {
    state.withLock { state in
      state.unavailable[id] = why
      snapshots.publish(Snapshot(Array(state.live.values), unavailable: state.unavailable))
    }
  }

  /// Puts automations in place of those with the same ids, and takes others away, in one step that a request
  /// sees whole or not at all. Returns the generations that no longer get requests.
  package func swap(in arriving: [LiveAutomation], out leaving: [String] = []) -> [Generation] {
    state.withLock { state in
      var replaced: [Generation] = []
      for id in leaving {
        if let old = state.live.removeValue(forKey: id) { replaced.append(old.generation) }
      }
      for automation in arriving {
        automation.generation.state = .active
        let id = automation.generation.manifest.id
        if let old = state.live.updateValue(automation, forKey: id) { replaced.append(old.generation) }
      }
      for id in leaving + arriving.map(\.generation.manifest.id) { state.unavailable[id] = nil }
      snapshots.publish(Snapshot(Array(state.live.values), unavailable: state.unavailable))
      for generation in replaced { generation.retire() }
      state.retiring += replaced
      return replaced
    }
  }

  func finished(_ generation: Generation, stuck: Bool) {
    state.withLock { state in
      state.retiring.removeAll { $0 === generation }
      state.stuck.removeAll { $0 === generation }
      if stuck { state.stuck.append(generation) }
    }
  }
}
