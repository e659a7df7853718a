import Application
import Domain
import Kernel
import Synchronization

/// One call with an idempotency key on its way: looked up, run, kept, answered.
///
/// The event thread hands it to the ledger and waits for nothing. The ledger's thread gives it to the automation's workers once
/// its reservation is durable, and lets its answer go once that is.
final class KeyedCall: AnswerKeeper {
  private enum Stage: UInt8 {
    /// The ledger looks the call up.
    case asking
    /// The handler may have begun.
    case running
    /// Somebody answers, and nobody else will.
    case ended
  }

  let name: KeyedCallName
  /// What is answered in the place of beginning; nil where the call may begin.
  let refusal: Problem?
  private let ledger: any IdempotencyLedger
  private let log: any LogSink
  private let stage = Atomic<UInt8>(Stage.asking.rawValue)
  private let expires = Atomic<Int64>(0)

  init(_ name: KeyedCallName, refusal: Problem?, _ ledger: any IdempotencyLedger, _ log: any LogSink) {
    self.name = name
    self.refusal = refusal
    self.ledger = ledger
    self.log = log
  }

  /// Everything from here on happens elsewhere. [event]
  func begin(_ exchange: Exchange, _ route: LiveRoute) {
    let request = exchange.handle
    ledger.reserve(name, mayBegin: refusal == nil) { [self] result in
      found(result, exchange, request, route)
      exchange.letGo()
    }
  }

  // MARK: Looked up

  /// [ledger]
  private func found(
    _ result: Result<Reservation, Problem>, _ exchange: Exchange, _ request: UInt64, _ route: LiveRoute
  ) {
    switch result {
    case .failure(let problem): answer(exchange, request) { $0.answer(problem) }
    case .success(.begins(let expires)): run(exchange, request, route, expires)
    case .success(.absent):
      answer(exchange, request) { [refusal] in $0.answer(refusal ?? Safety.outcomeUnknown) }
    case .success(.answered(let kept, let expires)):
      answer(exchange, request, from: .replay) { exchange in
        exchange.takeAnswer(kept)
        exchange.addHeader("Idempotency-Replayed", "true")
        exchange.addHeader("Idempotency-Expires", expires.text)
      }
    case .success(.answerNotKept(let status)):
      answer(exchange, request) { $0.answer(Safety.answerNotKept(status)) }
    case .success(.inProgress): answer(exchange, request) { $0.answer(Safety.inProgress) }
    case .success(.unknown): answer(exchange, request) { $0.answer(Safety.outcomeUnknown) }
    case .success(.reused): answer(exchange, request) { $0.answer(Safety.keyReused) }
    }
  }

  /// Answers without the handler, unless the deadline's watch has.
  private func answer(
    _ exchange: Exchange, _ request: UInt64, from source: Exchange.AnswerSource = .ledger,
    _ write: (Exchange) -> Void
  ) {
    guard exchange.claim(request) else { return }
    advance(to: .ended)
    exchange.source = source
    write(exchange)
    exchange.send()
  }

  private func run(
    _ exchange: Exchange, _ request: UInt64, _ route: LiveRoute, _ expires: Timestamp
  ) {
    self.expires.store(expires.microseconds, ordering: .relaxed)
    let began = stage.compareExchange(
      expected: Stage.asking.rawValue, desired: Stage.running.rawValue, ordering: .acquiringAndReleasing
    ).exchanged
    // The host has answered in the meantime: nothing was done.
    guard began else { return ledger.release(name.id) }
    let plugin = route.generation.plugin
    // Never on this thread, also where the route is inline.
    if case .answered = plugin.handle(exchange, route: route.number, execution: .blocking) {
      exchange.deliver()
    }
  }

  private func advance(to next: Stage) { stage.store(next.rawValue, ordering: .releasing) }

  // MARK: Answered

  func take(_ exchange: Exchange, isInPlace: Bool) {
    let before = stage.exchange(Stage.ended.rawValue, ordering: .acquiringAndReleasing)
    guard before != Stage.ended.rawValue else { return }
    guard before == Stage.running.rawValue else { return exchange.send() }
    if isInPlace {
      // The handler may work on, and what it answers then comes too late.
      ledger.lose(name.id)
      return exchange.send()
    }
    if KeyedCall.saysNothingWasDone(exchange.status), !exchange.hasWritten {
      ledger.release(name.id)
      return exchange.send()
    }
    let isKept = exchange.answerBody.count <= ledger.answerBytes
    ledger.complete(name.id, status: exchange.status, isKept ? exchange.keptAnswer : nil) {
      [self] problem in
      if let problem {
        log.log(
          .error, "gateway", "the answer of a call with an idempotency key is not kept: \(problem.detail)",
          ["code": .string(problem.code)])
      } else {
        let expires = Timestamp(microseconds: expires.load(ordering: .relaxed))
        exchange.addHeader("Idempotency-Expires", expires.text)
      }
      exchange.send()
    }
  }

  /// 429 and 503 ask for the same call again: who answers so, and has written nothing, has done nothing. Every other answer is kept, of failures too: what
  /// a handler did before it failed, a second run could do twice.
  private static func saysNothingWasDone(_ status: Int) -> Bool { status == 429 || status == 503 }
}
