import Kernel
import Synchronization
import Testing

@testable import PluginRuntime

extension PluginRuntimeTests {
  @Suite struct Bell {
    private final class Shared: Sendable {
      let bell = Doorbell()
      let waiting = Atomic<Int>(0)
      let taken = Atomic<Int>(0)
      let isEnding = Atomic<Bool>(false)

      /// A worker's part of the protocol.
      func work() {
        bell.beginSearch()
        while true {
          let seen = waiting.load(ordering: .sequentiallyConsistent)
          if seen > 0,
            waiting.compareExchange(
              expected: seen, desired: seen - 1, ordering: .sequentiallyConsistent
            ).exchanged
          {
            bell.found { waiting.load(ordering: .sequentiallyConsistent) == 0 }
            taken.add(1, ordering: .sequentiallyConsistent)
            bell.beginSearch()
          } else if isEnding.load(ordering: .sequentiallyConsistent) {
            return bell.found { true }
          } else {
            bell.sleep {
              waiting.load(ordering: .sequentiallyConsistent) > 0
                || isEnding.load(ordering: .sequentiallyConsistent)
            }
          }
        }
      }

      /// Waits without sleeping, so that the next ring may meet a worker on its way to sleep.
      func hasTaken(_ count: Int) -> Bool {
        var looks = 0
        while taken.load(ordering: .sequentiallyConsistent) < count {
          looks += 1
          if looks < 20_000 { continue }
          // Rung for and not taken: the worker sleeps, or this machine is busy.
          return System.eventually { taken.load(ordering: .sequentiallyConsistent) >= count }
        }
        return true
      }
    }

    /// Each job comes when a worker has just taken the one before and is about to sleep, a little later each time: a
    /// ring that meets it on its way, reaches nobody, and keeps the bell busy would leave all later jobs lying.
    @Test(arguments: [1, 2])
    func everyRingBringsSomebody(workers: Int) {
      let shared = Shared()
      let alive = Monitor(workers)
      for _ in 0..<workers {
        OSThread("bell") {
          shared.work()
          alive.signal(all: true) { $0 -= 1 }
        }.leave()
      }
      var count = 0
      var isServed = true
      while isServed, count < 300_000 {
        for _ in 0..<count % 61 { pauseBriefly() }
        shared.waiting.add(1, ordering: .sequentiallyConsistent)
        shared.bell.ring()
        count += 1
        isServed = shared.hasTaken(count)
      }
      #expect(isServed, "job \(count) was rung for and lies there")
      shared.isEnding.store(true, ordering: .sequentiallyConsistent)
      shared.bell.ringAll()
      #expect(alive.wait(until: .now + .seconds(10)) { $0 == 0 ? true : nil } == true)
    }
  }
}
