import Kernel
import Synchronization
import Testing

@testable import Application
import Domain

@Suite struct AutomationAccountTests {
  private static func second(_ number: Int64) -> Instant {
    Instant(nanoseconds: number * 1_000_000_000)
  }

  @Test func hasRoomForAsManyCallsAsItsLimit() {
    let account = UsageBook(.init(usual: .init(calls: 2))).account(of: "a")
    #expect(account.hasRoom && account.enter() && account.hasRoom && account.enter())
    #expect(!account.hasRoom && !account.enter() && account.callsInFlight == 2)
    account.leave()
    #expect(account.hasRoom && account.enter())
  }

  @Test func keepsAutomationsApart() {
    let book = UsageBook(
      .init(usual: .init(calls: 1), own: ["b": .init(calls: 2)]))
    #expect(book.account(of: "a") === book.account(of: "a"))
    #expect(book.account(of: "a").enter() && !book.account(of: "a").enter())
    #expect(book.account(of: "b").enter() && book.account(of: "b").enter() && !book.account(of: "b").enter())
    book.account(of: "a").add(3, to: .calls)
    #expect(book.account(of: "a").total(.calls) == 3 && book.account(of: "b").total(.calls) == 0)
  }

  @Test func automationsBeyondTheBoundShareAnAccount() {
    let book = UsageBook(.init(accounts: 2))
    let all = ["a", "b", "c", "d"].map { book.account(of: $0) }
    #expect(all.map(\.automation) == ["a", "b", "_OTHER", "_OTHER"])
    #expect(all[2] === all[3] && book.account(of: "a") === all[0])
    all[2].add(1, to: .overruns)
    #expect(all[1].total(.overruns) == 0 && all[3].total(.overruns) == 1)
  }

  @Test func addsUpWhatThreadsCount() {
    let account = UsageBook().account(of: "a")
    let threads = (0..<4).map { _ in
      OSThread("count") {
        for _ in 0..<1000 {
          account.add(1, to: .calls)
          account.addAnywhere(2, to: .storeTime)
        }
      }
    }
    threads.forEach { $0.join() }
    #expect(account.total(.calls) == 4000 && account.total(.storeTime) == 8000)
  }

  @Test func closesAtTheBudgetAndOpensWhenTheMinuteHasPassed() {
    let book = UsageBook(.init(usual: .init(cpuMilliseconds: 500)))
    let account = book.account(of: "a")
    account.add(300_000_000, to: .workerTime)
    account.add(199_999_999, to: .inlineTime)
    // The store's time is waiting, not processor time.
    account.add(9_000_000_000, to: .storeTime)
    book.look(at: Self.second(100))
    #expect(account.secondsClosed(at: Self.second(100)) == 0)
    account.add(1, to: .inlineTime)
    book.look(at: Self.second(101))
    #expect(account.secondsClosed(at: Self.second(101)) == 59)
    #expect(account.secondsClosed(at: Instant(nanoseconds: 159_999_999_999)) == 1)
    // Whoever looks first, the calls or the book: it is open again.
    #expect(account.secondsClosed(at: Self.second(160)) == 0)
    book.look(at: Self.second(160))
    #expect(account.secondsClosed(at: Self.second(160)) == 0)
  }

  @Test func theStoresTimeHasABudgetOfItsOwn() {
    let book = UsageBook(.init(usual: .init(cpuMilliseconds: 500, storeMilliseconds: 20)))
    let account = book.account(of: "a")
    account.add(499_000_000, to: .workerTime)
    account.add(19_999_999, to: .storeTime)
    book.look(at: Self.second(100))
    #expect(account.secondsClosed(at: Self.second(100)) == 0 && account.storeTimeInLastMinute == 19_999_999)
    account.add(1, to: .storeTime)
    book.look(at: Self.second(110))
    // What closed it was used in the second 100.
    #expect(account.secondsClosed(at: Self.second(110)) == 50)
    // Of two budgets that are used up the later end counts.
    account.add(500_000_000, to: .workerTime)
    book.look(at: Self.second(120))
    #expect(account.secondsClosed(at: Self.second(120)) == 60)
    book.look(at: Self.second(180))
    #expect(account.secondsClosed(at: Self.second(180)) == 0 && account.storeTimeInLastMinute == 0)
  }

  @Test func stayOpenWithoutABudget() {
    let book = UsageBook()
    let account = book.account(of: "a")
    account.add(1 << 50, to: .workerTime)
    book.look(at: Self.second(100))
    #expect(account.secondsClosed(at: Self.second(100)) == 0 && account.usedInLastMinute == 1 << 50)
  }

  @Test func asksForWhatIsStillToBeChargedBeforeItLooks() {
    let book = UsageBook(.init(usual: .init(cpuMilliseconds: 1)))
    let account = book.account(of: "a")
    book.beforeEachLook { account.add(1_000_000, to: .workerTime) }
    book.look(at: Self.second(5))
    #expect(account.secondsClosed(at: Self.second(5)) == 60)
  }

  // MARK: Limits

  @Test func readsTheLimitsOfSingleAutomations() {
    let usual = AutomationLimits(calls: 9, cpuMilliseconds: 8)
    let (own, faults) = AutomationLimits.overrides(
      "a max_calls=1 max_queue=2;  b  max_workers=3 cpu_ms_per_minute=0 store_ms_per_minute=7 isolation=process:2;;c",
      usual: usual)
    #expect(faults.isEmpty)
    #expect(own["a"] == AutomationLimits(calls: 1, cpuMilliseconds: 8, queue: 2))
    #expect(
      own["b"]
        == AutomationLimits(
          calls: 9, cpuMilliseconds: 0, storeMilliseconds: 7, workers: 3, isolation: .process(runners: 2)))
    #expect(own["c"] == usual)
    let table = AutomationLimits.Table(usual: usual, own: own)
    #expect(table["a"].calls == 1 && table["z"] == usual)
  }

  @Test(arguments: [
    "a max_calls=0", "a max_calls=1000001", "a max_queue=0", "a max_workers=513", "a cpu_ms_per_minute=-1",
    "a store_ms_per_minute=100000001", "a isolation=maybe", "a isolation=process:17",
    "a calls=1", "a max_calls", "a max_calls=", "a max_calls=x", "a; a",
  ])
  func refusesWhatIsNoLimit(text: String) {
    #expect(AutomationLimits.overrides(text, usual: AutomationLimits()).faults.count == 1)
    var configuration = HostConfiguration()
    #expect(Setting.conflicts(in: configuration).isEmpty)
    configuration.automationOverrides = text
    #expect(Setting.conflicts(in: configuration).count == 1)
  }
}
