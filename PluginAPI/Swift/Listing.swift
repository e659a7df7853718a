/// What a list route takes from its query string, and how that becomes a query over records.
///
/// Beside the filters: `order` (a field, `-` before it for descending), `limit` and `after` (the cursor that the
/// page before returned as `next`). The same declaration makes the JSON Schema by which the host validates the
/// query string, so an unknown parameter is refused before the handler runs.
public struct Listing: Sendable {
  /// One query parameter that narrows the list.
  public struct Filter: Sendable {
    enum Comparison: String {
      case equal = "eq"
      case atLeast = "gte"
      case atMost = "lte"
    }

    let parameter: String
    let field: String
    let comparison: Comparison

    /// `?status=active`: records whose field has this value. The parameter has the field's name unless given.
    public static func equal(to field: String, as parameter: String? = nil) -> Filter {
      Filter(parameter: parameter ?? field, field: field, comparison: .equal)
    }

    /// `?min_balance=10`: records whose field is that or more. The parameter is `min_` and the field unless given.
    public static func atLeast(_ field: String, as parameter: String? = nil) -> Filter {
      Filter(parameter: parameter ?? "min_\(field)", field: field, comparison: .atLeast)
    }

    /// `?max_balance=99`: records whose field is that or less. The parameter is `max_` and the field unless given.
    public static func atMost(_ field: String, as parameter: String? = nil) -> Filter {
      Filter(parameter: parameter ?? "max_\(field)", field: field, comparison: .atMost)
    }
  }

  /// A filter with what the field says about its values.
  private struct Parameter: Sendable {
    let filter: Filter
    let kind: Field.Kind
    let schema: JSON
  }

  private let parameters: [Parameter]
  private let orders: [String]
  private let pageSize: Int
  private let largestPage: Int

  /// `filters` and `order` name fields of the record, or the host's `id`, `version`, `created_at`, `updated_at`; any
  /// other name is a programming error and stops the process (and so the probe, before anything is loaded).
  public init<Entity: Record>(
    of entity: Entity.Type, filters: [Filter], order: [String] = ["created_at"], pageSize: Int = 20,
    largestPage: Int = 100
  ) {
    precondition((1...Listing.hostsLargestPage).contains(largestPage), "the largest page is not in 1...200")
    precondition((1...largestPage).contains(pageSize), "the page size is not in 1...\(largestPage)")
    let known = entity.fields + Listing.ownFields
    parameters = filters.map { filter in
      guard let field = known.first(where: { $0.name == filter.field }) else {
        preconditionFailure(
          "the listing of '\(entity.collection)' filters by '\(filter.field)', which is no field")
      }
      return Parameter(
        filter: filter, kind: field.kind, schema: field.filterSchema(filter.comparison))
    }
    for name in order where !known.contains(where: { $0.name == name }) {
      preconditionFailure("the listing of '\(entity.collection)' orders by '\(name)', which is no field")
    }
    orders = order.flatMap { [$0, "-\($0)"] }
    self.pageSize = pageSize
    self.largestPage = largestPage
  }

  /// More records than this the host puts on no page.
  private static let hostsLargestPage = 200

  private static let ownFields: [Field] = [
    .string("id"), .integer("version"), .timestamp("created_at"), .timestamp("updated_at"),
  ]

  /// The JSON Schema of the query string.
  public var schema: JSON {
    var members = parameters.map { JSON.Member($0.filter.parameter, $0.schema) }
    if !orders.isEmpty {
      members.append(
        .init(
          "order",
          [
            "type": "string", "enum": .array(orders.map(JSON.string)),
            "description": "What the list is sorted by; '-' turns it round",
          ]))
    }
    members.append(
      .init(
        "limit",
        [
          "type": "integer", "minimum": 1, "maximum": .integer(Int64(largestPage)),
          "default": .integer(Int64(pageSize)), "description": "Records on a page",
        ]))
    members.append(
      .init(
        "after",
        [
          "type": "string", "minLength": 1, "maxLength": 1024,
          "description": "The `next` of the page before: the list goes on behind it",
        ]))
    return [
      "type": "object", "properties": .object(members), "additionalProperties": false,
      "examples": [["limit": .integer(Int64(pageSize))]],
    ]
  }

