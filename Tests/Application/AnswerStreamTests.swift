import Application
import Kernel
import Testing

/// A stream without an edge: what is written, what is taken, and who stands between.
@Suite struct AnswerStreamTests {
  private func begin(_ kind: AnswerStream.Kind = .events, bufferBytes: Int = 1000) throws -> (
    Exchange, AnswerStream
  ) {
    var limits = AnswerStreams.Limits()
    limits.bufferBytes = bufferBytes
    let exchange = Exchange(slot: 0, streams: AnswerStreams(limits))
    exchange.open()
    #expect(exchange.claim(exchange.handle))
    return (exchange, try exchange.beginStream(kind))
  }

  private func take(_ stream: AnswerStream, upTo room: Int = 10_000) -> (AnswerStream.Next, String) {
    var taken = ""
    let next = stream.take(upTo: room, pause: {}) { taken = String($0) }
    return (next, taken)
  }

  @Test func whatIsWrittenIsTakenInOrder() throws {
    let (_, stream) = try begin()
    #expect(take(stream) == (.wait, ""))
    stream.write("one ")
    stream.write("two")
    #expect(take(stream, upTo: 5) == (.bytes(5), "one t"))
    #expect(take(stream) == (.bytes(2), "wo"))
    stream.end()
    #expect(take(stream) == (.end, ""))
  }

  @Test func theEdgeIsWokenOnceForEachWait() throws {
    let (_, stream) = try begin()
    let wakes = Monitor(0)
    stream.connect { wakes.withLock { $0 += 1 } }
    stream.write("before")
    #expect(wakes.withLock { $0 } == 0)
    _ = take(stream)
    #expect(take(stream).0 == .wait)
    stream.write("a")
    stream.write("b")
    stream.end()
    #expect(wakes.withLock { $0 } == 1)
    #expect(take(stream).1 == "ab")
    #expect(take(stream).0 == .end)
  }

  @Test func aWriteIsTakenWholeOrNotAtAll() throws {
    let (_, stream) = try begin(bufferBytes: 10)
    #expect(stream.write("12345678") == .ok)
    #expect(stream.write("abc") == .full)
    #expect(stream.write("ab") == .ok)
    #expect(stream.write("12345678901") == .tooLong)
    #expect(!stream.waitForRoom(until: .now + .milliseconds(1)))
    #expect(take(stream, upTo: 5).1 == "12345")
    #expect(stream.waitForRoom(until: .now))
    #expect(stream.write("cde") == .ok)
    #expect(take(stream).1 == "678abcde")
  }

  @Test func aBufferThatIsNeverEmptyDoesNotGrow() throws {
    let (_, stream) = try begin(bufferBytes: 64)
    var taken = ""
    stream.write("0")
    for number in 1...1000 {
      #expect(stream.write(" \(number)") == .ok)
      taken += take(stream, upTo: " \(number)".utf8.count).1
    }
    taken += take(stream).1
    #expect(taken == (0...1000).map(String.init).joined(separator: " "))
  }

  @Test func anAbortDropsWhatWaits() throws {
    let (_, stream) = try begin()
    stream.write("x")
    stream.abort()
    #expect(take(stream).0 == .broken)
    #expect(stream.write("y") == .gone)
    #expect(!stream.isEndedByHost)
  }

  @Test(arguments: [(AnswerStream.Kind.events, AnswerStream.Next.end), (.bytes, .broken)])
  func theHostEndsEventsWellAndCutsTheRest(kind: AnswerStream.Kind, next: AnswerStream.Next) throws {
    let (_, stream) = try begin(kind)
    stream.stop()
    #expect(take(stream).0 == next)
    #expect(stream.isEndedByHost)
  }

  @Test func whoWantsToKnowIsToldOnceThatItIsOver() throws {
    let (exchange, stream) = try begin()
    let told = Monitor(0)
    stream.whenOver { told.withLock { $0 += 1 } }
    let name = exchange.handle
    #expect(exchange.stream(of: name) === stream)
    exchange.close()
    exchange.reset()
    #expect(exchange.stream(of: name) == nil)
    #expect(told.withLock { $0 } == 1)
    stream.whenOver { told.withLock { $0 += 1 } }
    stream.finish()
    #expect(told.withLock { $0 } == 2)
    #expect(exchange.streams.openCount == 0)
  }

  @Test func aNameOfAnotherRequestFindsNoStream() throws {
    let (exchange, _) = try begin()
    let name = exchange.handle
    #expect(exchange.stream(of: name &+ (1 << 32)) == nil)
    exchange.close()
    exchange.reset()
    exchange.open()
    #expect(exchange.claim(exchange.handle))
    let next = try exchange.beginStream(.events)
    #expect(exchange.stream(of: name) == nil)
    #expect(exchange.stream(of: exchange.handle) === next)
  }

