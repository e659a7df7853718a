import Kernel

/// Automation ids to numbers, for the first segment of a path.
package struct AutomationIndex: Sendable {
  private var map = SegmentMap()

  package init(_ ids: [String]) {
    for (number, id) in ids.enumerated() { map.insert(0, id.utf8.span, number) }
  }

  package func find(_ segment: Span<UInt8>) -> Int? { map.find(0, segment) }
}
