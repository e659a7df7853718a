import Kernel

/// Lays a ``SchemaGraph`` out as the tables of a ``Program``.
struct ProgramAssembler {
  private let graph: SchemaGraph
  private let isDynamic: Bool
  /// For each schema of the graph, the one that does its work.
  private var aliases: [Int32] = []

  private var nodes: [Program.Node] = []
  private var steps: [Program.Step] = []
  private var children: [Int32] = []
  private var candidates: [Program.DynamicCandidate] = []
  private var numbers: [NumberRules] = []
  private var strings: [Program.StringRules] = []
  private var arrays: [Program.ArrayRules] = []
  private var objects: [Program.ObjectRules] = []
  private var namedPatterns: [Program.NamedPattern] = []
  private var triggers: [Program.Trigger] = []
  private var choices: [Choices] = []
  private var choiceTexts: [String] = []
  private var constants: [Constant] = []
  private var entries: [NameEntry] = []
  private var slots: [UInt64] = []
  private var bytes: [UInt8] = []

  static func assemble(
    _ graph: SchemaGraph, limits: SchemaLimits, scratches: ThreadSlots<Scratch>
  ) -> Program {
    var assembler = ProgramAssembler(graph)
    assembler.nodes = graph.nodes.map { assembler.assemble($0) }
    return assembler.program(limits: limits, scratches: scratches)
  }

  private init(_ graph: SchemaGraph) {
    self.graph = graph
    isDynamic = graph.dynamicAnchors.values.contains { $0.count > 1 }
    aliases = graph.nodes.indices.map { Int32($0) }
    for index in graph.nodes.indices where index > SchemaGraph.nothing {
      aliases[index] = Int32(worker(for: index))
    }
  }

  /// Follows schemas that only refer to another one; leaves those that allow everything.
  private func worker(for start: Int) -> Int {
    var index = start
    while index > SchemaGraph.nothing {
      let node = graph.nodes[index]
      guard node.assertsNothingItself else { return index }
      if let reference = node.reference, node.dynamic == nil {
        // Its resource would be missing from the dynamic scope.
        guard !isDynamic else { return index }
        index = reference
      } else {
        return node.dynamic == nil ? SchemaGraph.anything : index
      }
    }
    return index
  }

  private func program(limits: SchemaLimits, scratches: ThreadSlots<Scratch>) -> Program {
    let memory = TableMemory()
    let tables = Program.Tables(
      nodes: memory.table(nodes), steps: memory.table(steps), children: memory.table(children),
      candidates: memory.table(candidates), numbers: memory.table(numbers), strings: memory.table(strings),
      arrays: memory.table(arrays), objects: memory.table(objects),
      namedPatterns: memory.table(namedPatterns), triggers: memory.table(triggers),
      patterns: memory.table(graph.patterns.patterns), choices: memory.table(choices),
      constants: memory.table(constants), entries: memory.table(entries),
      slots: memory.table(slots), bytes: memory.table(bytes))
    return Program(
      tables: tables, memory: memory, root: aliases[graph.root], isDynamic: isDynamic,
      patterns: graph.patterns, patternTexts: graph.patternTexts, choiceTexts: choiceTexts,
      parameters: ParameterTypes(graph), limits: limits, scratches: scratches)
  }

  // MARK: One schema

  private mutating func assemble(_ source: SchemaNode) -> Program.Node {
    var node = Program.Node()
    node.kinds = source.kinds.rawValue
    node.resource = Int32(source.resource)
    if let first = source.choices { node.choices = add(first.values, first.keyword) }
    if let second = source.moreChoices { node.moreChoices = add(second.values, second.keyword) }
    if let rules = source.numbers { node.numbers = append(rules, to: \.numbers) }
    if source.minLength != nil || source.maxLength != nil || source.pattern != nil || source.format != nil {
      let rules = Program.StringRules(
        minLength: source.minLength ?? 0, maxLength: source.maxLength ?? .max,
        pattern: source.pattern.map { Int32($0) } ?? -1, format: source.format)
      node.strings = append(rules, to: \.strings)
    }
    if source.hasArrayRules { node.arrays = arrayRules(source) }
    if source.hasObjectRules { node.objects = objectRules(source) }
    node.steps = add(source.steps, \.steps) { $0.step(of: $1) }
    node.unevaluatedItems = alias(source.unevaluatedItems)
    node.unevaluatedProperties = alias(source.unevaluatedProperties)
    return node
  }

