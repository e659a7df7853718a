import Application
import Domain
import Glibc
import Kernel
import Synchronization
import Testing

@testable import PluginRuntime

extension PluginRuntimeTests {
  /// The memory that a host shares with a process that it does not trust.
  @Suite struct Isolated {
    // MARK: The arena

    @Test func blocksAreTakenOnceAndGivenBack() {
      var table = BlockTable(arenaBytes: 4 * BlockTable.blockBytes)
      #expect(table.take(table.capacityBytes + 1) == nil)
      let first = table.take(1)
      let second = table.take(2 * BlockTable.blockBytes)
      #expect(first == 0 && second == BlockTable.blockBytes)
      #expect(table.take(BlockTable.blockBytes + 1) == nil)
      let third = table.take(BlockTable.blockBytes)
      #expect(third == 3 * BlockTable.blockBytes && table.take(0) == nil)
      if let second { table.give(second) }
      #expect(table.take(3 * BlockTable.blockBytes) == nil)
      #expect(table.take(2 * BlockTable.blockBytes) == BlockTable.blockBytes)
    }

    @Test func numbersAreTakenLowestFirst() {
      let set = NumberSet(count: 70)
      #expect((0..<70).allSatisfy { set.take() == $0 })
      #expect(set.take() == nil)
      set.give(69)
      set.give(3)
      #expect(set.take() == 3 && set.take() == 69 && set.take() == nil)
    }

    @Test(arguments: [1, 2, 63, 64, 65, 200]) func oneKnowsWhetherItIsAlone(count: Int) {
      let set = NumberSet(count: count)
      #expect(!set.hasOnlyZeroTaken)
      #expect(set.take() == 0 && set.hasOnlyZeroTaken)
      guard let second = set.take() else { return }
      #expect(!set.hasOnlyZeroTaken)
      set.give(0)
      #expect(!set.hasOnlyZeroTaken)
      set.give(second)
      #expect(set.take() == 0 && set.hasOnlyZeroTaken)
    }

    @Test func aCallIsEndedOnce() {
      let table = CallTable(count: 1)
      #expect(table.claim() == 0 && table.claim() == nil)
      let first = table.submit(0, request: 7, deadline: .now, block: nil)
      #expect(table.inFlight(0) == nil && table.current(0) == first)
      // The answer may come before the event thread says that it has told the runner.
      #expect(table.take(0, first) && !table.take(0, first))
      table.end(0, first)
      table.submitted(0, first)
      #expect(table.current(0) == nil && table.claim() == 0)
      let second = table.submit(0, request: 8, deadline: .now, block: 65_536)
      table.submitted(0, first)
      #expect(table.inFlight(0) == nil, "the first call's word is not the second's")
      table.submitted(0, second)
      #expect(table.inFlight(0) == second && table.block(0) == 65_536 && table.total == 1)
      #expect(!table.take(0, first) && table.take(0, second))
    }

    // MARK: Places

    @Test func onlyTheRunnersOwnPlacesHoldAnswers() {
      let layout = BoardLayout(calls: 3, arenaBytes: 1 << 20)
      let inline = UInt64(BoardLayout.callBytesInline)
      let own = UInt64(layout.answer(1))
      #expect(layout.mayHoldAnswer(1, offset: own, count: inline))
      #expect(!layout.mayHoldAnswer(1, offset: own, count: inline + 1))
      #expect(!layout.mayHoldAnswer(1, offset: own + 1, count: 1))
      #expect(!layout.mayHoldAnswer(0, offset: own, count: 1), "that is another call's")
      let (arena, bytes) = (UInt64(layout.runnerArena), UInt64(layout.arenaBytes))
      #expect(layout.mayHoldAnswer(1, offset: arena, count: bytes))
      #expect(!layout.mayHoldAnswer(1, offset: arena, count: bytes + 1))
      #expect(layout.mayHoldAnswer(1, offset: arena + bytes, count: 0))
      #expect(!layout.mayHoldAnswer(1, offset: arena + bytes, count: 1))
      #expect(!layout.mayHoldAnswer(1, offset: arena + bytes + 1, count: 0))
      #expect(!layout.mayHoldAnswer(1, offset: UInt64(layout.hostArena), count: 1))
      #expect(!layout.mayHoldAnswer(1, offset: .max, count: .max))
      #expect(!layout.mayHoldAnswer(1, offset: arena + 8, count: .max))
    }

