import Kernel

/// Roots of automations to numbers: the first segment of a path, or the first two where that is a version.
package struct AutomationIndex: Sendable {
  private var map = SegmentMap()
  private var hasVersions = false

  /// Each automation's name in a path, and its version there; nil for one without.
  package init(_ roots: [(name: String, version: Int?)]) {
    for (number, root) in roots.enumerated() {
      map.insert(root.version ?? 0, root.name.utf8.span, number)
      hasVersions = hasVersions || root.version != nil
    }
  }

  package func find(_ segment: Span<UInt8>) -> Int? { map.find(0, segment) }

  /// `v2` and `accounts`.
  package func find(_ version: Span<UInt8>, _ segment: Span<UInt8>) -> Int? {
    guard hasVersions, let number = AutomationIndex.number(version) else { return nil }
    return map.find(number, segment)
  }

  /// The number of `v2`; nil for a segment that is no version.
  package static func number(_ segment: Span<UInt8>) -> Int? {
    guard (2...5).contains(segment.count), segment[0] == UInt8(ascii: "v"), segment[1] != UInt8(ascii: "0")
    else {
      return nil
    }
    var number = 0
    for place in 1..<segment.count {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(segment[place]) else { return nil }
      number = number * 10 + Int(segment[place] - UInt8(ascii: "0"))
    }
    return number
  }
}
