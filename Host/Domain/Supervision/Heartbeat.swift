package import Kernel

/// Whether the host that serves still does: it is asked again and again, and has to answer in time.
///
/// Time is counted from the first question that has no answer, not from the last answer: a supervisor that was stopped
/// for a while itself asks before it judges.
package struct Heartbeat: Sendable {
  package struct Limits: Sendable {
    package var interval = Duration.seconds(1)
    /// How long a question may stay without an answer; zero asks nothing.
    package var patience = Duration.seconds(10)
    /// For a host that was told to abort to write down who was inside.
    package var report = Duration.seconds(2)

    package init() {}

    /// For a host whose channel is closed to be gone: the kernel closes it first.
    var dying: Duration { report / 8 }
  }

  package enum Action: Sendable, Equatable {
    case ask
    /// SIGABRT: the crash page then tells who was inside. The text is why.
    case abort(String)
    case kill
  }

  private enum State {
    case quiet(next: Instant)
    case asked(Instant)
    /// Its end of the channel is closed: it dies at this moment, or somebody closed it.
    case lost(Instant)
    case aborted(Instant)
    case killed
  }

  private let limits: Limits
  private var state: State

  package init(_ limits: Limits, now: Instant) {
    self.limits = limits
    state = .quiet(next: now + limits.interval)
  }

  /// When ``tick(_:)`` has something to do.
  package var deadline: Instant? {
    switch state {
    case .quiet(let next): limits.patience == .zero ? nil : next
    case .asked(let since): since + limits.patience
    case .lost(let since): since + limits.dying
    case .aborted(let since): since + limits.report
    case .killed: nil
    }
  }

  /// Whether the host was given up.
  package var isGivenUp: Bool {
    switch state {
    case .quiet, .asked, .lost: false
    case .aborted, .killed: true
    }
  }

  package mutating func answered(_ now: Instant) {
    if case .asked = state { state = .quiet(next: now + limits.interval) }
  }

  /// Nobody can talk to the host any more.
  package mutating func lost(_ now: Instant) {
    if !isGivenUp { state = .lost(now) }
  }

  /// `isServing`: it is the one that serves, and nobody asked it to end. Others are not asked for signs of life.
  package mutating func tick(_ now: Instant, isServing: Bool) -> [Action] {
    if !isServing, case .asked = state { state = .quiet(next: now + limits.interval) }
    guard let deadline, now >= deadline else { return [] }
    switch state {
    case .quiet:
      state = isServing ? .asked(now) : .quiet(next: now + limits.interval)
      return isServing ? [.ask] : []
    case .lost: return abort("its end of the channel is closed", now)
    case .asked: return abort("no sign of life for \(limits.patience.nanoseconds / 1_000_000) ms", now)
    case .aborted:
      state = .killed
      return [.kill]
    case .killed: return []
    }
  }

  private mutating func abort(_ cause: String, _ now: Instant) -> [Action] {
    state = .aborted(now)
    return [.abort(cause)]
  }
}
