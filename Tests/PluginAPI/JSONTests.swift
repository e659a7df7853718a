import CouncilPlugin
import Testing

@Suite struct JSONTests {
  @Test(arguments: [
    "null", "true", "false", "0", "-1", "9223372036854775807", "-9223372036854775808", "1.5", "\"\"",
    "\"a\\\"b\\\\c\"",
    "[]", "[1,[2,[]]]", "{}", "{\"b\":1,\"a\":{\"c\":[null]}}", "\"ä𝄞\"",
  ]) func writesWhatItRead(text: String) throws {
    #expect(try JSON(parsing: text).description == text)
  }

  @Test(
    arguments: [
      ("\" \\u00e4\\ud834\\udd1e\\/\\b\\f\\n\\r\\t\"", .string(" ä𝄞/\u{8}\u{c}\n\r\t")),
      (" [ 1 , 2 ] ", [1, 2]), ("1e3", 1000.0), ("9223372036854775808", 9223372036854775808.0),
      ("{\"a\":1,\"a\":2}", ["a": 2]),
    ] as [(String, JSON)]) func reads(text: String, value: JSON) throws
  {
    #expect(try JSON(parsing: text) == value)
  }

  @Test(arguments: [
    "", " ", "nul", "01", "-", "1.", ".5", "1e", "+1", "1e999", "\"", "\"\\x\"", "\"\\ud834\"",
    "\"\\ud834\\u0041\"",
    "\"\n\"", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "1 2", "[", "{",
  ]) func refuses(text: String) {
    #expect(throws: JSON.SyntaxError.self) { try JSON(parsing: text) }
  }

  @Test func refusesBytesThatAreNotUTF8() {
    #expect(throws: JSON.SyntaxError.self) { try JSON(parsing: [0x22, 0xC3, 0x22]) }
  }

  @Test func nestsSixtyFourDeepAndNoDeeper() throws {
    let deepest = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
    #expect(throws: Never.self) { try JSON(parsing: deepest) }
    #expect(throws: JSON.SyntaxError.self) { try JSON(parsing: "[\(deepest)]") }
  }

  @Test func escapesControlCharacters() {
    #expect(JSON.string("\u{1}\u{1f}\n").description == "\"\\u0001\\u001f\\n\"")
  }

  @Test func spellsNoNumberThatJSONCannot() {
    #expect(JSON.array([.number(.nan), .number(.infinity)]).description == "[null,null]")
  }

  @Test func keepsMembersInTheirOrderAndReplacesInPlace() {
    let value: JSON = ["b": 1, "a": 2]
    #expect(value.with("b", 3).with("c", 4).description == #"{"b":3,"a":2,"c":4}"#)
  }
}
