import CouncilPlugin
import CouncilTesting
import Scratch
import Testing

/// The files that the build made, as a host maps them.
@Suite struct SharedObjectTests {
  /// A library that was built for a sanitizer needs a program that lends it the sanitizer's functions; this one does not.
  private static let canBeMapped = !shell("nm -D '\(productsFolder)/libAccounts.so'").output.contains(
    "U __tsan_")

  @Test(arguments: ["libAccounts.so", "libHello.so", "libTicker.so"]) func exportsOneSymbol(file: String)
    throws
  {
    let result = shell("nm -Dg --defined-only '\(productsFolder)/\(file)'")
    try #require(result.status == 0, "\(result.output)")
    let names = result.output.split(separator: "\n").compactMap { $0.split(separator: " ").last }
    #expect(names == ["council_plugin_entry_v1"])
  }

  @Test(.enabled(if: canBeMapped)) func servesFromTwoGenerationsThatAreMappedAtOnce() throws {
    let folder = ScratchFolder("tests")
    let copied = shell(
      "cp '\(productsFolder)/libAccounts.so' '\(folder.path)/1.so' && cp '\(folder.path)/1.so' '\(folder.path)/2.so'"
    )
    try #require(copied.status == 0, "\(copied.output)")
    let first = try SharedObject("\(folder.path)/1.so").host()
    let second = try SharedObject("\(folder.path)/2.so").host()
    let draft: JSON = ["name": "Ada", "email": "ada@example.org", "currency": "GBP"]
    // Each has its own records: what is unique in one is free in the other.
    for host in [first, second] { #expect(try host.call("POST", "/accounts/", body: draft).status == 201) }
    try first.stop()
    #expect(try second.call("POST", "/accounts/", body: draft).status == 409)
    #expect(try second.call("GET", "/accounts/").json["items"]?.array?.count == 1)
    try second.stop()
  }

  @Test(.enabled(if: canBeMapped)) func makesASecondInstanceOfOneGeneration() throws {
    let file = try SharedObject("\(productsFolder)/libAccounts.so")
    let (first, second) = (try file.host(), try file.host())
    #expect(first.manifest == second.manifest)
    try first.stop()
    #expect(try second.call("GET", "/accounts/nobody").status == 404)
  }
}