    private func board(_ layout: BoardLayout) throws -> SharedBoard {
      let file = try BoardFile(bytes: layout.totalBytes)
      return try #require(SharedBoard(layout, file: file.descriptor))
    }

    @Test func aFileThatIsTooShortIsNotMapped() throws {
      let layout = BoardLayout(calls: 1, arenaBytes: 1 << 16)
      let short = try BoardFile(bytes: layout.totalBytes - 1)
      #expect(SharedBoard(layout, file: short.descriptor) == nil)
      let file = try BoardFile(bytes: layout.totalBytes)
      #expect(ftruncate(file.descriptor, 0) != 0, "the other side could take the pages away")
    }

    // MARK: Images

    @Test func anAnswerComesOutAsItWentIn() throws {
      let layout = BoardLayout(calls: 1, arenaBytes: 1 << 16)
      let board = try board(layout)
      let answer = Exchange(slot: 0)
      answer.status = 201
      answer.addHeader("ETag", "\"1\"")
      answer.addHeader("X-Empty", "")
      answer.answerBody.append("{}")
      AnswerImage.write(answer, to: board, at: layout.answer(0))
      let scratch = Arena()
      let count = AnswerImage.count(answer)
      let parts = try #require(AnswerImage.read(board, layout.answer(0), count, scratch))
      let copy = Exchange(slot: 1)
      AnswerImage.answer(copy, parts, board, scratch)
      let (head, body) = (copy.answerHead, copy.answerBody)
      #expect(copy.status == 201 && String(body.span(body.all)) == "{}")
      #expect(copy.answerHeaders.map { String(head.span($0.value)) } == ["\"1\"", ""])
      #expect(AnswerImage.read(board, layout.answer(0), count - 1, scratch) == nil)
      #expect(AnswerImage.read(board, layout.answer(0), count + 1, scratch) == nil)
    }

    @Test(arguments: [
      ("a\r\nb", "x"), ("", "x"), ("X-A", "a\r\nSet-Cookie: b"), ("Connection", "close"),
      ("Content-Length", "1"),
    ])
    func anAnswerThatWouldForgeAHeaderIsNone(name: String, value: String) throws {
      let layout = BoardLayout(calls: 1, arenaBytes: 1 << 16)
      let board = try board(layout)
      let answer = Exchange(slot: 0)
      answer.status = 200
      answer.addHeader(name.utf8.span, value.utf8.span)
      AnswerImage.write(answer, to: board, at: layout.answer(0))
      #expect(AnswerImage.read(board, layout.answer(0), AnswerImage.count(answer), Arena()) == nil)
    }

    @Test func bytesOfNoSenseAreNoImages() throws {
      let layout = BoardLayout(calls: 1, arenaBytes: 1 << 16)
      let board = try board(layout)
      let scratch = Arena()
      var random = SystemRandomNumberGenerator()
      var accepted = 0
      for _ in 0..<20_000 {
        let count = Int.random(in: 0...512)
        var bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        // Half of them look right at first.
        if Bool.random(), count >= 16 {
          for (index, word) in [200, Int.random(in: 0...3), Int.random(in: 0...64), Int.random(in: 0...300)]
            .enumerated()
          {
            for byte in 0..<4 { bytes[index * 4 + byte] = UInt8(truncatingIfNeeded: word >> (8 * byte)) }
          }
        }
        board.write(bytes, at: layout.answer(0))
        if AnswerImage.read(board, layout.answer(0), count, scratch) != nil { accepted += 1 }
        board.write(bytes, at: layout.request(0))
        let exchange = Exchange(slot: 0)
        _ = RequestImage.read(board, layout.request(0), count, into: exchange, scratch)
        board.write(bytes, at: layout.line(0))
        _ = RunnerLine.read(board, layout.line(0))
        _ = RunnerWire.problem(bytes)
      }
      #expect(accepted < 200)
    }

