public import Synchronization

/// An immutable value that one thread replaces and many read: the routing snapshot, the configuration.
///
/// A reader keeps its own ``Reader`` and pays one relaxed load per look; it takes the lock only when the
/// version moved.
public final class Published<Value: AnyObject & Sendable>: Sendable {
  @usableFromInline let version = Atomic<UInt64>(1)
  private let value: Monitor<Value>

  public init(_ value: Value) { self.value = Monitor(value) }

  public var current: Value { value.withLock { $0 } }

  public func publish(_ next: Value) {
    value.withLock { $0 = next }
    version.add(1, ordering: .releasing)
  }

  /// One thread's own strong reference.
  public struct Reader {
    @usableFromInline let source: Published
    @usableFromInline var seen: UInt64
    @usableFromInline var value: Value

    public init(_ source: Published) {
      self.source = source
      seen = source.version.load(ordering: .acquiring)
      value = source.current
    }

    @inlinable
    public mutating func look() -> Value {
      let version = source.version.load(ordering: .relaxed)
      if version != seen {
        refresh()
      }
      return value
    }

    @usableFromInline
    mutating func refresh() {
      seen = source.version.load(ordering: .acquiring)
      value = source.current
    }
  }
}
