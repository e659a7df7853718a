import Application
import Doubles
import Gateway
import Kernel
import Patience
import Testing

/// Calls with an idempotency key that outlast their client, and the share that one caller may have of all jobs.
@Suite struct KeyedJobTests {
  private let held = HeldCalls()
  private static let keyed = ("idempotency-key", "k-1")

  private func site(_ limits: Jobs.Limits = .init(after: .seconds(60))) -> Site { .ofJobs(limits, held) }

  private func change(
    _ site: Site, _ headers: [(String, String)] = [], body: String = "{}"
  ) -> Site.Answer {
    site.send("POST", "/a/long", body: body, key: site.writer, headers: [KeyedJobTests.keyed] + headers)
  }

  private func waiting(_ site: Site, key: String? = nil) -> WaitingRequest {
    WaitingRequest(
      site, "POST", "/a/long", body: "{}", key: key ?? site.writer, headers: [KeyedJobTests.keyed])
  }

  @Test func aKeyedCallThatLastsBecomesAJobAndTheLedgerKeepsItsAnswer() throws {
    let site = site(.init(after: .milliseconds(1)))
    site.gateway.jobs.start()
    let accepted = waiting(site).conclude()
    // No later call becomes a job, however slow this machine is.
    site.gateway.jobs.end()
    let job = try #require(accepted.body?["job"]?.string)
    #expect(accepted.status == 202 && site.ledger.count == 1)

    // Sent again meanwhile, by a client that lost the 202: the draft's 409, with the handle.
    let repeated = change(site)
    let problem = try JSONValue.parse(repeated.body.utf8.span)
    #expect(repeated.status == 409 && repeated.code == "idempotency.in_progress")
    #expect(problem["job"]?.string == job && problem["poll"]?.string == "/jobs/\(job)")
    #expect(problem["detail"]?.string?.contains("jobs_get") == true && repeated.header("Retry-After") == "1")
    #expect(change(site, body: #"{"other":1}"#).code == "idempotency.key_reused")
    #expect(held.count == 1)

    #expect(held.answer() && site.gateway.jobs.isIdle && site.spare.taken == 0)
    let ended = site.send("GET", "/jobs/\(job)", key: site.writer)
    #expect(ended.body == HeldCalls.answer && ended.header("Idempotency-Expires") != nil)
    #expect(site.audit.rows.last?.isReplayed == false)
    for _ in 0..<2 {
      let replayed = change(site)
      #expect(replayed.body == HeldCalls.answer && replayed.header("Idempotency-Replayed") == "true")
      #expect(site.audit.rows.last?.isReplayed == true && site.audit.rows.last?.job == nil)
    }
    // Also when the job itself is forgotten.
    #expect(site.send("DELETE", "/jobs/\(job)", key: site.writer).status == 204)
    #expect(change(site).body == HeldCalls.answer && held.count == 1)
  }

  @Test func aKeyedCallThatEndsInTimeIsAnsweredAsEver() {
    let site = site()
    let call = waiting(site)
    #expect(held.answer())
    let answer = call.conclude()
    #expect(answer.status == 200 && answer.header("Idempotency-Expires") != nil)
    #expect(site.spare.taken == 0 && site.gateway.jobs.count.kept == 0)
    #expect(change(site, [("prefer", "handling=strict")]).header("Idempotency-Replayed") == "true")
  }

  @Test func aKeyedCallRunsOnWhenItsClientLeaves() {
    let site = site()
    let gone = waiting(site)
    site.gateway.finished(gone.exchange, sent: false)
    #expect(held.exchange?.isAbandoned == false && held.answer() && site.spare.taken == 0)
    #expect(change(site).header("Idempotency-Replayed") == "true")
  }

  @Test func aKeyedJobThatIsCancelledEndsWithoutAnOutcome() throws {
    let site = site()
    let accepted = change(site, [("prefer", "respond-async")])
    let job = try #require(try JSONValue.parse(accepted.body.utf8.span)["job"]?.string)
    #expect(site.send("DELETE", "/jobs/\(job)", key: site.writer).status == 204)
    let call = try #require(held.exchange)
    #expect(call.isAbandoned)
    let watch = DeadlineWatch(
      site.spare, automations: site.automations, log: site.log, interval: .milliseconds(1))
    watch.start()
    defer { watch.end() }
    #expect(eventually { site.spare.taken == 0 } && !held.answer())
    #expect(change(site).code == "idempotency.outcome_unknown" && held.count == 1)
  }

