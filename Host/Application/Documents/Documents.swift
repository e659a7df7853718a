package import Domain
package import Kernel

/// Documents about what serves now: each is built when it is first asked for, kept while it is true, and handed out.
///
/// A document of 20,000 routes takes a second and tens of megabytes: so they are built by one thread of their own, and
/// the requests for them wait as those of a blocking handler do. Requests for the same document wait for one build; what is
/// built already and small is answered at once.
///
/// Whoever asks for much keeps others waiting little: callers with the same rights have few builds waiting, and where
/// somebody else's waits, that one is next.
package final class Documents: Sendable {
  package struct Limits: Sendable {
    /// Bytes of the documents that are kept; the one used longest ago goes first.
    package var keptBytes = 64 << 20
    /// Requests that wait for the thread: a further one gets 503 `documents.busy`.
    package var waiting = 256
    /// Documents that callers with the same rights wait for at a time: a further one is refused as above.
    package var builds = 8
    /// A longer one is copied into its answer by the thread, not by an event thread.
    package var copiedAtOnce = 256 << 10

    package init() {}
  }

  /// Whom a document is for.
  package enum Audience: Sendable, Hashable {
    case anonymous
    case scopes(ScopeSetID)
  }

  /// What tells one document from another.
  package struct Name: Sendable, Hashable {
    package var text: String
    package var audience: Audience
    /// Of the snapshot that it tells of.
    package var version: Int

    package init(_ text: String, _ audience: Audience, version: Int) {
      self.text = text
      self.audience = audience
      self.version = version
    }
  }

  package typealias Build = @Sendable () throws(Problem) -> Document

  fileprivate struct Waiter {
    var exchange: Exchange
    var handle: UInt64

    var isThere: Bool { exchange.isOpen(handle) }
  }

  fileprivate struct Job {
    var name: Name
    var build: Build
    var waiters: [Waiter]
  }

  fileprivate struct State {
    var kept: [Name: (result: Result<Document, Problem>, cost: Int, use: Int)] = [:]
    var bytes = 0
    var uses = 0
    var jobs: [Job] = []
    var waiting = 0
    /// Whose document was built last.
    var last: Audience?
    var isOver = false
  }

  private let state = Monitor(State())
  private let limits: Limits
  private let thread = Monitor<OSThread?>(nil)

  package init(_ limits: Limits = Limits()) { self.limits = limits }

  package func start() {
    thread.withLock { $0 = OSThread("documents", stackBytes: 2 << 20) { self.run() } }
  }

  /// Answers those who wait with 503, and ends the thread after the document that it builds. [not event]
  package func end() {
    let left = state.signal(all: true) { state in
      state.isOver = true
      state.waiting = 0
      defer { state.jobs = [] }
      return state.jobs
    }
    for job in left { deliver(.failure(Documents.stopping), job.waiters) }
    thread.withLock { thread in
      thread?.join()
      thread = nil
    }
  }

  /// Answers with the document of that name; true when the answer comes later, from the thread. [event]
  package func answer(_ exchange: Exchange, _ name: Name, _ build: @escaping Build) throws(Problem) -> Bool {
    let waiter = Waiter(exchange: exchange, handle: exchange.handle)
    let found: Result<Document?, Problem> = state.signal { state in
      switch state.find(name) {
      case .success(let document) where document.bytes.count <= limits.copiedAtOnce: return .success(document)
      case .failure(let problem): return .failure(problem)
      case .success, nil: break
      }
      if state.isOver { return .failure(Documents.stopping) }
      guard state.waiting < limits.waiting, state.add(waiter, name, build, atMost: limits.builds) else {
        return .failure(Documents.busy)
      }
      return .success(nil)
    }
    guard let document = try found.get() else { return true }
    document.answer(exchange)
    return false
  }

  /// Bytes of the documents that are kept.
  package var keptBytes: Int { state.withLock { $0.bytes } }

  private func run() {
    while let (name, build) = nextBuild() {
      let result: Result<Document, Problem>
      if let known = state.withLock({ $0.find(name) }) {
        result = known
      } else {
        do throws(Problem) { result = .success(try build()) } catch { result = .failure(error) }
        state.withLock { $0.keep(result, name, within: limits.keptBytes) }
      }
      deliver(result, state.withLock { $0.takeWaiters(name) })
    }
  }

  /// nil at the end. Whoever asks for it meanwhile waits for this build, too.
  private func nextBuild() -> (Name, Build)? {
    let next: (Name, Build)?? = state.wait { state in
      if state.isOver { return .some(nil) }
      state.forgetAbandoned()
      guard let place = state.nextPlace() else { return nil }
      state.last = state.jobs[place].name.audience
      return (state.jobs[place].name, state.jobs[place].build)
    }
    return next ?? nil
  }

  private func deliver(_ result: Result<Document, Problem>, _ waiters: [Waiter]) {
    for waiter in waiters where waiter.exchange.claim(waiter.handle) {
      switch result {
      case .success(let document): document.answer(waiter.exchange)
      case .failure(let problem): waiter.exchange.answer(problem)
      }
      waiter.exchange.deliver()
    }
  }

  private static let busy = Problem(
    503, "documents.busy", "Too many requests wait for documents. Send this one again.", retryAfterSeconds: 1)
  private static let stopping = Problem(
    503, "documents.stopping", "The host is shutting down. Send the request again.", retryAfterSeconds: 1)
}

