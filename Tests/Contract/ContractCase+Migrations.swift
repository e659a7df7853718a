import Application
import Domain
import Kernel
import Testing

extension ContractCase {
  private static func declare(_ fields: FieldDeclaration...) -> [CollectionDeclaration] {
    [CollectionDeclaration(name: "accounts", fields: fields)]
  }
  private static let name = FieldDeclaration(name: "name", type: .string, required: true)

  private static func refused(
    _ stores: any RecordStores, _ collections: [CollectionDeclaration]
  ) -> [String] {
    var found: [[String]] = []
    for attempt in [
      { try stores.plan(automation: "bank", collections: collections).count },
      { try stores.open(automation: "bank", collections: collections).collection(named: "accounts") ?? 0 },
    ] as [() throws -> Int] {
      let problem = #expect(throws: Problem.self) { try attempt() }
      #expect(problem?.status == 409)
      #expect(problem?.code == "records.migration_destructive")
      found.append(
        (problem?.members["changes"]?.array ?? []).map {
          "\($0["change"]?.string ?? "") \($0["collection"]?.string ?? "") \($0["field"]?.string ?? "")"
        })
    }
    #expect(found[0] == found[1])
    return found[0].sorted()
  }

  static let migrations: [ContractCase] = [
    ContractCase("planning changes nothing, opening does what was planned, and once") { stores in
      let steps = try stores.plan(automation: "bank", collections: [Sample.accounts])
      #expect(steps.contains("accounts: create collection"))
      #expect(try stores.plan(automation: "bank", collections: [Sample.accounts]) == steps)
      let records = try RecordsUnderTest(stores)
      #expect(try stores.plan(automation: "bank", collections: [Sample.accounts]).isEmpty)
      _ = records
    },
    ContractCase("fields are added while the old generation goes on") { stores in
      let old = try RecordsUnderTest(stores, collections: declare(name))
      try old.insert(#"{"name":"Ada"}"#, id: "a")
      let more = declare(
        name, FieldDeclaration(name: "nick", type: .string, unique: true),
        FieldDeclaration(name: "level", type: .integer, required: true, indexed: true, defaultValue: 3),
        FieldDeclaration(name: "on", type: .boolean, required: true, defaultValue: true),
        FieldDeclaration(name: "quote", type: .string, required: true, defaultValue: "it's \"so\""))
      #expect(
        try stores.plan(automation: "bank", collections: more).contains("accounts: add field nick (string)"))
      let new = try RecordsUnderTest(stores, collections: more)
      #expect(try new.json(.get, key: "a")["level"] == 3)
      #expect(try new.json(.get, key: "a")["quote"] == "it's \"so\"")
      #expect(try new.json(.get, key: "a")["nick"] == .null)
      // The old generation reads and writes as before, and what it writes has the new defaults.
      try old.insert(#"{"name":"Bob"}"#, id: "b")
      #expect(try old.json(.get, key: "a")["level"] == nil)
      #expect(try old.json(.patch, key: "a", #"{"name":"Eve"}"#)["name"] == "Eve")
      #expect(old.problem(.insert, #"{"name":"x","level":1}"#).code == "records.invalid")
      #expect(try new.json(.get, key: "b")["level"] == 3)
      #expect(try new.json(.get, key: "b")["on"] == true)
      #expect(try new.page(#"{"where":{"level":3},"order":["-level"]}"#) == ["b", "a"])
      old.store.close()
      #expect(try new.json(.get, key: "b")["name"] == "Bob")
    },
    ContractCase("destructive changes are refused, all of them at once, and nothing happens") { stores in
      let before = declare(
        name, FieldDeclaration(name: "a", type: .string), FieldDeclaration(name: "b", type: .integer),
        FieldDeclaration(name: "c", type: .string), FieldDeclaration(name: "d", type: .string),
        FieldDeclaration(name: "e", type: .integer))
      let records = try RecordsUnderTest(stores, collections: before + [Sample.notes])
      try records.insert(#"{"name":"x","c":"same","e":5}"#)
      try records.insert(#"{"name":"y","c":"same","d":"1","e":50}"#)
      let after = declare(
        name, FieldDeclaration(name: "b", type: .string),
        FieldDeclaration(name: "c", type: .string, unique: true),
        FieldDeclaration(name: "d", type: .string, required: true),
        FieldDeclaration(name: "e", type: .integer, maximum: 10),
        FieldDeclaration(name: "f", type: .string, required: true))
      #expect(
        refused(stores, after) == [
          "collection_removed notes ", "duplicate_values accounts c", "field_removed accounts a",
          "missing_values accounts d", "required_without_default accounts f", "type_changed accounts b",
          "values_out_of_bounds accounts e",
        ])
      #expect(try records.json(.count)["count"] == 2)
      #expect(try stores.plan(automation: "bank", collections: before + [Sample.notes]).isEmpty)
    },
    ContractCase("what the records allow may be tightened") { stores in
      let records = try RecordsUnderTest(
        stores,
        collections: declare(
          name, FieldDeclaration(name: "c", type: .string), FieldDeclaration(name: "d", type: .integer)))
      try records.insert(#"{"name":"x","c":"one","d":1}"#)
      try records.insert(#"{"name":"y","c":"two","d":9}"#)
      let tight = try RecordsUnderTest(
        stores,
        collections: declare(
          name,
          FieldDeclaration(
            name: "c", type: .string, required: true, unique: true, allowed: ["one", "two", "six"],
            minLength: 3, maxLength: 3),
          FieldDeclaration(name: "d", type: .integer, minimum: 1, maximum: 9)))
      #expect(tight.problem(.insert, #"{"name":"z","c":"one"}"#).members["field"] == "c")
      #expect(tight.problem(.insert, #"{"name":"z","c":"ten"}"#).code == "records.invalid")
    },
    ContractCase("a rollback finds what it left, and so does the way forward again") { stores in
      let first = declare(name, FieldDeclaration(name: "code", type: .string, unique: true))
      let second = declare(
        name, FieldDeclaration(name: "code", type: .string),
        FieldDeclaration(name: "nick", type: .string, unique: true),
        FieldDeclaration(name: "level", type: .integer, required: true, defaultValue: 3))
      try RecordsUnderTest(stores, collections: first).insert(#"{"name":"Ada","code":"1"}"#, id: "a")
      var records = try RecordsUnderTest(stores, collections: second)
      try records.insert(#"{"name":"Bob","nick":"bo","level":7,"code":"2"}"#, id: "b")
      records = try RecordsUnderTest(stores, collections: first)
      #expect(try records.json(.get, key: "b")["nick"] == nil)
      #expect(records.problem(.insert, #"{"name":"Cid","code":"2"}"#).members["field"] == "code")
      try records.insert(#"{"name":"Cid","code":"3"}"#, id: "c")
      records = try RecordsUnderTest(stores, collections: second)
      #expect(try records.json(.get, key: "b")["nick"] == "bo")
      #expect(try records.json(.get, key: "b")["level"] == 7)
      #expect(try records.json(.get, key: "c")["level"] == 3)
      #expect(records.problem(.insert, #"{"name":"x","nick":"bo"}"#).members["field"] == "nick")
      // The way back is closed only by what the old declaration forbids.
      try records.insert(#"{"name":"Dan","code":"3"}"#, id: "d")
      #expect(refused(stores, first) == ["duplicate_values accounts code"])
      // A third declaration without the field was never applied: it would lose it.
      #expect(
        refused(stores, declare(name)) == [
          "field_removed accounts code", "field_removed accounts level", "field_removed accounts nick",
        ])
    },
    ContractCase("a hidden field is as hard to change as a shown one") { stores in
      _ = try RecordsUnderTest(stores, collections: declare(name))
      _ = try RecordsUnderTest(
        stores, collections: declare(name, FieldDeclaration(name: "nick", type: .string)))
      let records = try RecordsUnderTest(stores, collections: declare(name))
      try records.insert(#"{"name":"Ada"}"#, id: "a")
      #expect(
        refused(stores, declare(name, FieldDeclaration(name: "nick", type: .integer))) == [
          "type_changed accounts nick"
        ])
      let filled = try RecordsUnderTest(
        stores,
        collections: declare(
          name, FieldDeclaration(name: "nick", type: .string, required: true, defaultValue: "none")))
      #expect(try filled.json(.get, key: "a")["nick"] == "none")
    },
    ContractCase("a collection may come, and go with the generation that brought it") { stores in
      let one = declare(name)
      _ = try RecordsUnderTest(stores, collections: one)
      let both = try RecordsUnderTest(stores, collections: one + [Sample.notes])
      _ = try both.call(.insert, in: "notes", key: "n", #"{"text":"hello"}"#)
      #expect(try RecordsUnderTest(stores, collections: one).store.collection(named: "notes") == nil)
      let again = try RecordsUnderTest(stores, collections: [Sample.notes] + one)
      #expect(try again.json(.get, in: "notes", key: "n")["text"] == "hello")
    },
    ContractCase("declarations that cannot be are refused with every cause") { stores in
      let broken = [
        CollectionDeclaration(
          name: "Bad Name",
          fields: [
            FieldDeclaration(name: "id", type: .string), FieldDeclaration(name: "or", type: .string),
            FieldDeclaration(name: "a", type: .json, unique: true),
            FieldDeclaration(name: "b", type: .string, unique: true, defaultValue: "x"),
            FieldDeclaration(name: "c", type: .integer, defaultValue: "x"),
            FieldDeclaration(name: "c", type: .integer, minLength: 3),
            FieldDeclaration(name: "d", type: .string, minLength: 3, maxLength: 2),
          ], indexes: [["nick"], ["a"], []]),
        CollectionDeclaration(name: "sqlite_x", fields: []),
      ]
      let problem = #expect(throws: Problem.self) { try stores.plan(automation: "bank", collections: broken) }
      #expect(problem?.code == "records.unsupported")
      #expect((problem?.members["errors"]?.array?.count ?? 0) >= 13)
      #expect(throws: Problem.self) { try stores.open(automation: "../etc", collections: [Sample.accounts]) }
    },
  ]
}
