import Application
import Domain
import Kernel
import Supervision

/// What the host knows of crashes before it: writes them down, and says what may be started again.
final class CrashRecord: Sendable {
  private let store: any CrashStore
  private let log: any LogSink
  private let link: SupervisorLink
  private let policy: CrashPolicy
  private let symbols: Symbols
  /// Crashes by automation, "" for those without a culprit: since this home began, as far as they are kept.
  private let counts = Monitor<[String: Int]>([:])

  init(
    _ store: any CrashStore, log: any LogSink, link: SupervisorLink, policy: CrashPolicy, symbols: Symbols
  ) throws(Problem) {
    self.store = store
    self.log = log
    self.link = link
    self.policy = policy
    self.symbols = symbols
    try note(link.begin.crashes)
  }

  func note(_ reports: [CrashReport]) throws(Problem) {
    var crashes = reports
    for place in crashes.indices { crashes[place].frames = symbols.named(crashes[place].frames) }
    try store.note(crashes)
    link.noted(crashes)
    for crash in crashes {
      log.log(.critical, "crashes", "a host before this one ended: \(crash.cause)", crash.json)
    }
    let counted = try store.crashCounts()
    counts.withLock { $0 = counted }
  }

  /// What becomes of a generation that is stored as active. Where its record cannot be read, it gets its chance.
  func judge(_ active: GenerationRecord, _ earlier: [GenerationRecord]) -> CrashPolicy.Decision {
    policy.decide(
      active: CrashPolicy.Candidate(active), earlier: earlier.map(CrashPolicy.Candidate.init),
      crashes: crashes(of: active.automation))
  }

  /// Whether a file crashed so often that the command line's word does not load it.
  func isBarred(sha256: String) -> Bool { policy.isBarred(sha256: sha256, crashes: crashes(of: nil)) }

  var byAutomation: [(automation: String, count: Int)] {
    counts.withLock { $0 }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  private func crashes(of automation: String?) -> [CrashPolicy.Crash] {
    do throws(Problem) {
      return try store.crashTimes(of: automation)
    } catch {
      log.log(.error, "crashes", "the record of crashes cannot be read: \(error.detail)")
      return []
    }
  }
}

extension CrashPolicy.Candidate {
  init(_ record: GenerationRecord) {
    self.init(number: record.number, sha256: record.sha256, loaded: record.loaded)
  }
}
