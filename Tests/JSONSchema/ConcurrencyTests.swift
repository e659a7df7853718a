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

  /// With a depth that the limits allow and the stack that threads have by default.
  @Test func fitsTheStackOfAThread() throws {
    let depth = SchemaLimits().evaluationDepth / 3
    let properties =
      ##"{"properties": {"a": {"$ref": "#"}}, "additionalProperties": false, "minProperties": 0}"##
    let nested =
      String(repeating: #"{"a":"#, count: depth - 1) + "{}" + String(repeating: "}", count: depth - 1)
    let alternatives =
      ##"{"oneOf": [{"type": "null"}, {"items": {"$ref": "#"}, "type": "array", "unevaluatedItems": false}]}"##
    let lists = String(repeating: "[", count: depth / 2) + String(repeating: "]", count: depth / 2)
    let items =
      ##"{"items": {"$ref": "#"}, "uniqueItems": true}"##
    for (schema, document) in [(properties, nested), (alternatives, lists), (items, lists)] {
      let compiled = try compile(schema)
      let found = Monitor<[String]?>(nil)
      OSThread("stack") {
        let answer = try? violations(compiled, document).map(\.keyword)
        found.withLock { $0 = answer }
      }.join()
      let answer = found.withLock { $0 }
      #if DEBUG
        // Without optimisation a level takes three times the stack, under a sanitizer more: it may run out first.
        #expect(answer == [] || answer == ["depth"], "\(schema)")
      #else
        #expect(answer == [], "\(schema)")
      #endif
    }
  }

  @Test func stopsBeforeTheStackEnds() throws {
    let compiled = try compile(##"{"oneOf": [{"type": "null"}, {"items": {"$ref": "#"}, "type": "array"}]}"##)
    let lists = String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000)
    let found = Monitor<[String]?>(nil)
    OSThread("stack") {
      let answer = try? violations(compiled, lists).map(\.keyword)
      found.withLock { $0 = answer }
    }.join()
    #expect(found.withLock { $0 } == ["depth"])
  }
}
