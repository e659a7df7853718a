package import Kernel

extension Exchange {
  /// The query parameters of a path of the host's own: each once, and none that is not `known`.
  ///
  /// Throws 400 `request.query_parameter_unknown` or `request.query_parameter_invalid`.
  package func queryParameters(known: [String]) throws(Problem) -> [String: String] {
    let head = head
    var values: [String: String] = [:]
    for field in query {
      let name = String(head.span(field.name))
      guard known.contains(name) else {
        throw Problem(
          400, "request.query_parameter_unknown",
          "No query parameter '\(name.prefix(64))' is known here"
            + (known.isEmpty ? "." : "; known: \(known.joined(separator: ", "))."))
      }
      guard values.updateValue(String(head.span(field.value)), forKey: name) == nil else {
        throw Problem(
          400, "request.query_parameter_invalid", "The query parameter '\(name)' may come once.")
      }
    }
    return values
  }
}