  /// The records query that a query string asks for, as JSON. What the host validates is checked again where it
  /// would change the shape of the query.
  func input(from query: Query) throws -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(256)
    out += "{".utf8
    try writeFilters(of: query, to: &out)
    if let order = query["order"] {
      guard orders.contains(order) else {
        throw Listing.refusal("order", "none of \(orders.joined(separator: ", "))")
      }
      out += "\"order\":[".utf8
      JSON.write(order, to: &out)
      out += "],".utf8
    }
    if let after = query["after"] {
      out += "\"after\":".utf8
      JSON.write(after, to: &out)
      out += ",".utf8
    }
    let limit = try query.integer("limit") ?? Int64(pageSize)
    guard (1...Int64(largestPage)).contains(limit) else {
      throw Listing.refusal("limit", "not in 1...\(largestPage)")
    }
    out += "\"limit\":".utf8
    out += String(limit).utf8
    out += "}".utf8
    return out
  }

  private func writeFilters(of query: Query, to out: inout [UInt8]) throws {
    // Two filters on one field (min_ and max_) belong into one member of `where`.
    var written: [String] = []
    for parameter in parameters where !written.contains(parameter.filter.field) {
      var opened = false
      for sibling in parameters where sibling.filter.field == parameter.filter.field {
        guard let text = query[sibling.filter.parameter] else { continue }
        if opened {
          out += ",".utf8
        } else {
          out += (written.isEmpty ? "\"where\":{" : ",").utf8
          JSON.write(sibling.filter.field, to: &out)
          out += ":{".utf8
          written.append(sibling.filter.field)
          opened = true
        }
        out += "\"\(sibling.filter.comparison.rawValue)\":".utf8
        try write(text, as: sibling, to: &out)
      }
      if opened { out += "}".utf8 }
    }
    if !written.isEmpty { out += "},".utf8 }
  }

  private func write(_ text: String, as parameter: Parameter, to out: inout [UInt8]) throws {
    let name = parameter.filter.parameter
    switch parameter.kind {
    case .integer:
      guard let value = Int64(text) else { throw Listing.refusal(name, "not a whole number") }
      JSON.integer(value).write(to: &out)
    case .number:
      guard let value = Double(text), value.isFinite else { throw Listing.refusal(name, "not a number") }
      JSON.number(value).write(to: &out)
    case .boolean:
      guard text == "true" || text == "false" else { throw Listing.refusal(name, "neither true nor false") }
      out += text.utf8
    case .string, .timestamp, .json:
      JSON.write(text, to: &out)
    }
  }

  private static func refusal(_ parameter: String, _ reason: String) -> ProblemError {
    ProblemError(
      400, "request.query_parameter_invalid", "The query parameter '\(parameter)' is \(reason).",
      members: ["field": .string(parameter)])
  }
}

extension Field {
  /// The schema of a query parameter: an equal value obeys the field's own rules, a bound only its type.
  fileprivate func filterSchema(_ comparison: Listing.Filter.Comparison) -> JSON {
    let isEquality = comparison == .equal
    let bare: JSON = isEquality || kind == .timestamp ? schema : ["type": schema["type"] ?? "string"]
    let condition =
      switch comparison {
      case .equal: "is this"
      case .atLeast: kind == .timestamp ? "is this or later" : "is this or more"
      case .atMost: kind == .timestamp ? "is this or earlier" : "is this or less"
      }
    let meaning = summary.map { ". \(name): \($0)" } ?? ""
    return bare.with("description", .string("Only those whose \(name) \(condition)\(meaning)"))
  }
}
