package import Kernel

/// A query that was read when its generation was loaded: a call gives the values of its parameters.
///
/// Text `"$name"` in its document is a parameter, `"$$name"` the text `$name`. Parameters stand for values, for
/// the whole array of `in` and `nin`, for `limit` and for `after`. A call must give each by name, `limit` and `after`
/// excepted; it may give `limit` and `after` also when the document does not name them.
package struct NamedQuery: Sendable, Equatable {
  package struct Parameter: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
      case value(FieldDeclaration.FieldType)
      case list(FieldDeclaration.FieldType)
      case limit
      case cursor
      case search
    }

    package var name: String
    package var kind: Kind
  }

  package let name: String
  package let parameters: [Parameter]
  private let parts: Parts

  private struct Parts: Sendable, Equatable {
    var filter: RecordFilter?
    var words: [[UInt8]]
    var order: [RecordQuery.Order]
    var fields: [Int]?
    var limit: Int
    /// What a call may add to the declared parameters.
    var takesLimit: Bool
    var takesCursor: Bool
  }

  /// Reads a declaration. Throws what is wrong with it, as seen from the query's document.
  package init(
    _ declaration: NamedQueryDeclaration, in schema: RecordSchema, limits: RecordLimits
  ) throws(RecordIssue) {
    var parser = QueryParser(schema: schema, limits: limits, isNamed: true)
    let document = JSONDocument()
    do { try document.parse(JSON.encode(declaration.query).span) } catch {
      throw RecordIssue("", "cannot be read: \(error)")
    }
    let read = try parser.query(document.root)
    if case .value? = read.after { throw RecordIssue("/after", "must be a parameter") }
    name = declaration.name
    parameters = parser.parameters
    var limit = limits.defaultPage
    if case .value(.integer(let number))? = read.limit { limit = Int(number) }
    let names = parser.parameters.map(\.name)
    parts = Parts(
      filter: read.filter, words: read.words, order: read.order, fields: read.fields, limit: limit,
      takesLimit: !names.contains("limit") && !parser.parameters.contains { $0.kind == .limit },
      takesCursor: !names.contains("after") && !parser.parameters.contains { $0.kind == .cursor })
  }

  /// The query with the values that a call gives.
  package func query(
    _ input: borrowing JSONElement, in schema: RecordSchema, limits: RecordLimits
  ) throws(Problem) -> RecordQuery {
    guard case .object = input.kind else { throw .recordQueryInvalid(RecordIssue("", "must be an object")) }
    var given = [[RecordValue]?](repeating: nil, count: parameters.count)
    var query = RecordQuery(words: parts.words, order: parts.order, limit: parts.limit, fields: parts.fields)
    var cursor: [UInt8]?
    var seen: [String] = []
    var members = input.members
    while members.next() {
      let key = String(members.key)
      do throws(RecordIssue) {
        if seen.contains(key) { throw RecordIssue("", "appears twice") }
        seen.append(key)
        let index = parameters.firstIndex { $0.name == key }
        let kind: Parameter.Kind
        if let index {
          kind = parameters[index].kind
        } else if key == "limit", parts.takesLimit {
          kind = .limit
        } else if key == "after", parts.takesCursor {
          kind = .cursor
        } else {
          throw RecordIssue("", "is not a parameter of \(name); known: \(known)")
        }
        switch kind {
        case .limit:
          if case .integer(let limit) = try QueryParser.limit(members.value, limits) {
            query.limit = Int(limit)
          }
        case .cursor:
          if case .null = members.value.kind { continue }
          guard let text = members.value.utf8 else { throw RecordIssue("", "must be the 'next' of a page") }
          cursor = [UInt8](text)
        case .search:
          guard let text = members.value.utf8 else { throw RecordIssue("", "must be text") }
          query.words = try limits.words(of: text)
          if let index { given[index] = [] }
        case .value(let type):
          if let index { given[index] = [try type.value(of: members.value)] }
        case .list(let type):
          if let index { given[index] = try NamedQuery.list(members.value, type, limits) }
        }
      } catch {
        throw .recordQueryInvalid(error.below(key))
      }
    }
    for (index, parameter) in parameters.enumerated() where given[index] == nil {
      if parameter.kind == .limit || parameter.kind == .cursor { continue }
      throw .recordQueryInvalid(RecordIssue("", "is required").below(parameter.name))
    }
    if let filter = parts.filter {
      let filled = filter.filled(given.map { $0 ?? [] })
      guard !filled.searchesNothing else {
        throw .recordQueryInvalid(RecordIssue("", "prefix and contains must not search for empty text"))
      }
      query.filter = filled
    }
    if let cursor { query.after = try schema.cursor(cursor.span, for: query, limits: limits) }
    return query
  }

  private var known: String {
    var names = parameters.map(\.name)
    if parts.takesLimit { names.append("limit") }
    if parts.takesCursor { names.append("after") }
    return names.joined(separator: ", ")
  }

  private static func list(
    _ element: borrowing JSONElement, _ type: FieldDeclaration.FieldType, _ limits: RecordLimits
  ) throws(RecordIssue) -> [RecordValue] {
    guard case .array = element.kind else { throw RecordIssue("", "must be an array of values") }
    var values: [RecordValue] = []
    var elements = element.elements
    while elements.next() {
      do { values.append(try type.value(of: elements.value)) } catch { throw error.below(values.count) }
      guard values.count <= limits.maxListValues else {
        throw RecordIssue("", "holds more than \(limits.maxListValues) values")
      }
    }
    guard !values.isEmpty else { throw RecordIssue("", "must hold a value") }
    return values
  }
}

extension RecordFilter {
  /// The filter with values in the place of parameters.
  fileprivate func filled(_ given: [[RecordValue]]) -> RecordFilter {
    func values(_ operand: Operand) -> [Operand] {
      switch operand {
      case .value: [operand]
      case .parameter(let index): given[index].map { .value($0) }
      }
    }
    switch self {
    case .compare(let member, let comparison, let operand):
      return .compare(member, comparison, values(operand)[0])
    case .isNull: return self
    case .oneOf(let member, let operands, let negated):
      return .oneOf(member, operands.flatMap(values), negated: negated)
    case .prefix(let member, let operand): return .prefix(member, values(operand)[0])
    case .contains(let member, let operand): return .contains(member, values(operand)[0])
    case .all(let filters): return .all(filters.map { $0.filled(given) })
    case .any(let filters): return .any(filters.map { $0.filled(given) })
    case .not(let filter): return .not(filter.filled(given))
    }
  }

  fileprivate var searchesNothing: Bool {
    switch self {
    case .prefix(_, let operand), .contains(_, let operand): operand == .value(.text([]))
    case .all(let filters), .any(let filters): filters.contains { $0.searchesNothing }
    case .not(let filter): filter.searchesNothing
    case .compare, .isNull, .oneOf: false
    }
  }
}
