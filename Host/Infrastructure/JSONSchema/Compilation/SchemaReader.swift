import Kernel

/// Reads a schema and all it refers to into a ``SchemaGraph``; says all that is wrong at once.
struct SchemaReader {
  var graph = SchemaGraph()
  var documents: SchemaDocuments
  let limits: SchemaLimits
  let assertsFormats: Bool
  private var numbers: [SchemaLocation: Int] = [:]
  /// Noticed, not yet read. A list rather than recursion: depth costs no stack.
  private var pending: [Int] = []
  private var patterns: [String: Int] = [:]
  private var constants = 0

  static func read(
    _ schema: JSONValue, library: [String: JSONValue], limits: SchemaLimits, assertsFormats: Bool
  ) throws(Problem) -> SchemaGraph {
    let documents = SchemaDocuments(schema, library: library, limits: limits)
    if let problem = documents.errors.problem { throw problem }
    var reader = SchemaReader(documents: documents, limits: limits, assertsFormats: assertsFormats)
    reader.readAll()
    if let problem = reader.documents.errors.problem { throw problem }
    return reader.graph
  }

  private init(documents: SchemaDocuments, limits: SchemaLimits, assertsFormats: Bool) {
    self.documents = documents
    self.limits = limits
    self.assertsFormats = assertsFormats
  }

  private mutating func readAll() {
    let outside = SchemaLocation(document: -1, pointer: "")
    graph.nodes = [SchemaNode(location: outside, resource: 0), SchemaNode(location: outside, resource: 0)]
    graph.root = node(SchemaLocation(document: 0, pointer: ""), in: 0)
    var dynamicNames: Set<String> = []
    while let index = pending.popLast(), !documents.errors.isFull {
      var node = graph.nodes[index]
      read(&node)
      graph.nodes[index] = node
      if let name = node.dynamic?.name, dynamicNames.insert(name).inserted { noteDynamicAnchors(name) }
      if pending.isEmpty { for name in dynamicNames { noteDynamicAnchors(name) } }
    }
  }

  /// The number of the schema at `location`, which is a part of `resource` unless it is one itself.
  mutating func node(_ location: SchemaLocation, in resource: Int) -> Int {
    if let number = numbers[location] { return number }
    switch documents.value(at: location) {
    case .bool(let flag): return flag ? SchemaGraph.anything : SchemaGraph.nothing
    case .object: break
    default:
      fail(location, "a schema is an object or a boolean")
      return SchemaGraph.nothing
    }
    guard graph.nodes.count < limits.nodes else {
      if graph.nodes.count == limits.nodes, !documents.errors.isFull {
        fail(location, "more than \(limits.nodes) schemas")
      }
      return SchemaGraph.nothing
    }
    let owner = documents.resource(at: location) ?? resource
    numbers[location] = graph.nodes.count
    graph.nodes.append(SchemaNode(location: location, resource: owner))
    pending.append(graph.nodes.count - 1)
    return graph.nodes.count - 1
  }

  mutating func fail(_ location: SchemaLocation, _ reason: String) {
    documents.errors.add(.invalid, at: documents.name(location), reason)
  }

  mutating func refuse(_ location: SchemaLocation, _ reason: String) {
    documents.errors.add(.unsupported, at: documents.name(location), reason)
  }

  // MARK: One schema

  private mutating func read(_ node: inout SchemaNode) {
    guard let members = documents.value(at: node.location)?.object else { return }
    let dialect = documents.resources[node.resource].dialect
    checkAnnotations(members, node.location)
    readReferences(members, &node)
    if dialect.appliesSchemas { readApplicators(members, &node) }
    if dialect.unevaluated {
      node.unevaluatedItems = child("unevaluatedItems", members, node)
      node.unevaluatedProperties = child("unevaluatedProperties", members, node)
    }
    if dialect.validates { readAssertions(members, &node) }
    if dialect.assertsFormats ?? assertsFormats { readFormat(members, &node) }
  }

