import Application
import Kernel
import Testing

@testable import JSONSchema

/// Regular expressions: ECMA-262's meaning, and bounded work.
@Suite struct PatternTests {
  private func matches(_ pattern: String, _ text: String) throws -> Bool {
    let schema = JSON.text(JSONValue.object(["pattern": .string(pattern)]))
    return try isValid(schema, JSON.text(JSONValue.string(text)))
  }

  private func isRefused(_ pattern: String) throws -> Bool {
    try refusal(JSON.text(JSONValue.object(["pattern": .string(pattern)]))) != nil
  }

  @Test(
    arguments: [
      ("^\\d$", "5", true), ("^\\d$", "\u{0665}", false), ("^\\w+$", "aZ_9", true), ("^\\w$", "é", false),
      ("^\\s$", "\u{FEFF}", true), ("^\\s$", "\u{2003}", true), ("^[\\s]$", "\u{A0}", true),
      ("^\\S$", "\u{200B}", true), ("^[^\\S]$", " ", true), ("^[\\S]$", "\u{2028}", false),
      ("^.$", "\u{1F600}", true), ("^.$", "\n", false), ("^.$", "\u{2028}", false), ("^.$", "\u{85}", true),
      ("^a$", "a\n", false), ("^[^]$", "\n", true), ("[]", "a", false),
      ("^\\u0041\\x42\\u{43}$", "ABC", true),
      ("^\\uD83D\\uDE00$", "\u{1F600}", true), ("^\\v$", "\u{0B}", true), ("^\\v$", "\n", false),
      ("^[\\b]$", "\u{08}", true), ("^\\cA$", "\u{01}", true), ("^\\0$", "\0", true), ("^a{2}$", "aa", true),
      ("^a{,2}$", "a{,2}", true), ("^{}$", "{}", true), ("^[[]$", "[", true), ("^[[:alpha:]]+$", "a]", true),
      ("^(?<year>\\d{4})-\\k<year>$", "2031-2031", true), ("^(a)|b\\1$", "b", true), ("^(?=ab)a", "ab", true),
      ("^(?<!x)a", "a", true), ("(?<=x)a", "xa", true), ("^\\p{Lu}$", "É", true),
      ("^\\p{Letter}$", "9", false),
      ("^\\p{Script=Greek}$", "λ", true), ("^\\P{sc=Greek}$", "λ", false), ("^a+?b$", "aab", true),
      ("", "anything", true), ("^$", "", true), ("^\\/\\-\\@$", "/-@", true), ("é", "café", true),
    ])
  func meansWhatECMAScriptMeans(pattern: String, text: String, expected: Bool) throws {
    #expect(try matches(pattern, text) == expected)
  }

  @Test(
    arguments: [
      "\\A", "\\Z", "\\z", "\\G", "\\K", "\\h", "\\R", "\\X", "\\Qa\\E", "\\a", "\\e", "(?i)a", "(?#c)",
      "(?>a)", "(?R)",
      "(?C)", "(*COMMIT)a", "a++", "a*+", "a**", "*a", "(|*)", "a{2}{3}", "(", ")", "[a", "[b-a]", "\\",
      "\\u12", "\\xg1",
      "\\u{110000}", "\\uD800", "\\p{Nonsense}", "\\p", "\\k<a>", "\\1", "(?<a>.)(?<a>.)", "(?<1a>b)",
      "(?P<a>b)", "\\01",
      "\\c1", "a|*",
    ])
  func refusesWhatIsNotECMAScript(pattern: String) throws {
    #expect(try isRefused(pattern))
  }

