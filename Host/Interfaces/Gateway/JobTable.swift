import Application
import Domain
import Kernel

/// The jobs there are: whose, how much room they take, and which kept answer goes first.
struct JobTable {
  /// Who has a share of the table: a key, or an address on a route that needs none.
  enum Owner: Hashable {
    case key(KeyID)
    case address(CallerTag)
  }

  /// What a job was asked for, and by whom.
  struct Terms: Sendable {
    var owner: Owner
    var route: LiveRoute
    var wishes: AnswerWishes?
    var isDryRun = false
    /// Of a call with an idempotency key.
    var keyed: KeyedCallName?

    var key: KeyID? {
      guard case .key(let key) = owner else { return nil }
      return key
    }
  }

  struct Job {
    let terms: Terms
    /// nil once it has ended.
    var errand: Errand?
    var answer: KeptAnswer?

    /// The id of one that was begun without a key cannot be guessed: who knows it may have the answer.
    func isOf(_ key: KeyID?) -> Bool {
      terms.key == nil || terms.key == key
    }
  }

  private struct Share {
    var count = 0
    var bytes = 0
  }

  private let limits: Jobs.Limits
  private var jobs: [String: Job] = [:]
  /// Kept answers, the one that goes first in front.
  private var kept: [(id: String, until: Instant)] = []
  private var bytes = 0
  private var shares: [Owner: Share] = [:]
  /// Running jobs of calls with an idempotency key, by what the ledger remembers of the call.
  private var keyed: [Digest256: String] = [:]

  init(_ limits: Jobs.Limits) { self.limits = limits }

  subscript(_ id: String) -> Job? { jobs[id] }
  var runningCount: Int { jobs.count - kept.count }
  var keptCount: Int { kept.count }
  var running: [Errand] { jobs.values.compactMap(\.errand) }
  /// When the first kept answer goes.
  var firstEnd: Instant? { kept.first?.until }

  /// The job that runs for that very call.
  func running(for name: KeyedCallName) -> String? {
    keyed[name.id].flatMap { jobs[$0]?.terms.keyed == name ? $0 : nil }
  }

  /// False: there is no room. Kept answers make some: the owner's own where its share is full, else the oldest of all.
  mutating func add(_ id: String, _ terms: Terms, _ errand: Errand) -> Bool {
    let owner = terms.owner
    while count(of: owner) >= limits.shareCount, let oldest = oldest(of: owner) { remove(oldest) }
    guard count(of: owner) < limits.shareCount else { return false }
    while jobs.count >= limits.count, let oldest = kept.first { remove(oldest.id) }
    guard jobs.count < limits.count else { return false }
    jobs[id] = Job(terms: terms, errand: errand)
    shares[owner, default: Share()].count += 1
    if let name = terms.keyed { keyed[name.id] = id }
    return true
  }

  /// Keeps the answer of one that ran; nothing where it was cancelled meanwhile.
  mutating func end(_ id: String, _ answer: KeptAnswer, until: Instant) {
    guard var job = jobs[id], job.errand != nil else { return }
    job.errand = nil
    job.answer = answer
    jobs[id] = job
    forgetKey(of: job, id)
    let owner = job.terms.owner
    bytes += answer.byteCount
    shares[owner, default: Share()].bytes += answer.byteCount
    kept.append((id, until))
    // The newest alone may be larger than a share, not than the whole.
    while bytes(of: owner) > limits.shareBytes, let oldest = oldest(of: owner), oldest != id {
      remove(oldest)
    }
    while bytes > limits.bytes, let oldest = kept.first { remove(oldest.id) }
  }

  mutating func remove(_ id: String) {
    guard let job = jobs.removeValue(forKey: id) else { return }
    forgetKey(of: job, id)
    let (owner, size) = (job.terms.owner, job.answer?.byteCount ?? 0)
    bytes -= size
    if var share = shares[owner] {
      share.count -= 1
      share.bytes -= size
      shares[owner] = share.count == 0 ? nil : share
    }
    kept.removeAll { $0.id == id }
  }

  mutating func removeExpired(at now: Instant) {
    while let first = kept.first, first.until <= now { remove(first.id) }
  }

  private mutating func forgetKey(of job: Job, _ id: String) {
    if let name = job.terms.keyed, keyed[name.id] == id { keyed[name.id] = nil }
  }

  private func count(of owner: Owner) -> Int { shares[owner]?.count ?? 0 }
  private func bytes(of owner: Owner) -> Int { shares[owner]?.bytes ?? 0 }
  private func oldest(of owner: Owner) -> String? {
    kept.first { jobs[$0.id]?.terms.owner == owner }?.id
  }
}
