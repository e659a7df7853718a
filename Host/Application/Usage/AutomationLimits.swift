package import Domain

/// What one automation may take of the host, so that the others keep theirs, and where its code runs.
///
/// Set by whoever runs the host, never by a plugin: the limits protect others from it. A plugin that wants less for
/// itself can refuse by itself.
package struct AutomationLimits: Sendable, Equatable {
  /// Calls that wait for an answer at a time, queued ones included.
  package var calls: Int
  /// Milliseconds of CPU time in any minute; 0 for no budget.
  package var cpuMilliseconds: Int
  /// Milliseconds inside of its record store in any minute; 0 for no budget.
  package var storeMilliseconds: Int
  /// Calls that wait for a worker, and workers at a time; nil for what the pool gives everybody.
  package var queue: Int?
  package var workers: Int?
  /// nil for where its load says, or the host's default.
  package var isolation: Isolation?

  package init(
    calls: Int = 2048, cpuMilliseconds: Int = 0, storeMilliseconds: Int = 0, queue: Int? = nil,
    workers: Int? = nil, isolation: Isolation? = nil
  ) {
    self.calls = calls
    self.cpuMilliseconds = cpuMilliseconds
    self.storeMilliseconds = storeMilliseconds
    self.queue = queue
    self.workers = workers
    self.isolation = isolation
  }

  /// The limits of every automation: the usual ones, and those of the automations that have their own.
  package struct Table: Sendable, Equatable {
    package var usual: AutomationLimits
    package var own: [String: AutomationLimits]
    /// Automations that are told apart; those beyond share one account.
    package var accounts: Int

    package static let maxAccounts = 4096

    package init(
      usual: AutomationLimits = AutomationLimits(), own: [String: AutomationLimits] = [:],
      accounts: Int = 1024
    ) {
      precondition(accounts > 0 && accounts <= Table.maxAccounts)
      self.usual = usual
      self.own = own
      self.accounts = accounts
    }

    package subscript(automation: String) -> AutomationLimits { own[automation] ?? usual }
  }

  /// Reads `accounts max_calls=64 max_workers=2; hello cpu_ms_per_minute=500 isolation=process`: what is not named is as `usual` has it.
  package static func overrides(
    _ text: String, usual: AutomationLimits
  ) -> (own: [String: AutomationLimits], faults: [String]) {
    var own: [String: AutomationLimits] = [:]
    var faults: [String] = []
    for entry in text.split(separator: ";") {
      let words = entry.split(separator: " ", omittingEmptySubsequences: true)
      guard let name = words.first.map(String.init) else { continue }
      if own[name] != nil { faults.append("'\(name)' is named twice") }
      var limits = usual
      for word in words.dropFirst() {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let place = places[String(parts[0])] else {
          faults.append("'\(name)': '\(word)' is none of \(places.keys.sorted().joined(separator: "=, "))=")
          continue
        }
        if !place.set(&limits, String(parts[1])) {
          faults.append("'\(name)': \(parts[0]) must be \(place.forms)")
        }
      }
      own[name] = limits
    }
    return (own, faults)
  }

  private struct Place: Sendable {
    /// What it may be, for whoever wrote something else.
    var forms: String
    var set: @Sendable (inout AutomationLimits, String) -> Bool

    static func number(
      _ range: ClosedRange<Int>, _ set: @escaping @Sendable (inout AutomationLimits, Int) -> Void
    ) -> Place {
      Place(forms: "from \(range.lowerBound) to \(range.upperBound)") { limits, text in
        guard let value = Int(text), range.contains(value) else { return false }
        set(&limits, value)
        return true
      }
    }
  }

  private static let places: [String: Place] = [
    "max_calls": .number(1...1_000_000) { $0.calls = $1 },
    "max_queue": .number(1...1_048_576) { $0.queue = $1 },
    "max_workers": .number(1...512) { $0.workers = $1 },
    "cpu_ms_per_minute": .number(0...100_000_000) { $0.cpuMilliseconds = $1 },
    "store_ms_per_minute": .number(0...100_000_000) { $0.storeMilliseconds = $1 },
    "isolation": Place(forms: Isolation.forms) { limits, text in
      limits.isolation = Isolation(text)
      return limits.isolation != nil
    },
  ]
}
