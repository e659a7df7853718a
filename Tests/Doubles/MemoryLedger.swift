package import Application
package import Kernel

/// A ledger that keeps its calls in memory and tells at once, on the caller's thread.
package final class MemoryLedger: IdempotencyLedger {
  private enum Entry {
    case running(Digest256)
    case answered(Digest256, KeptAnswer)
    case notKept(Digest256, Int)
    case lost(Digest256)
  }

  private let calls = Monitor<[Digest256: Entry]>([:])
  private let failure = Monitor<Problem?>(nil)
  package static let expires = Timestamp(microseconds: 1_800_000_000_000_000)

  package init() {}

  package let answerBytes = 256 << 10
  package var count: Int { calls.withLock { $0.count } }

  package func forget() { calls.withLock { $0 = [:] } }

  /// What a reservation fails with from now on.
  package func fail(with problem: Problem?) { failure.withLock { $0 = problem } }

  package func reserve(
    _ call: KeyedCallName, mayBegin: Bool, then: @escaping @Sendable (Result<Reservation, Problem>) -> Void
  ) {
    if let problem = failure.withLock({ $0 }) { return then(.failure(problem)) }
    let known: Reservation = calls.withLock { calls in
      switch calls[call.id] {
      case nil:
        guard mayBegin else { return .absent }
        calls[call.id] = .running(call.fingerprint)
        return .begins(expires: MemoryLedger.expires)
      case .running(let fingerprint): return fingerprint == call.fingerprint ? .inProgress : .reused
      case .lost(let fingerprint): return fingerprint == call.fingerprint ? .unknown : .reused
      case .answered(let fingerprint, let answer):
        guard fingerprint == call.fingerprint else { return .reused }
        return .answered(answer, expires: MemoryLedger.expires)
      case .notKept(let fingerprint, let status):
        return fingerprint == call.fingerprint ? .answerNotKept(status: status) : .reused
      }
    }
    then(.success(known))
  }

  package func complete(
    _ id: Digest256, status: Int, _ answer: KeptAnswer?, then: @escaping @Sendable (Problem?) -> Void
  ) {
    calls.withLock { calls in
      guard case .running(let fingerprint) = calls[id] else { return }
      calls[id] = answer.map { .answered(fingerprint, $0) } ?? .notKept(fingerprint, status)
    }
    then(nil)
  }

  package func release(_ id: Digest256) { calls.withLock { $0[id] = nil } }

  package func lose(_ id: Digest256) {
    calls.withLock { calls in
      if case .running(let fingerprint) = calls[id] { calls[id] = .lost(fingerprint) }
    }
  }
}
