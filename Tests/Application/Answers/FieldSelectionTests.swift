import Application
import Domain
import Kernel
import Testing

@Suite struct FieldSelectionTests {
  private func kept(_ fields: String, of text: String) throws -> String {
    let selection = try FieldSelection(fields.utf8.span)
    let arena = Arena()
    selection.write(JSONText.root(of: text.utf8.span), of: text.utf8.span, to: arena)
    return String(arena.span(arena.all))
  }

  private static let order =
    #"{"id":"1","n":1.0,"owner":{"id":"o","email":"e","x":[1]},"lines":[{"sku":"a","qty":2},{"sku":"b"}]}"#

  @Test(arguments: [
    ("n", #"{"id":"1","n":1.0}"#), ("id", #"{"id":"1"}"#), (" n , id", #"{"id":"1","n":1.0}"#),
    ("owner.email", #"{"id":"1","owner":{"email":"e"}}"#),
    ("owner.email,owner.x", #"{"id":"1","owner":{"email":"e","x":[1]}}"#),
    ("owner.email,owner", #"{"id":"1","owner":{"id":"o","email":"e","x":[1]}}"#),
    ("lines.sku", #"{"id":"1","lines":[{"sku":"a"},{"sku":"b"}]}"#), ("n.a.b", #"{"id":"1","n":1.0}"#),
    ("nothing", #"{"id":"1"}"#),
  ]) func namedMembersAreKeptAsTheyAre(fields: String, kept: String) throws {
    #expect(try self.kept(fields, of: FieldSelectionTests.order) == kept)
  }

  @Test(arguments: [
    "", ",", "a,", "a..b", ".a", "a.", "a, ,b", "a.b.c.d.e.f.g.h.i",
    String(repeating: "a,", count: 100) + "a", String(repeating: "é", count: 2049),
  ])
  func whatNamesNothingIsRefused(fields: String) {
    #expect(throws: FieldSelection.Fault.self) { try FieldSelection(fields.utf8.span) }
  }

  @Test func whatIsAsLongAsItMayBeIsTaken() throws {
    let name = String(repeating: "é", count: 2048)
    #expect(try FieldSelection(name.utf8.span).members.map(\.name) == [Array(name.utf8)])
  }

  private func outline(_ response: String, query: String = "{}", method: HTTPMethod = .get) throws
    -> AnswerOutline
  {
    AnswerOutline(
      RouteDeclaration(
        method: method, path: "/", operation: "o", querySchema: try JSONValue.parse(query.utf8.span),
        responseSchema: try JSONValue.parse(response.utf8.span)))
  }

  private static let page =
    ##"{"type":"object","properties":{"items":{"type":"array","items":{"$ref":"#/$defs/r"}},"next":{}},"$defs":{"r":{"type":"object","properties":{"a":{"type":"object","properties":{"b":{}}},"c":{}}}}}"##

  @Test func schemasTellWhatIsKnown() throws {
    let outline = try outline(
      FieldSelectionTests.page, query: #"{"properties":{"after":{},"limit":{"minimum":2}}}"#)
    #expect(outline.isList && outline.smallestPage == 2)
    func unknown(_ text: String) throws -> String? {
      outline.unknown(in: try FieldSelection(text.utf8.span))?.name
    }
    #expect(try unknown("a,c,a.b") == nil)
    #expect(try unknown("c,d") == "d")
    #expect(try unknown("a.x") == "a.x")
    #expect(outline.unknown(in: try FieldSelection("d".utf8.span))?.known == ["a", "c"])
  }

  @Test(arguments: [
    #"{"type":"object","properties":{"a":{}},"additionalProperties":true}"#, "true", "{}",
    #"{"type":"object","properties":{"a":{}},"patternProperties":{"^b":{}}}"#,
    #"{"anyOf":[{"properties":{"a":{}}}]}"#,
    ##"{"$ref":"#/$defs/none"}"##, ##"{"$ref":"#"}"##,
  ]) func anOpenSchemaTellsNothing(response: String) throws {
    #expect(try outline(response).unknown(in: try FieldSelection("z".utf8.span)) == nil)
  }

  @Test func aParameterThatTheRouteDeclaresIsTheRoutes() throws {
    let outline = try outline("{}", query: #"{"properties":{"fields":{},"max_bytes":{}}}"#)
    #expect(!outline.parameters.contains(.fields) && !outline.parameters.contains(.maxBytes))
    #expect(outline.parameters.contains(.maxCharacters) && outline.parameters.contains(.maxTokens))
  }

  @Test func onlyWhatReadsInPagesIsAList() throws {
    let query = #"{"properties":{"after":{},"limit":{}}}"#
    #expect(try outline(FieldSelectionTests.page, query: query).isList)
    #expect(try !outline(FieldSelectionTests.page, query: query, method: .post).isList)
    #expect(try !outline(FieldSelectionTests.page).isList)
    #expect(try !outline(#"{"properties":{"items":{"type":"array"}}}"#, query: query).isList)
  }
}
