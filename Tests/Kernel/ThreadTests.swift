import Kernel
import Patience
import Synchronization
import Testing

@Suite struct OSThreadTests {
  @Test func runsItsBodyOnce() {
    let runs = Atomic<Int>(0)
    let threads = (0..<20).map { OSThread("test \($0)") { runs.add(1, ordering: .relaxed) } }
    for thread in threads { thread.join() }
    #expect(runs.load(ordering: .relaxed) == 20)
  }

  @Test func aThreadThatTheSystemRefusesIsAnError() {
    // More than a process has of addresses.
    let refused = #expect(throws: OSThread.Refused.self) {
      try OSThread(attempting: "vast", stackBytes: 1 << 50) {}.leave()
    }
    let text = refused?.text ?? ""
    #expect(text.contains("'vast' (errno 11)") && text.contains("ulimit -u"), "\(text)")
  }

  @Test func aThreadThatIsNeededEndsTheProcessWithALineThatSaysWhatHelps() async {
    let result = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
      OSThread("vast", stackBytes: 1 << 50) {}.leave()
    }
    let said = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(said.contains("council: the system refuses the thread 'vast'"), "\(said)")
  }

  @Test func hasANumberThatIsItsOwn() {
    let gate = Monitor(0)
    let numbers = Monitor([Int]())
    let threads = (0..<20).map { index in
      OSThread("number \(index)") {
        let number = OSThread.number
        #expect(number == OSThread.number)
        numbers.withLock { if let number { $0.append(number) } }
        gate.signal(all: true) { $0 += 1 }
        // Until all have one: numbers are given again only after a thread ends.
        _ = gate.eventually { $0 == 20 ? true : nil }
      }
    }
    for thread in threads { thread.join() }
    let taken = numbers.withLock { $0 }
    #expect(taken.count == 20 && Set(taken).count == 20)
    #expect(taken.allSatisfy { (0..<OSThread.maxNumber).contains($0) })
  }

  @Test func givesNumbersBack() {
    // Far more threads than numbers, one after the other.
    let missing = Atomic<Int>(0)
    for _ in 0..<OSThread.maxNumber + 100 {
      OSThread("short", stackBytes: 64 * 1024) {
        if OSThread.number == nil { missing.add(1, ordering: .relaxed) }
      }.join()
    }
    #expect(missing.load(ordering: .relaxed) == 0)
  }
}

@Suite struct ThreadSlotsTests {
  final class Slot: Sendable {
    let thread: Int
    let uses = Atomic<Int>(0)
    let deaths: Monitor<Int>?

    init(thread: Int, deaths: Monitor<Int>? = nil) {
      self.thread = thread
      self.deaths = deaths
    }

    deinit { deaths?.withLock { $0 += 1 } }
  }

  @Test func givesAThreadItsOwnObjectEachTime() {
    let slots = ThreadSlots { Slot(thread: $0) }
    let mine = slots.current
    #expect(mine === slots.current)
    #expect(mine.thread == OSThread.number)
    let other = Monitor<Slot?>(nil)
    OSThread("other") { other.withLock { $0 = slots.current } }.join()
    #expect(other.withLock { $0 !== mine })
  }

  @Test func makesOnePerThreadUnderLoad() {
    let made = Atomic<Int>(0)
    let slots = ThreadSlots { thread in
      made.add(1, ordering: .relaxed)
      return Slot(thread: thread)
    }
    let threads = (0..<8).map { index in
      OSThread("slots \(index)") {
        for _ in 0..<10_000 { slots.current.uses.add(1, ordering: .relaxed) }
      }
    }
    for thread in threads { thread.join() }
    var (visited, uses) = (0, 0)
    let visit = { (slot: Slot) in
      visited += 1
      uses += slot.uses.load(ordering: .relaxed)
    }
    slots.forEach(visit)
    #expect(uses == 80_000)
    #expect(visited == made.load(ordering: .relaxed) && (1...8).contains(visited))
  }

