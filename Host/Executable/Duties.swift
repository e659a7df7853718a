import Application
import Audit
import Domain
import Kernel
import Supervision

/// What the host does at its supervisor's word, on its main thread.
struct Duties {
  enum End {
    /// Another host serves.
    case leave
    case drain(String)
  }

  let link: SupervisorLink
  let events: HostEvents
  let handOver: HandOver
  let audit: JournalAuditTrail
  let crashes: CrashRecord
  let keys: Keys
  let log: any LogSink
  /// For changes that are under way to end: less than the supervisor waits for the answer.
  let freezeLimit: Duration

  /// Returns when the host has to end.
  func serve() -> End {
    while let event = events.next() {
      switch event {
      case .end(let signal): return .drain(signal)
      case .notice(let notice):
        switch notice.kind {
        case .drain: return .drain("the supervisor's")
        case .leave: return .leave
        default: heed(notice)
        }
      }
    }
    return .drain("none")
  }

  /// Until everybody has gone, or the deadline passes, or it is told to hurry.
  func leave(until deadline: Instant, _ isDeserted: () -> Bool) {
    while Instant.now < deadline, !isDeserted() {
      guard let event = events.next(until: min(deadline, .now + .milliseconds(5))) else { continue }
      guard case .notice(let notice) = event, notice.kind != .drain else { return }
      heed(notice)
    }
  }

  /// While the host ends, it still hears when a key is revoked.
  func ignoreTheRest() {
    OSThread("notices") {
      while let event = self.events.next() {
        if case .notice(let notice) = event, notice.kind == .keyChanged || notice.kind == .settings {
          self.heed(notice)
        }
      }
    }.leave()
  }

  private func heed(_ notice: Notice) {
    switch notice.kind {
    case .freeze: handOver.freeze(within: freezeLimit)
    case .yield:
      attempt("the audit trail stays here") { () throws(Problem) in
        try audit.moveAside()
        link.say(.yielded)
      } failing: {
        link.say(.busy, cause: $0.detail)
      }
    case .goOn:
      attempt("the audit trail does not come back") { () throws(Problem) in try audit.moveBack() }
      handOver.failed(notice.cause ?? "the supervisor gave no reason")
    case .predecessorGone:
      attempt("rows of a host before are not taken in yet") { () throws(Problem) in
        let rows = try audit.absorbAsides()
        if rows > 0 { log.log(.debug, "audit", "rows were taken in", ["rows": .integer(Int64(rows))]) }
      }
    case .crashed:
      attempt("crashes are not written down") { () throws(Problem) in try crashes.note(notice.crashes ?? []) }
    case .settings: if let level = notice.logLevel { log.level = level }
    case .keyChanged:
      guard let key = notice.key else { return }
      attempt("a changed key is not read") { () throws(Problem) in try keys.refresh(key) }
    case .begin, .takeOver, .leave, .drain, .areYouAlive: return
    }
  }

  private func attempt(
    _ consequence: String, _ body: () throws(Problem) -> Void, failing: (Problem) -> Void = { _ in }
  ) {
    do throws(Problem) { try body() } catch {
      log.log(.error, "host", "\(consequence): \(error.detail)", ["code": .string(error.code)])
      failing(error)
    }
  }
}
