import Application
import Domain
import Kernel
import Patience
import RecordsContract
import SQLiteStore
import Synchronization
import Testing

@Suite struct WriterTests {
  /// Holds the file's write lock, as another process would, while `body` runs.
  private func locked(_ store: StoreUnderTest, _ body: () throws -> Void) throws {
    let foreign = try store.foreign()
    try foreign.execute("BEGIN IMMEDIATE")
    try body()
    try foreign.execute("ROLLBACK")
  }

  /// Runs one call per input on threads of their own, and waits until so many wait behind the first.
  private func queue(
    _ store: StoreUnderTest, _ inputs: [String], answers: Answers
  ) -> [OSThread] {
    var threads: [OSThread] = []
    let taken = store.figures.taken
    for (index, input) in inputs.enumerated() {
      let records = store.records.store
      threads.append(
        OSThread("caller") {
          do throws(Problem) {
            let isBatch = input.hasPrefix("{\"operations\"")
            _ = try RecordsUnderTest(records).call(isBatch ? .batch : .insert, input)
            answers.add(nil)
          } catch {
            answers.add(error)
          }
        })
      // The first is taken by the writer, and waits for the lock; the others stay in the queue.
      if index == 0 {
        #expect(eventually { store.figures.taken == taken + 1 }, "the writer takes the first")
      }
    }
    return threads
  }

  final class Answers: Sendable {
    private let all = Monitor<[Problem?]>([])

    func add(_ problem: Problem?) { all.withLock { $0.append(problem) } }
    var problems: [Problem] { all.withLock { $0.compactMap { $0 } } }
    var successes: Int { all.withLock { $0.count { $0 == nil } } }
  }

  @Test func writesThatWaitShareOneCommit() throws {
    let store = try StoreUnderTest()
    let answers = Answers()
    let before = store.figures
    var threads: [OSThread] = []
    try locked(store) {
      threads = queue(store, (0..<33).map { "{\"name\":\"n\($0)\"}" }, answers: answers)
      #expect(eventually { store.figures.waiting == 32 }, "32 wait")
      #expect(answers.successes == 0)
    }
    for thread in threads { thread.join() }
    #expect(answers.successes == 33)
    #expect(store.figures.writes - before.writes == 33)
    #expect(store.figures.commits - before.commits == 2)
    #expect(try store.records.json(.count)["count"] == 33)
  }

