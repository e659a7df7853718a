package import Domain
package import Kernel

/// Documents about what serves now: each is built when it is first asked for, kept while it is true, and handed out.
///
/// A document of 20,000 routes takes a second and tens of megabytes: so they are built by one thread of their own, and
/// the requests for them wait as those of a blocking handler do. What is built already and small is answered at once.
package final class Documents: Sendable {
  package struct Limits: Sendable {
    /// Bytes of the documents that are kept; the one used longest ago goes first.
    package var keptBytes = 64 << 20
    /// Requests that wait for the thread: a further one gets 503 `documents.busy`.
    package var waiting = 256
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

  fileprivate struct Job {
    var name: Name
    var build: Build
    var exchange: Exchange
    var handle: UInt64
  }

  fileprivate struct State {
    var kept: [Name: (document: Document, use: Int)] = [:]
    var bytes = 0
    var uses = 0
    var jobs: [Job] = []
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
      defer { state.jobs = [] }
      return state.jobs
    }
    for job in left { deliver(.failure(Documents.stopping), job) }
    thread.withLock { thread in
      thread?.join()
      thread = nil
    }
  }

  /// Answers with the document of that name; true when the answer comes later, from the thread. [event]
  package func answer(_ exchange: Exchange, _ name: Name, _ build: @escaping Build) throws(Problem) -> Bool {
    let handle = exchange.handle
    let found: Result<Document?, Problem> = state.signal { state in
      if let document = state.find(name), document.bytes.count <= limits.copiedAtOnce {
        return .success(document)
      }
      if state.isOver { return .failure(Documents.stopping) }
      guard state.jobs.count < limits.waiting else { return .failure(Documents.busy) }
      state.jobs.append(Job(name: name, build: build, exchange: exchange, handle: handle))
      return .success(nil)
    }
    guard let document = try found.get() else { return true }
    document.answer(exchange)
    return false
  }

  /// Bytes of the documents that are kept.
  package var keptBytes: Int { state.withLock { $0.bytes } }

  private func run() {
    while let job = state.wait({ state -> Job?? in
      if state.isOver { return .some(nil) }
      return state.jobs.isEmpty ? nil : state.jobs.removeFirst()
    }) ?? nil {
      // Nobody waits any more, or somebody has answered.
      guard job.exchange.isOpen(job.handle) else { continue }
      if let document = state.withLock({ $0.find(job.name) }) {
        deliver(.success(document), job)
        continue
      }
      do throws(Problem) {
        let document = try job.build()
        state.withLock { $0.keep(document, job.name, within: limits.keptBytes) }
        deliver(.success(document), job)
      } catch { deliver(.failure(error), job) }
    }
  }

  private func deliver(_ result: Result<Document, Problem>, _ job: Job) {
    guard job.exchange.claim(job.handle) else { return }
    switch result {
    case .success(let document): document.answer(job.exchange)
    case .failure(let problem): job.exchange.answer(problem)
    }
    job.exchange.deliver()
  }

  private static let busy = Problem(
    503, "documents.busy", "Too many requests wait for documents. Send this one again.", retryAfterSeconds: 1)
  private static let stopping = Problem(
    503, "documents.stopping", "The host is shutting down. Send the request again.", retryAfterSeconds: 1)
}

extension Documents.State {
  fileprivate mutating func find(_ name: Documents.Name) -> Document? {
    guard let document = kept[name]?.document else { return nil }
    uses += 1
    kept[name]?.use = uses
    return document
  }

  /// Forgets what tells of an earlier snapshot, and as much of the rest as makes room.
  fileprivate mutating func keep(_ document: Document, _ name: Documents.Name, within limit: Int) {
    for old in kept.keys where old.version < name.version { forget(old) }
    guard document.bytes.count <= limit else { return }
    while bytes + document.bytes.count > limit, let oldest = kept.min(by: { $0.value.use < $1.value.use }) {
      forget(oldest.key)
    }
    forget(name)
    uses += 1
    kept[name] = (document, uses)
    bytes += document.bytes.count
  }

  private mutating func forget(_ name: Documents.Name) {
    guard let gone = kept.removeValue(forKey: name) else { return }
    bytes -= gone.document.bytes.count
  }
}
