import Application
import Kernel
import Synchronization

/// Prints the calls of an automation on a thread of its own, which the end of the process ends.
final class CallPrinter: Sendable {
  let id: String
  private let feed: CallFeed
  private let invocation: Invocation
  private let hasEnded = Atomic<Bool>(false)

  init(_ feed: CallFeed, _ invocation: Invocation) {
    id = feed.id
    self.feed = feed
    self.invocation = invocation
  }

  /// Calls from here on. Returns when the place where they begin is known.
  func start() {
    var first = feed
    _ = try? first.next()
    let feed = first
    OSThread("calls", stackBytes: 1 << 20) { self.run(feed) }.leave()
  }

  /// Nothing is printed from here on.
  func end() { hasEnded.store(true, ordering: .relaxed) }

  private func run(_ start: CallFeed) {
    var feed = start
    let style = invocation.style
    while !hasEnded.load(ordering: .relaxed) {
      do {
        for call in try feed.next() where !hasEnded.load(ordering: .relaxed) {
          invocation.print(CallFeed.line(call, style))
        }
      } catch {
        if hasEnded.load(ordering: .relaxed) { return }
        guard let pause = CallFeed.pause(after: error) else {
          return invocation.note("council: calls are not shown any more: \(Failure(error).text(style))")
        }
        // Nobody signals: this is how a thread of the Kernel pauses.
        _ = Monitor(()).wait(until: .now + pause) { _ in nil as Bool? }
      }
    }
  }
}
