import HTTPServer
import Kernel
import Supervision

/// Proves to the supervisor that the host serves: not that one thread lives, but that every thread that accepts, reads
/// and answers comes round. What holds one of them is written into the crash page.
final class Liveness: Sendable {
  /// Who has not come round for so long is noted.
  private static let lateAfter = Duration.milliseconds(250)

  private let link: SupervisorLink
  private let isAsked = Monitor(false)

  init(_ link: SupervisorLink) { self.link = link }

  /// The supervisor wants to know. [any]
  func asked() { isAsked.signal { $0 = true } }

  /// Answers from now on.
  func start(_ servers: [HTTPServer]) {
    OSThread("liveness") {
      // Whoever is held before the first question is known by its number then.
      self.lookAround(servers)
      while true {
        _ = self.isAsked.wait { $0 ? true : nil }
        self.isAsked.withLock { $0 = false }
        self.lookAround(servers)
        self.link.say(.alive)
      }
    }.leave()
  }

  private func lookAround(_ servers: [HTTPServer]) {
    for server in servers { server.askAround() }
    var held: Set<Int> = []
    while !servers.reduce(into: true, { $0 = $1.comesRound(until: .now + Liveness.lateAfter) && $0 }) {
      let late = Set(servers.flatMap(\.lateThreads))
      for thread in held.subtracting(late) { CrashPage.hold(thread, false) }
      for thread in late { CrashPage.hold(thread, true) }
      held = late
    }
    for thread in held { CrashPage.hold(thread, false) }
  }
}