// MARK: - Who waits

extension Documents.State {
  /// False where callers with these rights wait for as many documents as they may.
  fileprivate mutating func add(
    _ waiter: Documents.Waiter, _ name: Documents.Name, _ build: @escaping Documents.Build, atMost limit: Int
  ) -> Bool {
    if let place = jobs.firstIndex(where: { $0.name == name }) {
      jobs[place].waiters.append(waiter)
    } else {
      guard jobs.count(where: { $0.name.audience == name.audience }) < limit else { return false }
      jobs.append(Documents.Job(name: name, build: build, waiters: [waiter]))
    }
    waiting += 1
    return true
  }

  /// The oldest of somebody else than last time, or else the oldest.
  fileprivate func nextPlace() -> Int? {
    jobs.firstIndex { $0.name.audience != last } ?? jobs.indices.first
  }

  /// Nothing is built for those who have left, or were answered by somebody else.
  fileprivate mutating func forgetAbandoned() {
    jobs.removeAll { job in
      guard !job.waiters.contains(where: \.isThere) else { return false }
      waiting -= job.waiters.count
      return true
    }
  }

  fileprivate mutating func takeWaiters(_ name: Documents.Name) -> [Documents.Waiter] {
    // None are left where the end came first.
    guard let place = jobs.firstIndex(where: { $0.name == name }) else { return [] }
    let waiters = jobs.remove(at: place).waiters
    waiting -= waiters.count
    return waiters
  }
}

// MARK: - What is kept

extension Documents.State {
  fileprivate mutating func find(_ name: Documents.Name) -> Result<Document, Problem>? {
    guard let result = kept[name]?.result else { return nil }
    uses += 1
    kept[name]?.use = uses
    return result
  }

  /// Forgets what tells of an earlier snapshot, and as much of the rest as makes room. What cannot be built from these
  /// routes is kept, too: that was work like any other.
  fileprivate mutating func keep(
    _ result: Result<Document, Problem>, _ name: Documents.Name, within limit: Int
  ) {
    for old in kept.keys where old.version < name.version { forget(old) }
    let cost: Int
    switch result {
    case .success(let document): cost = document.bytes.count
    case .failure(let problem):
      guard problem.status == 422 else { return }
      cost = Documents.problemBytes
    }
    guard cost <= limit else { return }
    while bytes + cost > limit, let oldest = kept.min(by: { $0.value.use < $1.value.use }) {
      forget(oldest.key)
    }
    forget(name)
    uses += 1
    kept[name] = (result, cost, uses)
    bytes += cost
  }

  private mutating func forget(_ name: Documents.Name) {
    guard let gone = kept.removeValue(forKey: name) else { return }
    bytes -= gone.cost
  }
}

extension Documents {
  /// What a problem counts for, which lists a hundred faults at most.
  fileprivate static let problemBytes = 32 << 10
}
