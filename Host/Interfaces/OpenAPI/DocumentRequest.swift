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
    let query = try DocumentQuery(exchange, known: ["automation", "version", "profile", "part"])
    automation = try query.automation()
    if let text = query["version"] {
      guard let version = OpenAPIVersion(rawValue: text) else {
        throw DocumentQuery.invalid("'version' is 3.1 or 3.0.")
      }
      self.version = version
    }
    if let profile = query["profile"] {
      guard profile == "gpt" else { throw DocumentQuery.invalid("The only 'profile' is gpt.") }
      isGPT = true
    }
    if let text = query["part"] {
      guard let part = Int(text), (1...10_000).contains(part) else {
        throw DocumentQuery.invalid("'part' is a whole number from 1.")
      }
      self.part = part
    }
    if part > 1, !isGPT { throw DocumentQuery.invalid("Only the profile 'gpt' has parts.") }
  }

  init() {}

  /// Tells one document from another.
  var name: String {
    "openapi \(version.rawValue) \(isGPT ? "gpt \(part)" : "") \(automation ?? "")"
  }
}
