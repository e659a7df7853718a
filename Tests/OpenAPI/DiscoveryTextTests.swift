import Application
import Domain
import Kernel
import Testing

@testable import Discovery

/// What the documents for strangers say of operations that go.
@Suite struct DiscoveryTextTests {
  private let site = DocumentSite()

  private static let since = #""since":"2026-01-01T00:00:00Z""#

  /// An automation whose operations are deprecated with these members, or not.
  private func serve(_ id: String, _ deprecations: [String?]) {
    let routes = deprecations.enumerated().map { number, deprecation in
      #"{"method":"GET","path":"/r\#(number)","operation":"r\#(number)""#
        + (deprecation.map { ",\"deprecated\":{\($0)}" } ?? "") + "}"
    }
    site.serve(#"{"id":"\#(id)","version":"1","routes":[\#(routes.joined(separator: ","))]}"#)
  }

  private func sunset(_ year: Int) -> String {
    DiscoveryTextTests.since + #","sunset":"\#(year)-01-01T00:00:00Z""#
  }

  private var view: DocumentView { DocumentView(site.caller(), .all) }

  private func line(_ id: String) -> String {
    let text = LLMSText.of(site.automations.snapshots.current, view, server: "")
    return text.split(separator: "\n").first { $0.contains("below `/\(id)`.") }.map(String.init) ?? text
  }

  private func description(_ id: String) -> JSONValue? {
    let text = APICatalog.of(site.automations.snapshots.current, view, server: "")
    let links = (try? JSONValue.parse(text.utf8.span))?["linkset"]?.array ?? []
    return links.first { $0["anchor"]?.string == "/\(id)" }?["service-desc"]?.array?.first
  }

  @Test func whatGoesIsNamedWithItsEnd() {
    serve("stays", [nil, nil])
    #expect(line("stays").hasSuffix("2 operations below `/stays`."))
    #expect(description("stays")?["href"] != nil && description("stays")?["deprecation"] == nil)
    // As a whole.
    serve("goes", [sunset(2027), sunset(2027)])
    #expect(line("goes").hasSuffix("`/goes`. Deprecated; answers until 2027-01-01T00:00:00.000Z."))
    #expect(description("goes")?["deprecation"] == ["2026-01-01T00:00:00.000Z"])
    #expect(description("goes")?["sunset"] == ["2027-01-01T00:00:00.000Z"])
    serve("old", [DiscoveryTextTests.since])
    #expect(line("old").hasSuffix("1 operation below `/old`. Deprecated."))
    #expect(description("old")?["deprecation"] != nil && description("old")?["sunset"] == nil)
    // One after the other.
    serve("ends", [sunset(2028), sunset(2027)])
    #expect(
      line("ends").hasSuffix(
        "Deprecated: `GET /ends/r0` (answers until 2028-01-01T00:00:00.000Z), `GET /ends/r1` (answers until 2027-01-01T00:00:00.000Z)."
      ))
    #expect(description("ends")?["sunset"] == ["2028-01-01T00:00:00.000Z"])
    // In part: the description that the catalog leads to says which.
    serve("part", [nil, DiscoveryTextTests.since, nil])
    #expect(line("part").hasSuffix("3 operations below `/part`. Deprecated: `GET /part/r1`."))
    #expect(description("part")?["deprecation"] == nil)
  }

  @Test(arguments: [10, 11])
  func aFewAreNamed(count: Int) {
    serve("many", [nil] + Array(repeating: sunset(2027), count: count))
    let named = line("many").split(separator: "`").count { $0.hasPrefix("GET ") }
    #expect(named == 10 && line("many").hasSuffix(count == 10 ? ")." : ") and 1 more."), "\(line("many"))")
  }
}
