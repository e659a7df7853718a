import Kernel
import Testing

/// The pages for people in a real browser.
@Suite struct PageTests {
  private func run(_ how: String, _ host: HostUnderTest, _ keys: [String] = []) throws {
    try PythonClient.run(
      "docs_page.py",
      [how, "http://127.0.0.1:\(host.port)", "http://127.0.0.1:\(host.adminPort)"] + keys,
      environment: "browser", minutes: 2)
  }

  @Test func withAssetsAnOperationIsTriedFromThePage() throws {
    let folder = System.environment("COUNCIL_PAGE_ASSETS") ?? Fixtures.root + "/.build/page-assets"
    try #require(System.exists(folder + "/swagger-ui.css"), "Scripts/fetch-page-assets fills \(folder)")
    let host = try HostUnderTest(
      load: [HostUnderTest.hello, HostUnderTest.accounts], settings: "documents: {assets: \"\(folder)\"}\n")
    try run("tried", host, [try host.issueKey(["hello:read"]), host.adminKey])
    #expect(host.stop() == 0)
  }

  @Test func withoutAssetsThePageIsAPlainList() throws {
    let host = try HostUnderTest(load: [HostUnderTest.hello, HostUnderTest.accounts])
    try run("plain", host)
    #expect(host.stop() == 0)
  }
}
