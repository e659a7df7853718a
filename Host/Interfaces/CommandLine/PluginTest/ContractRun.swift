import Application
import Domain
import Kernel
import Synchronization

/// The checks of one plugin, one after another, in a host that has nothing else. One thread, which also listens to
/// that host; calls that run at once have threads of their own.
final class ContractRun {
  /// Of a route that names none, in the host of a test.
  static let deadlineMilliseconds = 3000
  private static let maxBodyBytes = 1 << 20
  /// A run uses a port for each call, which the system keeps for a minute.
  private static let maxCallsPerSecond = 600

  let invocation: Invocation
  let events: any WorkshopEvents
  let manifest: Manifest
  let maker: CallMaker
  let seed: UInt64
  let seconds: Int
  private let file: String
  private let config: JSONValue?
  private let folder: String
  private(set) var host: TrialHost
  private(set) var caller: Caller
  private(set) var report: TestReport
  /// How the host ended; nil while it runs.
  private(set) var ending: Int32?
  private var isLost = false
  /// A handler answers too late, or never.
  private var isLate = false
  private static let withoutAnswers: Set<String> = ["deadline", "stop"]
  private var others = 0
  /// The host of a check that has one of its own, while that runs.
  private var other: TrialHost?
  private var callsElsewhere = 0

  init(
    _ invocation: Invocation, _ events: any WorkshopEvents, folder: String, file: String, manifest: Manifest,
    config: JSONValue?, seed: UInt64, seconds: Int
  ) throws {
    self.invocation = invocation
    self.events = events
    self.folder = folder
    self.file = file
    self.manifest = manifest
    self.config = config
    self.seed = seed
    self.seconds = seconds
    maker = try CallMaker(manifest, invocation.services.author.schemas)
    report = TestReport(
      file: file, plugin: manifest.id, version: manifest.version, seed: seed, notes: maker.notes)
    try invocation.services.files.makeFolder(folder + "/first")
    host = try TrialHost(events, invocation, folder: folder + "/first", settings: ContractRun.settings())
    caller = try ContractRun.caller(host, maker, invocation)
  }

  // Answers are not checked there: they are here, where the report can say what is wrong with them. A stream of events that
  // would go on is ended soon, and well. Every call that is confirmed is remembered.
  private static func settings(deadlineMilliseconds: Int = deadlineMilliseconds) -> String {
    """
    limits: {requests: 1000000000, anonymous_requests: 1000000000}
    routes: {deadline_ms: \(deadlineMilliseconds), max_body_bytes: \(maxBodyBytes), check_answers: false}
    plugins: {kept_generations: 2, max_draining: 100, drain_timeout_ms: 10000}
    audit: {kept_segments: 2}
    idempotency: {max_calls_per_caller: 10000000}
    streams: {longest_ms: 500}
    """
  }

  private static func caller(_ host: TrialHost, _ maker: CallMaker, _ invocation: Invocation) throws
    -> Caller
  {
    Caller(
      url: host.url, key: try host.issueKey("test", ["*"]), transport: try invocation.services.transport(),
      maker: maker)
  }

  // MARK: One after another

  /// Throws only what keeps the run from going on: a signal, no memory of this machine.
  func run() throws -> TestReport {
    try check("load") { _ in
      try self.load(self.host)
      return nil
    }
    guard report.passed else { return report }
    try check("state") { try self.state(&$0) }
    try check("answers") { try self.sequence(&$0, share: 20, valid: true) }
    try check("fuzz") { try self.sequence(&$0, share: 30, valid: false) }
    try check("limits") { try self.sizes(&$0) }
    try check("deadline") { try self.deadline(&$0) }
    try check("concurrency") { try self.concurrency(&$0) }
    try check("cancel") { try self.cancelling(&$0) }
    try check("drain") { try self.draining(&$0) }
    try check("restart") { try self.restarting(&$0) }
    try check("stop") { try self.stopping(&$0) }
    return report
  }

  /// Runs one check, which gives what it found first; what it throws is a failure, too.
  private func check(_ name: String, _ body: (inout CheckResult) throws -> Finding?) throws {
    var result = CheckResult(name: name, state: .pass, detail: "")
    guard !isLost else {
      result.state = .skip
      result.detail = "the host is gone"
      return report.checks.append(result)
    }
    // Every further call to that handler would take its whole deadline, to say the same again.
    guard !isLate || ContractRun.withoutAnswers.contains(name) else {
      result.state = .skip
      result.detail = "a handler does not answer in time"
      return report.checks.append(result)
    }
    let (began, calls) = (Instant.now, caller.calls)
    do {
      if let finding = try body(&result) { throw finding }
      // Whoever left before its answer, and whoever came to the next host, saw nothing of it.
      for _ in 0..<ContractRun.maxEvents where try !listen(.zero) { break }
      if let cause = host.crash {
        isLost = true
        throw Problem(500, "plugin.crashed", "The plugin took the host down (\(cause)).")
      }
    } catch let interrupted as Interrupted { throw interrupted } catch let finding as Finding {
      result.state = .fail
      result.detail = finding.text
      result.reproduce = finding.call.curl()
      if finding.kind == .late { isLate = true }
      if finding.kind == .lost { describeLoss(&result) }
    } catch {
      let failure = Failure(error)
      result.state = .fail
      result.detail =
        "\(failure.message) [\(failure.code)]"
        + (failure.members["step"]?.string.map { " at step \($0)" } ?? "")
      if case CommandFailure.unreachable = error { describeLoss(&result) }
    }
    if result.detail.isEmpty { result.detail = "as it should be" }
    result.calls = caller.calls - calls + callsElsewhere
    callsElsewhere = 0
    result.milliseconds = (Instant.now - began) / 1_000_000
    report.checks.append(result)
  }

