import CPlugins
import Kernel

/// Images that stay mapped and are never called again: their read-only pages are let go of.
///
/// Once is not enough. When the Swift runtime meets a new type, or asks again for a conformance that is not there, it
/// reads the tables of every mapped image, and so brings their pages back. This happens after a plugin was loaded, when
/// each piece of code runs for the first time since, the rare ones seconds later; and hardly ever else. So the pages are
/// dropped a moment after each change, and some times again. What stays of a generation is what
/// the loader wrote into it: 8 KB of a small C plugin, 24 KB of Accounts.
enum RetiredImages {
  private struct State {
    var clean: [cplugins_range] = []
    /// When the pages are dropped next; nil when they were often enough since the last change.
    var due: Instant?
    /// The pauses until that, and those that follow.
    var pauses: ArraySlice<Duration> = []
    var isRunning = false
  }

  private static let state = Monitor(State())
  private static let pauses: [Duration] = [
    .milliseconds(300), .milliseconds(1500), .seconds(2), .seconds(10),
  ]

  /// `address` is in the image. [control]
  @unsafe
  static func add(_ address: UnsafeRawPointer) {
    var ranges = [cplugins_range](repeating: cplugins_range(), count: 8)
    // Safe: the count is the array's own. The ranges are read-only mappings of a file that nobody changes, and stay
    // mapped: dropping their pages loses nothing.
    let count = unsafe cplugins_clean_ranges(address, &ranges, ranges.count)
    let starts = state.signal { state in
      state.clean += ranges.prefix(count)
      state.due = .now + pauses[0]
      state.pauses = pauses[1...]
      defer { state.isRunning = true }
      return !state.isRunning
    }
    if starts { OSThread("cool", stackBytes: 64 * 1024) { run() }.leave() }
  }

  private static func run() {
    while true {
      let due: Instant = state.wait { $0.due } ?? .now
      // A change that comes meanwhile moves the time; under steady change the pages are dropped all the same.
      _ = state.wait(until: due) { _ in nil as Bool? }
      let ranges = state.withLock { state in
        state.due = state.pauses.popFirst().map { .now + $0 }
        return state.clean
      }
      for range in ranges { cplugins_drop(range) }
    }
  }
}
