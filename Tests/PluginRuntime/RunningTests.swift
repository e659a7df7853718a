import Application
import Domain
import Kernel
import Patience
import Testing

@testable import PluginRuntime

extension PluginRuntimeTests {
  @Suite struct Running {
    /// The routes of running.c.
    enum Route {
      static let hello = 0
      static let answersTwice = 1
      static let neverAnswers = 2
      static let fails = 3
      static let pends = 4
      static let keepsRequest = 5
      static let usesKeptRequest = 6
      static let releases = 7
      static let arguments = 8
      static let readsEverything = 9
      static let problem = 10
      static let headers = 11
      static let records = 12
      static let waits = 13
      static let unknownStatus = 14
      static let otherThreadReads = 15
      static let deadline = 16
      static let logs = 17
      static let answersAndPends = 18
      static let echoes = 19
      static let opens = 20
      static let closes = 21
      static let waiters = 22
    }

    @Test func answersInlineAndOnAWorker() throws {
      let stage = try Stage("running")
      let exchange = TestEdge.shared.open()
      guard case .answered = stage.plugin.handle(exchange, route: Route.hello, execution: .inline) else {
        Issue.record("an inline answer needs no waiting")
        return
      }
      #expect(stage.answer(of: exchange).body == #"{"message":"hello"}"#)
      TestEdge.shared.close(exchange)
      let answer = try stage.ask(Route.hello, .blocking)
      #expect(answer.status == 200 && answer.body == #"{"message":"hello"}"#)
      #expect(answer["content-type"] == "application/json")
      try stage.end()
    }

    @Test(arguments: Mode.allCases) func takesTheFirstOfTwoAnswers(mode: Mode) throws {
      let stage = try Stage("running", mode)
      for execution in [.inline, .blocking] as [RouteDeclaration.Execution] {
        #expect(try stage.ask(Route.answersTwice, execution).body == #"{"first":true}"#)
      }
      #expect(stage.log.waitFor("second -2"))
      try stage.end()
    }

    @Test(arguments: Mode.allCases) func answersForAHandlerThatDoesNot(mode: Mode) throws {
      let stage = try Stage("running", mode)
      for execution in [.inline, .blocking] as [RouteDeclaration.Execution] {
        let silent = try stage.ask(Route.neverAnswers, execution)
        #expect(silent.status == 500 && silent.body.contains(#""code":"plugin.no_answer""#))
        #expect(silent["content-type"] == "application/problem+json")
        for route in [Route.fails, Route.unknownStatus, 9999] {
          let failed = try stage.ask(route, execution)
          #expect(failed.status == 500 && failed.body.contains(#""code":"plugin.failed""#))
        }
      }
      #expect(eventually { stage.log.lines.contains { $0.fields["code"] == "plugin.failed" } })
      let line = try #require(stage.log.lines.first { $0.fields["code"] == "plugin.failed" })
      #expect(line.level == .error && line.message.contains("COUNCIL_INTERNAL"))
      #expect(line.fields["request_id"] == "r-1")
      try stage.end()
    }

