import Application
import Doubles
import Kernel
import Testing

@testable import Gateway

@Suite struct InlineWatchTests {
  /// Sends an inline request that began so long ago, at whose handler the watch looks so often.
  private static func call(_ site: Site, age: Duration, looks: Int) -> Int {
    site.serve(
      behaviour: .runs { _ in
        for _ in 0..<looks { site.gateway.inlineWatch.look(at: .now) }
      })
    return ask(site, age: age)
  }

  /// `isLate`: the host itself held the request up, and the watch looked meanwhile.
  private static func ask(_ site: Site, age: Duration, isLate: Bool = false) -> Int {
    let exchange = site.exchange(
      "GET", "/a/inline", headers: [("authorization", "Bearer \(site.reader)")])
    exchange.started = Instant(nanoseconds: Instant.now.nanoseconds - age.nanoseconds)
    guard case .readBody = site.gateway.begin(exchange) else { return 0 }
    // The watch looked just before.
    if !isLate { site.gateway.inlineWatch.look(at: exchange.started) }
    #expect(site.gateway.handle(exchange) == .answered)
    site.gateway.conclude(exchange)
    site.gateway.finished(exchange, sent: true)
    return exchange.status
  }

  private static func lines(_ site: Site, _ text: String) -> Int {
    site.log.text.split(separator: "\n").filter { $0.contains(text) }.count
  }

  private static let second = InlineWatch.Limits(blockedAfter: .seconds(1), strikes: 3)

  /// What README names, where nobody says otherwise: one number, in one place.
  @Test func limitsThatNobodySetAreThoseOfAHost() {
    #expect(InlineWatch.Limits().blockedAfter == .milliseconds(5))
    #expect(Gateway.Limits().inline.blockedAfter == .milliseconds(5))
    #expect(Gateway.Limits().answerCharacters == 99_999)
    #expect(Gateway.Limits().jobs.after == .seconds(40) && Jobs.Limits().after == .seconds(40))
    #expect(StartGeneration.Defaults().deadline == .seconds(30))
  }

  @Test func aCallThatBlocksIsCountedOnceAndSaid() {
    let site = Site(inline: Self.second)
    let account = site.usage.account(of: "a")
    #expect(Self.call(site, age: .seconds(5), looks: 1) == 200)
    #expect(account.total(.blocked) == 1 && account.total(.inlineTime) >= 5_000_000_000)
    #expect(Self.lines(site, "an inline handler blocked its event thread") == 1)
  }

  @Test func aCallThatDoesNotReturnIsCountedWhileItRuns() {
    let site = Site(inline: Self.second)
    // The first look suspects it, the second counts it, and it returns.
    #expect(Self.call(site, age: .seconds(100), looks: 3) == 200)
    #expect(site.usage.account(of: "a").total(.blocked) == 1)
    #expect(Self.lines(site, "an inline handler blocks its event thread") == 1)
    #expect(Self.lines(site, "blocked its event thread") == 0)
  }

  @Test func aCallBelowTheLimitIsNotCounted() {
    let site = Site(inline: .init(blockedAfter: .seconds(1000)))
    // Old enough to be looked at, and then too young.
    for age in [900, 600, 100, 0] {
      #expect(Self.call(site, age: .seconds(age), looks: 2) == 200)
    }
    #expect(site.usage.account(of: "a").total(.blocked) == 0 && Self.lines(site, "event thread") == 0)
  }

  @Test func aRouteThatBlocksAgainAndAgainIsMovedToTheWorkersForThisGeneration() throws {
    let site = Site(inline: Self.second)
    site.serve(behaviour: .runs { _ in site.gateway.inlineWatch.look(at: .now) })
    func route() throws -> LiveRoute { try #require(site.automations.live("a")?.routes.last) }
    for call in 1...2 {
      #expect(Self.ask(site, age: .seconds(5)) == 200)
      #expect(try route().isInline && site.usage.account(of: "a").total(.blocked) == UInt64(call))
    }
    #expect(Self.ask(site, age: .seconds(5)) == 200)
    #expect(try !route().isInline && route().isMovedToWorkers)
    #expect(Self.lines(site, "is moved to the workers") == 1)
    // On a worker it blocks nobody.
    #expect(Self.ask(site, age: .seconds(5)) == 200)
    #expect(site.usage.account(of: "a").total(.blocked) == 3)
    // The line about each call comes at most once a second.
    #expect(Self.lines(site, "an inline handler blocked its event thread") <= 2)
    site.serve(behaviour: .answers)
    #expect(try route().isInline && !route().isMovedToWorkers)
  }

  @Test func theTimeBeforeTheHandlerIsNotItsOwn() {
    let site = Site(inline: Self.second)
    site.serve(behaviour: .runs { _ in for _ in 0..<3 { site.gateway.inlineWatch.look(at: .now) } })
    site.gateway.inlineWatch.look(at: .now)
    #expect(Self.ask(site, age: .seconds(100), isLate: true) == 200)
    #expect(site.usage.account(of: "a").total(.blocked) == 0)
    #expect(Self.ask(site, age: .seconds(100)) == 200)
    #expect(site.usage.account(of: "a").total(.blocked) == 1)
  }

  @Test func zeroStrikesMoveNothing() throws {
    let site = Site(inline: .init(blockedAfter: .seconds(1), strikes: 0))
    site.serve(behaviour: .runs { _ in site.gateway.inlineWatch.look(at: .now) })
    for _ in 0..<10 { #expect(Self.ask(site, age: .seconds(5)) == 200) }
    #expect(site.automations.live("a")?.routes.last?.isInline == true)
    #expect(site.usage.account(of: "a").total(.blocked) == 10)
  }

  @Test func sampledCallsStandForTheOthers() {
    let site = Site()
    site.serve(behaviour: .answers)
    let count = AutomationAccount.inlineSample * 3
    for _ in 0..<count { #expect(Self.ask(site, age: .zero) == 200) }
    let nanoseconds = site.usage.account(of: "a").total(.inlineTime)
    #expect(nanoseconds > 0 && nanoseconds % UInt64(AutomationAccount.inlineSample) == 0)
  }

  // MARK: Strikes

  @Test func strikesCountWithinTheirWindow() {
    var routes = BlockedRoutes()
    let (one, two) = (BlockedRoutes.Name(serial: 1, route: 1), BlockedRoutes.Name(serial: 1, route: 2))
    func strike(_ name: BlockedRoutes.Name, _ second: Int64) -> Int {
      routes.strike(name, at: Instant(nanoseconds: second * 1_000_000_000), window: .seconds(60))
    }
    #expect(strike(one, 100) == 1 && strike(two, 101) == 1 && strike(one, 159) == 2)
    // The first is 60 seconds old.
    #expect(strike(one, 160) == 2 && strike(one, 161) == 3)
    #expect(strike(two, 500) == 1)
  }

  @Test func strikesAreBoundedAndTheOldOnesGo() {
    var routes = BlockedRoutes()
    func strike(_ route: Int, _ second: Int64) -> Int {
      routes.strike(
        .init(serial: 1, route: route), at: Instant(nanoseconds: second * 1_000_000_000), window: .seconds(60)
      )
    }
    for route in 0..<5000 { #expect(strike(route, 100) == 1) }
    // There was no room to remember this one.
    #expect(strike(4999, 100) == 1 && strike(0, 100) == 2)
    #expect(strike(4999, 200) == 1 && strike(4999, 200) == 2)
  }
}
