import Application
import Domain
import Kernel

// The step between a valid write and its handler: what the caller said about its safety, and what the route wants.

extension Gateway {
  /// nil: the handler may run now. [event]
  @inline(__always)
  func guardWrite(
    _ exchange: Exchange, _ call: Call, _ route: LiveRoute, _ thread: EventThread
  ) throws(Problem) -> KeyedCall? {
    let head = exchange.head
    let decision = try ports.safety.decide(exchange, route, thread.scratch) { () throws(Problem) in
      // A public route looks at no API key; whose call it is does matter here.
      if call.grant == nil, exchange.has(.authorization) || exchange.has(.apiKey) {
        try authenticate(exchange, call)
      }
      return Safety.Caller(
        key: call.grant.map(ports.keys.table.id), principal: String(head.span(exchange.principal)))
    }
    switch decision {
    case .run: return nil
    case .dryRun:
      call.isDryRun = true
      return nil
    case .keyed(let name, let refusal):
      return KeyedCall(name, refusal: refusal, ports.safety.ledger, ports.log)
    }
  }

  /// Goes on with the bulkhead and the handler once the ledger knows of the call. [event]
  @inline(never)
  func runKeyed(_ exchange: Exchange, _ call: Call, _ route: LiveRoute, _ keyed: KeyedCall) -> Completion {
    let account = route.generation.account
    if let problem = refusal(exchange, call, account, isInline: false) {
      refuse(exchange, problem)
      return .answered
    }
    account.add(1, to: .calls)
    call.isHandled = keyed.refusal == nil
    exchange.keep(by: keyed)
    watch(exchange, route)
    keyed.begin(exchange, route)
    return .pending
  }
}