    @Test(arguments: Mode.allCases) func waitsForAnAnswerFromAnotherThread(mode: Mode) throws {
      let stage = try Stage("running", mode)
      for execution in [.inline, .blocking] as [RouteDeclaration.Execution] {
        _ = try stage.ask(Route.closes)
        let exchange = TestEdge.shared.open()
        let completion = stage.plugin.handle(exchange, route: Route.pends, execution: execution)
        guard case .pending = completion else {
          Issue.record("nobody has answered yet")
          return
        }
        // The handler returns long before the answer.
        if mode == .inProcess { #expect(eventually { stage.plugin.callsInside == 0 }) }
        _ = try stage.ask(Route.opens)
        #expect(TestEdge.shared.settle(exchange, completion))
        #expect(stage.answer(of: exchange).body == #"{"later":true}"#)
        TestEdge.shared.close(exchange)
      }
      try stage.end()
    }

    @Test(arguments: Mode.allCases) func takesAnAnswerBeforeAHandlerSaysThatItIsPending(mode: Mode) throws {
      let stage = try Stage("running", mode)
      for execution in [.inline, .blocking] as [RouteDeclaration.Execution] {
        #expect(try stage.ask(Route.answersAndPends, execution).body == "{}")
      }
      try stage.end()
    }

    @Test(arguments: Mode.allCases) func knowsAStaleName(mode: Mode) throws {
      let stage = try Stage("running", mode)
      _ = try stage.ask(Route.keepsRequest)
      let answer = try stage.ask(Route.usesKeptRequest)
      #expect(answer.body == "-2 -2 -2")
      // An answer that comes after the host answered in its place.
      let exchange = TestEdge.shared.open()
      let name = exchange.handle
      _ = try stage.ask(Route.closes)
      let completion = stage.plugin.handle(
        exchange, route: Route.pends, execution: mode == .inProcess ? .blocking : .inline)
      // Calls are begun in their order: once this one is answered, the other is with the plugin.
      if mode == .isolated { _ = try stage.ask(Route.hello) }
      if mode == .inProcess { #expect(eventually { stage.plugin.callsInside == 0 }) }
      #expect(exchange.claim(name))
      exchange.answer(Problem(504, "handler.timeout", "Late."))
      exchange.deliver()
      stage.plugin.cancel(name)
      #expect(stage.log.waitFor("cancelled -2"))
      _ = try stage.ask(Route.opens)
      #expect(TestEdge.shared.settle(exchange, completion) && exchange.status == 504)
      TestEdge.shared.close(exchange)
      try stage.end()
    }

    @Test(arguments: Mode.allCases) func releasesABodyOnceInEveryCase(mode: Mode) throws {
      let stage = try Stage("running", mode)
      _ = try stage.ask(Route.releases)
      _ = try stage.ask(Route.releases, .blocking)
      // Invalid: released once. Good: once more. Stale: once more.
      #expect(eventually { stage.log.messages.filter { $0 == "-1:1 0:2 -2:3" }.count == 2 })
      try stage.end()
    }

    @Test(arguments: Mode.allCases) func checksEveryArgument(mode: Mode) throws {
      let stage = try Stage("running", mode)
      for execution in [.inline, .blocking] as [RouteDeclaration.Execution] {
        let answer = try stage.ask(Route.arguments, execution)
        #expect(answer.body == "[-1,-1,-1,1,-2,-1,-2,-1,-1,1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1]")
      }
      try stage.end()
    }

    @Test(arguments: Mode.allCases) func lendsEveryPartOfTheRequest(mode: Mode) throws {
      let stage = try Stage("running", mode)
      let answer = try stage.ask(Route.readsEverything) { exchange in
        let head = exchange.head
        exchange.method = .post
        exchange.path = head.append("/things/7")
        exchange.rawQuery = head.append("q=1&q=2")
        exchange.parameters = [Field(name: head.append("id"), value: head.append("7"))]
        exchange.query = [
          Field(name: head.append("q"), value: head.append("1")),
          Field(name: head.append("q"), value: head.append("2")),
        ]
        exchange.headers = [
          Field(name: head.append("x-color"), value: head.append("red")),
          Field(name: head.append("authorization"), value: head.append("Bearer secret")),
          Field(name: head.append("x-api-key"), value: head.append("secret")),
          Field(name: head.append("accept"), value: head.append("*/*")),
        ]
        exchange.principal = head.append("p-1")
        exchange.traceparent = head.append("00-ab-cd-01")
        exchange.body.append("{\"a\":1}")
      }
      let all = "0:x-color: red\r\naccept: */*\r\n|"
      #expect(
        answer.body
          == #"0:POST|0:/things/7|0:q=1&q=2|0:{"a":1}|0:7|-9:|0:1|-9:|0:red|-9:|-9:|0:p-1|0:r-1|0:00-ab-cd-01|"#
          + all + all)
      try stage.end()
    }

    @Test(arguments: Mode.allCases) func lendsTheRequestToItsOwnThreadOnly(mode: Mode) throws {
      let stage = try Stage("running", mode)
      #expect(try stage.ask(Route.otherThreadReads, .blocking).body == "-2")
      try stage.end()
    }

    @Test(arguments: Mode.allCases) func tellsTheTimeThatIsLeft(mode: Mode) throws {
      let stage = try Stage("running", mode)
      #expect(try stage.ask(Route.deadline).body == "0 1")
      // Without a deadline there is no end.
      #expect(try stage.ask(Route.deadline) { $0.deadline = Instant(nanoseconds: .max) }.body == "0 0")
      try stage.end()
    }

    @Test(arguments: Mode.allCases) func writesProblems(mode: Mode) throws {
      let stage = try Stage("running", mode)
      let answer = try stage.ask(Route.problem)
      #expect(answer.status == 409 && answer["content-type"] == "application/problem+json")
      #expect(
        answer.body
          == #"{"type":"urn:council:problem:reject.problem","title":"Conflict","status":409,"code":"reject.problem","detail":"a \"quoted\"\nline"}"#
      )
      try stage.end()
    }

