import Kernel
import Testing

@Suite struct JSONValueTests {
  private func parse(_ text: String) throws -> JSONValue {
    let bytes = Array(text.utf8)
    return try JSONValue.parse(bytes.span)
  }

  @Test func holdsWhatWasParsed() throws {
    #expect(
      try parse(#"{"n":null,"b":true,"i":-7,"d":1.5,"s":"é","a":[1,[]],"o":{"x":false}}"#) == [
        "n": .null, "b": true, "i": -7, "d": .number(1.5), "s": "é", "a": [1, []], "o": ["x": false],
      ])
  }

  @Test func countsWholeNumbersAsIntegers() throws {
    #expect(try parse("1.0") == 1)
    #expect(try parse("1e3") == 1000)
    #expect(try parse("-0.0") == 0)
    #expect(try parse("9223372036854775807") == .integer(.max))
    #expect(try parse("9223372036854775808") == .number(9_223_372_036_854_775_808))
    #expect(try parse("[1.0,1.5,1e3]") == [1, .number(1.5), 1000])
  }

  @Test func answersOnlyForItsKind() throws {
    let value = try parse(#"{"a":[1],"s":"x","t":true}"#)
    #expect(value["a"]?.array == [1])
    #expect(value["s"]?.string == "x")
    #expect(value["t"]?.bool == true)
    #expect(value["none"] == nil)
    #expect(value["s"]?.integer == nil && value["a"]?.string == nil && value.array == nil)
    #expect(JSONValue.array([])["a"] == nil)
  }

  @Test func lastOfARepeatedKeyCounts() throws {
    #expect(try parse(#"{"a":1,"a":2}"#) == ["a": 2])
  }

  @Test func isBoundedInDepth() throws {
    let deep = String(repeating: "[", count: 65) + String(repeating: "]", count: 65)
    #expect(throws: JSONError.tooDeep) { try parse(deep) }
    #expect(try parse(String(deep.dropFirst().dropLast())).array?.count == 1)
  }

  @Test(
    arguments: [
      "null", "true", "[1,2.5,\"\\\"\\\\\\n\\u0001é😀\"]", #"{"a":{"b":[{}]},"c":""}"#,
      "[-9223372036854775808,1e300]",
      "\"\\u0000\"",
    ])
  func isReadBackAsItWasWritten(text: String) throws {
    let value = try parse(text)
    #expect(try parse(JSON.text(value)) == value)
    #expect(try JSONValue.parse(JSON.encode(value).span) == value)
    #expect(try parse(JSON.text(value, pretty: true)) == value)
  }

  @Test func isWrittenWithSortedKeysAndPlainSlashes() {
    let value: JSONValue = ["b": "x/y", "a": [1, true, .null]]
    #expect(JSON.text(value) == #"{"a":[1,true,null],"b":"x/y"}"#)
  }

  @Test func isWrittenForPeopleWithALineForEachMember() {
    let value: JSONValue = ["b": [], "a": [1, ["c": "x"]], "d": [:]]
    #expect(
      JSON.text(value, pretty: true)
        == "{\n  \"a\": [\n    1,\n    {\n      \"c\": \"x\"\n    }\n  ],\n  \"b\": [],\n  \"d\": {}\n}")
  }
}

/// Writing JSON without an encoder.
@Suite struct ArenaJSONTests {
  private func written(_ write: (Arena) -> Void) throws -> JSONValue {
    let arena = Arena(capacity: 16)
    write(arena)
    return try JSONValue.parse(arena.span(arena.all))
  }

  @Test func escapesWhatAStringMustNotHold() throws {
    let text = String(decoding: (0..<0x80).map { UInt8($0) }, as: UTF8.self) + "é😀\u{2028}"
    #expect(try written { $0.append(jsonString: text.utf8.span) } == .string(text))
    #expect(try written { $0.append(jsonString: "".utf8.span) } == "")
  }

  @Test func writesAnyValue() throws {
    let value: JSONValue = [
      "n": .null, "t": true, "f": false, "i": .integer(.min), "d": .number(1.5), "big": .number(1e300),
      "small": .number(.leastNonzeroMagnitude), "a": [1, [], ["x": .null]], "o": [:], "q\"\\": "\n\u{1}",
    ]
    #expect(try written { $0.append(json: value) } == value)
  }

  @Test func writesNothingThatJSONLacks() throws {
    #expect(try written { $0.append(json: .number(.infinity)) } == .null)
    #expect(try written { $0.append(json: .number(.nan)) } == .null)
  }

  @Test func problemsCarryTheirFacts() throws {
    let problem = Problem(
      409, "records.conflict", "\"taken\"", members: ["field": "email"], retryAfterSeconds: 2)
    #expect(
      try written { $0.append(problem: problem) } == [
        "type": "urn:council:problem:records.conflict", "title": "Conflict", "status": 409,
        "code": "records.conflict", "detail": "\"taken\"", "field": "email", "retry_after_s": 2,
      ])
    #expect(Problem.title(of: 418) == "Client Error")
    #expect(Problem.title(of: 599) == "Server Error")
  }
}
