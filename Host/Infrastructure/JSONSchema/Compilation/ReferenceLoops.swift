/// Finds schemas that apply themselves to the same value without end.
enum ReferenceLoops {
  /// A schema on such a loop; nil when there is none. Dynamic references are left to the limit on depth.
  static func find(in graph: SchemaGraph) -> Int? {
    enum Mark { case new, open, done }
    var marks = [Mark](repeating: .new, count: graph.nodes.count)
    for start in graph.nodes.indices where marks[start] == .new {
      // Depth first with a list of its own: a schema's size costs no stack.
      var path: [(node: Int, rest: [Int])] = [(start, inPlace(graph.nodes[start]))]
      marks[start] = .open
      while !path.isEmpty {
        guard let next = path[path.count - 1].rest.popLast() else {
          marks[path.removeLast().node] = .done
          continue
        }
        if marks[next] == .open { return next }
        if marks[next] == .new {
          marks[next] = .open
          path.append((next, inPlace(graph.nodes[next])))
        }
      }
    }
    return nil
  }

  private static func inPlace(_ node: SchemaNode) -> [Int] {
    var next = node.allOf + node.anyOf + node.oneOf + node.dependentSchemas.map(\.node)
    if let reference = node.reference { next.append(reference) }
    if let dynamic = node.dynamic, dynamic.name == nil { next.append(dynamic.target) }
    if let not = node.not { next.append(not) }
    if let conditional = node.conditional {
      next += [conditional.condition, conditional.then, conditional.otherwise].compactMap { $0 }
    }
    return next
  }
}
