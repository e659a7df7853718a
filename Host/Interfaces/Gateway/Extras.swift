import Application
import Domain
import Kernel

// What happens to the requests of an automation while a canary or a recording runs.

extension Gateway {
  /// The generation that takes this request: the one that serves, or the canary's. [event]
  func choose(
    _ extras: ServingExtras, _ automation: LiveAutomation, _ exchange: Exchange, _ call: Call
  ) -> LiveAutomation {
    call.extras = extras
    guard let canary = extras.canary else { return automation }
    call.isCandidate = canary.takes(exchange)
    return call.isCandidate ? canary.candidate : automation
  }

  /// After the answer, `nanoseconds` after the request began, and after it left its generation. [event]
  func observe(_ exchange: Exchange, _ call: Call, _ extras: ServingExtras, _ nanoseconds: Int64) {
    // What never reached a handler says nothing about one.
    guard call.isHandled, !exchange.isFromLedger, let route = call.route else { return }
    // From when the whole request was there: a client that sends its body slowly makes no generation slow.
    let began = exchange.deadline.nanoseconds &- route.deadlineNanoseconds
    let took = max(0, exchange.started.nanoseconds &+ nanoseconds &- began)
    extras.canary?.record(isCandidate: call.isCandidate, status: exchange.status, nanoseconds: took)
    extras.recording?.take(exchange, route)
  }
}
