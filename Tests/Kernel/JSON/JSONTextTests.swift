import Kernel
import Testing

/// Parts of JSON text, byte for byte.
@Suite struct JSONTextTests {
  private func parts(_ text: String) -> [String] {
    let bytes = text.utf8.span
    let root = JSONText.root(of: bytes)
    return JSONText.elements(of: root, in: bytes).map { String(bytes.extracting($0)) }
      + JSONText.members(of: root, in: bytes).map {
        String(bytes.extracting($0.key)) + "=" + String(bytes.extracting($0.value))
      }
  }

  @Test func elementsAreWholeValues() {
    #expect(
      parts(#" [ 1 , "a,]\"" ,{"b":[2,{}]}, [ ] ,null ] "#) == [
        "1", #""a,]\"""#, #"{"b":[2,{}]}"#, "[ ]", "null",
      ])
    #expect(parts("[]") == [] && parts("{}") == [] && parts("7") == [] && parts("") == [])
  }

  @Test func membersKeepTheirSpelling() {
    #expect(
      parts(#"{"a" : 1.50 ,"b\"c":"}", "d":{"e":"\\"}}"#) == ["a=1.50", #"b\"c="}""#, #"d={"e":"\\"}"#])
  }

  @Test func keysAreComparedByWhatTheySpell() {
    let text = #"{"\u006eame":1,"name2":2}"#
    let members = JSONText.members(of: JSONText.root(of: text.utf8.span), in: text.utf8.span)
    #expect(members.map { JSONText.key($0.key, in: text.utf8.span, is: "name".utf8.span) } == [true, false])
  }

  @Test func whatIsNoJSONStaysInside() {
    for text in [#"{"a"#, #"["#, #"{"a":"#, #"["\"#, "[1,", #"{"a":1,"#, "]", ",", #"{1:2}"#, #"["a"#] {
      _ = parts(text)
    }
  }

  @Test func scalarsAreCountedAndSpaceIsLeftOut() {
    #expect(JSONText.scalars("aé漢😀".utf8.span) == 4)
    let text = "{ \"a b\" : [ 1 , \" \" ] }"
    let arena = Arena()
    JSONText.appendCompact(0..<text.utf8.count, of: text.utf8.span, to: arena)
    #expect(String(arena.span(arena.all)) == #"{"a b":[1," "]}"#)
  }
}
