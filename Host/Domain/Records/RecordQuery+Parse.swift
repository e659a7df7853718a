package import Kernel

extension RecordSchema {
  /// Reads a query. Throws `records.invalid_query` with the pointer of the first fault, or
  /// `records.invalid_cursor`.
  package func query(
    _ document: borrowing JSONElement, limits: RecordLimits
  ) throws(Problem) -> RecordQuery {
    if searchable.isEmpty, document.member("search".utf8.span) != nil { throw .recordsNotSearchable(name) }
    var parser = QueryParser(schema: self, limits: limits, isNamed: false)
    let parts: QueryParser.Parts
    do { parts = try parser.query(document) } catch { throw .recordQueryInvalid(error) }
    var query = RecordQuery(
      filter: parts.filter, order: parts.order, limit: limits.defaultPage, fields: parts.fields)
    if case .value(.integer(let limit))? = parts.limit { query.limit = Int(limit) }
    query.words = parts.words
    if case .value(.text(let text))? = parts.after {
      query.after = try cursor(text.span, for: query, limits: limits)
    }
    return query
  }

  /// The query of an empty input: everything, oldest id first.
  package func everything(limits: RecordLimits) -> RecordQuery {
    RecordQuery(
      order: [RecordQuery.Order(member: RecordSchema.id, descending: false)], limit: limits.defaultPage)
  }

  /// Reads `{"fields":[…]}`, the input of a get.
  package func projection(
    _ document: borrowing JSONElement, limits: RecordLimits
  ) throws(Problem) -> [Int]? {
    guard case .object = document.kind else {
      throw .recordQueryInvalid(RecordIssue("", "must be an object"))
    }
    let parser = QueryParser(schema: self, limits: limits, isNamed: false)
    var fields: [Int]?
    var members = document.members
    while members.next() {
      let name = String(members.key)
      do throws(RecordIssue) {
        guard name == "fields" else { throw RecordIssue("", "is not a member here; known: fields") }
        guard fields == nil else { throw RecordIssue("", "appears twice") }
        fields = try parser.fields(members.value)
      } catch {
        throw .recordQueryInvalid(error.below(name))
      }
    }
    return fields
  }

  package func cursor(
    _ text: Span<UInt8>, for query: RecordQuery, limits: RecordLimits
  ) throws(Problem) -> RecordCursor {
    guard text.count <= limits.maxCursorBytes else {
      throw .recordCursorInvalid(
        "this cursor is over \(limits.maxCursorBytes) bytes: order by fields with shorter values")
    }
    guard let cursor = RecordCursor(text, limits: limits) else {
      throw .recordCursorInvalid("this is not a cursor; pass 'next' of a page as it came")
    }
    guard cursor.shape == query.shape(in: self), cursor.fits(query.order, of: self) else {
      throw .recordCursorInvalid(
        "this cursor belongs to another query; 'where' and 'order' must stay as they were")
    }
    return cursor
  }
}

/// Reads one query document. Pointers of faults grow on the way out, so that a good query pays nothing.
struct QueryParser {
  /// Operands stand where a named query may have parameters.
  struct Parts {
    var filter: RecordFilter?
    var words: [[UInt8]] = []
    /// The place of the parameter that a named query searches for.
    var searchParameter: Int?
    var order: [RecordQuery.Order] = []
    var limit: RecordFilter.Operand?
    var after: RecordFilter.Operand?
    var fields: [Int]?
  }

  let schema: RecordSchema
  let limits: RecordLimits
  /// Whether text that starts with $ is a parameter.
  let isNamed: Bool
  var parameters: [NamedQuery.Parameter] = []
  private var clauses = 0

  init(schema: RecordSchema, limits: RecordLimits, isNamed: Bool) {
    self.schema = schema
    self.limits = limits
    self.isNamed = isNamed
  }

  private static let known = "known: where, search, order, limit, after, fields"

  mutating func query(_ document: borrowing JSONElement) throws(RecordIssue) -> Parts {
    guard case .object = document.kind else { throw RecordIssue("", "must be an object") }
    var parts = Parts()
    var seen: [String] = []
    var members = document.members
    while members.next() {
      let name = String(members.key)
      do throws(RecordIssue) {
        if seen.contains(name) { throw RecordIssue("", "appears twice") }
        seen.append(name)
        switch name {
        case "where": parts.filter = try filter(members.value, depth: 1)
        case "search": try search(members.value, into: &parts)
        case "order": parts.order = try order(members.value)
        case "limit": parts.limit = try limit(members.value)
        case "after": parts.after = try after(members.value)
        case "fields": parts.fields = try fields(members.value)
        default: throw RecordIssue("", "is not a member of a query; \(QueryParser.known)")
        }
      } catch {
        throw error.below(name)
      }
    }
    if parts.order.isEmpty, !parts.words.isEmpty || parts.searchParameter != nil {
      parts.order.append(.rank)
    }
    if parts.order.last?.member != RecordSchema.id {
      parts.order.append(
        RecordQuery.Order(member: RecordSchema.id, descending: parts.order.last?.descending ?? false))
    }
    return parts
  }

