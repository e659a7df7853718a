package import Kernel

/// How long tests wait for what another thread or process brings about.
///
/// Patience is there so that a broken program ends; no test says anything by it. It is counted in looks, not read from a
/// clock: of a process that was stopped for a minute, or a machine that stood still, one look is gone and all others are
/// left. Each lasts about a minute where nothing is slow, and longer where something is.
package enum Patience {
  /// Quick at first, for what comes at once; then slower, for each look may cost those who are waited for something.
  fileprivate static func pause(after look: Int) -> Duration {
    switch look {
    case ..<100: .milliseconds(1)
    case ..<1000: .milliseconds(5)
    default: .milliseconds(20)
    }
  }

  fileprivate static func looks(_ minutes: Int) -> Int { 1000 + 2750 * minutes }
}

/// Asks again and again until it is so; false when patience ends. `minutes` is for what takes long by itself.
package func eventually(minutes: Int = 1, _ isSo: () throws -> Bool) rethrows -> Bool {
  let pause = Monitor(())
  for look in 0..<Patience.looks(minutes) {
    if try isSo() { return true }
    _ = pause.wait(until: .now + Patience.pause(after: look)) { _ in nil as Bool? }
  }
  return try isSo()
}

extension Monitor {
  /// Waits until `body` answers with a value, asking again after each signal, and now and then without one; nil when
  /// patience ends.
  package func eventually<Result>(minutes: Int = 1, _ body: (inout State) -> Result?) -> Result? {
    for _ in 0..<(600 * minutes) {
      if let result = wait(until: .now + .milliseconds(100), body) { return result }
    }
    return nil
  }
}
