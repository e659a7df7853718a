import Application
import Domain
import Glibc
import Kernel
import Patience
import Testing

@testable import PluginRuntime

extension PluginRuntimeTests {
  /// An event thread that looks for the answer of an isolated call before it goes on.
  @Suite struct Spin {
    private typealias Route = Running.Route

    @Test func whatDidNotPayIsLeftOutForADoublingNumberOfCalls() {
      let spin = AdaptiveSpin(limit: .microseconds(1))
      func skipped() -> Int {
        var count = 0
        while !spin.isWorthwhile() { count += 1 }
        return count
      }
      #expect(skipped() == 0)
      for expected in [1, 2, 4, 8, 16, 16] {
        spin.ended(found: false)
        #expect(skipped() == expected)
      }
      spin.ended(found: true)
      #expect(skipped() == 0)
      spin.ended(found: false)
      #expect(skipped() == 1)
      #expect(!AdaptiveSpin(limit: .zero).isWorthwhile())
    }

    private static func stage(_ limit: Duration) throws -> Stage {
      var settings = RunnerSettings()
      settings.spin = limit
      return try Stage("running", .isolated, runner: settings)
    }

    private static func send(
      _ stage: Stage, _ route: Int, _ execution: RouteDeclaration.Execution = .inline
    ) -> (exchange: Exchange, isAnswered: Bool) {
      let exchange = TestEdge.shared.open()
      let completion = stage.plugin.handle(exchange, route: route, execution: execution)
      if case .answered = completion { return (exchange, true) }
      return (exchange, false)
    }

    @Test(.disabled(if: System.isSanitized)) func anInlineAnswerIsFoundByWhoAsked() throws {
      let stage = try Self.stage(.seconds(20))
      var found = 0
      for _ in 0..<1000 {
        let (exchange, isAnswered) = Self.send(stage, Route.hello)
        // The collector may be awake still, and come first.
        #expect((isAnswered || TestEdge.shared.settle(exchange, .pending)) && exchange.status == 200)
        if isAnswered { found += 1 }
        #expect(stage.answer(of: exchange).body == #"{"message":"hello"}"#)
        TestEdge.shared.close(exchange)
      }
      #expect(found > 900)
      let (exchange, isAnswered) = Self.send(stage, Route.hello, .blocking)
      #expect(!isAnswered, "a handler that may block is not looked for")
      #expect(TestEdge.shared.settle(exchange, .pending) && exchange.status == 200)
      TestEdge.shared.close(exchange)
      #expect(stage.plugin.callsInside == 0)
      try stage.end()
    }

    @Test(.disabled(if: System.isSanitized)) func zeroNeverLooks() throws {
      let stage = try Self.stage(.zero)
      let (exchange, isAnswered) = Self.send(stage, Route.hello)
      #expect(!isAnswered && TestEdge.shared.settle(exchange, .pending) && exchange.status == 200)
      TestEdge.shared.close(exchange)
      try stage.end()
    }

    /// Answers that come just before, while and just after their event thread gives up.
    @Test(.disabled(if: System.isSanitized), arguments: [1, 5, 20])
    func noAnswerIsLostBetweenTheTwo(microseconds: Int) throws {
      let stage = try Self.stage(.microseconds(microseconds))
      let lost = Monitor(0)
      let threads = (0..<4).map { _ in
        OSThread("caller") {
          for _ in 0..<3000 {
            let (exchange, isAnswered) = Self.send(stage, Route.hello)
            let settled = isAnswered || TestEdge.shared.settle(exchange, .pending)
            if !settled || exchange.status != 200 { lost.withLock { $0 += 1 } }
            TestEdge.shared.close(exchange)
          }
        }
      }
      threads.forEach { $0.join() }
      #expect(lost.withLock { $0 } == 0)
      #expect(stage.plugin.callsInside == 0 && stage.plugin.runners[0].crashes == 0)
      try stage.end()
    }

    /// Processes are killed while threads look for their answers: each call ends, and no innocent process is taken for one
    /// that broke the protocol.
    @Test(.disabled(if: System.isSanitized)) func processesThatEndMeanwhileEndTheirCallsAlone() throws {
      var settings = RunnerSettings()
      settings.spin = .milliseconds(1)
      settings.crashes = 1_000_000
      let stage = try Stage("running", .isolated, runner: settings)
      let statuses = Monitor<[Int: Int]>([:])
      let isOver = Monitor(false)
      let callers = (0..<3).map { _ in
        OSThread("caller") {
          while !isOver.withLock({ $0 }) {
            let (exchange, isAnswered) = Self.send(stage, Route.hello)
            let settled = isAnswered || TestEdge.shared.settle(exchange, .pending)
            statuses.withLock { $0[settled ? exchange.status : -1, default: 0] += 1 }
            TestEdge.shared.close(exchange)
          }
        }
      }
      for kills in 1...20 {
        #expect(eventually { statuses.withLock { $0[200, default: 0] } >= kills * 50 })
        let pid = try #require(stage.plugin.runners[0].processID)
        kill(pid_t(pid), SIGKILL)
        #expect(
          eventually {
            stage.plugin.runners[0].crashes == kills && stage.plugin.runners[0].state == .serving
          }, "\(stage.plugin.runners[0])")
      }
      isOver.withLock { $0 = true }
      callers.forEach { $0.join() }
      let seen = statuses.withLock { $0 }
      #expect(
        seen.keys.allSatisfy { [200, 502, 503].contains($0) } && seen[200, default: 0] > 100, "\(seen)")
      #expect(stage.log.messages.allSatisfy { !$0.contains("broke the protocol") })
      #expect(stage.plugin.callsInside == 0)
      try stage.end()
    }
  }
}
