import Application
import Doubles
import Kernel
import Patience
import Testing

@testable import Gateway

@Suite struct BulkheadTests {
  /// A request that waits for its handler.
  private static func pend(_ site: Site, _ path: String) -> Exchange {
    let exchange = site.exchange("GET", path, headers: [("authorization", "Bearer \(site.reader)")])
    guard case .readBody = site.gateway.begin(exchange) else { return exchange }
    if site.gateway.handle(exchange) == .answered { site.gateway.conclude(exchange) }
    return exchange
  }

  @Test(arguments: ["/a/7", "/a/inline"])
  func aCallBeyondTheLimitIsRefusedUntilAnotherIsOver(path: String) {
    let site = Site(usage: UsageBook(.init(usual: .init(calls: 2))))
    site.serve(behaviour: .waits)
    let account = site.usage.account(of: "a")
    let waiting = [Self.pend(site, path), Self.pend(site, path)]
    #expect(waiting.map(\.status) == [0, 0] && account.callsInFlight == 2)
    for other in ["/a/7", "/a/inline"] {
      let refused = site.send("GET", other, key: site.reader)
      #expect(refused.status == 503 && refused.code == "automation.overloaded")
      #expect(refused.header("Retry-After") == "1")
    }
    #expect(account.total(.overloaded) == 2 && account.total(.calls) == 2 && account.callsInFlight == 2)
    #expect(site.audit.rows.last?.status == 503)
    site.gateway.finished(waiting[0], sent: false)
    #expect(account.callsInFlight == 1)
    #expect(Self.pend(site, path).status == 0 && account.callsInFlight == 2)
    // A new generation is the same automation.
    site.serve(behaviour: .waits)
    #expect(site.send("GET", path, key: site.reader).code == "automation.overloaded")
  }

  @Test func callsThatAreAnsweredTakeNoRoom() {
    let site = Site(usage: UsageBook(.init(usual: .init(calls: 1))))
    for _ in 0..<3 {
      #expect(site.send("GET", "/a/7", key: site.reader).status == 200)
      #expect(site.send("GET", "/a/inline", key: site.reader).status == 200)
    }
    let account = site.usage.account(of: "a")
    #expect(account.total(.calls) == 6 && account.callsInFlight == 0 && account.total(.overloaded) == 0)
  }

  @Test func anAutomationOverItsBudgetIsClosedUntilTheMinuteHasPassed() {
    let site = Site(usage: UsageBook(.init(usual: .init(cpuMilliseconds: 100))))
    let account = site.usage.account(of: "a")
    account.add(99_000_000, to: .workerTime)
    site.usage.look(at: site.began)
    #expect(site.send("GET", "/a/7", key: site.reader).status == 200)
    account.add(1_000_000, to: .workerTime)
    site.usage.look(at: site.began)
    for path in ["/a/7", "/a/inline"] {
      let refused = site.send("GET", path, key: site.reader)
      #expect(refused.status == 503 && refused.code == "automation.over_budget")
      let seconds = Int(refused.header("Retry-After") ?? "") ?? 0
      #expect((59...60).contains(seconds))
    }
    #expect(account.total(.overBudget) == 2 && account.total(.calls) == 1)
    // A key that may not call learns nothing of it.
    #expect(site.send("GET", "/a/7").status == 401)
    site.usage.look(at: site.began + .seconds(60))
    #expect(site.send("GET", "/a/7", key: site.reader).status == 200)
  }

  @Test func aDeadlineThatPassesIsCounted() {
    let site = Site()
    site.serve(behaviour: .waits)
    let exchange = Self.pend(site, "/a/slow")
    let woken = Monitor(false)
    exchange.wake = { _ in woken.signal { $0 = true } }
    #expect(exchange.park())
    let watch = DeadlineWatch(
      OneExchange(exchange), automations: site.automations, log: MemoryLog(), interval: .milliseconds(1))
    watch.start()
    defer { watch.end() }
    #expect(woken.eventually { $0 ? true : nil } == true)
    let account = site.usage.account(of: "a")
    #expect(eventually { account.total(.overruns) > 0 })
    site.gateway.conclude(exchange)
    #expect(exchange.status == 504 && account.total(.overruns) == 1 && account.callsInFlight == 0)
  }
}