  // MARK: where

  private mutating func filter(
    _ element: borrowing JSONElement, depth: Int
  ) throws(RecordIssue) -> RecordFilter? {
    guard case .object = element.kind else { throw RecordIssue("", "must be an object") }
    guard depth <= limits.maxFilterDepth else {
      throw RecordIssue("", "nests deeper than \(limits.maxFilterDepth) levels")
    }
    var filters: [RecordFilter] = []
    var members = element.members
    while members.next() {
      do throws(RecordIssue) {
        try refuseRepeated(members.key, in: element)
        if members.key.isEqual(to: "and") {
          filters.append(.all(try list(members.value, depth: depth)))
        } else if members.key.isEqual(to: "or") {
          filters.append(.any(try list(members.value, depth: depth)))
        } else if members.key.isEqual(to: "not") {
          guard let inner = try filter(members.value, depth: depth + 1) else {
            throw RecordIssue("", "must hold a condition")
          }
          filters.append(.not(inner))
        } else {
          try conditions(members.key, members.value, into: &filters)
        }
      } catch {
        throw error.below(String(members.key))
      }
    }
    return filters.count > 1 ? .all(filters) : filters.first
  }

  private mutating func list(
    _ element: borrowing JSONElement, depth: Int
  ) throws(RecordIssue) -> [RecordFilter] {
    guard case .array = element.kind else { throw RecordIssue("", "must be an array of filters") }
    var filters: [RecordFilter] = []
    var elements = element.elements
    while elements.next() {
      do throws(RecordIssue) {
        guard let inner = try filter(elements.value, depth: depth + 1) else {
          throw RecordIssue("", "must hold a condition")
        }
        filters.append(inner)
      } catch {
        throw error.below(filters.count)
      }
    }
    guard !filters.isEmpty else { throw RecordIssue("", "must hold a filter") }
    return filters
  }

  /// `"balance": 10`, `"balance": {"gte": 10, "lt": 20}`.
  private mutating func conditions(
    _ name: Span<UInt8>, _ element: borrowing JSONElement, into filters: inout [RecordFilter]
  ) throws(RecordIssue) {
    guard let member = schema.member(name) else { throw RecordIssue("", unknownField) }
    guard case .object = element.kind else {
      filters.append(try equality(member, element, negated: false))
      return
    }
    let before = filters.count
    var operators = element.members
    while operators.next() {
      do throws(RecordIssue) {
        try refuseRepeated(operators.key, in: element)
        filters.append(try condition(member, operators.key, operators.value))
      } catch {
        throw error.below(String(operators.key))
      }
    }
    guard filters.count > before else { throw RecordIssue("", "must hold an operator") }
  }

  private mutating func condition(
    _ member: Int, _ name: Span<UInt8>, _ value: borrowing JSONElement
  ) throws(RecordIssue) -> RecordFilter {
    if name.isEqual(to: "eq") { return try equality(member, value, negated: false) }
    if name.isEqual(to: "ne") { return try equality(member, value, negated: true) }
    if name.isEqual(to: "gt") { return try ordering(member, .greater, value) }
    if name.isEqual(to: "gte") { return try ordering(member, .greaterOrEqual, value) }
    if name.isEqual(to: "lt") { return try ordering(member, .less, value) }
    if name.isEqual(to: "lte") { return try ordering(member, .lessOrEqual, value) }
    if name.isEqual(to: "in") { return .oneOf(member, try values(member, value), negated: false) }
    if name.isEqual(to: "nin") { return .oneOf(member, try values(member, value), negated: true) }
    if name.isEqual(to: "exists") { return .isNull(member, try !flag(value)) }
    if name.isEqual(to: "null") { return .isNull(member, try flag(value)) }
    if name.isEqual(to: "prefix") { return .prefix(member, try text(member, value)) }
    if name.isEqual(to: "contains") { return .contains(member, try text(member, value)) }
    throw RecordIssue(
      "",
      "is not an operator; known: eq, ne, gt, gte, lt, lte, in, nin, exists, null, prefix, contains")
  }

  private mutating func equality(
    _ member: Int, _ value: borrowing JSONElement, negated: Bool
  ) throws(RecordIssue) -> RecordFilter {
    if case .null = value.kind {
      try countClause()
      return .isNull(member, !negated)
    }
    try requireFindable(member)
    return .compare(member, negated ? .notEqual : .equal, try operand(member, value))
  }

