import Application
import Kernel
import Synchronization

/// What one event thread says of the inline call that it runs: two stores before, a load and a store after.
///
/// Written by its thread; the watch reads it, and turns the sign of `started` when it finds the call old, so that the
/// thread looks at the clock when the call returns.
final class InlineSlot: Sendable {
  /// When the request of the call that runs was there, nanoseconds of the monotonic clock; 0 for none, negative for one
  /// that the watch suspects.
  let started = Atomic<Int64>(0)
  /// The generation's serial above, the route's number below.
  private let name = Atomic<UInt64>(0)
  /// The call that was counted as blocked last.
  private let counted = Atomic<Int64>(0)
  /// How long this thread had waited for a processor when the call was suspected.
  private let delayed = Atomic<UInt64>(0)
  private let threadID = ThreadDelay.ownID
  private let turn = Atomic<Int>(0)
  /// What the watch saw here last, and when it had looked before that: the call cannot be older.
  private let seen = Atomic<Int64>(0)
  private let earliest = Atomic<Int64>(0)

  /// Whether this call's time is taken. [this thread]
  @inline(__always)
  func begin(_ route: LiveRoute, at began: Instant) -> Bool {
    name.store(UInt64(route.generation.serial) << 32 | UInt64(route.number), ordering: .relaxed)
    started.store(began.nanoseconds, ordering: .releasing)
    let turn = turn.load(ordering: .relaxed) &+ 1
    self.turn.store(turn, ordering: .relaxed)
    return turn & (AutomationAccount.inlineSample - 1) == 0
  }

  /// Calls that began here. [any]
  var turns: Int { turn.load(ordering: .relaxed) }

  /// nil, or what names the call, when its request was there: the watch found it old. [this thread]
  @inline(__always)
  func end() -> Instant? {
    let began = started.load(ordering: .acquiring)
    started.store(0, ordering: .relaxed)
    return began < 0 ? Instant(nanoseconds: -began) : nil
  }

  /// When the call began whose request was there at `began`: what the host did before, as waiting for the audit trail, is
  /// not the handler's. Too early by one interval of the watch at most. [any, of a call that the watch saw]
  func begin(of began: Instant) -> Instant {
    max(began, Instant(nanoseconds: earliest.load(ordering: .relaxed)))
  }

  /// The watch looks, and looked at `last` before; returns when the call that runs began, and whether it is suspected, or
  /// nil when none runs. [watch]
  func look(last: Instant) -> (name: Instant, began: Instant, isSuspected: Bool)? {
    let started = started.load(ordering: .acquiring)
    if started == 0 { return nil }
    let name = Instant(nanoseconds: abs(started))
    if seen.load(ordering: .relaxed) != name.nanoseconds {
      seen.store(name.nanoseconds, ordering: .relaxed)
      earliest.store(last.nanoseconds, ordering: .relaxed)
    }
    return (name, begin(of: name), started < 0)
  }

  /// Of the time since the call was suspected, what this thread had no processor. [this thread]
  var delay: Int64 {
    Int64(clamping: ThreadDelay.of(threadID)) - Int64(clamping: delayed.load(ordering: .relaxed))
  }

  /// The call of that name is old. [watch]
  func suspect(_ name: Instant) {
    delayed.store(ThreadDelay.of(threadID), ordering: .relaxed)
    _ = started.compareExchange(
      expected: name.nanoseconds, desired: -name.nanoseconds, ordering: .releasing)
  }

  /// True once for each call. [any]
  func count(_ name: Instant) -> Bool {
    counted.exchange(name.nanoseconds, ordering: .relaxed) != name.nanoseconds
  }

  /// The generation's serial and the route's number of the call that runs; of another one, when it ends meanwhile.
  var running: (serial: Int, route: Int) {
    let name = name.load(ordering: .relaxed)
    return (Int(name >> 32), Int(name & 0xFFFF_FFFF))
  }
}
