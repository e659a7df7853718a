import Kernel
import Testing

/// Confirmations of a route of whose calls the host keeps nothing, over an upgrade.
@Suite(.serialized) struct ConfirmationTests {
  private static let manifest =
    #"{"id":"hog","version":"1","routes":["#
    + #"{"method":"DELETE","path":"/{id}","operation":"remove","confirm":true,"idempotency":"none"}]}"#

  @Test func aTokenOfTheHostBeforeTakesEffectOnce() throws {
    let host = try HostUnderTest(load: [Fixtures.plugin("hog", manifest: ConfirmationTests.manifest)])
    let key = try host.issueKey(["hog:*"])
    let asked = try host.call("DELETE", "/hog/a", key: key)
    let token = try #require(asked.json?["confirm"]?.string, "\(asked)")
    let old = host.servingPID
    #expect(try host.admin("POST", "/host/upgrade").status == 200)
    #expect(host.successor(of: old) != nil)
    #expect(try host.call("DELETE", "/hog/a", key: key, headers: ["X-Confirm: \(token)"]).status == 200)
    let again = try host.call("DELETE", "/hog/a", key: key, headers: ["X-Confirm: \(token)"])
    #expect(again.status == 428 && again.code == "confirmation.used", "\(again)")
    #expect(try host.confirm("DELETE", "/hog/a", key: key).status == 200)
    #expect(host.stop() == 0)
  }
}
