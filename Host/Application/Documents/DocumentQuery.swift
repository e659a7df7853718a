package import Kernel

/// What a request asks of a document: each parameter once, and none that is not known.
package struct DocumentQuery {
  private let values: [String: String]

  /// Throws 400 `request.query_parameter_unknown` or `request.query_parameter_invalid`.
  package init(_ exchange: Exchange, known: [String]) throws(Problem) {
    values = try exchange.queryParameters(known: known)
  }

  package subscript(_ name: String) -> String? { values[name] }

  /// The automation that a document is to be of; nil for all.
  package func automation() throws(Problem) -> String? {
    guard let id = values["automation"] else { return nil }
    if id.isEmpty { throw DocumentQuery.invalid("'automation' must be an automation's id, or be left out.") }
    return id
  }

  package static func invalid(_ detail: String) -> Problem {
    Problem(400, "request.query_parameter_invalid", detail)
  }
}