  @Test func countsAPatternThatTakesTooLongAsAViolation() throws {
    let text = "\"" + String(repeating: "a", count: 40) + "b\""
    let found = try violations(#"{"pattern": "^(a|a)*$"}"#, text)
    #expect(found.map(\.keyword) == ["pattern"])
    #expect(found[0].message.hasPrefix("takes too many steps"))
    #expect(try violations(#"{"not": {"pattern": "^(a|a)*$"}}"#, text).map(\.keyword) == ["pattern"])
    #expect(
      try violations(#"{"anyOf": [{"pattern": "^(a|a)*$"}, true]}"#, text).map(\.keyword) == ["pattern"])
    #expect(
      try violations(#"{"patternProperties": {"^(a|a)*$": false}}"#, "{\(text):1}").map(\.keyword) == [
        "pattern"
      ])
    #expect(try isValid(#"{"pattern": "^(a|a)*$"}"#, "\"aaaa\""))
  }

  @Test func boundsSteps() throws {
    var limits = SchemaLimits()
    limits.patternSteps = 1_000_000
    let text = "\"" + String(repeating: "a", count: 12) + "b\""
    #expect(
      try violations(#"{"pattern": "^(a|a)*$"}"#, text, limits: limits)[0].message.hasPrefix("must match"))
    limits.patternSteps = 100
    #expect(
      try violations(#"{"pattern": "^(a|a)*$"}"#, text, limits: limits)[0].message.hasPrefix("takes too many")
    )
  }

  @Test func survivesDeepNestingOnLongText() throws {
    // What overflows the stack of other engines.
    let text = "\"" + String(repeating: "a", count: 200_000) + "\""
    #expect(try violations(#"{"pattern": "^((a|b)*?c|(a|b)*)*$"}"#, text).count <= 1)
    #expect(try isValid(#"{"pattern": "^[a-z]+$"}"#, text))
  }

  /// Patterns that step within the limit at each starting place, on text that has 200,000 of those.
  @Test(arguments: ["(a|b)*[xy]", "[ab]*a[ab]*[xy]", "(?:a|bc|d)+[xy]"])
  func endsASearchThatTakesTooLong(pattern: String) throws {
    let schema = JSON.text(JSONValue.object(["pattern": .string(pattern)]))
    let text = "\"" + String(repeating: "a", count: 200_000) + "z\""
    let found = try violations(schema, text)
    #expect(found.map(\.keyword) == ["pattern"])
    #expect(found[0].message.hasPrefix("takes too many steps"))
  }

  @Test func boundsTheTimeOfManySlowMatches() throws {
    let slow = "\"" + String(repeating: "a", count: 200) + "z\""
    let document = "[\(Array(repeating: slow, count: 20_000).joined(separator: ","))]"
    let found = try violations(#"{"items": {"not": {"pattern": "(a|b)*[xy]"}}}"#, document)
    #expect(found.map(\.keyword) == ["pattern"])
  }

  /// Each takes a compiler much longer than its length says.
  @Test func boundsTheTimeOfManyExpressionsInADocument() throws {
    let long = #""(?:abcdefgh){1500}""#
    let document = "[\(Array(repeating: long, count: 2000).joined(separator: ","))]"
    var limits = SchemaLimits()
    limits.patternTime = .milliseconds(5)
    for schema in [#"{"items": {"format": "regex"}}"#, #"{"not": {"items": {"format": "regex"}}}"#] {
      #expect(try violations(schema, document, limits: limits).first?.keyword == "limit")
    }
    #expect(try isValid(#"{"items": {"format": "regex"}}"#, "[\(long)]"))
  }

  @Test func anExpressionInADocumentIsAsLongAsOneInASchema() throws {
    for (count, keywords) in [(4096, []), (4097, ["limit"])] {
      let document = "\"" + String(repeating: "a", count: count) + "\""
      #expect(try violations(#"{"format": "regex"}"#, document).map(\.keyword) == keywords)
    }
  }

  /// Windows must not hide a match, wherever it starts and whatever it looks back at.
  @Test(arguments: [0, 1, 255, 256, 257, 1000, 65_535, 65_536, 65_537, 199_998])
  func findsAMatchAnywhereInLongText(place: Int) throws {
    var characters = [String](repeating: "é", count: 200_000)
    characters[place] = "x"
    let text = characters.joined()
    #expect(try matches("x", text))
    #expect(try matches("(?<=é|^)x(?=é)", text))
    #expect(try matches("^é*xé*$", text))
    #expect(try !matches("xx|y", text))
    #expect(try matches("é$", text))
  }
}