  private func describeLoss(_ result: inout CheckResult) {
    isLost = true
    let deadline = Instant.now + .seconds(2)
    while host.crash == nil, ending == nil, Instant.now < deadline { _ = try? listen(.milliseconds(100)) }
    if let cause = host.crash ?? ending.map(TrialHost.ending) {
      result.detail = "the plugin took the host down (\(cause)): " + result.detail
    }
  }

  private static let maxEvents = 100_000

  /// Takes one thing that a host says, and says whether there was one; throws when this command is told to end.
  @discardableResult
  func listen(_ time: Duration) throws -> Bool {
    switch events.next(within: time) {
    case .signal: throw Interrupted()
    case .line(let program, let text) where program == host.program: host.note(text)
    case .line(let program, let text) where program == other?.program: other?.note(text)
    case .ended(let program, let code) where program == host.program: ending = code
    case .timedOut: return false
    default: break
    }
    return true
  }

  func note(_ text: String) { report.notes.append(text) }

  /// How long a check of so many percent of the time may take.
  func end(_ share: Int) -> Instant { .now + .milliseconds(seconds * share * 10) }
  func mostCalls(_ share: Int) -> Int { max(20, seconds * share * ContractRun.maxCallsPerSecond / 100) }

  // MARK: The host

  @discardableResult
  func load(_ host: TrialHost, again: Bool = false) throws -> JSONValue {
    var members: [String: JSONValue] = ["path": .string(file)]
    if let config { members["config"] = config }
    return try host.client.call(
      .loadAutomation, query: again ? [("replace", "true")] : [], body: .bytes(JSON.encode(.object(members))))
  }

  /// Waits until no call is inside the plugin; says how many stay.
  func emptied(_ host: TrialHost) throws -> String? {
    let deadline = Instant.now + .seconds(10)
    while true {
      let inside = try host.client.call(.showAutomation, [manifest.id])["requests_inside"]?.integer ?? 0
      if inside == 0 { return nil }
      guard Instant.now < deadline else { return "\(inside) call(s) are still inside the plugin after 10 s" }
      try listen(.milliseconds(50))
    }
  }

  /// Waits until no generation drains; says which one does not stop.
  func settled() throws -> String? {
    let deadline = Instant.now + .seconds(15)
    while true {
      let document = try host.client.call(.showAutomation, [manifest.id])
      let draining = document["draining"]?.array ?? []
      if draining.isEmpty { return nil }
      if let stuck = draining.first(where: { $0["state"]?.string == "stuck" }) {
        return "generation \(stuck.cell("generation")) did not stop"
      }
      if Instant.now > deadline {
        return "generation \(draining[0].cell("generation")) still drains after 15 s"
      }
      try listen(.milliseconds(50))
    }
  }

  /// A second host with an empty home, for as long as `body` runs.
  func inAnotherHost<Value>(
    deadlineMilliseconds: Int = deadlineMilliseconds, _ body: (TrialHost, Caller) throws -> Value
  ) throws -> Value {
    others += 1
    let place = "\(folder)/other-\(others)"
    try invocation.services.files.makeFolder(place)
    let other = try TrialHost(
      events, invocation, folder: place,
      settings: ContractRun.settings(deadlineMilliseconds: deadlineMilliseconds))
    defer { events.terminate(other.program) }
    let caller = try ContractRun.caller(other, maker, invocation)
    defer { callsElsewhere += caller.calls }
    self.other = other
    defer { self.other = nil }
    do {
      return try body(other, caller)
    } catch var finding as Finding where finding.kind == .lost {
      // The host of all other checks is there.
      finding.kind = .wrong
      let deadline = Instant.now + .seconds(2)
      while other.crash == nil, Instant.now < deadline { try listen(.milliseconds(100)) }
      if let cause = other.crash {
        finding.text = "the plugin took the host down (\(cause)): " + finding.text
      }
      throw finding
    }
  }

  /// The host ends as an operator ends it: with every instance stopped and destroyed.
  private func stopping(_ result: inout CheckResult) throws -> Finding? {
    do { _ = try host.client.call(.unloadAutomation, [manifest.id]) } catch {
      // A check before this one could not load it again.
      guard Failure(error).code == "automation.not_found" else { throw error }
    }
    events.terminate(host.program)
    let deadline = Instant.now + .seconds(30)
    while ending == nil, Instant.now < deadline { try listen(.milliseconds(100)) }
    guard let ending else {
      throw Problem(500, "plugin.stop", "The host does not end after the plugin was unloaded.")
    }
    guard ending == 0 else {
      throw Problem(
        500, "plugin.stop", "The host ended with \(TrialHost.ending(ending)) after the plugin was unloaded."
      )
    }
    return nil
  }
}