  private mutating func step(of source: SchemaNode.InPlace) -> Program.Step {
    switch source {
    case .reference(let target): return .reference(aliases[target])
    case .dynamic(let dynamic):
      let all = dynamic.name.flatMap { graph.dynamicAnchors[$0] } ?? []
      guard all.count > 1 else { return .reference(aliases[dynamic.target]) }
      let start = Int32(candidates.count)
      candidates += all.map {
        Program.DynamicCandidate(resource: Int32($0.resource), node: aliases[$0.node])
      }
      return .dynamicReference(
        aliases[dynamic.target], candidates: Program.IndexRange(start: start, count: Int32(all.count)))
    case .allOf(let nodes): return .allOf(list(nodes))
    case .anyOf(let nodes): return .anyOf(list(nodes))
    case .oneOf(let nodes): return .oneOf(list(nodes))
    case .not(let node): return .not(aliases[node])
    case .conditional(let parts):
      return .conditional(
        aliases[parts.condition], then: alias(parts.then), otherwise: alias(parts.otherwise))
    }
  }

  private mutating func arrayRules(_ source: SchemaNode) -> Int32 {
    let rules = Program.ArrayRules(
      minItems: source.minItems ?? 0, maxItems: source.maxItems ?? .max,
      minContains: source.contains?.min ?? 0, maxContains: source.contains?.max ?? .max,
      prefix: list(source.prefixItems), items: alias(source.items),
      contains: alias(source.contains?.node), isUnique: source.uniqueItems)
    return append(rules, to: \.arrays)
  }

  private mutating func objectRules(_ source: SchemaNode) -> Int32 {
    var asked = source.required
    for (name, names) in source.dependentRequired where !names.isEmpty { asked += [name] + names }
    asked += source.dependentSchemas.map(\.name)
    var presence: [[UInt8]: Int32] = [:]
    for name in asked where presence[Array(name.utf8)] == nil {
      presence[Array(name.utf8)] = Int32(presence.count)
    }

    var known: [[UInt8]: Int32] = [:]
    for (name, node) in source.properties { known[Array(name.utf8)] = aliases[node] }
    let names = Set(known.keys).union(presence.keys).sorted { $0.lexicographicallyPrecedes($1) }
    let table = nameTable(names.map { (name: $0, value: known[$0] ?? -1, presence: presence[$0] ?? -1) })
    var places: [[UInt8]: Int32] = [:]
    for (index, name) in names.enumerated() { places[name] = table.entries.start + Int32(index) }
    func entry(_ name: String) -> Int32 { places[Array(name.utf8)]! }

    let required = source.required.map(entry)
    var requiredBits: UInt64 = 0
    for name in source.required {
      let bit = presence[Array(name.utf8)]!
      if bit < 64 { requiredBits |= 1 << UInt64(bit) }
    }
    var asks: [Program.Trigger] = []
    for (name, needed) in source.dependentRequired {
      asks += needed.map { Program.Trigger(entry: entry(name), requiredEntry: entry($0), node: -1) }
    }
    for (name, node) in source.dependentSchemas {
      asks.append(Program.Trigger(entry: entry(name), requiredEntry: -1, node: aliases[node]))
    }
    let patterns = source.patternProperties.map {
      Program.NamedPattern(pattern: Int32($0.pattern), node: aliases[$0.node])
    }
    let rules = Program.ObjectRules(
      minProperties: source.minProperties ?? 0, maxProperties: source.maxProperties ?? .max, names: table,
      presences: Int32(presence.count), required: requiredBits,
      requiredEntries: add(required, \.children) { $1 }, triggers: add(asks, \.triggers) { $1 },
      patterns: add(patterns, \.namedPatterns) { $1 }, additional: alias(source.additionalProperties),
      propertyNames: alias(source.propertyNames))
    return append(rules, to: \.objects)
  }

  // MARK: Names and constants

  private mutating func nameTable(_ names: [(name: [UInt8], value: Int32, presence: Int32)]) -> NameTable {
    var count = 2
    while count < names.count * 2 { count *= 2 }
    if names.isEmpty { count = 0 }
    var table = NameTable(slots: Int32(slots.count), mask: Int32(max(count - 1, 0)))
    table.entries = Program.IndexRange(start: Int32(entries.count), count: Int32(names.count))
    slots += [UInt64](repeating: 0, count: count)
    for (name, value, presence) in names {
      let hash = hash(name.span, seed: NameTable.seed)
      var slot = Int(truncatingIfNeeded: hash) & (count - 1)
      while slots[Int(table.slots) + slot] != 0 { slot = (slot + 1) & (count - 1) }
      entries.append(
        NameEntry(offset: Int32(bytes.count), count: Int32(name.count), value: value, presence: presence))
      slots[Int(table.slots) + slot] = hash & 0xFFFF_FFFF_0000_0000 | UInt64(entries.count)
      bytes += name
    }
    return table
  }

