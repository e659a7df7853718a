import Application
import Domain
import Kernel
import Patience
import RecordsContract
import SQLiteStore
import Testing

@Suite struct ExpiryTests {
  private static let sessions = CollectionDeclaration(
    name: "accounts",
    fields: [
      FieldDeclaration(name: "text", type: .string, searchable: true),
      FieldDeclaration(name: "ends", type: .timestamp),
    ], expires: ExpiryDeclaration(field: "ends"))

  private func configuration(_ clock: TestClock, sweep: Duration, batch: Int = 500) -> SQLiteConfiguration {
    var configuration = StoreUnderTest.patient
    configuration.clock = { clock.now }
    configuration.sweepInterval = sweep
    configuration.sweepBatch = batch
    return configuration
  }

  private func rows(_ store: StoreUnderTest) throws -> Int64 {
    let statement = try store.foreign().prepare("SELECT count(*) FROM accounts")
    _ = try statement.step()
    return statement.integer(0)
  }

  @Test func whatHasEndedIsRemovedInTheBackground() throws {
    let clock = TestClock()
    let store = try StoreUnderTest(configuration(clock, sweep: .milliseconds(5), batch: 7), [Self.sessions])
    try store.fill(100) { "{\"text\":\"moon\",\"ends\":\($0 < 60 ? 10 : 1000)}" }
    #expect(try rows(store) == 100)
    let commits = store.figures.commits
    clock.advance(by: .seconds(10))
    #expect(eventually { (try? rows(store)) == 40 }, "the sweep has been")
    // The sweep is no caller's write.
    #expect(store.figures.commits == commits)
    #expect(try store.records.json(.count, in: "accounts", #"{"search":"moon"}"#)["count"] == 40)
    try store.foreign().execute(
      "INSERT INTO \"search:accounts:words\"(\"search:accounts:words\") VALUES('integrity-check')")
    clock.advance(by: .seconds(1000))
    #expect(eventually { (try? rows(store)) == 0 }, "the rest goes too")
  }

  @Test func writesGoOnBetweenTheBatchesOfASweep() throws {
    let clock = TestClock()
    let store = try StoreUnderTest(configuration(clock, sweep: .milliseconds(1), batch: 1), [Self.sessions])
    try store.fill(300) { _ in #"{"ends":10}"# }
    clock.advance(by: .seconds(10))
    for _ in 0..<20 { _ = try store.records.call(.insert, in: "accounts", "{}") }
    #expect(eventually { (try? rows(store)) == 20 }, "the sweep has been")
  }

  @Test func aSweepWithoutWritesKeepsTheLogShort() throws {
    let clock = TestClock()
    var configuration = configuration(clock, sweep: .milliseconds(1), batch: 1)
    configuration.checkpointPages = 10
    configuration.restartPages = 20
    let store = try StoreUnderTest(configuration, [Self.sessions])
    try store.fill(400) { _ in #"{"text":"moon","ends":10}"# }
    clock.advance(by: .seconds(10))
    #expect(eventually { (try? rows(store)) == 0 }, "the sweep has been")
    // 400 commits of several pages each.
    #expect(store.folder.size(of: "bank.sqlite-wal") < 200 * 4120)
  }

  @Test func whatAnOpenGenerationStillShowsIsNotRemoved() throws {
    let clock = TestClock()
    var plain = Self.sessions
    plain.expires = nil
    let store = try StoreUnderTest(configuration(clock, sweep: .milliseconds(1)), [plain])
    _ = try store.records.call(.insert, in: "accounts", key: "a", #"{"ends":"2001-01-01T00:00:00Z"}"#)
    let new = try RecordsUnderTest(store.stores, collections: [Self.sessions])
    #expect(new.problem(.get, in: "accounts", key: "a").code == "records.not_found")
    for _ in 0..<20 { _ = try new.call(.put, in: "accounts", key: "b", "{}") }
    #expect(try rows(store) == 2)
    store.store.close()
    #expect(eventually { (try? rows(store)) == 1 }, "now it goes")
  }

  @Test func theSweepGoesByTheFieldsIndexAndPagesByTheirOrders() throws {
    let clock = TestClock()
    let store = try StoreUnderTest(configuration(clock, sweep: .seconds(3600)), [Self.sessions])
    let connection = try store.foreign()
    let statement = try connection.prepare(
      "EXPLAIN QUERY PLAN DELETE FROM accounts WHERE id IN (SELECT id FROM accounts WHERE ends<=? LIMIT ?)")
    var plan: [String] = []
    while try statement.step() { plan.append(statement.text(3)) }
    #expect(
      plan.contains("SEARCH accounts USING COVERING INDEX index:accounts:ends (ends<?)"), "\(plan)")
    let page = try store.store.explain(collection: 0, input: #"{"order":["-created_at"]}"#.utf8.span)
    #expect(page.plan == ["SCAN accounts USING INDEX index:accounts:created_at"], "\(page.plan)")
    let mine = try store.store.explain(
      collection: 0, input: #"{"where":{"ends":{"lt":"2100-01-01T00:00:00Z"}},"order":["ends"]}"#.utf8.span)
    #expect(mine.plan[0].contains("index:accounts:ends (ends<?)"), "\(mine.plan)")
  }
}
