import Application

/// What the properties of a schema for parameters are, so that text becomes JSON of that type.
struct ParameterTypes: Sendable {
  private var named: [String: ParameterType] = [:]
  private var other = ParameterType.string

  init(_ graph: SchemaGraph) {
    let reader = Reader(graph: graph)
    for (name, node) in reader.properties(of: graph.root, depth: 0) {
      named[name] = reader.type(of: node)
    }
    if let additional = reader.additional(of: graph.root, depth: 0) { other = reader.type(of: additional) }
  }

  func type(of name: String) -> ParameterType { named[name] ?? other }

  private struct Reader {
    static let maxDepth = 16
    let graph: SchemaGraph

    func properties(of node: Int, depth: Int) -> [String: Int] {
      let source = graph.nodes[node]
      var found: [String: Int] = [:]
      if depth < Reader.maxDepth {
        for part in parts(of: source) {
          found.merge(properties(of: part, depth: depth + 1)) { first, _ in first }
        }
      }
      return source.properties.merging(found) { own, _ in own }
    }

    func additional(of node: Int, depth: Int) -> Int? {
      let source = graph.nodes[node]
      if let own = source.additionalProperties { return own }
      guard depth < Reader.maxDepth else { return nil }
      for part in parts(of: source) {
        if let found = additional(of: part, depth: depth + 1) { return found }
      }
      return nil
    }

    /// A string when strings are allowed, since any text is one; else the widest type that is.
    func type(of node: Int) -> ParameterType {
      guard node > SchemaGraph.nothing else { return .string }
      let kinds = kinds(of: node, depth: 0)
      if kinds.contains(.string) { return .string }
      if kinds.contains(.fraction) { return .number }
      if kinds.contains(.integer) { return .integer }
      if kinds.contains(.boolean) { return .boolean }
      if kinds.contains(.array) { return .array(element(of: node, depth: 0)) }
      return .string
    }

    private func element(of node: Int, depth: Int) -> ParameterType {
      let source = graph.nodes[node]
      if let items = source.items, items > SchemaGraph.nothing {
        let inner = type(of: items)
        // Text has no lists of lists.
        if case .array = inner { return .string }
        return inner
      }
      guard depth < Reader.maxDepth else { return .string }
      return parts(of: source).first.map { element(of: $0, depth: depth + 1) } ?? .string
    }

    /// What the value can be, as far as types and choices say.
    private func kinds(of node: Int, depth: Int) -> KindSet {
      guard node > SchemaGraph.nothing, depth < Reader.maxDepth else { return .all }
      let source = graph.nodes[node]
      var kinds = source.kinds
      for (values, _) in [source.choices, source.moreChoices].compactMap({ $0 }) {
        kinds.formIntersection(values.reduce(into: []) { $0.formUnion(KindSet(of: $1)) })
      }
      for part in parts(of: source) { kinds.formIntersection(self.kinds(of: part, depth: depth + 1)) }
      for alternatives in [source.anyOf, source.oneOf] where !alternatives.isEmpty {
        kinds.formIntersection(
          alternatives.reduce(into: []) { $0.formUnion(self.kinds(of: $1, depth: depth + 1)) })
      }
      return kinds
    }

    /// The schemas that hold for the same value whatever it is.
    private func parts(of source: SchemaNode) -> [Int] {
      source.allOf + [source.reference, source.dynamic?.target].compactMap { $0 }
    }
  }
}