  private mutating func readReferences(_ members: [String: JSONValue], _ node: inout SchemaNode) {
    if let (target, _) = target("$ref", members, node) { node.reference = target }
    if let (target, fragment) = target("$dynamicRef", members, node) {
      // Dynamic only when the first place it leads to says so by the same name.
      var name = fragment
      if let anchor = fragment, !anchor.hasPrefix("/") {
        let (location, resource) = place(of: target) ?? (node.location, node.resource)
        if documents.resources[resource].dynamicAnchors[anchor] != location.pointer { name = nil }
      } else {
        name = nil
      }
      node.dynamic = SchemaNode.Dynamic(target: target, name: name)
    }
  }

  private func place(of target: Int) -> (SchemaLocation, Int)? {
    target > SchemaGraph.nothing ? (graph.nodes[target].location, graph.nodes[target].resource) : nil
  }

  private mutating func target(
    _ keyword: String, _ members: [String: JSONValue], _ node: SchemaNode
  ) -> (node: Int, fragment: String?)? {
    guard let value = members[keyword] else { return nil }
    let location = node.location.appending(keyword)
    guard let text = value.string, let reference = URIReference(text) else {
      fail(location, "not a URI reference")
      return nil
    }
    guard let (found, resource) = documents.find(reference, from: node.resource) else {
      let uri = URIReference.resolve(reference.absolute, against: documents.resources[node.resource].uri)
      if documents.knows(uri) {
        fail(location, "\(text) leads nowhere")
      } else {
        refuse(location, "\(text) is in another document, and none is fetched")
      }
      return nil
    }
    return (self.node(found, in: resource), reference.fragment)
  }

  private mutating func noteDynamicAnchors(_ name: String) {
    let known = Set((graph.dynamicAnchors[name] ?? []).map(\.resource))
    for (index, resource) in documents.resources.enumerated() where !known.contains(index) {
      guard let pointer = resource.dynamicAnchors[name] else { continue }
      let location = SchemaLocation(document: resource.location.document, pointer: pointer)
      graph.dynamicAnchors[name, default: []].append((index, node(location, in: index)))
    }
  }

  // MARK: Pieces for the keywords

  mutating func child(_ keyword: String, _ members: [String: JSONValue], _ node: SchemaNode) -> Int? {
    members[keyword] == nil ? nil : self.node(node.location.appending(keyword), in: node.resource)
  }

  mutating func children(_ keyword: String, _ members: [String: JSONValue], _ node: SchemaNode) -> [Int] {
    guard let value = members[keyword] else { return [] }
    let location = node.location.appending(keyword)
    guard let list = value.array, !list.isEmpty else {
      fail(location, "not a list of at least one schema")
      return []
    }
    return list.indices.map { self.node(location.appending(String($0)), in: node.resource) }
  }

  /// Sorted by name, so that the same schema always gives the same program.
  mutating func named(
    _ keyword: String, _ members: [String: JSONValue], _ node: SchemaNode
  ) -> [(name: String, value: JSONValue)] {
    guard let value = members[keyword] else { return [] }
    guard let all = value.object else {
      fail(node.location.appending(keyword), "not an object")
      return []
    }
    return all.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  mutating func pattern(_ text: String, at location: SchemaLocation) -> Int? {
    if let known = patterns[text] { return known }
    guard text.utf8.count <= limits.patternBytes, patterns.count < limits.patterns else {
      fail(
        location, "more than \(limits.patternBytes) bytes, or more than \(limits.patterns) patterns in all")
      return nil
    }
    do throws(ECMAPattern.Failure) {
      let translated = try ECMAPattern.translate(text)
      do throws(PatternError) {
        let index = try graph.patterns.add(translated)
        graph.patternTexts.append(text)
        patterns[text] = index
        return index
      } catch {
        if error.unsupported {
          refuse(location, "the regular expression: \(error.reason)")
        } else {
          fail(location, "not a regular expression of ECMA-262: \(error.reason)")
        }
      }
    } catch {
      fail(location, "not a regular expression of ECMA-262: \(error.reason)")
    }
    return nil
  }

  mutating func countConstants(_ value: JSONValue, at location: SchemaLocation) -> Bool {
    var rest = [value]
    while let next = rest.popLast() {
      constants += 1
      guard constants <= limits.constants else {
        fail(location, "more than \(limits.constants) values in const and enum")
        return false
      }
      if let items = next.array { rest += items }
      if let members = next.object { rest += members.values }
    }
    return true
  }
}
