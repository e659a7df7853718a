import Application
import Domain
import Kernel

/// What the gateway knows of the request in one exchange. One object per exchange, reused by its requests.
final class Call {
  /// nil until the path matched, and for the host's own paths.
  var route: LiveRoute?
  /// The path of the host's own that the request came to, and the call that it became; nil for all others.
  var own: OwnTable.Entry?
  var routeCall: RouteCall?
  /// What the audit row says of what the host itself answered from an automation.
  var labels: RouteLabels?
  /// The request is counted inside `route.generation`.
  var isInside = false
  /// Of the automation that the path named; nil but while a canary or a recording runs.
  var extras: ServingExtras?
  /// A canary's generation took the request.
  var isCandidate = false
  /// The request reached its handler: what a canary is judged by.
  var isHandled = false
  /// The handler runs, and what it writes is undone.
  var isDryRun = false
  var grant: KeyGrant?
  /// What the limit said, for the RateLimit headers; nil before it was asked.
  var decision: RateDecision?
  var limit: RateLimit?
  /// The audit trail has admitted the request: it gets its row, however it ends.
  var isAudited = false
  /// Where the call stands among those that wait for an answer; nil when it does not.
  var entered: AutomationAccount?
  var isConcluded = false
  /// What the caller asks of the answer; nil when nothing.
  var wishes: AnswerWishes?
  /// Characters that an answer may have at most: the smaller one of the key's limit and the host's.
  var answerLimit = Int.max
  /// The answer was too long, and the handler was asked for a shorter one.
  var cut: AnswerCut?
  /// The call that makes the answer, when it has an exchange of its own.
  var errand: Errand?
  /// The job that the call became, or that the request asks for.
  var job: String?
  /// The job whose end the request waits for.
  var awaitedJob: String?
  /// The call became a job, and the answer is where to fetch it.
  var isAccepted: Bool { job != nil && route != nil }

  func reset() {
    route = nil
    if own != nil {
      own = nil
      routeCall = nil
      labels = nil
    }
    isInside = false
    if extras != nil {
      extras = nil
      isCandidate = false
    }
    isHandled = false
    isDryRun = false
    grant = nil
    decision = nil
    limit = nil
    isAudited = false
    isConcluded = false
    if wishes != nil { wishes = nil }
    answerLimit = .max
    if cut != nil { cut = nil }
    if job != nil { job = nil }
    if awaitedJob != nil { awaitedJob = nil }
    if errand != nil { dismissErrand() }
  }

  /// The request has an answer: nobody waits for that call any more, unless it is a job by now.
  func dismissErrand() {
    guard let errand else { return }
    self.errand = nil
    job = errand.job
    if job == nil { errand.abandon() }
  }

  /// Whether an answer of so many bytes is within the host's limit and the key's, whatever is in it.
  @inline(__always)
  func surelyFits(_ bytes: Int) -> Bool {
    guard let routeCall else { return bytes <= answerLimit }
    return routeCall.envelope.atMost(bytes) <= answerLimit
  }

  /// The call counts no longer among those of its automation that wait.
  func leaveAccount() {
    guard let entered else { return }
    self.entered = nil
    entered.leave()
  }

  func leave() {
    leaveAccount()
    guard isInside, let route else { return }
    isInside = false
    route.generation.leave()
  }
}

/// What one event thread owns, so that requests on it need no lock.
final class EventThread {
  var snapshots: Published<Snapshot>.Reader
  var random = TraceContext.Generator()
  /// Matched parameters: places among the path's segments.
  var matched: [Int] = []
  let json: JSONDocument
  let scratch = Arena(capacity: 1024)
  /// Answers on their way into another form.
  let shaped = Arena(capacity: 1024)
  let inline = InlineSlot()

  init(_ snapshots: Published<Snapshot>, jsonDepth: Int) {
    self.snapshots = .init(snapshots)
    json = JSONDocument(maxDepth: jsonDepth)
  }
}
