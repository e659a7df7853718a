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

  /// After the answer, and after the request left its generation. [event]
  func observe(_ exchange: Exchange, _ call: Call, _ extras: ServingExtras, _ nanoseconds: Int64) {
    // What never reached a handler says nothing about one.
    guard call.isHandled else { return }
    extras.canary?.record(isCandidate: call.isCandidate, status: exchange.status, nanoseconds: nanoseconds)
    if let recording = extras.recording, let route = call.route { recording.take(exchange, route) }
  }
}
