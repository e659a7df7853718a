package import Kernel

/// Which generation of an automation a host boots, after what crashed before.
///
/// A generation is condemned by `crashes` crashes within `window`. Then the newest earlier one with another file serves
/// in its place; when that is condemned too, or there is none, the automation is left out. An admin's change makes a
/// new generation, which starts with a clean record: nothing else has to be forgiven.
package struct CrashPolicy: Sendable {
  package var crashes: Int
  package var window: Duration

  package init(crashes: Int, window: Duration) {
    precondition(crashes > 0)
    self.crashes = crashes
    self.window = window
  }

  package struct Candidate: Sendable, Equatable {
    package var number: Int
    package var sha256: String
    package var loaded: Timestamp

    package init(number: Int, sha256: String, loaded: Timestamp) {
      self.number = number
      self.sha256 = sha256
      self.loaded = loaded
    }
  }

  /// One crash of one generation of the automation in question.
  package struct Crash: Sendable, Equatable {
    package var time: Timestamp
    package var generation: Int
    package var sha256: String

    package init(time: Timestamp, generation: Int, sha256: String) {
      self.time = time
      self.generation = generation
      self.sha256 = sha256
    }
  }

  package enum Decision: Sendable, Equatable {
    case boot(Int)
    /// Nothing of it is started: its routes answer 503.
    case leaveOut
  }

  /// `earlier` is every other generation that could be started, newest first.
  package func decide(active: Candidate, earlier: [Candidate], crashes: [Crash]) -> Decision {
    guard isCondemned(crashes.filter { $0.generation == active.number }) else { return .boot(active.number) }
    let since = crashes.filter { $0.time >= active.loaded && $0.generation != active.number }
    let substitutes = earlier.filter { $0.number < active.number && $0.sha256 != active.sha256 }
    // One has stood in for this very generation, and did no better.
    let failed = substitutes.contains { one in isCondemned(since.filter { $0.generation == one.number }) }
    guard !failed,
      let next = substitutes.first(where: { one in
        !isCondemned(crashes.filter { $0.sha256 == one.sha256 })
      })
    else { return .leaveOut }
    return .boot(next.number)
  }

  /// Whether a file that is about to be loaded anew has crashed so often that it must wait for an admin.
  package func isBarred(sha256: String, crashes: [Crash]) -> Bool {
    isCondemned(crashes.filter { $0.sha256 == sha256 })
  }

  /// Whether so many crashes came within one window, at any time.
  private func isCondemned(_ all: [Crash]) -> Bool {
    let times = all.map(\.time).sorted()
    guard times.count >= crashes else { return false }
    return (crashes - 1..<times.count).contains { last in
      times[last] <= times[last - (crashes - 1)] + window
    }
  }
}