    @Test(arguments: Mode.allCases) func checksHeadersAndDropsTheHostsOwn(mode: Mode) throws {
      let stage = try Stage("running", mode)
      let answer = try stage.ask(Route.headers)
      #expect(answer.status == 201)
      // 33 headers, a line break in a value, a NUL in one, a blank in a name, no name.
      #expect(answer.body == "-1,-1,-1,-1,-1")
      #expect(answer["etag"] == "\"1\"" && answer["content-type"] == "text/plain")
      #expect(answer.count("x-many") == 20)
      #expect(answer.headers.count == 22)
      try stage.end()
    }

    @Test(arguments: Mode.allCases) func callsRecords(mode: Mode) throws {
      let stage = try Stage("running", mode, "-include '\(Workshop.records)'")
      _ = try stage.ask(Route.keepsRequest)
      let inline = try stage.ask(Route.records)
      #expect(inline.body == #"0 0 -4 -1|0 3 {"id":"a"}|-9 404|-4 403|-1|-1|-2"#)
      // On a worker a write is allowed: here it meets a conflict.
      let blocking = try stage.ask(Route.records, .blocking)
      #expect(blocking.body == #"0 0 -4 -1|0 3 {"id":"a"}|-9 404|-8 409|-1|-1|-2"#)
      try stage.end()
      let without = try Stage("running", mode, records: nil)
      #expect(try without.ask(Route.records).body.hasPrefix("-4 0 -4 -1|-4"))
      try without.end()
    }

    @Test(arguments: Mode.allCases) func cutsLogLinesBetweenCharacters(mode: Mode) throws {
      let stage = try Stage("running", mode)
      _ = try stage.ask(Route.logs)
      #expect(eventually { stage.log.lines.count == 1 })
      let line = try #require(stage.log.lines.first)
      // The character that stands across the limit is left out.
      #expect(line.level == .warning && line.message.utf8.count == 8191)
      #expect(line.fields["request_id"] == "r-1" && line.module == "plugin")
      try stage.end()
    }

    @Test(arguments: Mode.allCases) func carriesBodiesOfEverySize(mode: Mode) throws {
      let stage = try Stage("running", mode)
      for size in [0, 1, 65_536, 3 << 20] {
        let answer = try stage.ask(Route.echoes, .blocking) {
          $0.body.append([UInt8](repeating: UInt8(ascii: "x"), count: size))
        }
        #expect(answer.status == 200 && answer.body.utf8.count == size)
      }
      try stage.end()
    }

    // MARK: Workers

    @Test func refusesWhatFindsNoRoom() throws {
      let workers = Workers(.init(threads: 2, queue: 4, share: 2))
      let stage = try Stage("running", workers: workers)
      _ = try stage.ask(Route.closes)
      var waiting: [(Exchange, Completion)] = []
      func submit() -> Exchange {
        let exchange = TestEdge.shared.open()
        waiting.append((exchange, stage.plugin.handle(exchange, route: Route.waits, execution: .blocking)))
        return exchange
      }
      for _ in 0..<2 { _ = submit() }
      #expect(eventually { (try? stage.ask(Route.waiters).body) == "2" })
      for _ in 0..<4 { _ = submit() }
      #expect(stage.plugin.callsInside == 6)
      let refused = submit()
      guard case .answered = waiting.removeLast().1 else {
        Issue.record("there is no room for a seventh")
        return
      }
      let answer = stage.answer(of: refused)
      #expect(
        answer.status == 503 && answer.body.contains("automation.overloaded") && answer["retry-after"] == "1")
      TestEdge.shared.close(refused)
      // One of those that wait for a worker is answered by its deadline: its handler is never called.
      let late = waiting[5].0
      let name = late.handle
      #expect(late.claim(name))
      late.answer(Problem(504, "handler.timeout", "Late."))
      late.deliver()
      _ = try stage.ask(Route.opens)
      for (exchange, completion) in waiting {
        #expect(TestEdge.shared.settle(exchange, completion))
        #expect(exchange.status == (exchange === late ? 504 : 200))
      }
      #expect(eventually { stage.plugin.callsInside == 0 })
      for (exchange, _) in waiting { TestEdge.shared.close(exchange) }
      try stage.end()
      #expect(eventually { workers.end(by: .now) })
    }

    @Test func runsWhatWaitsBeforeItEnds() throws {
      let workers = Workers(.init(threads: 1, queue: 64))
      let stage = try Stage("running", workers: workers)
      let exchanges = (0..<50).map { _ in TestEdge.shared.open() }
      let completions = exchanges.map { stage.plugin.handle($0, route: Route.hello, execution: .blocking) }
      #expect(eventually { workers.end(by: .now) })
      for (exchange, completion) in zip(exchanges, completions) {
        #expect(TestEdge.shared.settle(exchange, completion) && exchange.status == 200)
        TestEdge.shared.close(exchange)
      }
      // What comes now finds no worker.
      #expect(try stage.ask(Route.hello, .blocking).status == 503)
      try stage.end()
    }