  @Test func oneFailureInAGroupTakesNothingElseBack() throws {
    let store = try StoreUnderTest()
    try store.records.insert(#"{"email":"taken"}"#)
    let answers = Answers()
    let before = store.figures
    var threads: [OSThread] = []
    try locked(store) {
      let emails = ["first", "a", "taken", "b", "a", "c"]
      threads = queue(store, emails.map { "{\"email\":\"\($0)\"}" }, answers: answers)
      #expect(eventually { store.figures.waiting == 5 }, "5 wait")
    }
    for thread in threads { thread.join() }
    #expect(answers.successes == 4)
    #expect(answers.problems.map(\.code) == ["records.conflict", "records.conflict"])
    #expect(store.figures.commits - before.commits == 2)
    #expect(try store.records.json(.count)["count"] == 5)
  }

  @Test func aBatchThatFailsInAGroupLeavesNothingBehind() throws {
    let store = try StoreUnderTest()
    try store.records.insert(#"{"email":"taken"}"#)
    let answers = Answers()
    var threads: [OSThread] = []
    try locked(store) {
      let batch =
        #"{"operations":[{"op":"insert","document":{}},{"op":"insert","document":{"email":"taken"}}]}"#
      threads = queue(store, ["{}", "{}", batch, "{}"], answers: answers)
      #expect(eventually { store.figures.waiting == 3 }, "3 wait")
    }
    for thread in threads { thread.join() }
    #expect(answers.successes == 3)
    #expect(answers.problems.map { $0.members["operation"] } == [1])
    #expect(try store.records.json(.count)["count"] == 4)
  }

  @Test func aRunawayWriteIsStoppedAndItsNeighboursAreKept() throws {
    var configuration = StoreUnderTest.patient
    configuration.timeLimit = .zero
    let fields = (0..<200).map { FieldDeclaration(name: "f\($0)", type: .integer) }
    let store = try StoreUnderTest(
      configuration, [CollectionDeclaration(name: "accounts", fields: fields)])
    let records = store.records.store
    let failure = Monitor<Problem?>(nil)
    let answers = Answers()
    var threads: [OSThread] = []
    try locked(store) {
      threads = queue(store, ["{}", "{}"], answers: answers)
      #expect(eventually { store.figures.waiting == 1 }, "one waits")
      threads.append(
        OSThread("runaway") {
          let one = #"{"op":"insert","document":{}}"#
          let batch = "{\"operations\":[\((0..<100).map { _ in one }.joined(separator: ","))]}"
          do throws(Problem) {
            _ = try RecordsUnderTest(records).call(.batch, batch)
          } catch {
            failure.withLock { $0 = error }
          }
        })
      #expect(eventually { store.figures.waiting == 2 }, "two wait")
      threads += [
        OSThread("after") {
          answers.add((try? RecordsUnderTest(records).insert("{}")) == nil ? .recordsOverloaded : nil)
        }
      ]
      #expect(eventually { store.figures.waiting == 3 }, "three wait")
    }
    for thread in threads { thread.join() }
    #expect(failure.withLock { $0 }?.code == "records.timeout")
    #expect(failure.withLock { $0 }?.status == 504)
    #expect(answers.successes == 3)
    #expect(try store.records.page(#"{"limit":200}"#).count == 3)
  }

  @Test func aGroupIsBounded() throws {
    var configuration = StoreUnderTest.patient
    configuration.maxGroup = 4
    let store = try StoreUnderTest(configuration)
    let answers = Answers()
    let before = store.figures
    var threads: [OSThread] = []
    try locked(store) {
      threads = queue(store, (0..<9).map { "{\"name\":\"n\($0)\"}" }, answers: answers)
      #expect(eventually { store.figures.waiting == 8 }, "8 wait")
    }
    for thread in threads { thread.join() }
    #expect(store.figures.commits - before.commits == 3)
  }

  @Test func aFullQueueIsToldAtOnce() throws {
    var configuration = StoreUnderTest.patient
    configuration.maxQueuedWrites = 2
    let store = try StoreUnderTest(configuration)
    let answers = Answers()
    var threads: [OSThread] = []
    try locked(store) {
      threads = queue(store, (0..<3).map { "{\"name\":\"n\($0)\"}" }, answers: answers)
      #expect(eventually { store.figures.waiting == 2 }, "2 wait")
      let problem = store.records.problem(.insert, #"{"name":"late"}"#)
      #expect(problem.status == 503)
      #expect(problem.code == "records.overloaded")
      #expect(problem.retryAfterSeconds == 1)
      #expect(store.figures.waiting == 2)
    }
    for thread in threads { thread.join() }
    #expect(answers.successes == 3)
    #expect(try store.records.json(.count)["count"] == 3)
  }

  @Test func aWriteThatWaitedTooLongDoesNotHappen() throws {
    var configuration = StoreUnderTest.patient
    configuration.maxQueueWait = .milliseconds(500)
    let store = try StoreUnderTest(configuration)
    let answers = Answers()
    var threads: [OSThread] = []
    try locked(store) {
      threads = queue(store, ["{}"], answers: answers)
      #expect(store.records.problem(.insert, #"{"name":"late"}"#).code == "records.overloaded")
      #expect(store.figures.waiting == 0)
      // What the writer has begun is waited for: only its end tells whether it happened.
      #expect(answers.successes == 0 && answers.problems.isEmpty)
    }
    for thread in threads { thread.join() }
    #expect(answers.successes == 1)
    #expect(try store.records.json(.count)["count"] == 1)
  }

  @Test func aLockThatStaysIsUnavailableAndTheNextWriteWorks() throws {
    var configuration = StoreUnderTest.patient
    configuration.busyTimeout = .milliseconds(20)
    let store = try StoreUnderTest(configuration)
    try store.records.insert(#"{"name":"before"}"#, id: "a")
    try locked(store) {
      let problem = store.records.problem(.insert, #"{"name":"x"}"#)
      #expect(problem.status == 503)
      #expect(problem.code == "records.unavailable")
      #expect(problem.members["cause"] == "busy")
      #expect(problem.retryAfterSeconds == 1)
      // Readers do not wait for writers.
      let record = try store.records.json(.get, key: "a")
      #expect(record["name"] == "before")
    }
    try store.records.insert(#"{"name":"after"}"#)
    #expect(try store.records.json(.count)["count"] == 2)
  }

  @Test func incrementsFromManyThreadsAddUpWhileReadersSeeWholeStates() throws {
    let store = try StoreUnderTest()
    for id in ["a", "b"] { try store.records.insert(#"{"balance":1000}"#, id: id) }
    let failures = Atomic<Int>(0)
    let isDone = Atomic<Bool>(false)
    let records = store.records.store
    let readers = (0..<3).map { _ in
      OSThread("reader") {
        let under = RecordsUnderTest(records)
        while !isDone.load(ordering: .relaxed) {
          // One page is one state: what moves between two records is never lost or doubled in it.
          let page = try? under.page("{}", member: "balance")
          let sum = page?.compactMap(\.integer).reduce(0, +)
          if sum != 2000 { failures.add(1, ordering: .relaxed) }
          let one = try? under.call(.get, key: "a")
          if one.flatMap({ try? JSONValue.parse($0.json.span) }) == nil {
            failures.add(1, ordering: .relaxed)
          }
        }
      }
    }
    let writers = (0..<8).map { thread in
      OSThread("writer") {
        let under = RecordsUnderTest(records)
        let (from, to) = thread % 2 == 0 ? ("a", "b") : ("b", "a")
        for _ in 0..<25 {
          let batch = """
            {"operations":[{"op":"increment","id":"\(from)","increment":{"balance":-1}},
            {"op":"increment","id":"\(to)","increment":{"balance":1}}]}
            """
          if (try? under.call(.batch, batch)) == nil { failures.add(1, ordering: .relaxed) }
        }
      }
    }
    for thread in writers { thread.join() }
    isDone.store(true, ordering: .relaxed)
    for thread in readers { thread.join() }
    #expect(failures.load(ordering: .relaxed) == 0)
    #expect(try store.records.json(.get, key: "a")["balance"] == 1000)
    #expect(try store.records.call(.get, key: "a").version == 201)
  }

  @Test func aConditionalWriteWinsOnce() throws {
    let store = try StoreUnderTest()
    try store.records.insert(#"{"balance":0}"#, id: "a")
    let won = Atomic<Int>(0)
    let records = store.records.store
    let threads = (0..<8).map { thread in
      OSThread("writer") {
        let patch = "{\"balance\":\(thread)}"
        if (try? RecordsUnderTest(records).call(.patch, key: "a", patch, version: 1)) != nil {
          won.add(1, ordering: .relaxed)
        }
      }
    }
    for thread in threads { thread.join() }
    #expect(won.load(ordering: .relaxed) == 1)
    #expect(try store.records.call(.get, key: "a").version == 2)
  }

  @Test func closingWritesWhatWaits() throws {
    let store = try StoreUnderTest()
    let answers = Answers()
    var threads: [OSThread] = []
    var closing: OSThread?
    try locked(store) {
      threads = queue(store, (0..<5).map { "{\"name\":\"n\($0)\"}" }, answers: answers)
      #expect(eventually { store.figures.waiting == 4 }, "4 wait")
      let open = store.store
      closing = OSThread("closing") { open.close() }
    }
    for thread in threads { thread.join() }
    closing?.join()
    #expect(answers.successes == 5)
    let again = try RecordsUnderTest(store.stores, collections: [StoreUnderTest.plain])
    #expect(try again.json(.count)["count"] == 5)
  }

  @Test func theLogStartsAgainWhenItsPagesAreInTheFile() throws {
    var configuration = StoreUnderTest.patient
    configuration.checkpointPages = 10
    let store = try StoreUnderTest(configuration)
    for index in 0..<300 {
      try store.records.insert(
        "{\"name\":\"\(String(repeating: "x", count: 2000))\"}", id: StoreUnderTest.id(index))
      _ = try store.records.call(.get, key: StoreUnderTest.id(index))
    }
    // 300 writes of at least two pages each would have made a log of 600.
    #expect(store.folder.size(of: "bank.sqlite-wal") < 150 * 4120)
    #expect(store.folder.size(of: "bank.sqlite") > 100 * 4096)
    #expect(try store.records.json(.count)["count"] == 300)
  }
}
