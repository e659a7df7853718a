import Application
import Domain
import Kernel
import Testing

extension ContractCase {
  private static let people = CollectionDeclaration(
    name: "accounts",
    fields: [
      FieldDeclaration(name: "name", type: .string),
      FieldDeclaration(name: "passport", type: .string, unique: true, encrypted: true, maxLength: 20),
      FieldDeclaration(name: "phone", type: .string, indexed: true, encrypted: true),
      FieldDeclaration(name: "note", type: .string, encrypted: true),
    ],
    queries: [
      NamedQueryDeclaration(
        name: "by_phone", query: ["where": ["phone": "$phone"], "fields": ["id", "note"]])
    ])

  private static func person(_ fields: FieldDeclaration...) -> [CollectionDeclaration] {
    [CollectionDeclaration(name: "accounts", fields: [FieldDeclaration(name: "n", type: .integer)] + fields)]
  }

  static let encryption: [ContractCase] = [
    ContractCase("encrypted fields are read and written like others") { stores in
      let records = try RecordsUnderTest(stores, collections: [people])
      let made = try records.json(.insert, key: "a", #"{"name":"Ada","passport":"P 1","note":"q\"\\ é\n"}"#)
      #expect(made["passport"] == "P 1" && made["note"] == "q\"\\ é\n" && made["phone"] == .null)
      #expect(try records.json(.get, key: "a") == made)
      #expect(try records.json(.get, key: "a", #"{"fields":["note"]}"#) == ["note": "q\"\\ é\n"])
      #expect(try records.json(.patch, key: "a", #"{"note":"new","phone":""}"#)["note"] == "new")
      #expect(try records.json(.get, key: "a")["phone"] == "")
      #expect(try records.json(.replace, key: "a", #"{"passport":"P 1"}"#)["note"] == .null)
      #expect(try records.json(.put, key: "b", #"{"passport":"P 2","note":"n"}"#)["note"] == "n")
      #expect(records.problem(.insert, #"{"passport":"123456789012345678901"}"#).code == "records.invalid")
      #expect(try records.page("{}", member: "passport") == ["P 1", "P 2"])
    },
    ContractCase("encrypted fields are found by equality and are unique") { stores in
      let records = try RecordsUnderTest(stores, collections: [people])
      for (id, document) in [
        ("a", #"{"passport":"1","phone":"77","note":"first"}"#), ("b", #"{"passport":"2","phone":"77"}"#),
        ("c", #"{"passport":"3","phone":"88"}"#), ("d", #"{"name":"none"}"#),
      ] { try records.insert(document, id: id) }
      for (filter, ids) in [
        (#"{"phone":"77"}"#, "ab"), (#"{"phone":{"ne":"77"}}"#, "cd"), (#"{"phone":{"in":["88","x"]}}"#, "c"),
        (#"{"phone":{"nin":["88","x"]}}"#, "abd"), (#"{"phone":null}"#, "d"),
        (#"{"note":{"exists":true}}"#, "a"),
        (#"{"not":{"phone":"77"}}"#, "cd"), (#"{"passport":"2"}"#, "b"), (#"{"passport":"1 "}"#, ""),
        (#"{"or":[{"passport":"3"},{"phone":"77"}]}"#, "abc"),
      ] {
        #expect(try records.page("{\"where\":\(filter)}").compactMap(\.string).joined() == ids, "\(filter)")
      }
      let named = try records.json(.query, key: "by_phone", #"{"phone":"77"}"#)
      #expect(named["items"]?.array?.first == ["id": "a", "note": "first"])
      for problem in [
        records.problem(.insert, #"{"passport":"2"}"#),
        records.problem(.patch, key: "a", #"{"passport":"2"}"#),
        records.problem(.put, key: "new", #"{"passport":"2"}"#),
      ] { #expect(problem.code == "records.conflict" && problem.members["field"] == "passport") }
      _ = try records.call(.patch, key: "b", #"{"passport":"9"}"#)
      try records.insert(#"{"passport":"2"}"#)
      let pages = try records.allPages(["where": ["phone": "77"], "limit": 1])
      #expect(pages == ["a", "b"])
    },
    ContractCase("what encrypted fields cannot be asked is refused by name") { stores in
      let records = try RecordsUnderTest(stores, collections: [people])
      for query in [
        #"{"where":{"phone":{"gt":"1"}}}"#, #"{"where":{"phone":{"lte":"1"}}}"#,
        #"{"where":{"phone":{"prefix":"1"}}}"#,
        #"{"where":{"phone":{"contains":"1"}}}"#, #"{"where":{"note":"1"}}"#,
        #"{"where":{"note":{"in":["1"]}}}"#,
        #"{"order":["phone"]}"#, #"{"order":["-passport"]}"#,
      ] {
        let problem = records.problem(.find, query)
        #expect(problem.code == "records.invalid_query" && problem.detail.contains("encrypted"), "\(query)")
      }
      var asking = people
      asking.queries = [
        NamedQueryDeclaration(name: "x", query: ["where": ["note": "$note"]]),
        NamedQueryDeclaration(name: "y", query: ["order": ["phone"]]),
      ]
      let refusal = #expect(throws: Problem.self) {
        try stores.plan(automation: "other", collections: [asking])
      }
      #expect(refusal?.members["errors"]?.array?.count == 2)
    },
    ContractCase("what an encrypted field cannot be declared as is refused by name") { stores in
      let broken = [
        CollectionDeclaration(
          name: "accounts",
          fields: [
            FieldDeclaration(name: "a", type: .integer, encrypted: true),
            FieldDeclaration(name: "b", type: .string, searchable: true, encrypted: true),
            FieldDeclaration(name: "c", type: .string, encrypted: true, defaultValue: "x"),
            FieldDeclaration(name: "d", type: .integer, searchable: true),
            FieldDeclaration(name: "e", type: .string, encrypted: true),
            FieldDeclaration(name: "f", type: .timestamp),
          ], indexes: [["e", "f"]])
      ]
      let problem = #expect(throws: Problem.self) { try stores.plan(automation: "bank", collections: broken) }
      #expect(problem?.code == "records.unsupported")
      #expect(
        problem?.members["errors"]?.array?.compactMap { $0["pointer"]?.string } == [
          "/0/fields/0/encrypted", "/0/fields/1/searchable", "/0/fields/2/default", "/0/fields/3/searchable",
          "/0/indexes/0/0",
        ])
    },
    ContractCase("how a field is kept does not change; one that is new may be encrypted") { stores in
      let plain = FieldDeclaration(name: "x", type: .string)
      let sealed = FieldDeclaration(name: "x", type: .string, encrypted: true)
      let findable = FieldDeclaration(name: "x", type: .string, indexed: true, encrypted: true)
      for (number, (before, after)) in [
        (plain, sealed), (sealed, plain), (sealed, findable), (findable, sealed),
      ]
      .enumerated() {
        let automation = "bank-\(number)"
        _ = try RecordsUnderTest(stores, automation: automation, collections: person(before))
        let problem = #expect(throws: Problem.self) {
          try stores.plan(automation: automation, collections: person(after))
        }
        #expect(problem?.members["changes"]?.array?.first?["change"] == "encryption_changed")
      }
      let records = try RecordsUnderTest(stores, collections: person())
      try records.insert(#"{"n":1}"#, id: "a")
      let unique = FieldDeclaration(name: "x", type: .string, unique: true, encrypted: true)
      let new = try RecordsUnderTest(stores, collections: person(findable))
      _ = try new.call(.patch, key: "a", #"{"x":"one"}"#)
      try new.insert(#"{"x":"one"}"#, id: "b")
      let problem = #expect(throws: Problem.self) {
        try stores.plan(automation: "bank", collections: person(unique))
      }
      #expect(problem?.members["changes"]?.array?.first?["change"] == "duplicate_values")
      _ = try new.call(.patch, key: "b", #"{"x":"two"}"#)
      let strict = try RecordsUnderTest(stores, collections: person(unique))
      #expect(strict.problem(.insert, #"{"x":"two"}"#).members["field"] == "x")
      #expect(try strict.page(#"{"where":{"x":"one"}}"#) == ["a"])
      let short = FieldDeclaration(name: "x", type: .string, unique: true, encrypted: true, maxLength: 2)
      let refusal = #expect(throws: Problem.self) {
        try stores.plan(automation: "bank", collections: person(short))
      }
      #expect(refusal?.members["changes"]?.array?.first?["change"] == "values_out_of_bounds")
    },
  ]
}
