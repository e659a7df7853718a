package import Kernel

/// The routes of one automation, compiled: from path segments to the number of a route.
///
/// Immutable once built; matching allocates nothing but what `parameters` needs to grow. A literal segment goes
/// before a parameter; patterns between which that does not decide are a ``RouteConflict``.
package struct RouteTable: Sendable {
  /// Which route answers, or why none does.
  package enum Match: Sendable, Equatable {
    case route(Int)
    /// The path exists; `allowed` lists the methods of it.
    case methodNotAllowed(allowed: MethodSet)
    case notFound
  }

  package struct MethodSet: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    package init(_ method: HTTPMethod) { rawValue = 1 << UInt8(method.number) }

    package func contains(_ method: HTTPMethod) -> Bool { contains(MethodSet(method)) }

    /// `GET, HEAD, POST`: the value of an `Allow` header. HEAD comes with GET, OPTIONS always.
    package var allow: String {
      HTTPMethod.allCases.filter {
        contains($0) || $0 == .head && contains(.get) || $0 == .options
      }.map(\.rawValue).joined(separator: ", ")
    }
  }

  private struct Node {
    var parameter: Int32 = -1
    var methods = MethodSet()
    var firstTarget: Int32 = -1
  }

  private var nodes = [Node()]
  private var literals = SegmentMap()
  /// Route numbers, one per method, of every node that ends a pattern.
  private var targets: [Int32] = []

  /// Compiles patterns in the order of their routes. They have no ``RouteConflict``.
  package init(_ routes: [(method: HTTPMethod, pattern: RoutePattern)]) {
    for (number, route) in routes.enumerated() {
      var node = 0
      for segment in route.pattern.segments { node = child(of: node, segment) }
      if nodes[node].firstTarget < 0 {
        nodes[node].firstTarget = Int32(targets.count)
        targets += [Int32](repeating: -1, count: HTTPMethod.allCases.count)
      }
      nodes[node].methods.insert(MethodSet(route.method))
      targets[Int(nodes[node].firstTarget) + route.method.number] = Int32(number)
    }
  }

  /// Matches decoded segments. `parameters` receives the segments that stand for parameters, in order.
  package func match(
    _ method: HTTPMethod, _ segments: borrowing Segments, parameters: inout [Int]
  ) -> Match {
    guard let node = walk(0, segments, 0, &parameters) else { return .notFound }
    let wanted = method == .head ? HTTPMethod.get : method
    let target = targets[Int(nodes[node].firstTarget) + wanted.number]
    return target < 0 ? .methodNotAllowed(allowed: nodes[node].methods) : .route(Int(target))
  }

  /// The segments of a request's path below the automation, lent.
  package struct Segments: ~Escapable {
    let head: Span<UInt8>
    let ranges: Span<ByteRange>
    let first: Int

    /// `ranges` are places in `head`; those before `first` are not looked at.
    @_lifetime(copy head, copy ranges)
    package init(of head: Span<UInt8>, at ranges: Span<ByteRange>, from first: Int) {
      self.head = head
      self.ranges = ranges
      self.first = first
    }

    var count: Int { ranges.count - first }

    subscript(index: Int) -> Span<UInt8> {
      @_lifetime(copy self)
      get {
        let range = ranges[first + index]
        return head.extracting(range.start..<range.end)
      }
    }
  }

  /// Depth first, literal before parameter: a path is at most ``RoutePattern/maxSegments`` deep.
  private func walk(
    _ node: Int, _ segments: borrowing Segments, _ index: Int, _ parameters: inout [Int]
  ) -> Int? {
    if index == segments.count { return nodes[node].firstTarget < 0 ? nil : node }
    let segment = segments[index]
    if segment.isEmpty || index >= RoutePattern.maxSegments { return nil }
    if let next = literals.find(node, segment), let end = walk(next, segments, index + 1, &parameters) {
      return end
    }
    let next = nodes[node].parameter
    if next < 0 { return nil }
    parameters.append(index)
    if let end = walk(Int(next), segments, index + 1, &parameters) { return end }
    parameters.removeLast()
    return nil
  }

  private mutating func child(of node: Int, _ segment: RoutePattern.Segment) -> Int {
    switch segment {
    case .parameter:
      if nodes[node].parameter < 0 {
        nodes[node].parameter = Int32(nodes.count)
        nodes.append(Node())
      }
      return Int(nodes[node].parameter)
    case .literal(let text):
      if let known = literals.find(node, text.utf8.span) { return known }
      literals.insert(node, text.utf8.span, nodes.count)
      nodes.append(Node())
      return nodes.count - 1
    }
  }
}

extension HTTPMethod {
  /// A dense number, for tables.
  package var number: Int {
    switch self {
    case .get: 0
    case .head: 1
    case .post: 2
    case .put: 3
    case .patch: 4
    case .delete: 5
    case .options: 6
    }
  }
}
