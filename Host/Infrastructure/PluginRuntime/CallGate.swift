import Synchronization

/// Lets calls in until it is closed, and tells when those inside have left: what must not be called after an
/// end that another thread decides.
///
/// Two atomic additions per call; no lock.
final class CallGate: Sendable {
  private let inside = Atomic<Int>(0)
  private static let closed = Int.min / 2

  /// False when the gate is closed; then there is nothing to leave.
  func enter() -> Bool {
    if inside.add(1, ordering: .acquiring).newValue > 0 { return true }
    leave()
    return false
  }

  func leave() { inside.subtract(1, ordering: .releasing) }

  /// Nobody enters from now on. Once.
  func close() { inside.add(CallGate.closed, ordering: .acquiringAndReleasing) }

  /// Whether nobody is inside. Lasting once the gate is closed.
  var isEmpty: Bool {
    let count = inside.load(ordering: .acquiring)
    return count == 0 || count == CallGate.closed
  }
}
