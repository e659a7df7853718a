import Application
import Kernel
import Testing

@Suite struct MarkdownTextTests {
  private func table(_ text: String) -> String {
    let arena = Arena()
    let bytes = text.utf8.span
    _ = MarkdownText.writeTable(
      JSONText.elements(of: JSONText.root(of: bytes), in: bytes), of: bytes, to: arena)
    return String(arena.span(arena.all))
  }

  @Test func recordsAreRows() {
    #expect(
      table(#"[{"id":"1","n":1.50,"x":null},{"id":"2","y":{"a" : [1, 2]},"n":true}]"#) == """
        | id | n | x | y |
        | --- | --- | --- | --- |
        | 1 | 1.50 |  | |
        | 2 | true | | {"a":[1,2]} |

        """)
  }

  @Test func nothingOfACellEndsIt() {
    #expect(
      table(#"[{"a|b":"x|y\nz\r\nw\\v<b>\u0001"},{"a|b":["|"]}]"#) == """
        | a\\|b |
        | --- |
        | x\\|y<br>z<br>w\\\\v&lt;b>  |
        | ["\\|"] |

        """)
  }

  @Test func whatIsNoRecordHasOneColumn() {
    #expect(table(#"[1,"a"]"#) == "| Value |\n| --- |\n| 1 |\n| a |\n")
    #expect(table("[]") == "No records.\n")
  }

  @Test func rowsAreMeasured() {
    let arena = Arena()
    let text = #"[{"a":"é"},{"a":"bc"}]"#.utf8.span
    let sizes = MarkdownText.writeTable(
      JSONText.elements(of: JSONText.root(of: text), in: text), of: text, to: arena)
    #expect(sizes == [.init(bytes: 7, characters: 6), .init(bytes: 7, characters: 7)])
  }

  @Test(arguments: [(64, false), (65, true), (66, true)])
  func whatHasTooManyNamesSharesAColumn(count: Int, isShared: Bool) {
    let members = (1...count).map { #""m\#($0)":"\#($0)|""# }
    let lines = table("[{\(members.joined(separator: ","))},{\"m1\":1}]").split(separator: "\n")
    #expect(lines[0].hasSuffix(isShared ? "| m64 | … |" : "| m64 |"))
    #expect(lines[1].split(separator: " ").count { $0 == "---" } == min(count, 65))
    let rest = (65..<max(65, count + 1)).map { #""m\#($0)":"\#($0)\|""# }.joined(separator: ",")
    #expect(lines[2].hasSuffix(isShared ? "| 64\\| | {\(rest)} |" : "| 64\\| |"), "\(lines[2])")
    #expect(lines[3].hasPrefix("| 1 | | |"))
  }

  @Test func aTableEndsWithTheRowThatIsTooMany() {
    let text = #"[{"a":1},{"a":2},{"a":3}]"#.utf8.span
    let items = JSONText.elements(of: JSONText.root(of: text), in: text)
    // Head and each row: 14 and 6 bytes.
    for (limit, rows) in [(13, 0), (14, 1), (19, 1), (20, 2), (26, 3), (1000, 3)] {
      let arena = Arena()
      let sizes = MarkdownText.writeTable(items, of: text, to: arena, upTo: limit)
      #expect(sizes.count == rows && arena.count == 14 + 6 * rows, "\(limit)")
    }
    let arena = Arena()
    let one = #"{"a":1,"b":2}"#.utf8.span
    MarkdownText.writeObject(JSONText.root(of: one), of: one, to: arena, upTo: 35)
    #expect(String(arena.span(arena.all)) == "| Field | Value |\n| --- | --- |\n| a | 1 |\n")
  }

  @Test func oneThingHasARowForEachMember() {
    let arena = Arena()
    let text = #"{"id":"1","tags":["a"],"none":null}"#.utf8.span
    MarkdownText.writeObject(JSONText.root(of: text), of: text, to: arena)
    #expect(
      String(arena.span(arena.all))
        == "| Field | Value |\n| --- | --- |\n| id | 1 |\n| tags | [\"a\"] |\n| none |  |\n")
  }

  @Test func aProblemSaysWhatHappenedFirst() {
    let arena = Arena()
    let problem = Arena()
    problem.append(problem: Problem(404, "a.b", "No <such> thing.", members: ["known": ["x"]]))
    let text = problem.span(problem.all)
    MarkdownText.writeProblem(JSONText.root(of: text), of: text, status: 404, to: arena)
    #expect(
      String(arena.span(arena.all))
        == "**404 Not Found**: No &lt;such> thing.\n\n- code: a.b\n- known: [\"x\"]\n")
  }
}
