import Application
import Kernel

/// What a request asks of `/openapi.json`: `?automation=accounts&version=3.0&profile=gpt&part=2`.
struct DocumentRequest: Sendable, Equatable {
  var automation: String?
  var version = OpenAPIVersion.v31
  var isGPT = false
  var part = 1

  /// Throws 400 `request.query_parameter_unknown` or `request.query_parameter_invalid`.
  init(_ exchange: Exchange) throws(Problem) {
    let head = exchange.head
    var seen: Set<String> = []
    for field in exchange.query {
      let name = String(head.span(field.name))
      guard seen.insert(name).inserted else {
        throw DocumentRequest.invalid("'\(name)' may come once.")
      }
      try take(name, String(head.span(field.value)))
    }
    if part > 1, !isGPT { throw DocumentRequest.invalid("Only the profile 'gpt' has parts.") }
  }

  init() {}

  private mutating func take(_ name: String, _ value: String) throws(Problem) {
    switch name {
    case "automation": automation = value
    case "version":
      guard let version = OpenAPIVersion(rawValue: value) else {
        throw DocumentRequest.invalid("'version' is 3.1 or 3.0.")
      }
      self.version = version
    case "profile":
      guard value == "gpt" else { throw DocumentRequest.invalid("The only 'profile' is gpt.") }
      isGPT = true
    case "part":
      guard let part = Int(value), (1...10_000).contains(part) else {
        throw DocumentRequest.invalid("'part' is a whole number from 1.")
      }
      self.part = part
    default:
      throw Problem(
        400, "request.query_parameter_unknown",
        "No query parameter '\(name.prefix(64))' is known here; known: automation, version, profile, part.")
    }
  }

  /// Tells one document from another.
  var name: String {
    "openapi \(version.rawValue) \(isGPT ? "gpt \(part)" : "") \(automation ?? "")"
  }

  private static func invalid(_ detail: String) -> Problem {
    Problem(400, "request.query_parameter_invalid", detail)
  }
}
