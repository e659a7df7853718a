package import Kernel

/// The clock of the machine, and what a test adds to it.
package final class TestClock: Sendable {
  private let added = Monitor(Duration.zero)

  package init() {}

  package var now: Timestamp { .now + added.withLock { $0 } }

  package func advance(by duration: Duration) { added.withLock { $0 += duration } }
}