  @Test func releasesEverythingAtItsEnd() {
    let deaths = Monitor(0)
    var slots: ThreadSlots<Slot>? = ThreadSlots { Slot(thread: $0, deaths: deaths) }
    do {
      let lent = slots!
      _ = lent.current
      OSThread("other") { _ = lent.current }.join()
      #expect(deaths.withLock { $0 } == 0)
    }
    var made = 0
    let count = { (_: Slot) in made += 1 }
    slots!.forEach(count)
    slots = nil
    #expect(made >= 1)
    #expect(deaths.withLock { $0 } == made)
  }
}

@Suite struct MonitorTests {
  @Test func lendsItsStateToOneThreadAtATime() {
    let monitor = Monitor(0)
    let threads = (0..<8).map { index in
      OSThread("lock \(index)") { for _ in 0..<5000 { monitor.withLock { $0 += 1 } } }
    }
    for thread in threads { thread.join() }
    #expect(monitor.withLock { $0 } == 40_000)
  }

  @Test func unlocksWhenItsBodyThrows() {
    struct Failure: Error {}
    let monitor = Monitor(1)
    #expect(throws: Failure.self) {
      try monitor.withLock { (_: inout Int) throws(Failure) in throw Failure() }
    }
    #expect(monitor.withLock { $0 } == 1)
  }

  @Test func wakesAWaiterWhenTheStateIsRight() {
    let queue = Monitor([Int]())
    let sum = Atomic<Int>(0)
    let consumers = (0..<3).map { index in
      OSThread("take \(index)") {
        while let next = queue.wait({ $0.isEmpty ? nil : $0.removeFirst() }), next > 0 {
          sum.add(next, ordering: .relaxed)
        }
      }
    }
    for number in 1...300 { queue.signal { $0.append(number) } }
    queue.signal(all: true) { $0 += [0, 0, 0] }
    for thread in consumers { thread.join() }
    #expect(sum.load(ordering: .relaxed) == 300 * 301 / 2)
  }

  @Test func givesUpAtTheDeadline() {
    let monitor = Monitor(0)
    let deadline = Instant.now + .milliseconds(20)
    let answer: Int? = monitor.wait(until: deadline) { _ in nil }
    #expect(answer == nil)
    #expect(Instant.now >= deadline)
  }

  @Test func answersAtOnceWhenTheStateIsRight() {
    let monitor = Monitor(7)
    // A deadline that has passed does not matter then.
    #expect(monitor.wait(until: Instant(nanoseconds: 0)) { $0 } == 7)
  }
}

@Suite struct PublishedTests {
  final class Value: Sendable {
    let number: Int
    let double: Int
    init(_ number: Int) {
      self.number = number
      double = number * 2
    }
  }

  @Test func readersSeeWhatWasPublished() {
    let published = Published(Value(1))
    var reader = Published.Reader(published)
    let first = reader.look()
    #expect(first.number == 1)
    published.publish(Value(2))
    let (second, again) = (reader.look(), reader.look())
    #expect(second.number == 2 && second === again)
    #expect(published.current === second)
  }

  @Test func readersOnOtherThreadsNeverGoBackAndSeeTheLast() {
    let published = Published(Value(0))
    let wrong = Atomic<Int>(0)
    let readers = (0..<4).map { index in
      OSThread("read \(index)") {
        var reader = Published.Reader(published)
        var last = 0
        while last < 5000 {
          let value = reader.look()
          if value.number < last || value.double != value.number * 2 { wrong.add(1, ordering: .relaxed) }
          last = value.number
        }
      }
    }
    for number in 1...5000 { published.publish(Value(number)) }
    for thread in readers { thread.join() }
    #expect(wrong.load(ordering: .relaxed) == 0)
  }

  @Test func oldValuesGoWhenTheLastReaderMovesOn() {
    let published = Published(Value(1))
    var reader = Published.Reader(published)
    weak let first = reader.look()
    published.publish(Value(2))
    #expect(first != nil)
    _ = reader.look()
    #expect(first == nil)
  }
}