  @Test func anAnswerInItsPlaceEndsTheStream() throws {
    let (exchange, stream) = try begin()
    exchange.answer(Problem(500, "x.y", "No."))
    #expect(!exchange.isStreaming)
    #expect(stream.write("x") == .gone)
    #expect(exchange.streams.openCount == 0)
  }

  @Test func headersOfWhoAnswersStay() throws {
    let exchange = Exchange(slot: 0)
    exchange.addHeader("cache-control", "no-store")
    _ = try exchange.beginStream(.events)
    let head = exchange.answerHead
    #expect(
      exchange.answerHeaders.map { String(head.span($0.name)) } == ["cache-control", "X-Accel-Buffering"])
  }

  @Test func aTranslatorStandsBetween() throws {
    let (_, stream) = try begin()
    stream.write("early;")
    stream.translate(by: Shout())
    stream.write("late;")
    #expect(take(stream).1 == "EARLY;LATE;")
    stream.end()
    #expect(take(stream).1 == "(end)")
    #expect(take(stream).0 == .end)
  }

  @Test func aTranslatorCompletesWhatEndedBeforeItCame() throws {
    let (_, stream) = try begin()
    stream.write("all;")
    stream.end()
    stream.translate(by: Shout())
    #expect(take(stream).1 == "ALL;(end)")
  }

  @Test func aTranslatorLearnsThatTheHostEnded() throws {
    let (_, stream) = try begin()
    stream.translate(by: Shout())
    stream.stop()
    #expect(take(stream).1 == "(end by host)")
  }

  @Test func aTranslatorThatHasEnoughEndsTheStream() throws {
    let (_, stream) = try begin()
    let told = Monitor(0)
    stream.feed { told.withLock { $0 += 1 } }
    stream.translate(by: Shout(most: 2))
    #expect(told.withLock { $0 } == 1)
    #expect(stream.write("a") == .ok && stream.isOpen && stream.write("b") == .ok && !stream.isOpen)
    #expect(stream.isEndedByHost && stream.write("c") == .gone && told.withLock { $0 } == 2)
    #expect(take(stream).1 == "AB(end by host)" && take(stream).0 == .end)
    let (_, early) = try begin()
    early.write("all")
    early.translate(by: Shout(most: 1))
    #expect(!early.isOpen && take(early).1 == "ALL(end by host)")
  }

  // MARK: Bytes from elsewhere

  @Test func anOfferIsTakenAsFarAsThereIsRoomAndGoesOnWhenToldSo() throws {
    let (_, stream) = try begin(bufferBytes: 10)
    let told = Monitor(0)
    stream.feed { told.withLock { $0 += 1 } }
    let bytes = Array("0123456789abcdef".utf8)
    #expect(stream.offer(bytes.span) == 10 && stream.offer(bytes.span) == 0)
    #expect(take(stream, upTo: 4).1 == "0123" && told.withLock { $0 } == 0)
    #expect(take(stream, upTo: 1).1 == "4" && told.withLock { $0 } == 1)
    #expect(stream.offer(bytes.span.extracting(10..<15)) == 5 && take(stream).1 == "56789abcde")
    #expect(told.withLock { $0 } == 1, "all of it was taken: nobody waits")
  }

  @Test func whoeverBringsBytesIsToldOfEveryEnd() throws {
    let ends: [(AnswerStream) -> Void] = [
      { $0.end() }, { $0.abort() }, { $0.stop() }, { $0.fail() }, { $0.finish() },
    ]
    for end in ends {
      let (_, stream) = try begin()
      let told = Monitor(0)
      stream.feed { told.withLock { $0 += 1 } }
      end(stream)
      #expect(told.withLock { $0 } == 1 && stream.offer([1].span) == nil)
    }
  }

  @Test func roomThatSomebodyHoldsCounts() {
    let streams = AnswerStreams(AnswerStreams.Limits(streams: 1))
    #expect(streams.hold() && !streams.hold() && streams.openCount == 1)
    let exchange = Exchange(slot: 0, streams: streams)
    #expect(exchange.reserveStream(.events) == nil)
    streams.makeHeld(.events).finish()
    #expect(streams.openCount == 0)
    exchange.streamPermit = .busy
    #expect(exchange.mayStream && exchange.reserveStream(.events) == nil && streams.openCount == 0)
  }
}

private final class Shout: StreamTranslator, @unchecked Sendable {
  // Under the lock of the stream.
  private var left: Int

  init(most: Int = .max) { left = most }

  var wantsMore: Bool { left > 0 }
  func translate(_ bytes: Span<UInt8>, into out: Arena) {
    left -= 1
    out.append(String(bytes).uppercased())
  }
  func end(byHost: Bool, into out: Arena) { out.append(byHost ? "(end by host)" : "(end)") }
}