  // MARK: Shares

  private func job(_ site: Site, key: String) -> Bool {
    site.send("GET", "/a/long", key: key, headers: [("prefer", "respond-async")]).status == 202
  }

  private func isKeptWaiting(_ site: Site, key: String) -> WaitingRequest {
    WaitingRequest(site, key: key, headers: [("prefer", "respond-async")])
  }

  @Test func oneKeyHasItsShareOfTheJobsAndLeavesTheRest() throws {
    let site = site(.init(after: .seconds(60), count: 4, sharePercent: 50))
    #expect(job(site, key: site.reader) && job(site, key: site.reader))
    // The third keeps its client waiting, as a call does that cannot become one.
    let third = isKeptWaiting(site, key: site.reader)
    #expect(site.gateway.jobs.count.running == 2)
    #expect(job(site, key: site.writer) && job(site, key: site.writer))
    let full = isKeptWaiting(site, key: try site.issue(scopes: ["a:read"]))
    #expect(site.gateway.jobs.count.running == 4)

    // An answer that is kept makes room for a job of the same key, not for another's.
    #expect(held.answer(number: 0))
    #expect(site.gateway.jobs.count.running == 3 && site.gateway.jobs.count.kept == 1)
    let fourth = isKeptWaiting(site, key: site.writer)
    #expect(site.gateway.jobs.count.kept == 1)
    #expect(job(site, key: site.reader))
    #expect(site.gateway.jobs.count.running == 4 && site.gateway.jobs.count.kept == 0)
    for (number, waiting) in [(2, third), (5, full), (6, fourth)] {
      #expect(held.answer(number: number) && waiting.conclude().status == 200)
    }
  }

  /// As limits count: an IPv4 address, or the first half of an IPv6 one.
  @Test func anAddressHasAShareWhereThereIsNoKey() {
    let site = Site.ofJobs(.init(after: .seconds(60), count: 4, sharePercent: 1), held, anonymous: 100)
    let (ours, others): ((UInt64, UInt64), (UInt64, UInt64)) = ((0x2001_0DB8, 1), (0, 0xFFFF_0A00_0001))
    for peer in [ours, others] {
      let answer = site.send("GET", "/a/open", headers: [("prefer", "respond-async")], peer: peer)
      #expect(answer.status == 202, "\(answer)")
    }
    let neighbour = WaitingRequest(
      site, "GET", "/a/open", key: nil, headers: [("prefer", "respond-async")], peer: (ours.0, 2))
    #expect(site.gateway.jobs.count.running == 2 && held.answer() && neighbour.conclude().status == 200)
  }

  @Test func keptAnswersOfOneKeyGoBeforeThoseOfOthers() throws {
    let size = HeldCalls.answer.utf8.count
    // Room for hundreds of answers, of which one key may have some.
    let site = site(.init(after: .seconds(60), count: 1000, bytes: 20_000 * size, sharePercent: 1))
    #expect(job(site, key: site.writer) && held.answer())
    var jobs: [String] = []
    for _ in 0..<40 {
      let answer = site.send("GET", "/a/long", key: site.reader, headers: [("prefer", "respond-async")])
      jobs.append(try #require(try JSONValue.parse(answer.body.utf8.span)["job"]?.string))
      #expect(held.answer())
    }
    let kept = jobs.filter { site.send("GET", "/jobs/\($0)", key: site.reader).status == 200 }
    // At most ten by their number, and the newest ones.
    #expect(kept == Array(jobs.suffix(kept.count)) && kept.count <= 10 && !kept.isEmpty)
    #expect(site.gateway.jobs.count.kept == kept.count + 1)
  }

  @Test func anAnswerLargerThanAShareIsKeptUntilTheNext() throws {
    let site = site(.init(after: .seconds(60), bytes: 10_000, sharePercent: 1))
    let first = site.send("GET", "/a/long", key: site.reader, headers: [("prefer", "respond-async")])
    let job = try #require(try JSONValue.parse(first.body.utf8.span)["job"]?.string)
    let long = #"{"name":"\#(String(repeating: "n", count: 500))"}"#
    #expect(held.answer(long))
    #expect(site.send("GET", "/jobs/\(job)", key: site.reader).body == long)
    #expect(self.job(site, key: site.reader) && held.answer(long))
    #expect(site.send("GET", "/jobs/\(job)", key: site.reader).code == "job.not_found")
    #expect(site.gateway.jobs.count.kept == 1)
  }
}
