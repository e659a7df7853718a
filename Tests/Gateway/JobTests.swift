import Application
import Domain
import Doubles
import Gateway
import Kernel
import Patience
import Testing

/// Calls that outlast their client's patience.
@Suite struct JobTests {
  private static let answer = HeldCalls.answer

  private func site(
    _ limits: Jobs.Limits = .init(after: .milliseconds(1)), _ held: HeldCalls? = nil
  ) -> Site { .ofJobs(limits, held) }

  private func inside(_ site: Site) -> Int { site.automations.live("a")?.generation.requestsInside ?? -1 }

  @Test func aCallThatLastsBecomesAJobAndItsAnswerIsKept() throws {
    let held = HeldCalls()
    let site = site(.init(after: .milliseconds(1)), held)
    site.gateway.jobs.start()
    defer { site.gateway.jobs.end() }
    let accepted = WaitingRequest(site, key: site.reader).conclude()
    let body = accepted.body
    #expect(accepted.status == 202 && body?["status"] == "running" && body?["poll_after_s"]?.integer == 2)
    let id = try #require(body?["job"]?.string)
    #expect(site.audit.rows.last?.status == 202 && inside(site) == 1 && !site.gateway.jobs.isIdle)
    let running = site.send("GET", "/jobs/\(id)", key: site.reader)
    #expect(
      running.status == 202 && running.header("Location") == "/jobs/\(id)"
        && running.header("Retry-After") == "2")
    #expect(held.answer() && !held.answer())
    #expect(inside(site) == 0 && site.spare.taken == 0 && site.gateway.jobs.isIdle)
    for _ in 0..<2 {
      let ended = site.send("GET", "/jobs/\(id)", key: site.reader)
      #expect(ended.status == 200 && ended.body == JobTests.answer)
    }
    #expect(site.send("GET", "/jobs/\(id)", key: site.writer).code == "job.not_found")
    #expect(site.send("DELETE", "/jobs/\(id)", key: site.writer).code == "job.not_found")
    #expect(site.send("DELETE", "/jobs/\(id)", key: site.reader).status == 204)
    #expect(site.send("GET", "/jobs/\(id)", key: site.reader).code == "job.not_found")
  }

  @Test func aCallThatEndsInTimeIsAnsweredAsEver() {
    let held = HeldCalls()
    let site = site(.init(after: .seconds(60)), held)
    site.gateway.jobs.start()
    defer { site.gateway.jobs.end() }
    let waiting = WaitingRequest(site, key: site.reader)
    #expect(inside(site) == 2 && !waiting.isWoken && held.answer())
    #expect(waiting.conclude().status == 200)
    #expect(inside(site) == 0 && site.spare.taken == 0)
  }

  @Test func anAnswerThatIsNotAsDeclaredIsWithheldFromAJobToo() throws {
    let site = site()
    site.serve(behaviour: .says(200, "application/json", #"{"secret":1}"#), manifest: HeldCalls.manifest)
    let id = try accepted(site)
    let ended = site.send("GET", "/jobs/\(id)", key: site.reader)
    #expect(ended.status == 500 && ended.code == "plugin.answer_invalid")
  }

  private func accepted(_ site: Site, _ query: String = "") throws -> String {
    let answer = site.send("GET", "/a/long\(query)", key: site.reader, headers: [("prefer", "respond-async")])
    #expect(answer.status == 202 && answer.header("Preference-Applied") == "respond-async")
    return try #require(try JSONValue.parse(answer.body.utf8.span)["job"]?.string)
  }

  @Test func aClientMayAskForAJobAtOnceWhereOneMayBe() throws {
    let site = site(.init(after: .seconds(60)))
    let id = try accepted(site)
    #expect(site.send("GET", "/jobs/\(id)", key: site.reader).body == JobTests.answer)
    let brief = site.send("GET", "/a/brief", key: site.reader, headers: [("prefer", "respond-async")])
    #expect(brief.status == 200)
    #expect(inside(site) == 0 && site.spare.taken == 0)
  }

  @Test func aJobsAnswerIsShapedAsItsRequestAsked() throws {
    let site = site()
    let id = try accepted(site, "?max_chars=64")
    #expect(site.send("GET", "/jobs/\(id)", key: site.reader).body == JobTests.answer)
    site.serve(
      behaviour: .says(200, "application/json", #"{"name":"\#(String(repeating: "n", count: 64))"}"#),
      manifest: HeldCalls.manifest)
    let long = try accepted(site, "?max_chars=64")
    #expect(site.send("GET", "/jobs/\(long)", key: site.reader).code == "answer.too_large")
    #expect(
      site.send("GET", "/jobs/\(id)", key: site.reader, headers: [("accept", "text/markdown")]).body
        .hasPrefix("| Field"))
  }

  @Test func aClientThatLeavesTakesItsCallWithIt() throws {
    let held = HeldCalls()
    let site = site(.init(after: .seconds(60)), held)
    let waiting = WaitingRequest(site, key: site.reader)
    site.gateway.finished(waiting.exchange, sent: false)
    let call = try #require(held.exchange)
    #expect(call.isAbandoned && inside(site) == 1)
    let watch = DeadlineWatch(
      site.spare, automations: site.automations, log: MemoryLog(), interval: .milliseconds(1))
    watch.start()
    defer { watch.end() }
    #expect(eventually { site.spare.taken == 0 && inside(site) == 0 } && !held.answer())
  }

  @Test func aCancelledJobIsGoneAndItsHandlerIsTold() throws {
    let held = HeldCalls()
    let site = site(.init(after: .seconds(60)), held)
    let id = try accepted(site)
    #expect(site.send("DELETE", "/jobs/\(id)", key: site.reader).status == 204)
    #expect(held.exchange?.isAbandoned == true)
    #expect(site.send("GET", "/jobs/\(id)", key: site.reader).code == "job.not_found")
    // It may still answer, and nobody hears.
    #expect(held.answer() && site.spare.taken == 0)
    #expect(site.send("GET", "/jobs/\(id)", key: site.reader).code == "job.not_found")
  }

  @Test func thereAreNoMoreJobsThanMayBe() throws {
    let held = HeldCalls()
    let site = site(.init(after: .seconds(60), count: 1), held)
    let first = try accepted(site)
    let second = WaitingRequest(site, key: site.reader)
    #expect(held.answer())
    #expect(second.conclude().status == 200)
    #expect(site.send("GET", "/jobs/\(first)", key: site.reader).status == 202)
  }

  @Test func keptAnswersGoOldestFirst() throws {
    let site = site(.init(after: .seconds(60), count: 2, sharePercent: 100))
    let ids = try (0..<3).map { _ in try accepted(site) }
    #expect(ids.map { site.send("GET", "/jobs/\($0)", key: site.reader).status } == [404, 200, 200])
    let small = self.site(.init(after: .seconds(60), bytes: 1))
    #expect(small.send("GET", "/jobs/\(try accepted(small))", key: small.reader).status == 404)
  }

  @Test func answersAreKeptForAWhile() throws {
    let site = site(.init(after: .seconds(60), kept: .milliseconds(1)))
    let id = try accepted(site)
    site.gateway.jobs.start()
    defer { site.gateway.jobs.end() }
    #expect(
      eventually {
        site.send("GET", "/jobs/\(id)", key: site.writer).status == 404 && site.gateway.jobs.count.kept == 0
      })
    #expect(site.gateway.jobs.count.running == 0)
  }

  @Test func aJobOfAHostBeforeIsSaidToBeLost() throws {
    let site = site()
    let id = try accepted(self.site())
    let lost = site.send("GET", "/jobs/\(id)", key: site.reader)
    #expect(lost.status == 410 && lost.code == "job.lost")
    for id in ["x", "a-b", "12345678-short", String(repeating: "f", count: 200)] {
      #expect(site.send("GET", "/jobs/\(id)", key: site.reader).code == "job.not_found")
    }
  }
}
