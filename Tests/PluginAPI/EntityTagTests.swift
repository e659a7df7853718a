import CouncilTesting
import Testing

@testable import CouncilPlugin

@Suite struct EntityTagTests {
  @Test(arguments: [("\"1\"", 1), ("\"9223372036854775807\"", .max)] as [(String, Int64)])
  func aTagOfOursNamesItsVersion(tag: String, version: Int64) throws {
    #expect(try EntityTag.expectedVersion(tag) == version)
  }

  @Test(arguments: ["\"7\", \"x\"", "W/\"1\" ,\"7\"", "\"7\",\"7\""])
  func inAListOnlyWhatARecordCanHaveCounts(tags: String) throws {
    #expect(try EntityTag.expectedVersion(tags) == 7)
  }

  @Test func anAsteriskNamesNone() throws { #expect(try EntityTag.expectedVersion("*") == nil) }

  @Test(arguments: [
    "\"01\"", "\"+1\"", "\"0\"", "\"-1\"", "\"\"", "\"", "1", "W/\"1\"", "\"1\", \"2\"", "\" 1\"",
    "\"9223372036854775808\"", "",
  ]) func anotherTagIsRefused(tag: String) {
    #expect(throws: ProblemError.self) { try EntityTag.expectedVersion(tag) }
  }
}
