package import Domain
import Kernel
import Synchronization

/// One loaded copy of a plugin: numbered, immutable but for its state and its count of requests.
///
/// A request enters before it calls the plugin and leaves after its answer is complete. Retiring closes the
/// door; the generation is quiet when nobody is left inside.
package final class Generation: Sendable {
  package enum State: Int, Sendable {
    case starting, active, draining, stopped
    /// Did not become quiet, or did not stop, in time: kept mapped, never called again.
    case stuck

    package var name: String { String(describing: self) }
  }

  private static let serials = Atomic<Int>(1)

  /// Unlike the number, unique in this process among all automations.
  package let serial = Generation.serials.add(1, ordering: .relaxed).newValue
  package let record: GenerationRecord
  package let manifest: Manifest
  package let plugin: any LoadedPlugin
  package let records: (any RecordStore)?
  /// Who vouches for its file; nil for an unsigned one.
  package let signature: SignatureFacts?
  /// Its automation's, which it shares with the generations before and after.
  package let account: AutomationAccount

  private let inside = Atomic<Int>(0)
  private let retired = Atomic<Bool>(false)
  private let refusedAnswers = Atomic<Int>(0)
  private let undeclaredAnswers = Atomic<Int>(0)
  private let currentState = Atomic<Int>(State.starting.rawValue)

  package init(
    record: GenerationRecord, manifest: Manifest, plugin: any LoadedPlugin,
    records: (any RecordStore)?, signature: SignatureFacts? = nil, account: AutomationAccount? = nil
  ) {
    self.account = account ?? UsageBook().account(of: manifest.id)
    self.record = record
    self.manifest = manifest
    self.plugin = plugin
    self.records = records
    self.signature = signature
  }

  package var state: State {
    get { State(rawValue: currentState.load(ordering: .acquiring)) ?? .stuck }
    set { currentState.store(newValue.rawValue, ordering: .releasing) }
  }

  /// What is counted of answers that are not as the manifest declares.
  package enum AnswerFault: Sendable {
    /// Not what its schema says: withheld.
    case refused
    /// Of a status that no schema describes: sent.
    case undeclared
  }

  /// Counts one; returns how many there are of that kind now. [event]
  @discardableResult
  package func countAnswer(_ fault: AnswerFault) -> Int {
    switch fault {
    case .refused: refusedAnswers.add(1, ordering: .relaxed).newValue
    case .undeclared: undeclaredAnswers.add(1, ordering: .relaxed).newValue
    }
  }

  package func answers(_ fault: AnswerFault) -> Int {
    switch fault {
    case .refused: refusedAnswers.load(ordering: .relaxed)
    case .undeclared: undeclaredAnswers.load(ordering: .relaxed)
    }
  }

  /// Requests inside now.
  package var requestsInside: Int { inside.load(ordering: .relaxed) }

  /// Lets a request in; false when the generation retires: the caller looks for the one that replaced it.
  package func enter() -> Bool {
    inside.add(1, ordering: .sequentiallyConsistent)
    // Sequential consistency on both sides: either this load sees the door closed, or `isQuiet` sees us inside.
    if retired.load(ordering: .sequentiallyConsistent) {
      leave()
      return false
    }
    return true
  }

  /// Lets a request in on behalf of one that is inside: the door may be closed by now. [any]
  package func enterBeside() {
    let before = inside.add(1, ordering: .sequentiallyConsistent).oldValue
    precondition(before > 0, "nobody is inside")
  }

  package func leave() {
    let before = inside.subtract(1, ordering: .sequentiallyConsistent).oldValue
    precondition(before > 0, "a request left that never entered")
  }

  /// Closes the door. Call after the generation left the snapshot.
  package func retire() {
    retired.store(true, ordering: .sequentiallyConsistent)
    state = .draining
  }

  /// Whether nothing of this generation runs any more. Only meaningful after ``retire()``.
  package var isQuiet: Bool {
    inside.load(ordering: .sequentiallyConsistent) == 0 && plugin.callsInside == 0
  }
}
