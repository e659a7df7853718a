package import Application
import Domain
import Kernel

/// The OpenAPI document of the admin listener: from the table by which that listener routes.
package enum AdminDocument {
  /// The document and the page for people, by path. `release` is the host's.
  package static func documents(
    release: String, metricsNeedKey: Bool, assets: PageAssets?, digests: any Digests
  ) -> [String: Document] {
    let folder = "/admin/v1/docs"
    let path = AdminEndpoint.describe.row.path
    // That listener adds what every answer of its carries.
    var all = [
      path: Document(
        bytes(release: release, metricsNeedKey: metricsNeedKey), "application/json", digests: digests)
    ]
    let page = HumanPage.Facts(
      title: "Council admin API", document: path, assets: assets == nil ? nil : folder + "/assets")
    all[folder] = Document(
      HumanPage.bytes(page, operations(metricsNeedKey: metricsNeedKey)), "text/html; charset=utf-8",
      headers: [("Content-Security-Policy", HumanPage.policy)], digests: digests)
    for (name, file) in assets?.bare ?? [:] { all["\(folder)/assets/\(name)"] = file }
    return all
  }

  /// - `release`: of the host.
  /// - `metricsNeedKey`: as the listener is set.
  package static func bytes(
    _ version: OpenAPIVersion = .v31, release: String, metricsNeedKey: Bool = false
  ) -> [UInt8] {
    var writer = DocumentWriter(
      .init(
        version: version, title: "Council admin API",
        description:
          "Everything that an admin can do. Each request needs a key with the scope that is named.",
        release: release))
    // The endpoints are few: there is no length to run into.
    do throws(Problem) { try writer.add(operations(metricsNeedKey: metricsNeedKey)) } catch {
      preconditionFailure(error.detail)
    }
    return writer.finish(tags: tags)
  }

  private static let tags: [JSONValue] = [
    ["name": "automations", "description": "Load, reload, observe and configure automations."],
    ["name": "keys", "description": "Who may call."],
    ["name": "audit", "description": "What was done, by whom."],
    ["name": "host", "description": "The host itself."],
  ]

  static func operations(metricsNeedKey: Bool) -> [Described] {
    AdminEndpoint.allCases.map { endpoint in
      let row = endpoint.row
      guard case .success(let pattern) = RoutePattern.parse(row.path) else {
        preconditionFailure("\(row.path) is no pattern")
      }
      let manual = endpoint.manual
      var described = Described(
        name: endpoint.rawValue.map { $0 == "." ? "_" : String($0) }.joined(), tag: tag(of: endpoint),
        method: row.method, pattern: pattern, prefix: "")
      described.summary = manual.summary
      described.description = manual.description
      described.scopes = endpoint == .metrics && metricsNeedKey ? [AdminScope.read] : row.scopes
      described.query = endpoint.querySchema
      described.body = manual.body
      described.isBodyRequired = manual.isBodyRequired
      if manual.takesUpload { described.bodyAlternatives = ["application/octet-stream"] }
      described.successes = manual.answers.map { Described.Success(status: $0.status, schema: $0.schema) }
      described.responseType = manual.contentType
      described.refusals = Refusals.of(row)
      described.faults = manual.faults.map { fault in
        Described.Fault(status: fault.status, code: fault.codes, description: "")
      }
      return described
    }
  }

  private static func tag(of endpoint: AdminEndpoint) -> String {
    let first = endpoint.rawValue.split(separator: ".").first.map(String.init) ?? ""
    return ["automations", "keys", "audit"].contains(first) ? first : "host"
  }
}
