import Application
import Doubles
import Gateway
import Kernel
import Testing

/// Jobs of calls by name, and looks that wait for the end of a job.
@Suite struct JobPollingTests {
  private let held = HeldCalls()

  private func site(_ limits: Jobs.Limits = .init(after: .seconds(60))) -> Site {
    .ofJobs(limits, held, ownPaths: [CallsByName()])
  }

  /// A job that runs.
  private func accepted(_ site: Site) throws -> String {
    let answer = site.send("GET", "/a/long", key: site.reader, headers: [("prefer", "respond-async")])
    #expect(answer.status == 202)
    return try #require(try JSONValue.parse(answer.body.utf8.span)["job"]?.string)
  }

  private func asking(_ site: Site, _ job: String, _ name: String = "jobs_get") -> WaitingRequest {
    WaitingRequest(site, "POST", "/call/\(name)", body: #"{"job":"\#(job)"}"#, key: site.reader)
  }

  @Test func aCallByNameThatLastsBecomesAJobToAskForByName() throws {
    let site = site(.init(after: .milliseconds(1)))
    site.gateway.jobs.start()
    defer { site.gateway.jobs.end() }
    let call = WaitingRequest(site, "POST", "/call/a_long", body: "{}", key: site.reader).conclude()
    #expect(call.body?["was"] == 202 && call.body?["answer"]?["status"] == "running")
    let job = try #require(call.body?["answer"]?["job"]?.string)
    let next = try #require(call.body?["answer"]?["detail"]?.string)
    #expect(
      next.contains("jobs_get") && next.contains("/jobs/\(job)") && next.contains("do not send it again"))
    #expect(site.audit.rows.last?.job == job && site.audit.rows.last?.labels.contains("\"long\"") == true)

    let waiting = asking(site, job)
    #expect(!waiting.isWoken && held.answer())
    let ended = waiting.conclude()
    #expect(ended.body?["was"] == 200 && ended.body?["answer"] == ["name": "n"])
    #expect(site.audit.rows.last?.job == job && site.audit.rows.last?.status == 200)
    // What has ended is there at once, by name and by path, for that key alone.
    let body = #"{"job":"\#(job)"}"#
    #expect(site.send("POST", "/call/jobs_get", body: body, key: site.reader).body.contains(#""was":200"#))
    #expect(site.send("GET", "/jobs/\(job)", key: site.reader).body == HeldCalls.answer)
    #expect(
      site.send("POST", "/call/jobs_get", body: body, key: site.writer).body.contains("job.not_found"))
  }

  /// What is sent counts, with what a call by name puts around it.
  @Test func theLimitHoldsForAJobsAnswerByName() throws {
    let site = Site.ofJobs(.init(after: .seconds(60)), held, ownPaths: [CallsByName()], answerCharacters: 64)
    let job = try accepted(site)
    #expect(held.answer())
    #expect(site.send("GET", "/jobs/\(job)", key: site.reader).body == HeldCalls.answer)
    let body = #"{"job":"\#(job)"}"#
    let named = site.send("POST", "/call/jobs_get", body: body, key: site.reader)
    #expect(named.body.hasPrefix(#"{"was":413,"#), "\(named.body)")
  }

  @Test func aCallByNameThatEndsInTimeIsAnsweredAsEver() {
    let site = site()
    let call = WaitingRequest(site, "POST", "/call/a_long", body: "{}", key: site.reader)
    #expect(held.answer())
    let ended = call.conclude()
    #expect(ended.body?["was"] == 200 && ended.body?["answer"] == ["name": "n"])
    #expect(site.audit.rows.last?.job == nil && site.spare.taken == 0)
  }

  @Test func aLookByNameWaitsNoLongerThanItMay() throws {
    let site = site(.init(after: .seconds(60), wait: .milliseconds(1)))
    let waiting = asking(site, try accepted(site))
    let watch = DeadlineWatch(
      OneExchange(waiting.exchange), automations: site.automations, log: site.log,
      interval: .milliseconds(1))
    watch.start()
    defer { watch.end() }
    let running = waiting.conclude()
    #expect(running.body?["was"] == 202 && running.body?["answer"]?["status"] == "running")

    let hasty = self.site(.init(after: .seconds(60), wait: .zero))
    let job = try accepted(hasty)
    let answer = hasty.send("POST", "/call/jobs_get", body: #"{"job":"\#(job)"}"#, key: hasty.reader)
    #expect(answer.body.contains(#""was":202"#))
  }

  @Test func aLookByPathWaitsWhereItPrefersTo() throws {
    let site = site()
    let job = try accepted(site)
    for prefer in ["wait=0", "wait=-1", "wait=soon", "respond-async"] {
      let answer = site.send("GET", "/jobs/\(job)", key: site.reader, headers: [("prefer", prefer)])
      #expect(answer.status == 202, "\(prefer)")
    }
    let waiting = WaitingRequest(
      site, "GET", "/jobs/\(job)", key: site.reader, headers: [("prefer", "wait=5")])
    #expect(!waiting.isWoken && held.answer())
    let ended = waiting.conclude()
    #expect(ended.status == 200 && ended.body == ["name": "n"])
  }

  @Test func aCancelIsToldToWhoWaits() throws {
    let site = site()
    let job = try accepted(site)
    let waiting = asking(site, job)
    let cancel = site.send("POST", "/call/jobs_cancel", body: #"{"job":"\#(job)"}"#, key: site.reader)
    #expect(cancel.body.hasPrefix(#"{"was":204,"answer":null,"#) && held.exchange?.isAbandoned == true)
    #expect(waiting.conclude().body?["answer"]?["code"] == "job.not_found")
  }

  @Test func soManyMayWaitForOneJob() throws {
    let site = site()
    let job = try accepted(site)
    let waiting = (0..<16).map { _ in asking(site, job) }
    let body = #"{"job":"\#(job)"}"#
    #expect(site.send("POST", "/call/jobs_get", body: body, key: site.reader).body.contains(#""was":202"#))
    // Who has left makes room.
    waiting[0].exchange.close()
    site.gateway.finished(waiting[0].exchange, sent: false)
    let late = asking(site, job)
    #expect(held.answer())
    #expect((waiting.dropFirst() + [late]).allSatisfy { $0.conclude().body?["was"] == 200 })
  }

  @Test func aHostThatLeavesTellsWhoWaitsHowItStands() throws {
    let site = site()
    let job = try accepted(site)
    let waiting = asking(site, job)
    site.gateway.jobs.endWaits()
    #expect(waiting.conclude().body?["was"] == 202)
    let body = #"{"job":"\#(job)"}"#
    #expect(site.send("POST", "/call/jobs_get", body: body, key: site.reader).body.contains(#""was":202"#))
  }

  @Test(arguments: [
    ("{}", "call.argument_missing"), (#"{"job":7}"#, "call.argument_invalid"),
    (#"{"job":null}"#, "call.argument_invalid"), (#"{"job":"x","job":"x"}"#, "call.argument_invalid"),
    (#"{"job":"x","id":"x"}"#, "call.argument_unknown"), ("[]", "call.arguments_invalid"),
  ])
  func whatNamesNoJobIsRefused(_ arguments: String, _ code: String) {
    let site = site()
    for name in ["jobs_get", "jobs_cancel"] {
      let answer = site.send("POST", "/call/\(name)", body: arguments, key: site.reader)
      #expect(answer.status == 422 && answer.code == code)
    }
    let unknown = site.send("POST", "/call/jobs_get", body: #"{"job":"x"}"#, key: site.reader)
    #expect(unknown.body.contains(#""was":404"#) && unknown.body.contains("job.not_found"))
    #expect(site.audit.rows.allSatisfy { $0.job == nil })
  }

  // MARK: What never becomes one

  @Test func aStreamIsNoJob() {
    let site = site()
    site.serve(behaviour: .says(200, "application/json", "{}"), manifest: HeldCalls.manifest)
    let answer = site.send("GET", "/a/news", key: site.reader, headers: [("prefer", "respond-async")])
    #expect(answer.status == 200 && site.spare.taken == 0)
  }

  @Test func aQuestionIsAnsweredAtOnce() {
    let site = site()
    let answer = site.send("DELETE", "/a/long", key: site.writer, headers: [("prefer", "respond-async")])
    #expect(answer.status == 428 && held.count == 0 && site.gateway.jobs.isIdle)
  }

  @Test func aDryRunThatIsAJobSaysSo() throws {
    let site = site()
    let answer = site.send(
      "POST", "/a/long", body: "{}", key: site.writer, headers: [("prefer", "respond-async, dry-run")])
    let job = try #require(try JSONValue.parse(answer.body.utf8.span)["job"]?.string)
    #expect(site.audit.rows.last?.isDryRun == true && site.audit.rows.last?.job == job)
    #expect(held.exchange?.isDryRun == true && held.answer())
    let ended = site.send("GET", "/jobs/\(job)", key: site.writer)
    #expect(ended.header("Preference-Applied") == "dry-run")
    #expect(site.audit.rows.last?.isDryRun == false && site.audit.rows.last?.job == job)
  }
}
