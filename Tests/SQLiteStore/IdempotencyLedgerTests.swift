import Application
import Domain
import Kernel
import Patience
import Testing

@testable import SQLiteStore

/// What the ledger remembers of calls, for how long, and how much.
@Suite struct IdempotencyLedgerTests {
  private let folder = TemporaryFolder()
  private let now = Monitor(Timestamp(microseconds: 1_700_000_000_000_000))

  private func open(
    _ change: (inout SQLiteIdempotencyLedger.Limits) -> Void = { _ in }
  ) throws -> SQLiteIdempotencyLedger {
    var limits = SQLiteIdempotencyLedger.Limits()
    change(&limits)
    var configuration = SQLiteConfiguration()
    configuration.clock = { [now] in now.withLock { $0 } }
    return try SQLiteIdempotencyLedger(
      path: folder.path + "/idempotency.sqlite", limits: limits, configuration: configuration, log: Quiet())
  }

  private func call(_ key: UInt8, _ payload: UInt8 = 0, caller: String = "c") throws -> KeyedCallName {
    KeyedCallName(
      id: try #require(Digest256([UInt8](repeating: key, count: 32))),
      fingerprint: try #require(Digest256([UInt8](repeating: payload, count: 32))), caller: caller)
  }

  private func ask(
    _ ledger: SQLiteIdempotencyLedger, _ call: KeyedCallName, mayBegin: Bool = true
  ) throws -> Reservation {
    let heard = Monitor<Result<Reservation, Problem>?>(nil)
    ledger.reserve(call, mayBegin: mayBegin) { result in heard.signal { $0 = result } }
    return try #require(heard.wait { $0 }).get()
  }

  private func finish(
    _ ledger: SQLiteIdempotencyLedger, _ call: KeyedCallName, _ answer: KeptAnswer
  ) throws -> Problem? {
    let heard = Monitor<Problem??>(nil)
    ledger.complete(call.id, status: answer.status, answer) { problem in heard.signal { $0 = .some(problem) }
    }
    return try #require(heard.wait { $0 })
  }

  private static let answer = KeptAnswer(
    status: 201,
    headers: [
      .init(name: Array("ETag".utf8), value: Array("\"1\"".utf8)), .init(name: Array("X".utf8), value: []),
    ], body: Array("{}".utf8))

  private var expires: Timestamp { now.withLock { $0 + .seconds(86_400) } }

  @Test func aCallIsReservedRunAndReplayedAlsoAfterARestart() throws {
    let ledger = try open()
    let call = try call(1)
    #expect(try ask(ledger, call, mayBegin: false) == .absent)
    #expect(try ask(ledger, call) == .begins(expires: expires))
    #expect(try ask(ledger, call) == .inProgress)
    #expect(try ask(ledger, try self.call(1, 9)) == .reused)
    #expect(try finish(ledger, call, IdempotencyLedgerTests.answer) == nil)
    #expect(try ask(ledger, call) == .answered(IdempotencyLedgerTests.answer, expires: expires))
    ledger.end()
    let next = try open()
    #expect(try ask(next, call) == .answered(IdempotencyLedgerTests.answer, expires: expires))
    #expect(try ask(next, try self.call(1, 9)) == .reused)
    next.end()
    #expect(folder.mode(of: "idempotency.sqlite") == 0o600)
  }

  @Test func anEmptyAnswerIsOne() throws {
    let ledger = try open()
    defer { ledger.end() }
    let empty = KeptAnswer(status: 204, headers: [], body: [])
    _ = try ask(ledger, try call(1))
    #expect(try finish(ledger, try call(1), empty) == nil)
    #expect(try ask(ledger, try call(1)) == .answered(empty, expires: expires))
  }

  @Test func whatBeganAndNeverEndedIsUnknownAfterARestart() throws {
    let ledger = try open()
    #expect(try ask(ledger, try call(1)) == .begins(expires: expires))
    ledger.end()
    let next = try open()
    #expect(try ask(next, try call(1)) == .unknown)
    next.end()
  }

  @Test func aReleasedCallMayComeAgainAndALostOneMayNot() throws {
    let ledger = try open()
    defer { ledger.end() }
    for key: UInt8 in [1, 2] { _ = try ask(ledger, try call(key)) }
    ledger.release(try call(1).id)
    ledger.lose(try call(2).id)
    #expect(try ask(ledger, try call(1)) == .begins(expires: expires))
    #expect(try ask(ledger, try call(2)) == .unknown)
  }

  @Test func aCallIsForgottenAtItsInstant() throws {
    let ledger = try open { $0.expiry = .seconds(100) }
    defer { ledger.end() }
    let call = try call(1)
    _ = try ask(ledger, call)
    _ = try finish(ledger, call, IdempotencyLedgerTests.answer)
    now.withLock { $0 = $0 + .microseconds(99_999_999) }
    #expect(try ask(ledger, try self.call(1, 5)) == .reused)
    now.withLock { $0 = $0 + .microseconds(1) }
    #expect(try ask(ledger, try self.call(1, 5)) == .begins(expires: now.withLock { $0 + .seconds(100) }))
  }

  @Test func aCallerHasSoManyCallsAndTheOldestMakesRoomWhenItExpires() throws {
    let ledger = try open {
      $0.callsPerCaller = 3
      $0.expiry = .seconds(100)
    }
    defer { ledger.end() }
    for key: UInt8 in 1...3 {
      _ = try ask(ledger, try call(key))
      now.withLock { $0 = $0 + .seconds(10) }
    }
    let refusal = #expect(throws: Problem.self) { try ask(ledger, try call(4)) }
    #expect(refusal?.code == "idempotency.full" && refusal?.status == 503)
    #expect(refusal?.retryAfterSeconds == 70)
    // The others have their own, and what is known is still known.
    #expect(
      try ask(ledger, try call(5, caller: "d")) == .begins(expires: now.withLock { $0 + .seconds(100) }))
    #expect(try ask(ledger, try call(1)) == .inProgress)
    now.withLock { $0 = $0 + .seconds(70) }
    #expect(try ask(ledger, try call(4)) == .begins(expires: now.withLock { $0 + .seconds(100) }))
    #expect(throws: Problem.self) { try ask(ledger, try call(6)) }
  }

