import Domain
import Kernel
import Testing

@Suite struct RecordBoundsTests {
  private func values(_ fields: [FieldDeclaration], _ text: String) throws -> [RecordValue] {
    let schema = try RecordSchema(CollectionDeclaration(name: "c", fields: fields))
    let document = JSONDocument()
    try document.parse(text.utf8.span)
    return try schema.values(of: document.root, limits: RecordLimits(), now: { Timestamp(microseconds: 0) })
  }

  @Test func aWholeNumberMayBeWrittenAsADouble() throws {
    let field = FieldDeclaration(name: "i", type: .integer)
    #expect(try values([field], #"{"i":1e3}"#) == [.integer(1000)])
    #expect(throws: Problem.self) { try values([field], #"{"i":1.5}"#) }
    #expect(throws: Problem.self) { try values([field], #"{"i":1e300}"#) }
  }

  @Test func jsonKeepsWhatItHolds() throws {
    let field = FieldDeclaration(name: "j", type: .json)
    let kept = try values([field], "{\"j\": {\"z\" : [1, 2.50, \"\\u0001\\n\\\"\"], \"a\":{}}}")
    #expect(kept == [.text(Array("{\"z\":[1,2.5,\"\\u0001\\n\\\"\"],\"a\":{}}".utf8))])
    for text in [#"{"j":{"a":1,"a":2}}"#, #"{"j":[18446744073709551615]}"#] {
      let problem = #expect(throws: Problem.self) { try values([field], text) }
      #expect(problem?.members["errors"]?.array?[0]["pointer"]?.string?.hasPrefix("/j/") == true)
    }
  }

  @Test func anAnswerListsABoundedNumberOfFaults() throws {
    let fields = (0..<100).map { FieldDeclaration(name: "f\($0)", type: .integer, required: true) }
    let problem = #expect(throws: Problem.self) { try values(fields, "{}") }
    #expect(problem?.members["errors"]?.array?.count == 32)
  }

  @Test func declarationsAreBounded() throws {
    let fields = (0..<200).map { FieldDeclaration(name: "f\($0)", type: .integer) }
    #expect(try RecordSchema(CollectionDeclaration(name: "c", fields: fields)).members.count == 204)
    let more = fields + [FieldDeclaration(name: "x", type: .integer)]
    #expect(throws: Problem.self) { try RecordSchema(CollectionDeclaration(name: "c", fields: more)) }
    let collections = (0..<101).map { CollectionDeclaration(name: "c\($0)", fields: [fields[0]]) }
    #expect(try RecordSchema.all(Array(collections.prefix(100))).count == 100)
    #expect(throws: Problem.self) { try RecordSchema.all(collections) }
  }

  @Test func pointersAreEscaped() {
    #expect(RecordIssue("/x", "r").below("a/b~c").below(3).pointer == "/3/a~1b~0c/x")
  }

  @Test func aProblemOfABatchPointsIntoTheBatch() {
    let problem = Problem.recordInvalid([RecordIssue("/name", "is required")]).inOperation(4)
    #expect(problem.members["operation"] == 4)
    #expect(problem.members["errors"]?.array?[0]["pointer"] == "/operations/4/name")
  }
}
