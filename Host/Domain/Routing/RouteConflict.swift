/// Two routes of one manifest that cannot stand together.
package struct RouteConflict: Sendable, Equatable {
  package enum Kind: String, Sendable {
    /// The same method and the same path, whatever the parameters are called.
    case duplicate
    /// Some path matches both, and neither is the more specific one: `/{a}/x` and `/y/{b}`.
    case ambiguous
  }

  package var kind: Kind
  package var first: Int
  package var second: Int

  /// Every conflict among the routes, at most `limit`.
  package static func find(
    _ routes: [(method: HTTPMethod, pattern: RoutePattern)], limit: Int = 100
  ) -> [RouteConflict] {
    var conflicts: [RouteConflict] = []
    // Only patterns of one length can meet, and of those that start with literals, only equal starts: a
    // manifest of 10,000 routes is not compared pair by pair.
    var seen: [Key: Int] = [:]
    var byStart: [Start: [Int]] = [:]
    for (index, route) in routes.enumerated() {
      let start = Start(route)
      if let earlier = seen.updateValue(index, forKey: Key(route)) {
        conflicts.append(RouteConflict(kind: .duplicate, first: earlier, second: index))
      } else if !route.pattern.parameterNames.isEmpty {
        for other in byStart[start, default: []] + start.meeting(in: byStart)
        where ambiguous(routes[other].pattern, route.pattern) {
          conflicts.append(RouteConflict(kind: .ambiguous, first: other, second: index))
        }
        byStart[start, default: []].append(index)
      }
      if conflicts.count >= limit { break }
    }
    return conflicts
  }

  /// What two patterns have to share before they can be ambiguous.
  private struct Start: Hashable {
    var method: HTTPMethod
    var count: Int
    /// nil: a parameter, which meets every start.
    var literal: String?

    init(_ route: (method: HTTPMethod, pattern: RoutePattern)) {
      method = route.method
      count = route.pattern.segments.count
      if case .literal(let text)? = route.pattern.segments.first { literal = text }
    }

    /// The patterns with another start that a pattern with this one can meet.
    func meeting(in all: [Start: [Int]]) -> [Int] {
      if literal != nil {
        var open = self
        open.literal = nil
        return all[open] ?? []
      }
      return all.filter { $0.key.method == method && $0.key.count == count && $0.key != self }
        .flatMap(\.value).sorted()
    }
  }

  private struct Key: Hashable {
    var method: HTTPMethod
    var segments: [String?]

    init(_ route: (method: HTTPMethod, pattern: RoutePattern)) {
      method = route.method
      segments = route.pattern.segments.map { if case .literal(let text) = $0 { text } else { nil } }
    }
  }

  private static func ambiguous(_ a: RoutePattern, _ b: RoutePattern) -> Bool {
    var aIsMoreSpecific = false
    var bIsMoreSpecific = false
    for (left, right) in zip(a.segments, b.segments) {
      switch (left, right) {
      case (.literal(let x), .literal(let y)): if x != y { return false }
      case (.literal, .parameter): aIsMoreSpecific = true
      case (.parameter, .literal): bIsMoreSpecific = true
      case (.parameter, .parameter): break
      }
    }
    return aIsMoreSpecific && bIsMoreSpecific
  }
}
