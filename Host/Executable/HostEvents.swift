import Kernel
import Supervision

/// What the host's main thread waits for: words of the supervisor, and signals of whoever sends them to the host itself.
final class HostEvents: Sendable {
  enum Event: Sendable {
    case notice(Notice)
    /// TERM or INT.
    case end(String)
  }

  private let waiting = Monitor<[Event]>([])

  init(_ link: SupervisorLink, _ liveness: Liveness) {
    link.listen { notice in
      // Not through the main thread, which may have to wait for a disk.
      if notice.kind == .areYouAlive { return liveness.asked() }
      self.add(.notice(notice))
    }
    OSThread("signals") {
      var ends = 0
      while true {
        let signal = Signals.wait()
        if Signals.isSupervisors(signal) { continue }
        ends += 1
        if ends > 1 { Signals.exitNow(1) }
        self.add(.end(Signals.name(signal)))
      }
    }.leave()
  }

  /// The next one; nil when none comes before the deadline.
  func next(until deadline: Instant? = nil) -> Event? {
    waiting.wait(until: deadline) { $0.isEmpty ? nil : $0.removeFirst() }
  }

  private func add(_ event: Event) { waiting.signal { $0.append(event) } }
}
