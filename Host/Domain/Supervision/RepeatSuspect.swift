package import Kernel

/// Who is blamed for ends that nobody wrote down while several automations were inside: the one generation that was
/// inside at each of them, once there were enough. One alone proves nothing, and neither does a crowd that never changes.
package struct RepeatSuspect: Sendable {
  private struct End {
    var time: Timestamp
    var suspects: [CrashPlace]
  }

  private let ends: Int
  private let window: Duration
  private var known: [End] = []

  /// `ends` is how many there must be within `window`, at least two.
  package init(ends: Int, window: Duration) {
    self.ends = max(2, ends)
    self.window = window
  }

  /// Another end without a culprit, and the newest; the culprit, if there is one by now.
  package mutating func note(_ suspects: [CrashPlace], at time: Timestamp) -> CrashPlace? {
    guard !suspects.isEmpty else { return nil }
    known.append(End(time: time, suspects: suspects))
    if known.count > ends { known.removeFirst() }
    guard known.count == ends, let first = known.first, time <= first.time + window else { return nil }
    var common: [CrashPlace] = []
    for place in suspects
    where !common.contains(where: place.isSameGeneration)
      && known.allSatisfy({ end in
        end.suspects.contains(where: place.isSameGeneration)
      })
    {
      common.append(place)
    }
    return common.count == 1 ? common[0] : nil
  }
}

extension CrashPlace {
  fileprivate func isSameGeneration(_ other: CrashPlace) -> Bool {
    automation == other.automation && generation == other.generation
  }
}
