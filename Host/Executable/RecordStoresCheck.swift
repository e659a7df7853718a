import Application
import Domain
import Kernel

/// Looks at the record stores of the automations that serve, some in each round: what a round costs does not grow
/// with their number.
final class RecordStoresCheck: Sendable {
  private struct State {
    /// The automation that was looked at last.
    var last = ""
    var faults: [String: String] = [:]
  }

  private let automations: Automations
  private let perRound: Int
  private let state = Monitor(State())

  init(_ automations: Automations, perRound: Int) {
    self.automations = automations
    self.perRound = perRound
  }

  /// One round. A fault that is known counts until its store is looked at again. nil, or the first fault by the
  /// automations' names, and how many there are. One thread. [not event]
  func look() -> String? {
    let live = automations.live.sorted { $0.generation.manifest.id < $1.generation.manifest.id }
    var (last, faults) = state.withLock { ($0.last, $0.faults) }
    let start = live.firstIndex { $0.generation.manifest.id > last } ?? 0
    for generation in (live[start...] + live[..<start]).prefix(perRound).map(\.generation) {
      faults[generation.manifest.id] = generation.records?.fault
      last = generation.manifest.id
    }
    let names = live.map(\.generation.manifest.id)
    faults = faults.filter { names.contains($0.key) }
    state.withLock { $0 = State(last: last, faults: faults) }
    guard let first = names.lazy.compactMap({ faults[$0] }).first else { return nil }
    return faults.count == 1 ? first : "\(first); \(faults.count) stores have a fault"
  }
}
