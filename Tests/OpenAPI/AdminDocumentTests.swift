import Application
import Cryptography
import Domain
import Kernel
import Testing

@testable import OpenAPI

@Suite struct AdminDocumentTests {
  private func document(_ version: OpenAPIVersion = .v31, metricsNeedKey: Bool = false) throws -> JSONValue {
    try JSONValue.parse(AdminDocument.bytes(version, release: "1", metricsNeedKey: metricsNeedKey).span)
  }

  @Test func everyEndpointIsInIt() throws {
    let paths = try document()["paths"]
    var ids: Set<String> = []
    for endpoint in AdminEndpoint.allCases {
      let row = endpoint.row
      let operation = paths?[row.path]?[row.method.rawValue.lowercased()]
      #expect(operation?["summary"]?.string?.isEmpty == false, "\(endpoint)")
      #expect(operation?["x-scopes"]?.array?.compactMap(\.string) ?? [] == row.scopes)
      ids.insert(operation?["operationId"]?.string ?? "")
      let named = operation?["parameters"]?.array?.filter { $0["in"] == "query" }.compactMap {
        $0["name"]?.string
      }
      #expect(Set(named ?? []) == Set(row.query), "\(endpoint)")
    }
    #expect(ids.count == AdminEndpoint.allCases.count)
    #expect(paths?.object?.values.reduce(0) { $0 + ($1.object?.count ?? 0) } == AdminEndpoint.allCases.count)
  }

  @Test func whatTakesAKeyFollowsTheSetting() throws {
    #expect(try document()["paths"]?["/metrics"]?["get"]?["security"] == [])
    #expect(try document(metricsNeedKey: true)["paths"]?["/metrics"]?["get"]?["security"] != [])
  }

  @Test func aFileMayStandInTheBodysPlace() throws {
    let load = try document()["paths"]?["/admin/v1/automations"]?["post"]
    #expect(
      load?["requestBody"]?["content"]?.object?.keys.sorted() == [
        "application/json", "application/octet-stream",
      ])
    #expect(load?["responses"]?["201"] != nil)
  }

  @Test func pagesAreKeptByTheirPath() throws {
    let assets = try #require(PageAssets(digests: OpenSSLDigests()) { _ in [1] })
    let digests = OpenSSLDigests()
    let all = AdminDocument.documents(release: "1", metricsNeedKey: false, assets: assets, digests: digests)
    #expect(
      all.keys.sorted() == [
        "/admin/v1/docs", "/admin/v1/docs/assets/start.js", "/admin/v1/docs/assets/swagger-ui-bundle.js",
        "/admin/v1/docs/assets/swagger-ui.css", "/admin/v1/openapi.json",
      ])
    let plain = AdminDocument.documents(release: "1", metricsNeedKey: false, assets: nil, digests: digests)
    #expect(plain.keys.sorted() == ["/admin/v1/docs", "/admin/v1/openapi.json"])
  }
}
