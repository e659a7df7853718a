import Application
import Domain
import Kernel
import Patience
import Testing

@testable import PluginRuntime

extension PluginRuntimeTests {
  @Suite struct Bulkhead {
    private typealias Route = Running.Route

    private struct Sites {
      let book = UsageBook(.init(own: ["narrow": .init(queue: 2, workers: 1)]))
      let workers: Workers

      init(_ limits: Workers.Limits) { workers = Workers(limits) }

      func stage(_ automation: String) throws -> Stage {
        try Stage("running", workers: workers, account: book.account(of: automation))
      }
    }

    private static func send(_ stage: Stage, _ route: Int) -> (Exchange, Completion) {
      let exchange = TestEdge.shared.open()
      return (exchange, stage.plugin.handle(exchange, route: route, execution: .blocking))
    }

    @Test func anAutomationThatBlocksLeavesWorkersToTheOthers() throws {
      let sites = Sites(.init(threads: 4, queue: 64))
      let (hog, other) = (try sites.stage("hog"), try sites.stage("other"))
      _ = try hog.ask(Route.closes)
      let blocked = (0..<40).map { _ in Self.send(hog, Route.waits) }
      let account = sites.book.account(of: "hog")
      // Three quarters of four.
      #expect(eventually { account.workerQueue == .init(waiting: 37, running: 3) })
      let failed = Monitor(0)
      let threads = (0..<2).map { _ in
        OSThread("caller") {
          for _ in 0..<500 {
            let status = (try? other.ask(Route.hello, .blocking).status) ?? 0
            if status != 200 { failed.withLock { $0 += 1 } }
          }
        }
      }
      threads.forEach { $0.join() }
      #expect(failed.withLock { $0 } == 0)
      #expect(account.workerQueue == .init(waiting: 37, running: 3))
      _ = try hog.ask(Route.opens)
      for (exchange, completion) in blocked {
        #expect(TestEdge.shared.settle(exchange, completion) && exchange.status == 200)
        TestEdge.shared.close(exchange)
      }
      #expect(eventually { account.workerQueue == .init() })
      try hog.end()
      try other.end()
      #expect(eventually { sites.workers.end(by: .now) })
    }

    @Test func anAutomationCanHaveItsOwnShareAndQueue() throws {
      let sites = Sites(.init(threads: 4, queue: 64))
      let stage = try sites.stage("narrow")
      let account = sites.book.account(of: "narrow")
      _ = try stage.ask(Route.closes)
      let first = Self.send(stage, Route.waits)
      #expect(eventually { account.workerQueue == .init(waiting: 0, running: 1) })
      let others = [Self.send(stage, Route.waits), Self.send(stage, Route.waits)]
      #expect(account.workerQueue == .init(waiting: 2, running: 1))
      let refused = try stage.ask(Route.hello, .blocking)
      #expect(refused.status == 503 && refused.body.contains("automation.overloaded"))
      #expect(refused["retry-after"] == "1" && account.total(.overloaded) == 1)
      _ = try stage.ask(Route.opens)
      for (exchange, completion) in [first] + others {
        #expect(TestEdge.shared.settle(exchange, completion) && exchange.status == 200)
        TestEdge.shared.close(exchange)
      }
      #expect(eventually { stage.plugin.callsInside == 0 })
      try stage.end()
      #expect(eventually { sites.workers.end(by: .now) })
    }

    /// Two generations of an automation are one automation.
    @Test func aReloadBringsNoSecondShare() throws {
      let sites = Sites(.init(threads: 4, queue: 64, share: 2))
      let (old, new) = (try sites.stage("a"), try sites.stage("a"))
      _ = try old.ask(Route.closes)
      _ = try new.ask(Route.closes)
      let all =
        (0..<2).map { _ in Self.send(old, Route.waits) } + (0..<2).map { _ in Self.send(new, Route.waits) }
      let account = sites.book.account(of: "a")
      #expect(eventually { account.workerQueue == .init(waiting: 2, running: 2) })
      _ = try old.ask(Route.opens)
      _ = try new.ask(Route.opens)
      for (exchange, completion) in all {
        #expect(TestEdge.shared.settle(exchange, completion) && exchange.status == 200)
        TestEdge.shared.close(exchange)
      }
      #expect(eventually { old.plugin.callsInside + new.plugin.callsInside == 0 })
      try old.end()
      try new.end()
      #expect(eventually { sites.workers.end(by: .now) })
    }

