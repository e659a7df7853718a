import Kernel
import Patience
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
          return eventually { taken.load(ordering: .sequentiallyConsistent) >= count }
        }
        return true
      }
    }

    /// The ring looks while a worker is on its way to sleep; that worker finds the job by itself and stays awake; only
    /// then is the bell rung, and reaches nobody. It must not stay busy: the next ring is for a worker that sleeps.
    @Test func aRingThatReachesNobodyIsOver() {
      let bell = Doorbell()
      let step = Monitor(0)
      @Sendable func reach(_ number: Int) { step.signal(all: true) { $0 = max($0, number) } }
      @Sendable func isReached(_ number: Int) -> Bool {
        step.eventually { $0 >= number ? true : nil } ?? false
      }
      OSThread("worker") {
        bell.beginSearch()
        bell.sleep {
          reach(1)
          return isReached(2)
        }
        reach(3)
        _ = isReached(4)
        bell.sleep {
          reach(5)
          return false
        }
        reach(6)
      }.leave()
      #expect(isReached(1))
      bell.ring {
        reach(2)
        #expect(isReached(3))
      }
      reach(4)
      #expect(isReached(5))
      bell.ring()
      #expect(isReached(6), "the worker sleeps on")
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
      while isServed, count < 50_000 {
        for _ in 0..<count % 61 { pauseBriefly() }
        shared.waiting.add(1, ordering: .sequentiallyConsistent)
        shared.bell.ring()
        count += 1
        isServed = shared.hasTaken(count)
      }
      #expect(isServed, "job \(count) was rung for and lies there")
      shared.isEnding.store(true, ordering: .sequentiallyConsistent)
      shared.bell.ringAll()
      #expect(alive.eventually { $0 == 0 ? true : nil } == true)
    }
  }
}