    @Test func saysWhenAHandlerDoesNotComeBack() throws {
      let workers = Workers(.init(threads: 1, queue: 2))
      let stage = try Stage("running", workers: workers)
      _ = try stage.ask(Route.closes)
      let exchange = TestEdge.shared.open()
      let completion = stage.plugin.handle(exchange, route: Route.waits, execution: .blocking)
      #expect(!workers.end(by: .now + .milliseconds(50)))
      #expect(stage.plugin.callsInside == 1)
      _ = try stage.ask(Route.opens)
      #expect(TestEdge.shared.settle(exchange, completion))
      TestEdge.shared.close(exchange)
      #expect(eventually { workers.end(by: .now) })
      try stage.end()
    }

    @Test func replacesThreadsThatDoNotComeBack() throws {
      let workers = Workers(.init(threads: 2, queue: 16, share: 2, substitutes: 3, substituteShare: 3))
      let stage = try Stage("running", workers: workers)
      _ = try stage.ask(Route.closes)
      var stuck: [Exchange] = []
      func hang() -> Bool {
        let exchange = TestEdge.shared.open()
        let name = exchange.handle
        let inside = "\(stuck.count + 1)"
        _ = stage.plugin.handle(exchange, route: Route.waits, execution: .blocking)
        guard eventually({ (try? stage.ask(Route.waiters).body) == inside }), exchange.claim(name)
        else {
          return false
        }
        exchange.answer(Problem(504, "handler.timeout", "Late."))
        stuck.append(exchange)
        let before = workers.threads.overrunning
        // The worker may be about to say what it runs.
        return eventually {
          stage.plugin.cancel(name)
          return workers.threads.overrunning == before + 1
        }
      }
      // As many hang as there are threads, and more: the others go on as long as there are substitutes.
      for count in 1...4 {
        #expect(hang())
        #expect(workers.threads == (alive: 2 + min(count, 3), overrunning: count))
        #expect(try stage.ask(Route.hello, .blocking).status == 200)
      }
      // Those that come back leave, until the fixed number is left.
      _ = try stage.ask(Route.opens)
      #expect(eventually { workers.threads == (alive: 2, overrunning: 0) })
      #expect(try stage.ask(Route.hello, .blocking).status == 200)
      for exchange in stuck { TestEdge.shared.close(exchange) }
      #expect(eventually { stage.plugin.callsInside == 0 })
      try stage.end()
      #expect(eventually { workers.end(by: .now) })
    }

    @Test(arguments: Mode.allCases) func losesNoCallUnderLoad(mode: Mode) throws {
      let stage = try Stage("running", mode)
      let senders = 4
      let each = 2000
      let answered = Monitor(0)
      let done = Monitor(0)
      for _ in 0..<senders {
        OSThread("sender") {
          for turn in 0..<each {
            let exchange = TestEdge.shared.open()
            let completion = stage.plugin.handle(
              exchange, route: Route.hello, execution: turn % 8 == 0 ? .inline : .blocking)
            if TestEdge.shared.settle(exchange, completion), exchange.status == 200 {
              answered.withLock { $0 += 1 }
            }
            TestEdge.shared.close(exchange)
          }
          done.signal(all: true) { $0 += 1 }
        }.leave()
      }
      #expect(done.eventually { $0 == senders ? true : nil } == true)
      #expect(answered.withLock { $0 } == senders * each)
      #expect(eventually { stage.plugin.callsInside == 0 })
      try stage.end()
    }

    @Test(arguments: Mode.allCases) func measuresTheHandOver(mode: Mode) throws {
      let stage = try Stage("running", mode)
      /// Nanoseconds per request, with so many under way at a time.
      func cost(_ execution: RouteDeclaration.Execution, _ count: Int, window: Int) -> Int64 {
        let exchanges = (0..<window).map { _ in TestEdge.shared.open() }
        let began = Instant.now
        for _ in 0..<count / window {
          let completions = exchanges.map {
            stage.plugin.handle($0, route: Route.hello, execution: execution)
          }
          for (exchange, completion) in zip(exchanges, completions) {
            #expect(TestEdge.shared.settle(exchange, completion))
            TestEdge.shared.renew(exchange)
          }
        }
        let cost = (Instant.now - began) / Int64(count)
        for exchange in exchanges { TestEdge.shared.close(exchange) }
        return cost
      }
      print(
        "a request inline \(cost(.inline, 20_000, window: 1)) ns; by a worker and back "
          + "\(cost(.blocking, 20_000, window: 1)) ns one at a time, \(cost(.blocking, 64_000, window: 32)) ns 32 at a time"
      )
      try stage.end()
    }
  }
}
