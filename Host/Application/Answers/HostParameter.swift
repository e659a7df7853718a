package import Domain
package import Kernel

/// Query parameters that the host itself takes on every route that does not declare one of that name: they say what of an
/// answer the caller wants, and never reach the route.
package enum HostParameter: String, Sendable, CaseIterable {
  case fields
  case maxCharacters = "max_chars"
  case maxBytes = "max_bytes"
  case maxTokens = "max_tokens"

  package static let largest = 1_000_000_000
  /// What the shortest problem and the shortest page need.
  package static let smallest = 64

  /// For documents: its JSON Schema, with what it does.
  package var schema: JSONValue {
    switch self {
    case .fields:
      [
        "type": "string", "minLength": 1, "maxLength": .integer(Int64(FieldSelection.maxCharacters)),
        "description":
          "Only these members of the record, or of each record, separated by commas, with dots for nested ones; 'id' comes always.",
      ]
    case .maxCharacters:
      number(
        "Most characters (Unicode scalars) that the answer may have. A list ends earlier, with a cursor.")
    case .maxBytes: number("As max_chars, in bytes of UTF-8.")
    case .maxTokens:
      number(
        "As max_chars, in tokens of a language model, estimated as \(AnswerBudget.bytesPerToken) bytes each.")
    }
  }

  /// Whether a model is told of it beside the route's own arguments, as few words as will do; the others are taken, too.
  package func isOffered(by route: RouteDeclaration, _ outline: AnswerOutline) -> Bool {
    guard route.method == .get, route.responseSchema != nil, outline.parameters.contains(self) else {
      return false
    }
    return self == .fields || self == .maxTokens && outline.isList
  }

  /// Of the argument of a call by name that is offered.
  package func argument(_ outline: AnswerOutline) -> JSONValue {
    guard self == .fields else {
      return [
        "type": "integer", "minimum": .integer(Int64(HostParameter.smallest)), "examples": [2000],
        "description": "Of the answer; a longer list ends with a cursor.",
      ]
    }
    var example = "name,owner.email"
    if case .closed(let names) = outline.names {
      let others = names.keys.filter { $0 != "id" }.sorted()
      example = others.isEmpty ? "id" : others.prefix(2).joined(separator: ",")
    }
    return ["type": "string", "examples": [.string(example)], "description": "Only these, and id."]
  }

  private func number(_ description: String) -> JSONValue {
    [
      "type": "integer", "minimum": .integer(Int64(HostParameter.smallest)),
      "maximum": .integer(Int64(HostParameter.largest)), "description": .string(description),
    ]
  }

  /// Some of them.
  package struct Set: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package init(_ parameters: [HostParameter]) {
      self = parameters.reduce(into: []) { $0.insert(Set($1)) }
    }

    package init(_ parameter: HostParameter) {
      rawValue = 1 << UInt8(HostParameter.allCases.firstIndex(of: parameter) ?? 0)
    }

    package func contains(_ parameter: HostParameter) -> Bool { contains(Set(parameter)) }
  }

  package init?(_ name: Span<UInt8>) {
    // Most parameters are no such; their first letter says so.
    guard name.count >= 6, name.count <= 10, name[0] == UInt8(ascii: "f") || name[0] == UInt8(ascii: "m")
    else {
      return nil
    }
    self.init(rawValue: String(name))
  }
}
