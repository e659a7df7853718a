import Application
import Domain
import Kernel

// Answers that leave while they are written. The request is inside its generation, and counts among its automation's
// calls, until the stream is over; audit row and metrics come then, with the status that was sent and the whole duration.

extension Gateway {
  /// Status and headers are about to be sent. [event]
  func concludeStream(_ exchange: Exchange, _ call: Call) {
    if let route = call.route { exchange.stream?.ownerSerial = route.generation.serial }
    if let own = call.own, let routeCall = call.routeCall {
      let budget = budget(call)
      routeCall.answerLimit = min(call.answerLimit, budget.characters, budget.bytes)
      routeCall.budget = budget
      own.path.wrap(exchange, routeCall)
    }
    decorate(exchange, call, threads.current.scratch)
  }

  /// The stream is over. [event]
  func finishStream(_ exchange: Exchange, _ call: Call) {
    account(exchange, call)
    guard let route = call.route, exchange.stream?.isEndedByHost == true else { return }
    ports.canceller?.cancel(route.generation.plugin, exchange.handle)
  }
}
