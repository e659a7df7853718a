import Application
import Domain
import Kernel
import Testing

extension ContractCase {
  static let changes: [ContractCase] = [
    ContractCase("every write moves the version, and a conditional one needs the right one") { stores in
      let records = try RecordsUnderTest(stores)
      let id = try records.insert(#"{"name":"Ada"}"#)
      #expect(try records.call(.patch, key: id, #"{"balance":5}"#).version == 2)
      #expect(try records.call(.increment, key: id, #"{"balance":5}"#, version: 2).version == 3)
      #expect(try records.call(.replace, key: id, #"{"name":"Eve"}"#, version: 3).version == 4)
      #expect(try records.call(.patch, key: id, "{}").version == 5)
      for problem in [
        records.problem(.patch, key: id, #"{"balance":1}"#, version: 4),
        records.problem(.increment, key: id, #"{"balance":1}"#, version: 6),
        records.problem(.replace, key: id, #"{"name":"x"}"#, version: 1),
        records.problem(.delete, key: id, version: 4),
      ] {
        #expect(problem.status == 412)
        #expect(problem.code == "records.precondition_failed")
        #expect(problem.members["version"] == 5)
      }
      #expect(try records.call(.get, key: id).version == 5)
      #expect(try records.call(.delete, key: id, version: 5).json.isEmpty)
      #expect(records.problem(.get, key: id).code == "records.not_found")
    },
    ContractCase("a dry run has the result of its write, and leaves nothing") { stores in
      let records = try RecordsUnderTest(stores)
      let id = try records.insert(#"{"name":"Ada","email":"a@x"}"#)
      let before = try records.json(.get, key: id)
      func dry(_ operation: RecordOperation, _ key: String, _ input: String) throws -> JSONValue {
        let result = try records.call(operation, key: key, input, isDryRun: true)
        return result.json.isEmpty ? .null : try JSONValue.parse(result.json.span)
      }
      let made = try dry(.insert, "new", #"{"name":"Eve","email":"e@x"}"#)
      #expect(made["id"] == "new" && made["version"] == 1 && made["balance"] == 0)
      #expect(try dry(.put, "new", #"{"name":"Eve"}"#)["version"] == 1)
      #expect(try dry(.put, id, #"{"name":"Eve"}"#)["version"] == 2)
      #expect(try dry(.replace, id, #"{"name":"Eve"}"#)["name"] == "Eve")
      #expect(try dry(.patch, id, #"{"balance":5}"#)["balance"] == 5)
      #expect(try dry(.increment, id, #"{"balance":5}"#)["balance"] == 5)
      #expect(try dry(.delete, id, "") == .null)
      let batch = try dry(
        .batch, "",
        #"{"operations":[{"op":"insert","id":"b","document":{"name":"B"}},{"op":"patch","id":"b","patch":{"balance":1}}]}"#
      )
      #expect(batch["results"]?.array?.last?["balance"] == 1)
      // It fails as the write would.
      for (operation, key, input, code) in [
        (RecordOperation.insert, "", #"{"name":"X","email":"a@x"}"#, "records.conflict"),
        (.patch, "nobody", "{}", "records.not_found"), (.insert, "", "{}", "records.invalid"),
      ] {
        let problem = #expect(throws: Problem.self) { try dry(operation, key, input) }
        #expect(problem?.code == code)
      }
      #expect(try records.json(.count)["count"] == 1)
      #expect(try records.json(.get, key: id) == before)
      #expect(try records.call(.patch, key: id, #"{"balance":7}"#).version == 2)
    },
    ContractCase("replace sets every field; what is left out goes to its default") { stores in
      let records = try RecordsUnderTest(stores)
      let id = try records.insert(#"{"name":"Ada","email":"a@x","balance":9,"extra":[1]}"#)
      let before = try records.json(.get, key: id)
      let record = try records.json(.replace, key: id, #"{"name":"Eve"}"#)
      #expect(record["name"] == "Eve")
      #expect(record["email"] == .null)
      #expect(record["balance"] == 0)
      #expect(record["extra"] == .null)
      #expect(record["created_at"] == before["created_at"])
      #expect(records.problem(.replace, key: id, #"{"email":"x"}"#).code == "records.invalid")
    },
    ContractCase("a patch merges as RFC 7396 says, into json fields too") { stores in
      let records = try RecordsUnderTest(stores)
      let id = try records.insert(
        #"{"name":"Ada","email":"a@x","extra":{"a":{"b":1,"c":2},"list":[1,2]}}"#)
      let record = try records.json(
        .patch, key: id, #"{"email":null,"extra":{"a":{"b":null,"d":{"e":1,"f":null}},"list":[3],"new":7}}"#)
      #expect(record["name"] == "Ada")
      #expect(record["email"] == .null)
      #expect(record["extra"] == ["a": ["c": 2, "d": ["e": 1]], "list": [3], "new": 7])
      #expect(try records.json(.patch, key: id, #"{"extra":[1]}"#)["extra"] == [1])
      #expect(try records.json(.patch, key: id, #"{"extra":{"x":null,"y":1}}"#)["extra"] == ["y": 1])
      #expect(try records.json(.patch, key: id, #"{"extra":null}"#)["extra"] == .null)
      for patch in [#"{"name":null}"#, #"{"version":9}"#, #"{"nick":1}"#, #"{"balance":"1"}"#, "[]", "3"] {
        #expect(records.problem(.patch, key: id, patch).code == "records.invalid", "\(patch)")
      }
    },
    ContractCase("increment adds, keeps bounds, and takes a missing value for zero") { stores in
      let records = try RecordsUnderTest(stores)
      let id = try records.insert(#"{"name":"Ada","balance":10}"#)
      let record = try records.json(.increment, key: id, #"{"balance":-5,"rate":0.5}"#)
      #expect(record["balance"] == 5)
      #expect(record["rate"] == .number(0.5))
      #expect(try records.json(.increment, key: id, #"{"balance":-1005}"#)["balance"] == -1000)
      for input in [
        #"{"balance":-1}"#, #"{"name":1}"#, #"{"balance":"1"}"#, #"{"balance":0.5}"#, "{}",
        #"{"balance":9223372036854775807}"#, #"{"rate":1.7e308,"nick":1}"#, #"{"balance":null}"#,
      ] { #expect(records.problem(.increment, key: id, input).code == "records.invalid", "\(input)") }
      _ = try records.call(.increment, key: id, #"{"rate":1.7e308}"#)
      #expect(records.problem(.increment, key: id, #"{"rate":1.7e308}"#).code == "records.invalid")
      #expect(try records.json(.get, key: id)["balance"] == -1000)
    },
    ContractCase("a batch happens whole, across collections") { stores in
      let records = try RecordsUnderTest(stores, collections: [Sample.accounts, Sample.notes])
      let ada = try records.insert(#"{"name":"Ada","balance":10}"#, id: "ada")
      let answer = try records.json(
        .batch,
        """
        {"operations":[
        {"op":"insert","id":"bob","document":{"name":"Bob"}},
        {"op":"increment","id":"ada","increment":{"balance":-4},"version":1},
        {"op":"increment","collection":"accounts","id":"bob","increment":{"balance":4}},
        {"op":"insert","collection":"notes","document":{"text":"moved 4"}},
        {"op":"replace","id":"bob","document":{"name":"Bob II","balance":4}},
        {"op":"patch","id":"bob","patch":{"email":"b@x"}},
        {"op":"delete","id":"ada"}]}
        """)
      let results = try #require(answer["results"]?.array)
      #expect(results.count == 7)
      #expect(results[1]["balance"] == 6)
      #expect(results[3]["text"] == "moved 4")
      #expect(results[5]["version"] == 4)
      #expect(results[6] == .null)
      #expect(records.problem(.get, key: ada).code == "records.not_found")
    },
    ContractCase("a batch that fails leaves nothing behind and says where") { stores in
      let records = try RecordsUnderTest(stores)
      try records.insert(#"{"name":"Ada","email":"a@x","balance":1}"#, id: "ada")
      let problem = records.problem(
        .batch,
        """
        {"operations":[{"op":"increment","id":"ada","increment":{"balance":1}},
        {"op":"insert","document":{"name":"Bob"}},{"op":"insert","document":{"name":"Eve","email":"a@x"}}]}
        """)
      #expect(problem.code == "records.conflict")
      #expect(problem.members["operation"] == 2)
      #expect(problem.members["field"] == "email")
      #expect(try records.json(.count)["count"] == 1)
      #expect(try records.json(.get, key: "ada")["balance"] == 1)
      let stale = records.problem(
        .batch, #"{"operations":[{"op":"patch","id":"ada","patch":{"balance":3},"version":7}]}"#)
      #expect(stale.code == "records.precondition_failed")
      let bad = records.problem(
        .batch,
        #"{"operations":[{"op":"delete","id":"ada"},{"op":"insert","document":{"name":"x","nick":1}}]}"#)
      #expect(bad.code == "records.invalid")
      #expect(bad.members["errors"]?.array?[0]["pointer"] == "/operations/1/document/nick")
      #expect(try records.json(.count)["count"] == 1)
    },
    ContractCase("a batch is bounded and checked") { stores in
      let records = try RecordsUnderTest(stores)
      func batch(_ count: Int) -> String {
        let one = #"{"op":"insert","document":{"name":"x"}}"#
        return "{\"operations\":[\((0..<count).map { _ in one }.joined(separator: ","))]}"
      }
      #expect(try records.json(.batch, batch(100))["results"]?.array?.count == 100)
      for input in [
        batch(101), batch(0), "{}", "[]", #"{"operations":{}}"#, #"{"operations":[7]}"#,
        #"{"operations":[{"op":"drop","id":"x"}]}"#, #"{"operations":[{"op":"delete"}]}"#,
        #"{"operations":[{"op":"insert","document":{"name":"x"},"version":1}]}"#,
        #"{"operations":[{"op":"insert","collection":"none","document":{"name":"x"}}]}"#,
        #"{"operations":[{"op":"delete","id":"x","document":{}}]}"#,
        #"{"operations":[{"op":"patch","id":"x"}]}"#,
        #"{"operations":[{"op":"delete","id":"x","id":"y"}]}"#, #"{"operations":[],"more":1}"#,
        #"{"operations":[{"op":"delete","id":"x","version":0}]}"#,
      ] { #expect(records.problem(.batch, input).code == "records.invalid", "\(input)") }
      #expect(try records.json(.count)["count"] == 100)
    },
    ContractCase("a closed store says so") { stores in
      let records = try RecordsUnderTest(stores)
      try records.insert(#"{"name":"Ada"}"#, id: "ada")
      records.store.close()
      records.store.close()
      #expect(records.problem(.get, key: "ada").code == "records.unavailable")
      let again = try RecordsUnderTest(stores)
      #expect(try again.json(.get, key: "ada")["name"] == "Ada")
    },
  ]
}
