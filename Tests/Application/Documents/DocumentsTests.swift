import Application
import Domain
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

  /// What the routes do not allow stays so until they change; anything else may be different the next time.
  @Test(arguments: [(422, 1), (404, 2), (500, 2)])
  func aBuildThatFailsIsAnswered(status: Int, builds: Int) throws {
    let (documents, built) = (Documents(), Monitor(0))
    documents.start()
    defer { documents.end() }
    for _ in 0..<2 {
      let exchange = Exchange(slot: 0)
      exchange.open()
      let woken = Monitor(false)
      exchange.wake = { _ in woken.signal { $0 = true } }
      do throws(Problem) {
        let isLater = try documents.answer(exchange, name("a")) { () throws(Problem) in
          built.withLock { $0 += 1 }
          throw Problem(status, "a.b", "c")
        }
        if isLater, exchange.park() { _ = woken.wait { $0 ? true : nil } }
        #expect(exchange.status == status)
      } catch { #expect(error.status == status) }
    }
    #expect(built.withLock { $0 } == builds)
  }

  // MARK: Whom the thread works for

  /// A request that waits for a document; what is built is noted in its order.
  private func wait(
    for name: Documents.Name, in documents: Documents, _ order: Monitor<[Documents.Name]>
  ) throws -> Exchange {
    let exchange = Exchange(slot: 0)
    exchange.open()
    let isLater = try documents.answer(exchange, name) {
      order.withLock { $0.append(name) }
      return Document([65], "text/plain", digests: WeakDigests())
    }
    #expect(isLater)
    return exchange
  }

  private func key(_ text: String, of scopes: [String], _ matrix: ScopeMatrix) throws -> Documents.Name {
    Documents.Name(text, .scopes(try matrix.set(scopes)), version: 1)
  }

  @Test func requestsForTheSameDocumentWaitForOneBuild() throws {
    let (documents, order) = (Documents(), Monitor<[Documents.Name]>([]))
    let waiting = try (0..<5).map { _ in try wait(for: name("a"), in: documents, order) }
    documents.start()
    let (last, _) = try ask(documents, name("b"), Builder())
    documents.end()
    #expect(order.withLock { $0 } == [name("a")] && last.status == 200)
    #expect(waiting.allSatisfy { $0.status == 200 && $0.answerBody.count == 1 })
  }

  @Test func whoeverElseWaitsIsNext() throws {
    let (documents, order, matrix) = (Documents(), Monitor<[Documents.Name]>([]), ScopeMatrix())
    let strangers = ["a", "b", "c"].map { name($0) }
    let mine = try key("a", of: ["x:read"], matrix)
    let other = try key("a", of: ["y:read"], matrix)
    for name in strangers + [mine, other] { _ = try wait(for: name, in: documents, order) }
    documents.start()
    _ = try ask(documents, name("last"), Builder())
    documents.end()
    // Two of the same never follow each other while another waits.
    #expect(order.withLock { $0 } == [strangers[0], mine, strangers[1], other, strangers[2]])
  }

  @Test func callersWithTheSameRightsHaveFewBuildsWaiting() throws {
    var limits = Documents.Limits()
    limits.builds = 2
    let (documents, order, matrix) = (Documents(limits), Monitor<[Documents.Name]>([]), ScopeMatrix())
    for text in ["a", "b", "b"] { _ = try wait(for: name(text), in: documents, order) }
    let refused = #expect(throws: Problem.self) {
      _ = try self.wait(for: self.name("c"), in: documents, order)
    }
    #expect(refused?.code == "documents.busy" && refused?.retryAfterSeconds == 1)
    // Others have their own.
    let mine = try wait(for: try key("c", of: ["x:read"], matrix), in: documents, order)
    documents.end()
    #expect(mine.status == 503)
  }
}