    // MARK: Streams

    @Test func anAnswerSaysThatItIsAStream() throws {
      let layout = BoardLayout(calls: 1, arenaBytes: 1 << 16)
      let board = try board(layout)
      let scratch = Arena()
      for (status, body, isOne) in [(200, "", true), (200, "x", false), (205, "", false)] {
        let answer = Exchange(slot: 0)
        answer.status = status
        _ = try answer.beginStream(.events)
        answer.answerBody.append(body)
        AnswerImage.write(answer, to: board, at: layout.answer(0))
        let parts = AnswerImage.read(board, layout.answer(0), AnswerImage.count(answer), scratch)
        #expect(parts?.isStream == (isOne ? true : nil), "\(status) '\(body)'")
      }
    }

    private func active(_ more: (inout RunnerSettings) -> Void = { _ in }) throws -> IsolatedPlugin {
      var settings = RunnerSettings()
      settings.crashes = 1000
      more(&settings)
      let plugin = try Stage.isolated(Workshop.plugin("streaming"), settings)
      try plugin.create(
        config: Array("{}".utf8),
        services: PluginServices(automation: "streaming", generation: 1, records: nil, log: KeptLog()))
      try plugin.activate()
      return plugin
    }

    private func begin(
      _ plugin: IsolatedPlugin, _ route: Int, _ execution: RouteDeclaration.Execution = .blocking,
      _ prepare: (Exchange) -> Void = { _ in }
    ) throws -> Exchange {
      let exchange = TestEdge.shared.open {
        $0.started = .now
        $0.mayStream = true
        prepare($0)
      }
      let completion = plugin.handle(exchange, route: route, execution: execution)
      try #require(TestEdge.shared.settle(exchange, completion))
      exchange.close()
      return exchange
    }

    private func end(_ plugin: IsolatedPlugin) throws {
      #expect(System.eventually { plugin.callsInside == 0 })
      #expect(TestEdge.shared.openStreams == 0)
      try plugin.quiesce()
      try plugin.stop()
      try plugin.destroy()
    }

    // MARK: Commands

    /// One that is told to destroy answers and ends at once: whoever gave the command may read its answer after that.
    @Test(.disabled(if: System.isSanitized)) func whatAProcessAnsweredLastOutlivesIt() throws {
      let plugin = try active()
      let runner = plugin.all[0]
      _ = try runner.command(.quiesce)
      #expect(runner.beginEnd())
      runner.end()
      runner.waitForEnd()
      let count = Int(runner.board.load(BoardLayout.outcomeCount))
      let outcome = runner.board.bytes(runner.layout.outcomeBytes, count)
      #expect(ProbeWire.Parts.decode(outcome, count: 2)?.allSatisfy(\.isEmpty) == true)
    }

    @Test(.disabled(if: System.isSanitized)) func anAnswerBeforeItsCommandIsNone() throws {
      let plugin = try active()
      let runner = plugin.all[0]
      // What a process might have written before it ended.
      runner.board.store(3, at: BoardLayout.outcomeCount)
      runner.board.store(runner.life.withLock { $0.commands } + 1, at: BoardLayout.outcome)
      _ = try runner.command(.quiesce)
      #expect(!runner.wasKilled)
      try plugin.stop()
      try plugin.destroy()
    }

