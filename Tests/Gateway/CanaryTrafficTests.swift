import Doubles
import Domain
import Kernel
import Testing

@testable import Application
@testable import Gateway

/// What a canary's comparison counts of the requests that come to it.
@Suite struct CanaryTrafficTests {
  private static let header = ("x-new", "1")

  private func start(_ site: Site, _ behaviour: FakePlugin.Behaviour) throws -> Canary {
    let old = try #require(site.automations.live("a")?.generation)
    let next = site.make(behaviour)
    let manifest = next.generation.manifest
    let planned = ChangeAutomation.Planned(
      candidate: .init(
        path: "/a.so",
        facts: PluginFileFacts(bytes: 1, sha256: "", sealedManifest: nil, neededLibraries: []),
        manifest: manifest, manifestBytes: Array(Site.manifest.utf8)),
      config: Array("{}".utf8), isolation: .inProcess, source: nil,
      plan: try PlanGeneration(schemas: OpenSchemas(), stores: EmptyStores())(
        manifest, config: Array("{}".utf8)), lint: LintReport(), previous: old)
    var rule = CanaryRule()
    (rule.percent, rule.header) = (0, "x-new")
    let canary = Canary(.init(automation: next, planned: planned), baseline: old, rule: rule)
    try site.automations.begin(canary, limit: 1)
    return canary
  }

  /// A caller who sends a body for minutes would have any canary rolled back, or hide a slow one.
  @Test func theTimeOfABodyIsNotTheHandlers() throws {
    let site = Site()
    let canary = try start(site, .answers)
    for (headers, body) in [([Self.header], "x"), ([], "x"), ([Self.header], "")] {
      let exchange = site.exchange(
        body.isEmpty ? "GET" : "POST", body.isEmpty ? "/a/1" : "/a/",
        headers: headers + [("authorization", "Bearer \(site.writer)")])
      exchange.started = Instant(nanoseconds: Instant.now.nanoseconds - 600_000_000_000)
      guard case .readBody = site.gateway.begin(exchange) else { throw Problem(500, "test", "refused") }
      exchange.body.append(body.isEmpty ? "" : #"{"name":"x"}"#)
      #expect(site.gateway.handle(exchange) == .answered)
      site.gateway.conclude(exchange)
      site.gateway.finished(exchange, sent: true)
    }
    let (new, old) = canary.figures
    #expect(new.requests == 2 && old.requests == 1 && old.meanMilliseconds < 300_000)
    // The one without a body took as long as it took.
    #expect((299_000..<600_000).contains(new.meanMilliseconds), "\(new.meanMilliseconds)")
  }

  @Test func whatTheLedgerAnswersSaysNothingOfACanary() throws {
    let site = Site()
    let headers = [Self.header, ("idempotency-key", "k")]
    let canary = try start(site, .says(500, "application/json", "{}"))
    for isReplayed in [false, true] {
      let answer = site.send("POST", "/a/safe", body: "{}", key: site.writer, headers: headers)
      #expect(answer.status == 500 && (answer.header("Idempotency-Replayed") == "true") == isReplayed)
    }
    #expect(canary.figures.new.requests == 1)
  }

  @Test func anInlineHandlerOfACanaryThatBlocksIsMovedToo() throws {
    let site = Site(inline: .init(blockedAfter: .seconds(1), strikes: 1))
    let canary = try start(site, .runs { _ in for _ in 0..<3 { site.gateway.inlineWatch.look(at: .now) } })
    let route = try #require(canary.candidate.routes.last)
    #expect(route.isInline)
    let exchange = site.exchange(
      "GET", "/a/inline", headers: [("authorization", "Bearer \(site.reader)"), Self.header])
    exchange.started = Instant(nanoseconds: Instant.now.nanoseconds - 100_000_000_000)
    guard case .readBody = site.gateway.begin(exchange) else { throw Problem(500, "test", "refused") }
    site.gateway.inlineWatch.look(at: exchange.started)
    #expect(site.gateway.handle(exchange) == .answered)
    site.gateway.conclude(exchange)
    site.gateway.finished(exchange, sent: true)
    #expect(route.isMovedToWorkers && !route.isInline)
    #expect(site.log.text.contains("an inline handler blocks its event thread"))
    #expect(site.automations.live("a")?.routes.last?.isInline == true)
  }
}
