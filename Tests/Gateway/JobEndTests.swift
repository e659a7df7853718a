import Application
import Domain
import Doubles
import Gateway
import Kernel
import Patience
import Testing

/// How a job ended stands in the audit trail, whether anybody looked or not.
@Suite struct JobEndTests {
  private let held = HeldCalls()

  private func site(_ limits: Jobs.Limits = .init(after: .seconds(60))) -> Site { .ofJobs(limits, held) }

  private func accepted(
    _ site: Site, _ method: String = "GET", key: String, headers: [(String, String)] = []
  ) throws -> (id: String, request: String) {
    let answer = site.send(
      method, "/a/long", body: method == "POST" ? "{}" : "", key: key,
      headers: headers + [("prefer", "respond-async")])
    let id = try #require(try JSONValue.parse(answer.body.utf8.span)["job"]?.string, "\(answer)")
    return (id, try #require(answer.header("X-Request-Id")))
  }

  private func watch(_ site: Site) -> DeadlineWatch {
    let watch = DeadlineWatch(
      site.spare, automations: site.automations, log: site.log, interval: .milliseconds(1))
    watch.start()
    return watch
  }

  private func awaitEnd(_ site: Site) {
    #expect(site.audit.state.eventually { $0.jobEnds.isEmpty ? nil : true } == true)
  }

  private func id(of key: String) -> KeyID? { KeyText.parse(key.utf8.span) }

  @Test func aJobsEndHasOneRowThatSaysWhoseCallItWas() throws {
    let site = site()
    let job = try accepted(site, key: site.reader)
    #expect(site.audit.jobEnds.isEmpty && held.answer())
    let end = try #require(site.audit.jobEnds.first)
    #expect(end.end == .ended && end.row.status == 200 && end.row.job == job.id)
    #expect(end.row.labels.contains(#""automation":"a""#) && end.row.labels.contains(#""operation":"long""#))
    #expect(end.key == id(of: site.reader) && end.key != nil && end.row.principal == "agent")
    #expect(end.requestID == job.request && end.path == "/a/long" && !end.row.isDryRun)
    #expect(end.durationMicroseconds >= 0)
    for _ in 0..<2 { #expect(site.send("GET", "/jobs/\(job.id)", key: site.reader).status == 200) }
    #expect(site.send("DELETE", "/jobs/\(job.id)", key: site.reader).status == 204)
    #expect(site.audit.jobEnds.count == 1)
  }

  @Test func aCallThatBecameAJobByLastingHasItsRowToo() throws {
    let site = site(.init(after: .milliseconds(1)))
    site.gateway.jobs.start()
    defer { site.gateway.jobs.end() }
    let answer = WaitingRequest(site, key: site.reader).conclude()
    #expect(answer.status == 202 && site.audit.jobEnds.isEmpty && held.answer())
    let end = try #require(site.audit.jobEnds.first)
    #expect(end.row.job == answer.body?["job"]?.string && end.requestID == answer.header("X-Request-Id"))
  }

  @Test func whatIsNoJobHasNoSuchRow() {
    let site = site()
    let inTime = WaitingRequest(site, key: site.reader)
    #expect(held.answer() && inTime.conclude().status == 200)
    let gone = WaitingRequest(site, key: site.reader)
    site.gateway.finished(gone.exchange, sent: false)
    #expect(held.answer() && site.spare.taken == 0 && site.audit.jobEnds.isEmpty)
  }

  @Test(arguments: [false, true]) func aCancelledJobSaysWhetherItAnsweredFirst(answers: Bool) throws {
    let site = site()
    let job = try accepted(site, key: site.reader)
    #expect(site.send("DELETE", "/jobs/\(job.id)", key: site.reader).status == 204)
    #expect(site.audit.jobEnds.isEmpty)
    if answers {
      #expect(held.answer())
    } else {
      let watch = watch(site)
      defer { watch.end() }
      awaitEnd(site)
      #expect(!held.answer())
    }
    #expect(site.audit.jobEnds.map(\.end) == [.cancelled])
    #expect(site.audit.jobEnds.first?.row.status == (answers ? 200 : 499))
    #expect(site.audit.jobEnds.first?.row.job == job.id && site.audit.jobEnds.first?.requestID == job.request)
    #expect(site.gateway.jobs.count.kept == 0)
  }

  @Test func aJobThatItsDeadlineEndsSaysSo() throws {
    let site = site()
    let job = try accepted(site, key: site.reader)
    let call = try #require(held.exchange)
    call.beginWaiting(for: try #require(call.waiting).serial, until: .now)
    let watch = watch(site)
    defer { watch.end() }
    awaitEnd(site)
    #expect(site.audit.jobEnds.map(\.end) == [.ended] && site.audit.jobEnds.map(\.row.status) == [504])
    #expect(site.send("GET", "/jobs/\(job.id)", key: site.reader).status == 504)
  }

  @Test func aJobThatAReplacementEndsSaysSo() throws {
    let site = site()
    _ = try accepted(site, key: site.reader)
    let generation = try #require(site.automations.live("a")).generation
    let watch = DeadlineWatch(site.spare, automations: site.automations, log: site.log)
    watch.cancelRequests(of: generation, Unanswered(503, "automation.replaced", "It was replaced."))
    #expect(site.audit.jobEnds.map(\.end) == [.ended] && site.audit.jobEnds.map(\.row.status) == [503])
  }

  @Test func aJobThatOutlivesItsHostIsLostOnce() throws {
    let site = site()
    let ended = try accepted(site, key: site.reader)
    #expect(held.answer())
    let running = try accepted(site, key: site.reader)
    for _ in 0..<2 { site.gateway.jobs.loseRest() }
    #expect(site.audit.jobEnds.map(\.row.job) == [ended.id, running.id])
    #expect(site.audit.jobEnds.map(\.end) == [.ended, .lost])
    #expect(site.audit.jobEnds.map(\.row.status) == [200, 410])
    #expect(held.answer() && site.audit.jobEnds.count == 2 && site.spare.taken == 0)
  }

  @Test func aWriteSaysWhatKindItWas() throws {
    let site = site()
    _ = try accepted(site, "POST", key: site.writer, headers: [("prefer", "dry-run")])
    #expect(held.answer())
    let keyed = ("idempotency-key", "k-1")
    _ = try accepted(site, "POST", key: site.writer, headers: [keyed])
    #expect(held.answer())
    // The ledger answers: no handler ran for this job.
    let replayed = try accepted(site, "POST", key: site.writer, headers: [keyed])
    #expect(site.audit.jobEnds.map(\.row.isDryRun) == [true, false, false])
    #expect(site.audit.jobEnds.map(\.row.isReplayed) == [false, false, true])
    #expect(site.audit.jobEnds.last?.row.job == replayed.id && held.count == 2)
    #expect(site.audit.jobEnds.allSatisfy { $0.key == id(of: site.writer) && $0.end == .ended })
  }

  @Test func whoHasNoKeyHasNoneInTheRow() throws {
    let site = site()
    let answer = site.send("GET", "/a/open", headers: [("prefer", "respond-async")])
    #expect(answer.status == 202 && held.answer())
    #expect(site.audit.jobEnds.map(\.key) == [nil] && site.audit.jobEnds.map(\.path) == ["/a/open"])
  }
}