  private mutating func ordering(
    _ member: Int, _ comparison: RecordFilter.Comparison, _ value: borrowing JSONElement
  ) throws(RecordIssue) -> RecordFilter {
    if schema.members[member].type == .boolean {
      throw RecordIssue(
        "", "compares numbers, text and timestamps; \(schema.members[member].name) is a boolean")
    }
    try refuseEncrypted(member, "gt, gte, lt and lte")
    return .compare(member, comparison, try operand(member, value))
  }

  private mutating func operand(
    _ member: Int, _ value: borrowing JSONElement
  ) throws(RecordIssue) -> RecordFilter.Operand {
    try countClause()
    let field = schema.members[member]
    guard field.isFilterable else {
      throw RecordIssue("", "\(field.name) is json, which can only be tested with exists and null")
    }
    if let parameter = try parameter(value, .value(field.type)) { return parameter }
    return .value(try literal(field.type, value))
  }

  private mutating func values(
    _ member: Int, _ value: borrowing JSONElement
  ) throws(RecordIssue) -> [RecordFilter.Operand] {
    try countClause()
    let field = schema.members[member]
    guard field.isFilterable else {
      throw RecordIssue("", "\(field.name) is json, which can only be tested with exists and null")
    }
    try requireFindable(member)
    if let parameter = try parameter(value, .list(field.type)) { return [parameter] }
    guard case .array = value.kind else { throw RecordIssue("", "must be an array of values") }
    var operands: [RecordFilter.Operand] = []
    var elements = value.elements
    while elements.next() {
      do throws(RecordIssue) {
        if let parameter = try parameter(elements.value, .value(field.type)) {
          operands.append(parameter)
        } else {
          operands.append(.value(try literal(field.type, elements.value)))
        }
      } catch {
        throw error.below(operands.count)
      }
      guard operands.count <= limits.maxListValues else {
        throw RecordIssue("", "holds more than \(limits.maxListValues) values")
      }
    }
    guard !operands.isEmpty else { throw RecordIssue("", "must hold a value") }
    return operands
  }

  private mutating func text(
    _ member: Int, _ value: borrowing JSONElement
  ) throws(RecordIssue) -> RecordFilter.Operand {
    guard schema.members[member].type == .string else {
      throw RecordIssue(
        "", "searches text; \(schema.members[member].name) is a \(schema.members[member].type.rawValue)")
    }
    try refuseEncrypted(member, "prefix and contains")
    let operand = try operand(member, value)
    if operand == .value(.text([])) { throw RecordIssue("", "must not be empty") }
    return operand
  }

  private func requireFindable(_ member: Int) throws(RecordIssue) {
    let field = schema.members[member]
    if field.isEncrypted, !field.isFindable {
      throw RecordIssue(
        "",
        "\(field.name) is encrypted: it can be found by equality only where it is declared indexed or unique")
    }
  }

  private func refuseEncrypted(_ member: Int, _ operators: String) throws(RecordIssue) {
    if schema.members[member].isEncrypted {
      throw RecordIssue(
        "", "\(schema.members[member].name) is encrypted, which \(operators) cannot look into")
    }
  }

  private mutating func flag(_ value: borrowing JSONElement) throws(RecordIssue) -> Bool {
    try countClause()
    guard case .bool(let flag) = value.kind else { throw RecordIssue("", "must be true or false") }
    return flag
  }

  private mutating func countClause() throws(RecordIssue) {
    clauses += 1
    guard clauses <= limits.maxClauses else {
      throw RecordIssue("", "is one condition more than the \(limits.maxClauses) a query may have")
    }
  }

  private func refuseRepeated(
    _ name: Span<UInt8>, in element: borrowing JSONElement
  ) throws(RecordIssue) {
    // The first of that name must be the only one. Bounded: clauses are counted while this runs.
    var count = 0
    var members = element.members
    while members.next() {
      if members.key.isEqual(to: name) { count += 1 }
    }
    if count > 1 { throw RecordIssue("", "appears twice") }
  }

  // MARK: search

  private mutating func search(
    _ element: borrowing JSONElement, into parts: inout Parts
  ) throws(RecordIssue) {
    guard !schema.searchable.isEmpty else { throw RecordIssue("", "\(schema.name) has no searchable field") }
    if case .parameter(let index)? = try parameter(element, .search) {
      parts.searchParameter = index
      return
    }
    guard case .value(.text(let text)) = RecordFilter.Operand.value(try literal(.string, element)) else {
      throw RecordIssue("", "must be text")
    }
    parts.words = try limits.words(of: text.span)
  }

  // MARK: order, limit, after, fields

