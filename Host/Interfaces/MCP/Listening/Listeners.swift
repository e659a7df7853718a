package import Application
import Domain
import Kernel

/// The clients that listen, of either era (`subscriptions/listen`, or a GET), and the thread that tells them when what is listed has changed.
///
/// A change is what serves: another generation of an automation, one more, one less. Several in quick succession are told
/// once. Nothing is kept for a client that is slow: its stream ends, and it asks again and reads the lists anew.
package final class Listeners: Sendable {
  struct Listener {
    let stream: AnswerStream
    let words: any ListenerWords
    /// The key, or the address of a caller without one.
    let caller: String
  }

  private struct State {
    var listeners: [Int: Listener] = [:]
    var perCaller: [String: Int] = [:]
    var next = 0
    /// What they know of.
    var lists = Lists()
    var hasChanged = false
    var isOver = false
  }

  private enum Event { case changed, quiet, end }

  private let automations: Automations
  private let maxListeners: Int
  private let maxPerCaller: Int
  private let quiet: Duration
  /// Begins the ids of this process' events.
  private let origin = String(UInt64.random(in: 0...UInt64.max), radix: 16)
  private let state = Monitor(State())
  private let thread = Monitor<OSThread?>(nil)

  /// `quiet`: after so long without news, each gets a comment, for a stream in which nobody writes is ended.
  package init(_ automations: Automations, _ settings: HostConfiguration.MCP, quiet: Duration) {
    self.automations = automations
    maxListeners = settings.maxListeners
    maxPerCaller = settings.maxListenersPerCaller
    self.quiet = quiet
  }

  package func start() {
    automations.onChange { [weak self] in self?.state.signal { $0.hasChanged = true } }
    thread.withLock { $0 = OSThread("mcp-listeners") { self.run() } }
  }

  /// Ends every stream as the protocol wants it, so that its clients come again at another host.
  package func end() {
    let streams = state.signal(all: true) { state in
      state.isOver = true
      return state.listeners.values.map(\.stream)
    }
    for stream in streams { stream.end() }
    thread.withLock { thread in
      thread?.join()
      thread = nil
    }
  }

  /// How many listen now. [any]
  package var count: Int { state.withLock { $0.listeners.count } }

  /// Takes a listener in and tells it so, ahead of everything else. Throws 503 `mcp.listeners_full`. [event]
  func add(_ listener: Listener) throws(Problem) {
    let number = try state.withLock { state throws(Problem) in
      guard !state.isOver, state.listeners.count < maxListeners,
        state.perCaller[listener.caller, default: 0] < maxPerCaller
      else {
        throw Problem(
          503, "mcp.listeners_full", "As many clients listen as may. Read the lists again now and then.",
          retryAfterSeconds: 60)
      }
      if state.listeners.isEmpty { state.lists = Lists(automations.snapshots.current) }
      state.next += 1
      state.listeners[state.next] = listener
      state.perCaller[listener.caller, default: 0] += 1
      // Before the lock is let go: no news comes before this.
      listener.stream.write(listener.words.opening(state.lists, id: "\(origin).\(state.next)"))
      return state.next
    }
    listener.stream.whenOver { [weak self] in self?.remove(number) }
  }

  private func remove(_ number: Int) {
    state.withLock { state in
      guard let listener = state.listeners.removeValue(forKey: number) else { return }
      let left = state.perCaller[listener.caller, default: 1] - 1
      state.perCaller[listener.caller] = left > 0 ? left : nil
    }
  }

  // MARK: The thread

  private func run() {
    var changes = 0
    while true {
      let event: Event? = state.wait(until: .now + quiet) { state in
        if state.isOver { return .end }
        guard state.hasChanged else { return nil }
        state.hasChanged = false
        return .changed
      }
      switch event ?? .quiet {
      case .end: return
      case .quiet: for (_, listener) in listeners { tell(listener, [Listeners.comment]) }
      case .changed:
        let now = Lists(automations.snapshots.current)
        let before = state.withLock { state in
          defer { state.lists = now }
          return state.lists
        }
        guard now.serials != before.serials else { continue }
        changes += 1
        tell(now.after(before), change: changes)
      }
    }
  }

  private static let comment = ": nothing new\n\n"

  private var listeners: [(number: Int, listener: Listener)] {
    state.withLock { state in state.listeners.map { ($0.key, $0.value) } }
  }

  /// Of the streams of one session only the newest is told (2025-11-25, "Multiple Connections"): the others may be left from a
  /// connection that broke.
  private func tell(_ lists: Lists, change: Int) {
    var told: Set<String> = []
    for (number, listener) in listeners.sorted(by: { $0.number > $1.number }) {
      if let session = listener.words.session, !told.insert(session).inserted { continue }
      tell(listener, listener.words.news(lists, id: "\(origin).\(number).\(change)"))
    }
  }

  private func tell(_ listener: Listener, _ texts: [String]) {
    for text in texts where listener.stream.write(text) != .ok {
      listener.stream.stop()
      break
    }
  }
}