    /// A ring is used over and over: nothing is lost where it begins anew, whoever is the slower side.
    @Test(.disabled(if: System.isSanitized), arguments: [1, 7, 1000, 1 << 20])
    func bytesComeInOrderWhateverTheClientTakesAtATime(_ piece: Int)
      throws
    {
      let plugin = try active()
      let count = piece == 1 ? 500 : 20_000
      for _ in 0..<3 {
        let exchange = try begin(plugin, 0) {
          $0.parameters = [Field(name: $0.head.append("n"), value: $0.head.append(String(count)))]
        }
        let client = StreamClient(try #require(exchange.stream), piece: piece)
        let (text, end) = client.read()
        #expect(end == "end")
        #expect(text == Array((0..<count).map { "data: \($0)\n\n" }.joined().utf8))
        TestEdge.shared.close(exchange)
      }
      try self.end(plugin)
    }

    @Test(.disabled(if: System.isSanitized)) func whatAProcessHadEndedIsReadToItsEndAfterItsDeath() throws {
      let plugin = try active()
      // More than the client's buffer holds, and no more than that and the ring do.
      let exchange = try begin(plugin, 0) {
        $0.parameters = [Field(name: $0.head.append("n"), value: $0.head.append("6800"))]
      }
      let wanted = (0..<6800).map { "data: \($0)\n\n" }.joined()
      try #require(wanted.utf8.count > 65_536 && wanted.utf8.count < 65_536 + BoardLayout.ringBytes)
      let cut = try begin(plugin, 8, .inline)
      let streams = plugin.all[0].streams
      #expect(System.eventually { (0..<256).contains { streams[$0]?.end?.how == .whole } })
      #expect(exchange.stream?.isOpen == true && plugin.callsInside == 2)
      let pid = try #require(plugin.runners[0].processID)
      kill(pid_t(pid), SIGKILL)
      #expect(System.eventually { plugin.runners[0].crashes == 1 && plugin.runners[0].state == .serving })
      #expect(StreamClient(try #require(cut.stream)).read().end == "broken")
      let (text, end) = StreamClient(try #require(exchange.stream)).read()
      #expect(end == "end" && text == Array(wanted.utf8))
      TestEdge.shared.close(exchange)
      TestEdge.shared.close(cut)
      // The call's place, and its ring, go on with the next process.
      let next = try begin(plugin, 0) {
        $0.parameters = [Field(name: $0.head.append("n"), value: $0.head.append("5"))]
      }
      #expect(StreamClient(try #require(next.stream)).read().end == "end")
      TestEdge.shared.close(next)
      try self.end(plugin)
    }

    @Test(.disabled(if: System.isSanitized)) func aStreamThatBeginsTooLateIsEndedAtOnce() throws {
      let plugin = try active()
      for _ in 0..<50 {
        let exchange = TestEdge.shared.open {
          $0.started = .now
          $0.mayStream = true
        }
        let name = exchange.handle
        // The deadline's answer and the stream race: one of them is the answer.
        if case .answered = plugin.handle(exchange, route: 1, execution: .inline) {
          TestEdge.shared.close(exchange)
          continue
        }
        if exchange.claim(name) {
          exchange.answer(Problem(504, "handler.timeout", "Late."))
          plugin.cancel(name)
        } else {
          try #require(TestEdge.shared.settle(exchange, .pending))
        }
        exchange.stream?.finish()
        TestEdge.shared.close(exchange)
      }
      try self.end(plugin)
    }

    @Test(.disabled(if: System.isSanitized)) func roomForAStreamIsKeptAndGivenBack() throws {
      let plugin = try active()
      let streams = TestEdge.shared.streams
      var held = 0
      while streams.hold() { held += 1 }
      let busy = try begin(plugin, 9, .inline)
      #expect(busy.status == 503 && Stage.body(of: busy).contains("streaming.busy"))
      TestEdge.shared.close(busy)
      streams.leave()
      let last = try begin(plugin, 9, .inline)
      #expect(last.status == 200 && !streams.hold())
      last.stream?.finish()
      TestEdge.shared.close(last)
      #expect(System.eventually { plugin.callsInside == 0 })
      // What a handler that does not stream has kept is free again with its answer.
      let plain = try begin(plugin, 7, .inline)
      #expect(plain.status == 200 && streams.hold() && !streams.hold())
      TestEdge.shared.close(plain)
      for _ in 0..<held { streams.leave() }
      try self.end(plugin)
    }

    // MARK: A runner out of its mind

    /// The plugin's threads write random bytes all over the shared memory while calls run: each call ends, well or with
    /// 502, the process is replaced, and once the writing stops everything works.
    @Test(.disabled(if: System.isSanitized), arguments: 0..<4) func scribblesHarmItsOwnCallsOnly(seed: Int)
      throws
    {
      var settings = RunnerSettings()
      settings.calls = 16
      settings.arenaBytes = 1 << 20
      settings.crashes = 1_000_000
      settings.overrun = .milliseconds(200)
      let layout = BoardLayout(calls: settings.calls, arenaBytes: settings.arenaBytes)
      let path = Workshop.plugin(
        "../Faults/scribbles",
        "-DTOTAL=\(layout.totalBytes) -DCOMMAND=\(layout.commandBytes) -DHOT=\(layout.line(0)) -DSEED=\(seed)"
      )
      let plugin = try Stage.isolated(path, settings)
      let log = KeptLog()
      try plugin.create(
        config: Array("{}".utf8),
        services: PluginServices(automation: "reject", generation: 1, records: OneRecord(), log: log))
      try plugin.activate()
      var streamed: [String: Int] = [:]
      func ask(_ route: Int) throws -> Int {
        let exchange = TestEdge.shared.open {
          $0.started = .now
          $0.deadline = .now + .seconds(1)
          $0.mayStream = route == 2
          $0.path = $0.head.append("/\(route)")
        }
        let completion = plugin.handle(exchange, route: route, execution: route == 0 ? .inline : .blocking)
        // The test's part of the deadline.
        let settled = TestEdge.shared.settle(exchange, completion, within: .seconds(3))
        if !settled {
          let name = exchange.handle
          if exchange.claim(name) {
            exchange.answer(Problem(504, "handler.timeout", "Late."))
            plugin.cancel(name)
          } else {
            try #require(TestEdge.shared.settle(exchange, .pending), "a call never ended")
          }
        }
        defer { TestEdge.shared.close(exchange) }
        if let stream = exchange.stream {
          // A client that leaves after a while, where the end does not come.
          let client = StreamClient(stream)
          exchange.close()
          streamed[client.read(within: .milliseconds(300)).end, default: 0] += 1
        }
        return exchange.status
      }
      #expect(try ask(0) == 200 && ask(2) == 200 && streamed == ["end": 1])
      var counts: [Int: Int] = [:]
      let began = Instant.now
      while Instant.now - began < 3_000_000_000 {
        // Route 1 starts the writing in whatever process there is.
        counts[try ask(1), default: 0] += 1
        for _ in 0..<20 { counts[try ask(0), default: 0] += 1 }
        for _ in 0..<2 { counts[try ask(2), default: 0] += 1 }
      }
      #expect(counts.keys.allSatisfy { [200, 500, 502, 503, 504].contains($0) }, "\(counts)")
      let crashes = plugin.runners[0].crashes
      #expect(crashes > 0, "nothing was broken: \(counts)")
      // A fresh process, in which nobody scribbles.
      let pid = try #require(plugin.runners[0].processID)
      kill(pid_t(pid), SIGKILL)
      #expect(
        System.eventually { plugin.runners[0].crashes > crashes && plugin.runners[0].state == .serving })
      #expect(System.eventually { plugin.callsInside == 0 })
      for _ in 0..<100 { #expect(try ask(0) == 200 && ask(2) == 200) }
      #expect(plugin.callsInside == 0 && TestEdge.shared.openStreams == 0)
      try plugin.quiesce()
      try plugin.stop()
      try plugin.destroy()
      print(
        "isolation: scribbled, \(counts.sorted { $0.key < $1.key }), streams \(streamed), \(crashes) processes ended"
      )
    }
  }
}
