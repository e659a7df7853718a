import Application
import Kernel

/// What a caller asks of the answer beside what the route takes.
struct AnswerWishes {
  var fields: FieldSelection?
  /// Without the key's limit and the host's.
  var budget = AnswerBudget()
  /// Limits that came as preferences, for Preference-Applied.
  var applied: [String] = []
}

extension Gateway {
  /// Takes what the host itself understands out of the query, and reads the preferences. [event]
  @inline(__always)
  func takeWishes(_ exchange: Exchange, _ call: Call, _ route: LiveRoute) throws(Problem) {
    guard exchange.query.count > 0 || exchange.has(.prefer) else { return }
    try readWishes(exchange, call, route)
  }

  private func readWishes(_ exchange: Exchange, _ call: Call, _ route: LiveRoute) throws(Problem) {
    let (head, outline) = (exchange.head, route.outline)
    var wishes = AnswerWishes()
    var fields: [UInt8]?
    var taken = 0
    for field in exchange.query {
      guard let parameter = HostParameter(head.span(field.name)), outline.parameters.contains(parameter)
      else {
        continue
      }
      taken += 1
      let value = head.span(field.value)
      switch parameter {
      case .fields: fields = (fields.map { $0 + [UInt8(ascii: ",")] } ?? []) + Array(value)
      case .maxCharacters: wishes.budget.limit(to: try Gateway.limit(value, parameter), .maxCharacters)
      case .maxBytes: wishes.budget.limit(to: try Gateway.limit(value, parameter), .maxBytes)
      case .maxTokens: wishes.budget.limit(to: try Gateway.limit(value, parameter), .maxTokens)
      }
    }
    if let fields { wishes.fields = try Gateway.selection(fields, outline) }
    readPreferences(exchange, &wishes)
    guard taken > 0 || !wishes.applied.isEmpty else { return }
    call.wishes = wishes
    // Neither the route's schema nor its handler knows of them.
    exchange.query.removeAll { field in
      HostParameter(head.span(field.name)).map { outline.parameters.contains($0) } ?? false
    }
  }

  /// A preference that cannot be read is none (RFC 7240, section 2).
  private func readPreferences(_ exchange: Exchange, _ wishes: inout AnswerWishes) {
    guard exchange.has(.prefer) else { return }
    let known: [(StaticString, AnswerBudget.Source)] = [
      ("max-chars", .maxCharacters), ("max-bytes", .maxBytes), ("max-tokens", .maxTokens),
    ]
    for (name, source) in known {
      guard let text = Preferences.value(name, of: exchange),
        let value = Gateway.limit(in: text.utf8.span)
      else { continue }
      wishes.budget.limit(to: value, source)
      wishes.applied.append("\(name)=\(value)")
    }
  }

  private static func limit(_ text: Span<UInt8>, _ parameter: HostParameter) throws(Problem) -> Int {
    if let value = limit(in: text) { return value }
    throw Problem(
      400, "request.query_parameter_invalid",
      "/\(parameter.rawValue): must be a whole number from \(HostParameter.smallest) to \(HostParameter.largest)",
      members: ["field": .string(parameter.rawValue)])
  }

  private static func limit(in text: Span<UInt8>) -> Int? {
    guard (1...10).contains(text.count) else { return nil }
    var value = 0
    for index in text.indices {
      let digit = text[index] &- UInt8(ascii: "0")
      guard digit < 10 else { return nil }
      value = value * 10 + Int(digit)
    }
    return (HostParameter.smallest...HostParameter.largest).contains(value) ? value : nil
  }

  private static func selection(_ text: [UInt8], _ outline: AnswerOutline) throws(Problem) -> FieldSelection {
    let selection: FieldSelection
    do throws(FieldSelection.Fault) { selection = try FieldSelection(text.span) } catch {
      throw Problem(
        400, "request.query_parameter_invalid", "/fields: \(error.reason)", members: ["field": "fields"])
    }
    if let (name, known) = outline.unknown(in: selection) {
      throw Problem(
        400, "request.field_unknown",
        "/fields: '\(name)' is no field of this answer. Its fields are \(known.joined(separator: ", ")).",
        members: ["field": .string(name), "known": .array(known.map(JSONValue.string))])
    }
    return selection
  }
}
