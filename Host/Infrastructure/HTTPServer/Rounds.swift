package import Kernel

/// Which threads of a server have come round since they were asked to: a thread that a handler holds does not.
final class Rounds: Sendable {
  private struct State {
    var isAsked: [Bool]
    /// The thread's number, once it has come round.
    var numbers: [Int?]
    var isOver = false
  }

  /// The keeper's place; the event threads stand before it.
  let keeper: Int
  private let state: Monitor<State>

  init(eventThreads: Int) {
    keeper = eventThreads
    let count = eventThreads + 1
    state = Monitor(
      State(
        isAsked: Array(repeating: false, count: count), numbers: Array(repeating: nil, count: count)))
  }

  /// Asks everybody who is not asked already; returns those.
  func ask() -> [Int] {
    state.withLock { state in
      if state.isOver { return [] }
      let places = state.isAsked.indices.filter { !state.isAsked[$0] }
      for place in places { state.isAsked[place] = true }
      return places
    }
  }

  /// This thread has come round. [event, keeper]
  func came(_ place: Int) {
    let number = OSThread.number
    state.signal(all: true) { state in
      guard state.isAsked.indices.contains(place) else { return }
      state.isAsked[place] = false
      state.numbers[place] = number
    }
  }

  /// Nobody could ask this thread. [any]
  func excuse(_ place: Int) { state.signal(all: true) { $0.isAsked[place] = false } }

  /// Everybody has come round, or the server stops.
  func wait(until deadline: Instant) -> Bool {
    state.wait(until: deadline) { $0.isOver || !$0.isAsked.contains(true) ? true : nil } ?? false
  }

  /// Numbers of threads that have not, as far as they ever did.
  var late: [Int] {
    state.withLock { state in
      state.isOver
        ? [] : state.isAsked.indices.compactMap { state.isAsked[$0] ? state.numbers[$0] : nil }
    }
  }

  func end() { state.signal(all: true) { $0.isOver = true } }
}

extension HTTPServer {
  /// Asks every thread to come round that is not asked already. A server that does not run has none. [any]
  package func askAround() {
    running.withLock { running in
      guard let running else { return }
      for place in rounds.ask() {
        if place == rounds.keeper {
          running.keeper.askRound()
        } else if !running.daemon.nudge(place) {
          rounds.excuse(place)
        }
      }
    }
  }

  /// Waits until every thread has come round; false when one has not by then. [any but the server's]
  package func comesRound(until deadline: Instant) -> Bool { rounds.wait(until: deadline) }

  /// Numbers of the threads that do not come round. [any]
  package var lateThreads: [Int] { rounds.late }
}
