/// How long the supervisor waits before it starts a host again.
///
/// A crash that has a culprit is followed by a start at once: the crash policy takes care of the culprit. So is the end of
/// a host that had served for a while. One that dies early and nobody knows why is given more time each time.
package struct RestartBackoff: Sendable {
  package var first: Duration
  package var most: Duration
  /// A host that lived so long was no failed start.
  package var early: Duration
  private var failures = 0

  package init(
    first: Duration = .milliseconds(100), most: Duration = .seconds(30), early: Duration = .seconds(10)
  ) {
    self.first = first
    self.most = most
    self.early = early
  }

  package mutating func ended(after uptime: Duration, hasCulprit: Bool) -> Duration {
    if uptime >= early { failures = 0 }
    if hasCulprit || uptime >= early { return .zero }
    failures += 1
    // Beyond this the bound has long been reached.
    let doublings = min(failures - 1, 20)
    return min(most, first * (1 << doublings))
  }
}
