import Application
import Kernel
import Synchronization
import Testing

@testable import JSONSchema

/// One compiled schema, many threads.
@Suite struct ConcurrencyTests {
  @Test func validatesOnManyThreadsAtOnce() throws {
    let schema = try compile(
      ##"""
      {"type": "array", "uniqueItems": true, "items": {"type": "object", "required": ["code"], "properties": {
        "code": {"pattern": "^(?:[A-Z]{2}-\\d+|none)$"}, "next": {"$ref": "#"}}, "unevaluatedProperties": false}}
      """##)
    let good = Array(#"[{"code":"AB-1"},{"code":"none","next":[{"code":"CD-22"}]}]"#.utf8)
    let bad = Array(#"[{"code":"AB-1"},{"code":"ab","next":[{"code":"CD-22","more":1}]}]"#.utf8)
    let wrong = Atomic<Int>(0)
    let threads = (0..<8).map { number in
      OSThread("validate \(number)") {
        let document = JSONDocument()
        for round in 0..<2000 {
          let isGood = (round + number) % 2 == 0
          guard (try? document.parse((isGood ? good : bad).span)) != nil else { continue }
          let found = schema.validate(document.root, limit: 10).map { "\($0.pointer) \($0.keyword)" }
          let expected = isGood ? [] : ["/1/code pattern", "/1/next/0/more unevaluatedProperties"]
          if found != expected { wrong.add(1, ordering: .relaxed) }
        }
      }
    }
    for thread in threads { thread.join() }
    #expect(wrong.load(ordering: .relaxed) == 0)
  }

  @Test func outlivesItsCompiler() throws {
    var compiler: JSONSchemaCompiler? = JSONSchemaCompiler()
    let schema = try #require(compiler).compile(["pattern": "^a$"])
    compiler = nil
    #expect(try violations(schema, "\"a\"") == [])
    #expect(try violations(schema, "\"b\"").count == 1)
  }
}
