package import Application
import Domain
package import Kernel

extension Exchange {
  /// A request as the edge would hand it over. A method that is none of ``HTTPMethod`` is an unknown one.
  package static func asking(
    _ method: String, _ target: String, headers: [(String, String)] = [], at started: Instant = .now,
    peer: (UInt64, UInt64) = (0, 0)
  ) -> Exchange {
    let exchange = Exchange(slot: 0)
    exchange.open()
    exchange.started = started
    exchange.peer = peer
    if let known = HTTPMethod(rawValue: method) {
      exchange.method = known
    } else {
      exchange.methodIsUnknown = true
    }
    let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    exchange.rawPath = exchange.head.append(String(parts[0]))
    if parts.count > 1 { exchange.rawQuery = exchange.head.append(String(parts[1])) }
    for (name, value) in headers {
      let range = exchange.head.append(value)
      exchange.headers.append(Field(name: exchange.head.append(name), value: range))
      for known in KnownHeader.allCases where known.name.description == name {
        if exchange.knownCount[known.rawValue] == 0 { exchange.known[known.rawValue] = range }
        exchange.knownCount[known.rawValue] += 1
      }
    }
    return exchange
  }
}

extension Safety {
  /// What makes writes safe, in memory.
  package static func inMemory(
    _ digests: any Digests, ledger: any IdempotencyLedger = MemoryLedger(),
    clock: @escaping @Sendable () -> Timestamp = { .now }, anonymousKeys: AnonymousKeys = .refuse
  ) -> Safety {
    Safety(
      ledger: ledger,
      confirmations: Confirmations(
        secret: [UInt8](repeating: 7, count: 32), digests: digests, lifetime: .seconds(300), clock: clock),
      digests: digests, anonymousKeys: anonymousKeys)
  }
}
