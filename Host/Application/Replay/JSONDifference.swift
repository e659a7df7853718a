package import Kernel

/// One place at which two documents differ.
package struct JSONDifference: Sendable, Equatable {
  package var pointer: String
  /// nil where the document has nothing there.
  package var old: JSONValue?
  package var new: JSONValue?

  /// Where two documents differ, in the order of pointers; at most `limit` places. What an ignored pointer covers is
  /// not compared.
  package static func between(
    _ old: JSONValue, _ new: JSONValue, ignoring: [JSONPointer] = [], limit: Int = 100
  ) -> [JSONDifference] {
    var walk = Walk(ignoring: ignoring, limit: limit)
    walk.compare(old, new, [])
    return walk.found
  }

  private struct Walk {
    let ignoring: [JSONPointer]
    let limit: Int
    var found: [JSONDifference] = []

    init(ignoring: [JSONPointer], limit: Int) {
      self.ignoring = ignoring
      self.limit = limit
    }

    mutating func compare(_ old: JSONValue?, _ new: JSONValue?, _ place: [String]) {
      guard found.count < limit, old != new, !ignoring.contains(where: { $0.covers(place) }) else { return }
      switch (old, new) {
      case (.object(let before)?, .object(let after)?):
        for name in Set(before.keys).union(after.keys).sorted() {
          compare(before[name], after[name], place + [name])
        }
      case (.array(let before)?, .array(let after)?):
        for index in 0..<max(before.count, after.count) {
          compare(
            index < before.count ? before[index] : nil, index < after.count ? after[index] : nil,
            place + [String(index)])
        }
      default: found.append(JSONDifference(pointer: JSONPointer.text(place), old: old, new: new))
      }
    }
  }
}
