package import Application
package import Kernel

/// A ledger that keeps its calls in memory and tells at once, on the caller's thread.
package final class MemoryLedger: IdempotencyLedger {
  private enum Entry {
    case running(Digest256)
    case answered(Digest256, KeptAnswer)
    case lost(Digest256)
  }

  private let calls = Monitor<[Digest256: Entry]>([:])
  private let failure = Monitor<Problem?>(nil)
  package static let expires = Timestamp(microseconds: 1_800_000_000_000_000)

  package init() {}

  package var expiry: Duration { .seconds(86_400) }
  package var count: Int { calls.withLock { $0.count } }

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
      }
    }
    then(.success(known))
  }

  package func complete(
    _ id: Digest256, _ answer: KeptAnswer, then: @escaping @Sendable (Problem?) -> Void
  ) {
    calls.withLock { calls in
      if case .running(let fingerprint) = calls[id] { calls[id] = .answered(fingerprint, answer) }
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
