package import Application
import Kernel

/// Exchanges for calls that have one of their own; counts those that are out.
package final class SparePool: SpareExchanges, ExchangeTable {
  private let all: [Exchange]
  private let free: Monitor<[Exchange]>

  package init(_ count: Int = 8) {
    // The connection's exchange has slot 0.
    all = (1...count).map { Exchange(slot: UInt32($0)) }
    free = Monitor(all)
    for exchange in all {
      exchange.recycle = { [unowned self] exchange in
        exchange.reset()
        give(exchange)
      }
    }
  }

  package func take() -> Exchange? { free.withLock { $0.popLast() } }

  package func give(_ exchange: Exchange) {
    exchange.wake = nil
    free.withLock { $0.append(exchange) }
  }

  package var taken: Int { all.count - free.withLock { $0.count } }

  package func exchange(slot: UInt32) -> Exchange? {
    slot > 0 && slot <= all.count ? all[Int(slot) - 1] : nil
  }
  package var slotCount: Int { all.count + 1 }
}
