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
    /// Who that is, as of the last look.
    var access: Caller
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

  /// Keys have changed: who may not listen any more is sent away, and who may call something else is told. [any]
  package func lookAtKeys() { state.signal { $0.hasChanged = true } }

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
    var looks = 0
    while true {
      let event: Event? = state.wait(until: .now + quiet) { state in
        if state.isOver { return .end }
        guard state.hasChanged else { return nil }
        state.hasChanged = false
        return .changed
      }
      looks += 1
      switch event ?? .quiet {
      case .end: return
      case .quiet: look(state.withLock { $0.lists }, looks, isNews: false, isQuiet: true)
      case .changed:
        let now = Lists(automations.snapshots.current)
        let before = state.withLock { state in
          defer { state.lists = now }
          return state.lists
        }
        // Where nothing else has changed, a key has.
        look(now.after(before), looks, isNews: now.serials != before.serials, isQuiet: false)
      }
    }
  }

  private static let comment = ": nothing new\n\n"

  /// Tells each listener what concerns it, and sends those away that may not listen any more. Of the streams of one session
  /// only the newest hears news (2025-11-25, "Multiple Connections"): the others may be left from a connection that broke.
  private func look(_ lists: Lists, _ number: Int, isNews: Bool, isQuiet: Bool) {
    var told: Set<String> = []
    for (place, listener) in state.withLock({ Array($0.listeners) }).sorted(by: { $0.key > $1.key }) {
      var concerns = isNews
      switch listener.access.standing {
      case .same: break
      case .other(let access):
        // Its lists are others now.
        concerns = true
        state.withLock { $0.listeners[place]?.access = access }
      case .over:
        listener.stream.stop()
        continue
      }
      var texts = isQuiet ? [Listeners.comment] : []
      if concerns, listener.words.session.map({ told.insert($0).inserted }) ?? true {
        texts = listener.words.news(lists, id: "\(origin).\(place).\(number)")
      }
      for text in texts where listener.stream.write(text) != .ok {
        listener.stream.stop()
        break
      }
    }
  }
}
