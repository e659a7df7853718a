import Application
import Doubles
import Kernel
import Synchronization
import Testing

@Suite struct DocumentsTests {
  /// How often each name was built.
  private final class Builder: Sendable {
    let counts = Monitor<[String: Int]>([:])
    let bytes: Int
    init(bytes: Int = 10) { self.bytes = bytes }

    func build(_ name: Documents.Name) -> Document {
      counts.withLock { $0[name.text, default: 0] += 1 }
      return Document([UInt8](repeating: 65, count: bytes), "text/plain", digests: WeakDigests())
    }
  }

  private func ask(_ documents: Documents, _ name: Documents.Name, _ builder: Builder) throws -> (
    Exchange, Bool
  ) {
    let exchange = Exchange(slot: 0)
    exchange.open()
    let woken = Monitor(false)
    exchange.wake = { _ in woken.signal { $0 = true } }
    let isLater = try documents.answer(exchange, name) { builder.build(name) }
    if isLater, exchange.park() { _ = woken.wait { $0 ? true : nil } }
    return (exchange, isLater)
  }

  private func name(_ text: String, _ version: Int = 1) -> Documents.Name {
    Documents.Name(text, .anonymous, version: version)
  }

  @Test func eachIsBuiltOnceUntilTheRoutesChange() throws {
    let (documents, builder) = (Documents(), Builder())
    documents.start()
    defer { documents.end() }
    #expect(try ask(documents, name("a"), builder).1)
    // Kept and small: no thread is asked.
    #expect(try !ask(documents, name("a"), builder).1)
    #expect(builder.counts.withLock { $0 } == ["a": 1] && documents.keptBytes == 10)
    _ = try ask(documents, name("b"), builder)
    #expect(documents.keptBytes == 20)
    // A new version of one thing says that the rest is old.
    _ = try ask(documents, name("a", 2), builder)
    #expect(builder.counts.withLock { $0 } == ["a": 2, "b": 1] && documents.keptBytes == 10)
  }

  @Test func keepsNoMoreThanItMayAndForgetsTheOldestUse() throws {
    var limits = Documents.Limits()
    limits.keptBytes = 20
    let (documents, builder) = (Documents(limits), Builder())
    documents.start()
    defer { documents.end() }
    for text in ["a", "b", "a", "c"] { _ = try ask(documents, name(text), builder) }
    #expect(documents.keptBytes == 20)
    _ = try ask(documents, name("a"), builder)
    #expect(builder.counts.withLock { $0 } == ["a": 1, "b": 1, "c": 1])
    _ = try ask(documents, name("b"), builder)
    #expect(builder.counts.withLock { $0["b"] } == 2)
    // One that is longer than all that may be kept is built, sent, and not kept.
    let large = Builder(bytes: 21)
    for _ in 0..<2 { #expect(try ask(documents, name("large"), large).0.answerBody.count == 21) }
    #expect(large.counts.withLock { $0 } == ["large": 2] && documents.keptBytes == 20)
  }

  @Test func aLongOneIsCopiedByTheThread() throws {
    var limits = Documents.Limits()
    limits.copiedAtOnce = 9
    let (documents, builder) = (Documents(limits), Builder())
    documents.start()
    defer { documents.end() }
    #expect(try ask(documents, name("a"), builder).1)
    let (exchange, isLater) = try ask(documents, name("a"), builder)
    #expect(isLater && exchange.status == 200 && exchange.answerBody.count == 10)
    #expect(builder.counts.withLock { $0 } == ["a": 1])
  }

  @Test func tooManyThatWaitAreRefusedAndTheEndAnswersThem() throws {
    var limits = Documents.Limits()
    limits.waiting = 2
    // Never started: all wait.
    let (documents, builder) = (Documents(limits), Builder())
    var waiting: [Exchange] = []
    for _ in 0..<2 {
      let exchange = Exchange(slot: 0)
      exchange.open()
      #expect(try documents.answer(exchange, name("a")) { builder.build(name("a")) })
      waiting.append(exchange)
    }
    #expect(throws: Problem.self) {
      try documents.answer(Exchange(slot: 0), name("a")) { builder.build(name("a")) }
    }
    documents.end()
    #expect(waiting.map(\.status) == [503, 503] && builder.counts.withLock { $0.isEmpty })
    #expect(throws: Problem.self) {
      try documents.answer(Exchange(slot: 0), name("a")) { builder.build(name("a")) }
    }
  }

  @Test func whoHasLeftGetsNothingBuilt() throws {
    let (documents, builder) = (Documents(), Builder())
    let exchange = Exchange(slot: 0)
    exchange.open()
    #expect(try documents.answer(exchange, name("gone")) { builder.build(name("gone")) })
    exchange.close()
    documents.start()
    defer { documents.end() }
    _ = try ask(documents, name("a"), builder)
    #expect(builder.counts.withLock { $0 } == ["a": 1] && exchange.status == 0)
  }

  @Test func aBuildThatFailsIsAnsweredAndTriedAgain() throws {
    let documents = Documents()
    documents.start()
    defer { documents.end() }
    for _ in 0..<2 {
      let exchange = Exchange(slot: 0)
      exchange.open()
      let woken = Monitor(false)
      exchange.wake = { _ in woken.signal { $0 = true } }
      let isLater = try documents.answer(exchange, name("a")) { () throws(Problem) in
        throw Problem(422, "a.b", "c")
      }
      if isLater, exchange.park() { _ = woken.wait { $0 ? true : nil } }
      #expect(exchange.status == 422 && documents.keptBytes == 0)
    }
  }
}