  private mutating func add(_ values: [JSONValue], _ keyword: ChoiceKeyword) -> Int32 {
    let names = Set(values.compactMap { $0.string.map { Array($0.utf8) } })
      .sorted { $0.lexicographicallyPrecedes($1) }
    let table = nameTable(names.map { (name: $0, value: -1, presence: -1) })
    let others = values.filter { $0.string == nil }.map { constant($0) }
    choiceTexts.append(ViolationText.list(values))
    return append(
      Choices(keyword: keyword, strings: table, others: add(others, \.children) { $1 }), to: \.choices)
  }

  /// Recursion is bounded by the depth of the schema's document.
  private mutating func constant(_ value: JSONValue) -> Int32 {
    let constant: Constant
    switch value {
    case .null: constant = .null
    case .bool(let flag): constant = .bool(flag)
    case .integer, .number: constant = .number(JSONNumber(value)!)
    case .string(let text):
      constant = .string(offset: Int32(bytes.count), count: Int32(text.utf8.count))
      bytes += text.utf8
    case .array(let items):
      let indices = items.map { self.constant($0) }
      constant = .array(add(indices, \.children) { $1 })
    case .object(let members):
      let values = members.map {
        (name: Array($0.key.utf8), value: self.constant($0.value), presence: Int32(-1))
      }
      constant = .object(nameTable(values))
    }
    return append(constant, to: \.constants)
  }

  // MARK: Tables

  private func alias(_ node: Int?) -> Int32 { node.map { aliases[$0] } ?? -1 }

  private mutating func list(_ nodes: [Int]) -> Program.IndexRange {
    add(nodes, \.children) { $0.aliases[$1] }
  }

  private mutating func append<Row>(_ row: Row, to table: WritableKeyPath<ProgramAssembler, [Row]>) -> Int32 {
    self[keyPath: table].append(row)
    return Int32(self[keyPath: table].count - 1)
  }

  /// Appends rows side by side. Each is made first: making one may append to the same table.
  private mutating func add<Source, Row>(
    _ sources: [Source], _ table: WritableKeyPath<ProgramAssembler, [Row]>,
    _ make: (inout ProgramAssembler, Source) -> Row
  ) -> Program.IndexRange {
    let rows = sources.map { make(&self, $0) }
    let start = Int32(self[keyPath: table].count)
    self[keyPath: table] += rows
    return Program.IndexRange(start: start, count: Int32(rows.count))
  }
}

extension SchemaNode {
  /// A keyword that applies schemas to the same value, in the order in which they are cheap.
  fileprivate enum InPlace {
    case reference(Int)
    case dynamic(Dynamic)
    case allOf([Int])
    case anyOf([Int])
    case oneOf([Int])
    case not(Int)
    case conditional(Conditional)
  }

  fileprivate var steps: [InPlace] {
    var steps: [InPlace] = []
    if let reference { steps.append(.reference(reference)) }
    if let dynamic { steps.append(.dynamic(dynamic)) }
    if !allOf.isEmpty { steps.append(.allOf(allOf)) }
    if !anyOf.isEmpty { steps.append(.anyOf(anyOf)) }
    if !oneOf.isEmpty { steps.append(.oneOf(oneOf)) }
    if let not { steps.append(.not(not)) }
    if let conditional { steps.append(.conditional(conditional)) }
    return steps
  }

  fileprivate var hasArrayRules: Bool {
    minItems != nil || maxItems != nil || uniqueItems || !prefixItems.isEmpty || items != nil
      || contains != nil
  }

  fileprivate var hasObjectRules: Bool {
    minProperties != nil || maxProperties != nil || !properties.isEmpty || !patternProperties.isEmpty
      || additionalProperties != nil || propertyNames != nil || !required.isEmpty
      || !dependentRequired.isEmpty || !dependentSchemas.isEmpty
  }

  /// Whether it does nothing beyond its references.
  fileprivate var assertsNothingItself: Bool {
    kinds == .all && choices == nil && numbers == nil && minLength == nil && maxLength == nil
      && pattern == nil
      && format == nil && !hasArrayRules && !hasObjectRules && unevaluatedItems == nil
      && unevaluatedProperties == nil && allOf.isEmpty && anyOf.isEmpty && oneOf.isEmpty && not == nil
      && conditional == nil
  }
}
