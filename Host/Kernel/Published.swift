import Synchronization

/// An immutable value that one thread replaces and many read: the routing snapshot, the configuration.
///
/// A reader keeps its own ``Reader`` and pays one relaxed load per look; it takes the lock only when the
/// version moved.
package final class Published<Value: AnyObject & Sendable>: Sendable {
  private let version = Atomic<UInt64>(1)
  private let value: Monitor<Value>

  package init(_ value: Value) { self.value = Monitor(value) }

  package var current: Value { value.withLock { $0 } }

  package func publish(_ next: Value) {
    value.withLock { $0 = next }
    version.add(1, ordering: .releasing)
  }

  /// One thread's own strong reference.
  package struct Reader {
    private let source: Published
    private var seen: UInt64
    private var value: Value

    package init(_ source: Published) {
      self.source = source
      seen = source.version.load(ordering: .acquiring)
      value = source.current
    }

    package mutating func look() -> Value {
      let version = source.version.load(ordering: .relaxed)
      if version != seen {
        seen = source.version.load(ordering: .acquiring)
        value = source.current
      }
      return value
    }
  }
}
