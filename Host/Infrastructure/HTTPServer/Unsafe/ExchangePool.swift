package import Application
import Kernel
import Synchronization

/// The exchanges of the process: taken by connections, given back, never freed.
///
/// Listeners that share plugins share a pool, so that a slot names one exchange. Reading the table takes no lock.
@safe
package final class ExchangePool: ExchangeTable {
  package let capacity: Int
  private let keptBytes: Int
  package let streams: AnswerStreams
  // A slot is written once, by `take` under the lock, with a retained Exchange; readers load it with acquire.
  private let slots: Slots
  private let spare = Monitor(Spare())
  private let count = Atomic<Int>(0)

  private struct Spare {
    var exchanges: [Exchange] = []
    var made = 0
  }

  /// Room for `capacity` exchanges; each is made when it is first needed, and keeps `keptBytes` of memory at most
  /// while it waits for a request.
  package init(capacity: Int, keptBytes: Int = 256 * 1024, streams: AnswerStreams = AnswerStreams()) {
    precondition(capacity > 0 && capacity < Int(UInt32.max))
    self.capacity = capacity
    self.keptBytes = keptBytes
    self.streams = streams
    slots = Slots(capacity)
  }

  /// An exchange without a request; nil when all are in use.
  package func take() -> Exchange? {
    spare.withLock { spare in
      if let exchange = spare.exchanges.popLast() { return exchange }
      guard spare.made < capacity else { return nil }
      let exchange = Exchange(slot: UInt32(spare.made), keptBytes: keptBytes, streams: streams)
      exchange.recycle = { [unowned self] exchange in
        exchange.reset()
        give(exchange)
      }
      slots.set(spare.made, exchange)
      spare.made += 1
      count.store(spare.made, ordering: .releasing)
      return exchange
    }
  }

  /// Takes back an exchange that was reset. [any]
  package func give(_ exchange: Exchange) {
    exchange.wake = nil
    spare.withLock { $0.exchanges.append(exchange) }
  }

  /// How many exchanges connections and handlers hold.
  package var inUse: Int { spare.withLock { $0.made - $0.exchanges.count } }

  package var slotCount: Int { count.load(ordering: .acquiring) }

  package func exchange(slot: UInt32) -> Exchange? {
    Int(slot) < capacity ? slots.get(Int(slot)) : nil
  }
}

@safe
private final class Slots: @unchecked Sendable {
  private let pointers: UnsafeMutablePointer<Atomic<UInt>>
  private let capacity: Int

  init(_ capacity: Int) {
    self.capacity = capacity
    unsafe pointers = .allocate(capacity: capacity)
    for index in 0..<capacity { unsafe (pointers + index).initialize(to: Atomic(0)) }
  }

  deinit {
    for index in 0..<capacity {
      let bits = unsafe pointers[index].load(ordering: .acquiring)
      // Safe: the bits are an Exchange that `set` retained, released once here.
      if bits != 0 { unsafe Unmanaged<Exchange>.fromOpaque(UnsafeRawPointer(bitPattern: bits)!).release() }
    }
    unsafe pointers.deinitialize(count: capacity)
    unsafe pointers.deallocate()
  }

  func set(_ index: Int, _ exchange: Exchange) {
    precondition(index < capacity)
    // Safe: the index is inside; the exchange stays retained until deinit.
    let bits = unsafe UInt(bitPattern: Unmanaged.passRetained(exchange).toOpaque())
    unsafe pointers[index].store(bits, ordering: .releasing)
  }

  func get(_ index: Int) -> Exchange? {
    precondition(index < capacity)
    let bits = unsafe pointers[index].load(ordering: .acquiring)
    // Safe: a slot that was set holds a retained Exchange until deinit.
    return bits == 0
      ? nil : unsafe Unmanaged<Exchange>.fromOpaque(UnsafeRawPointer(bitPattern: bits)!).takeUnretainedValue()
  }
}