  private func order(_ element: borrowing JSONElement) throws(RecordIssue) -> [RecordQuery.Order] {
    guard case .array = element.kind else {
      throw RecordIssue("", "must be an array of field names, '-' before a descending one")
    }
    var order: [RecordQuery.Order] = []
    var elements = element.elements
    while elements.next() {
      do throws(RecordIssue) {
        guard let text = elements.value.utf8 else { throw RecordIssue("", "must be a field name") }
        let descending = text.count > 0 && text[0] == UInt8(ascii: "-")
        guard let member = schema.member(descending ? text.extracting(1..<text.count) : text) else {
          throw RecordIssue("", unknownField)
        }
        guard schema.members[member].isFilterable else {
          throw RecordIssue("", "is json, which has no order")
        }
        if schema.members[member].isEncrypted { throw RecordIssue("", "is encrypted, which has no order") }
        if order.contains(where: { $0.member == member }) { throw RecordIssue("", "appears twice") }
        if order.last?.member == RecordSchema.id {
          throw RecordIssue("", "comes after id, which decides alone")
        }
        order.append(RecordQuery.Order(member: member, descending: descending))
        guard order.count <= limits.maxOrderFields else {
          throw RecordIssue("", "is one field more than the \(limits.maxOrderFields) an order may have")
        }
      } catch {
        throw error.below(order.count)
      }
    }
    return order
  }

  private mutating func limit(_ element: borrowing JSONElement) throws(RecordIssue) -> RecordFilter.Operand {
    if let parameter = try parameter(element, .limit) { return parameter }
    return .value(try QueryParser.limit(element, limits))
  }

  static func limit(
    _ element: borrowing JSONElement, _ limits: RecordLimits
  ) throws(RecordIssue) -> RecordValue {
    guard case .integer(let limit) = element.kind, limit >= 1, limit <= limits.maxPage else {
      throw RecordIssue("", "must be a whole number from 1 to \(limits.maxPage)")
    }
    return .integer(limit)
  }

  private mutating func after(_ element: borrowing JSONElement) throws(RecordIssue) -> RecordFilter.Operand? {
    // The last page's `next` is null: passing it on starts again.
    if case .null = element.kind { return nil }
    if let parameter = try parameter(element, .cursor) { return parameter }
    guard let text = element.utf8 else { throw RecordIssue("", "must be the 'next' of a page") }
    return .value(.text([UInt8](text)))
  }

  func fields(_ element: borrowing JSONElement) throws(RecordIssue) -> [Int] {
    guard case .array = element.kind else { throw RecordIssue("", "must be an array of field names") }
    var fields: [Int] = []
    var elements = element.elements
    while elements.next() {
      do throws(RecordIssue) {
        guard let name = elements.value.utf8 else { throw RecordIssue("", "must be a field name") }
        guard let member = schema.member(name) else { throw RecordIssue("", unknownField) }
        if fields.contains(member) { throw RecordIssue("", "appears twice") }
        fields.append(member)
      } catch {
        throw error.below(fields.count)
      }
    }
    guard !fields.isEmpty else { throw RecordIssue("", "must name a field") }
    return fields
  }

  private var unknownField: String {
    let names = schema.members.prefix(24).map(\.name).joined(separator: ", ")
    return "is not a field of \(schema.name); known: \(names)\(schema.members.count > 24 ? ", …" : "")"
  }

  // MARK: Values

  private func literal(
    _ type: FieldDeclaration.FieldType, _ value: borrowing JSONElement
  ) throws(RecordIssue) -> RecordValue {
    // In a named query "$$5" is the text "$5".
    if isNamed, type == .string, let text = value.utf8, text.count > 1, text[0] == UInt8(ascii: "$"),
      text[1] == UInt8(ascii: "$")
    {
      return .text([UInt8](text.extracting(1..<text.count)))
    }
    return try type.value(of: value)
  }

  private mutating func parameter(
    _ value: borrowing JSONElement, _ kind: NamedQuery.Parameter.Kind
  ) throws(RecordIssue) -> RecordFilter.Operand? {
    guard isNamed, let text = value.utf8, text.count > 1, text[0] == UInt8(ascii: "$"),
      text[1] != UInt8(ascii: "$")
    else { return nil }
    let name = String(text.extracting(1..<text.count))
    guard Names.isField(name) else { throw RecordIssue("", "is not a parameter name; \(Names.fieldRule)") }
    if let index = parameters.firstIndex(where: { $0.name == name }) {
      guard parameters[index].kind == kind else {
        throw RecordIssue("", "uses the parameter \(name) for another type than before")
      }
      return .parameter(index)
    }
    parameters.append(NamedQuery.Parameter(name: name, kind: kind))
    return .parameter(parameters.count - 1)
  }
}