  @Test(arguments: [(0, true), (1, false)])
  func anAnswerIsKeptUpToItsLimit(more: Int, isKept: Bool) throws {
    let ledger = try open { $0.answerBytes = 4096 }
    defer { ledger.end() }
    _ = try ask(ledger, try call(1))
    let answer = KeptAnswer(status: 200, headers: [], body: [UInt8](repeating: 65, count: 4096 + more))
    #expect(try finish(ledger, try call(1), answer) == nil)
    #expect(
      try ask(ledger, try call(1))
        == (isKept ? .answered(answer, expires: expires) : .answerNotKept(status: 200)))
  }

  @Test func anAnswerThatWasNotHandedOverIsRememberedByItsStatus() throws {
    let ledger = try open()
    defer { ledger.end() }
    _ = try ask(ledger, try call(1))
    let heard = Monitor<Problem??>(nil)
    ledger.complete(try call(1).id, status: 201, nil) { problem in heard.signal { $0 = .some(problem) } }
    #expect(try #require(heard.wait { $0 }) == nil)
    #expect(try ask(ledger, try call(1)) == .answerNotKept(status: 201))
  }

  /// One caller must not take the room of all.
  @Test func aCallerHasSoManyBytesOfAnswers() throws {
    func opened() throws -> SQLiteIdempotencyLedger {
      try open {
        $0.callerBytes = 10_000
        $0.expiry = .seconds(100)
      }
    }
    var ledger = try opened()
    let answer = KeptAnswer(status: 200, headers: [], body: [UInt8](repeating: 65, count: 5000))
    func isKept(_ key: UInt8, caller: String = "c", _ answer: KeptAnswer = answer) throws -> Bool {
      let call = try call(key, caller: caller)
      _ = try ask(ledger, call)
      #expect(try finish(ledger, call, answer) == nil)
      let known = try ask(ledger, call)
      if case .answered(let kept, _) = known { return kept == answer }
      #expect(known == .answerNotKept(status: answer.status))
      return false
    }
    #expect(try isKept(1))
    now.withLock { $0 = $0 + .seconds(50) }
    #expect(try isKept(2))
    let small = KeptAnswer(status: 200, headers: [], body: [65])
    #expect(try !isKept(3, small) && isKept(4, caller: "d"))
    // What is in the file counts, not what this process wrote.
    ledger.end()
    ledger = try opened()
    defer { ledger.end() }
    #expect(try !isKept(5, small))
    // The first has expired.
    now.withLock { $0 = $0 + .seconds(50) }
    #expect(try isKept(6, small))
    #expect(try !isKept(7))
  }

  /// Each of them would wait for the lock again, one after the other.
  @Test func aFileThatIsLockedFailsAGroupAtOnce() throws {
    let (inside, gate, failed) = (Monitor(false), Monitor(false), Monitor<[String]>([]))
    let log = Counting()
    var configuration = SQLiteConfiguration()
    configuration.busyTimeout = .milliseconds(1)
    let path = folder.path + "/idempotency.sqlite"
    let ledger = try SQLiteIdempotencyLedger(path: path, configuration: configuration, log: log)
    defer { ledger.end() }
    ledger.reserve(try call(1), mayBegin: true) { _ in
      inside.signal { $0 = true }
      _ = gate.wait { $0 ? true : nil }
    }
    _ = inside.wait { $0 ? true : nil }
    let other = try Connection(path: path, mode: .existing, busyTimeout: .zero, maxValueBytes: 1 << 20)
    try other.execute("BEGIN IMMEDIATE")
    for key: UInt8 in 2...9 {
      ledger.reserve(try call(key), mayBegin: true) { result in
        if case .failure(let problem) = result { failed.signal { $0.append(problem.code) } }
      }
    }
    gate.signal { $0 = true }
    let codes = try #require(failed.eventually { $0.count == 8 ? $0 : nil })
    #expect(Set(codes) == ["idempotency.unavailable"] && log.errors.withLock { $0 } == 1)
    try other.execute("COMMIT")
    #expect(try ask(ledger, try call(2)) != .inProgress)
  }

  @Test func aFileThatIsNearlyFullTakesNoNewCalls() throws {
    let ledger = try open {
      $0.fileBytes = 64 * 4096
      $0.answerBytes = 60_000
    }
    defer { ledger.end() }
    let answer = KeptAnswer(status: 200, headers: [], body: [UInt8](repeating: 65, count: 50_000))
    var refusal: Problem?
    var taken: UInt8 = 0
    while refusal == nil, taken < 100 {
      do {
        _ = try ask(ledger, try call(taken + 1))
        taken += 1
        #expect(try finish(ledger, try call(taken), answer) == nil)
      } catch let problem as Problem { refusal = problem }
    }
    #expect(refusal?.code == "idempotency.full" && (refusal?.retryAfterSeconds ?? 0) > 0)
    #expect((1...6).contains(taken), "\(taken)")
    #expect(try ask(ledger, try call(1)) == .answered(answer, expires: expires))
    now.withLock { $0 = $0 + .seconds(86_400) }
    #expect(try ask(ledger, try call(99)) == .begins(expires: expires))
  }

  @Test func ofManyThatComeTogetherOneBegins() throws {
    let ledger = try open()
    defer { ledger.end() }
    let heard = Monitor<[Reservation]>([])
    let call = try call(1)
    for _ in 0..<200 {
      ledger.reserve(call, mayBegin: true) { result in
        heard.signal { if case .success(let known) = result { $0.append(known) } }
      }
    }
    let all = try #require(heard.wait { $0.count == 200 ? $0 : nil })
    #expect(all.count { $0 == .begins(expires: expires) } == 1)
    #expect(all.count { $0 == .inProgress } == 199)
  }

  @Test func aQueueThatIsFullRefuses() throws {
    let ledger = try open { $0.queue = 1 }
    defer { ledger.end() }
    let (gate, refused) = (Monitor(false), Monitor(0))
    // The ledger's thread is held inside of the first answer.
    let inside = Monitor(false)
    ledger.reserve(try call(1), mayBegin: true) { _ in
      inside.signal { $0 = true }
      _ = gate.wait { $0 ? true : nil }
    }
    _ = inside.wait { $0 ? true : nil }
    for key: UInt8 in [2, 3] {
      ledger.reserve(try call(key), mayBegin: true) { result in
        if case .failure(let problem) = result, problem.code == "idempotency.overloaded" {
          refused.withLock { $0 += 1 }
        }
      }
    }
    #expect(refused.withLock { $0 } == 1)
    gate.signal { $0 = true }
  }
}

private final class Counting: LogSink {
  let errors = Monitor(0)
  var level: LogLevel {
    get { .error }
    set {}
  }
  func write(_ level: LogLevel, _ module: StaticString, _ message: String, _ fields: [String: JSONValue]) {
    if level == .error { errors.withLock { $0 += 1 } }
  }
}

private final class Quiet: LogSink {
  var level: LogLevel {
    get { .error }
    set {}
  }
  func write(_ level: LogLevel, _ module: StaticString, _ message: String, _ fields: [String: JSONValue]) {}
}