    /// Calls that never come back take the automation's substitutes, then its share; the others keep the rest.
    @Test func anAutomationThatHangsTakesNoMoreThanItsPart() throws {
      let sites = Sites(.init(threads: 4, queue: 64, share: 2, substitutes: 4, substituteShare: 2))
      let (hog, other) = (try sites.stage("hog"), try sites.stage("other"))
      let account = sites.book.account(of: "hog")
      _ = try hog.ask(Route.closes)
      let all = (0..<6).map { _ in Self.send(hog, Route.waits) }
      for number in 1...4 {
        let expected = AutomationAccount.Queue(
          waiting: 6 - min(number + 1, 4), running: 2, overrunning: min(number - 1, 2))
        #expect(eventually { account.workerQueue == expected })
        // Calls begin in the order in which they came: this one's deadline passes.
        let exchange = all[number - 1].0
        let name = exchange.handle
        #expect(exchange.claim(name))
        exchange.answer(Problem(504, "handler.timeout", "Late."))
        exchange.deliver()
        #expect(
          eventually {
            hog.plugin.cancel(name)
            return sites.workers.threads.overrunning == number
          })
      }
      #expect(sites.workers.threads == (alive: 6, overrunning: 4))
      #expect(account.workerQueue == .init(waiting: 2, running: 2, overrunning: 2))
      for _ in 0..<50 { #expect(try other.ask(Route.hello, .blocking).status == 200) }
      _ = try hog.ask(Route.opens)
      for (number, (exchange, completion)) in all.enumerated() {
        #expect(TestEdge.shared.settle(exchange, completion))
        #expect(exchange.status == (number < 4 ? 504 : 200))
        TestEdge.shared.close(exchange)
      }
      #expect(eventually { sites.workers.threads == (alive: 4, overrunning: 0) })
      #expect(eventually { account.workerQueue == .init() })
      try hog.end()
      try other.end()
      #expect(eventually { sites.workers.end(by: .now) })
    }

    @Test func manyAutomationsLoseNoCallWhileTheyShareTheWorkers() throws {
      let sites = Sites(.init(threads: 3, queue: 64, share: 1))
      let stages = try (0..<6).map { try sites.stage("a\($0)") }
      let failed = Monitor(0)
      let threads = (0..<6).map { number in
        OSThread("caller") {
          for call in 0..<1000 {
            let status = (try? stages[(number + call) % 6].ask(Route.hello, .blocking).status) ?? 0
            if status != 200 { failed.withLock { $0 += 1 } }
          }
        }
      }
      threads.forEach { $0.join() }
      #expect(failed.withLock { $0 } == 0)
      for stage in stages { try stage.end() }
      #expect(eventually { sites.workers.end(by: .now) })
    }

    // MARK: Time

    @Test func chargesTheTimeOfCallsToTheirAutomation() throws {
      let sites = Sites(.init(threads: 1, queue: 64))
      let path = Workshop.plugin("hog")
      func stage(_ automation: String) throws -> InProcessPlugin {
        let plugin = try Stage.loader(sites.workers).load(path: Workshop.copy(of: path), sealed: nil)
        try plugin.create(
          config: Array("{}".utf8),
          services: PluginServices(
            automation: automation, generation: 1, records: nil, log: KeptLog(),
            account: sites.book.account(of: automation)))
        try plugin.activate()
        return plugin
      }
      let (busy, idle) = (try stage("busy"), try stage("idle"))
      func call(_ plugin: InProcessPlugin, _ route: Int, _ milliseconds: Int) {
        let exchange = TestEdge.shared.open { exchange in
          let head = exchange.head
          exchange.query = [Field(name: head.append("ms"), value: head.append("\(milliseconds)"))]
        }
        #expect(
          TestEdge.shared.settle(exchange, plugin.handle(exchange, route: route, execution: .blocking)))
        #expect(exchange.status == 200)
        TestEdge.shared.close(exchange)
      }
      for _ in 0..<5 {
        call(busy, 3, 20)
        call(idle, 2, 1)
      }
      call(busy, 3, 20)
      sites.workers.chargeTimes()
      let milliseconds = ["busy", "idle"].map { sites.book.account(of: $0).total(.workerTime) / 1_000_000 }
      #expect(milliseconds[0] >= 120 && milliseconds[1] < 60, "\(milliseconds)")
      // A call that has not ended is charged as far as it is.
      let exchange = TestEdge.shared.open { exchange in
        let head = exchange.head
        exchange.query = [Field(name: head.append("ms"), value: head.append("300"))]
      }
      let completion = idle.handle(exchange, route: 3, execution: .blocking)
      #expect(
        eventually {
          sites.workers.chargeTimes()
          return sites.book.account(of: "idle").total(.workerTime) / 1_000_000 > milliseconds[1] + 50
        })
      #expect(idle.callsInside == 1)
      #expect(TestEdge.shared.settle(exchange, completion))
      TestEdge.shared.close(exchange)
      #expect(eventually { idle.callsInside == 0 })
      sites.workers.chargeTimes()
      #expect(sites.book.account(of: "idle").total(.workerTime) / 1_000_000 >= 300)
      for plugin in [busy, idle] {
        try plugin.quiesce()
        try plugin.stop()
        try plugin.destroy()
      }
      #expect(eventually { sites.workers.end(by: .now) })
    }

    @Test func countsTheTimeInTheStore() throws {
      let book = UsageBook()
      let stage = try Stage("running", account: book.account(of: "a"))
      #expect(book.account(of: "a").total(.storeTime) == 0)
      _ = try stage.ask(Route.records)
      #expect(book.account(of: "a").total(.storeTime) > 0)
      try stage.end()
    }
  }
}
