import Application
import Domain
import Kernel
import Testing

extension ContractCase {
  private static let shop = CollectionDeclaration(
    name: "accounts",
    fields: [
      FieldDeclaration(name: "title", type: .string, searchable: true),
      FieldDeclaration(name: "text", type: .string, searchable: true),
      // A word of the engine's own that a field may be named.
      FieldDeclaration(name: "rank", type: .integer, indexed: true),
      FieldDeclaration(name: "secret", type: .string),
    ],
    queries: [
      NamedQueryDeclaration(name: "find", query: ["search": "$words", "where": ["rank": ["gte": "$from"]]]),
      NamedQueryDeclaration(name: "shoes", query: ["search": "shoes", "order": ["-rank"]]),
    ])

  private static func filled(_ stores: any RecordStores) throws -> RecordsUnderTest {
    let records = try RecordsUnderTest(stores, collections: [shop])
    for (id, document) in [
      ("a", #"{"title":"Red shoes","text":"Made of leather, size 42","rank":1,"secret":"hidden"}"#),
      ("b", #"{"title":"Blue shoes","text":"They go with a RED coat","rank":2}"#),
      ("c", #"{"title":"Crème brûlée","text":"vanilla-flavoured (sweet)","rank":3}"#),
      ("d", #"{"title":"Красная шапка","rank":4}"#), ("e", #"{"rank":5}"#),
    ] { try records.insert(document, id: id) }
    return records
  }

  static let searching: [ContractCase] = [
    ContractCase("a search finds whole words of the searchable fields, and takes no syntax") { stores in
      let records = try filled(stores)
      for (words, ids) in [
        ("shoes", "ab"), ("RED", "ab"), ("red shoes", "ab"), ("red leather", "a"), ("shoe", ""),
        ("creme BRULEE", "c"), ("crème", "c"), ("vanilla flavoured", "c"), ("flavoured-vanilla", "c"),
        ("42", "a"), ("hidden", ""), ("шапка", "d"), ("КРАСНАЯ", "d"), ("red AND shoes", ""),
        ("\\\"red shoes\\\"", "ab"), ("title:red", ""), ("sho*", ""), ("red NOT blue", ""), ("-red", "ab"),
        ("(red)", "ab"), ("NEAR(red shoes)", ""), ("red'; DROP TABLE accounts; --", ""),
        ("{title}: ^red + shoes", ""),
        ("size/42?", "a"), ("red red red", "ab"), ("a\\u0000b", nil),
      ] as [(String, String?)] {
        let query = "{\"search\":\"\(words)\",\"order\":[\"id\"]}"
        guard let ids else {
          #expect(records.problem(.find, query).code == "records.invalid_query")
          continue
        }
        #expect(try records.page(query).compactMap(\.string).joined() == ids, "\(words)")
        #expect(
          try records.json(.count, "{\"search\":\"\(words)\"}")["count"] == .integer(Int64(ids.count)),
          "\(words)")
      }
    },
    ContractCase("the best match comes first, and pages show every match once") { stores in
      let records = try RecordsUnderTest(stores, collections: [shop])
      try records.insert(#"{"title":"moon moon moon","rank":0}"#, id: "best")
      for number in 0..<25 {
        try records.insert(
          "{\"title\":\"a long text that has the moon in it only once, and \(number)\",\"rank\":\(number)}",
          id: "m\(100 + number)")
        try records.insert("{\"title\":\"sun \(number)\"}")
      }
      let first = try records.page(#"{"search":"moon","limit":3}"#)
      #expect(first.first == "best")
      let all = try records.allPages(["search": "moon", "limit": 4])
      #expect(all.count == 26 && Set(all.compactMap(\.string)).count == 26 && all.first == "best")
      #expect(try records.allPages(["search": "moon", "limit": 4, "order": ["-rank"]]).first == "m124")
      #expect(
        try records.allPages(["search": "moon", "limit": 2, "order": ["rank"], "where": ["rank": ["lt": 5]]])
          == ["best", "m100", "m101", "m102", "m103", "m104"])
      #expect(try records.page(#"{"search":"moon","fields":["rank"]}"#, member: "rank").first == 0)
    },
    ContractCase("a search's cursor belongs to its words and its order") { stores in
      let records = try filled(stores)
      let page = try records.json(.find, #"{"search":"shoes","limit":1}"#)
      let next = try #require(page["next"]?.string)
      #expect(try records.page("{\"search\":\"shoes\",\"after\":\"\(next)\"}").count == 1)
      for query in [
        "{\"search\":\"red\",\"after\":\"\(next)\"}", "{\"after\":\"\(next)\"}",
        "{\"search\":\"shoes\",\"order\":[\"rank\"],\"after\":\"\(next)\"}",
      ] { #expect(records.problem(.find, query).code == "records.invalid_cursor", "\(query)") }
    },
    ContractCase("the index follows every write, and nothing of one that failed") { stores in
      let records = try filled(stores)
      func found(_ word: String) throws -> String {
        try records.page("{\"search\":\"\(word)\",\"order\":[\"id\"]}").compactMap(\.string).joined()
      }
      _ = try records.call(.patch, key: "a", #"{"title":"Green boots"}"#)
      #expect(try found("shoes") == "b" && found("boots") == "a" && found("leather") == "a")
      _ = try records.call(.replace, key: "b", #"{"text":"gone"}"#)
      #expect(try found("shoes") == "" && found("gone") == "b")
      _ = try records.call(.patch, key: "b", #"{"text":null}"#)
      #expect(try found("gone") == "")
      _ = try records.call(.increment, key: "a", #"{"rank":1}"#)
      #expect(try found("boots") == "a")
      _ = try records.call(.delete, key: "a")
      #expect(try found("boots") == "")
      _ = try records.call(.put, key: "a", #"{"title":"boots"}"#)
      _ = try records.call(.put, key: "a", #"{"title":"boots again"}"#)
      #expect(try found("boots") == "a" && found("again") == "a")
      let batch = #"""
        {"operations":[{"op":"insert","id":"f","document":{"title":"lost"}},{"op":"delete","id":"c"},
        {"op":"insert","id":"d","document":{"title":"conflict"}}]}
        """#
      #expect(records.problem(.batch, batch).code == "records.conflict")
      #expect(try found("lost") == "" && found("brulee") == "c" && found("conflict") == "")
    },
    ContractCase("a named query searches for its parameter, or for words of its own") { stores in
      let records = try filled(stores)
      let page = try records.json(.query, key: "find", #"{"words":"shoes","from":2}"#)
      #expect(page["items"]?.array?.map { $0["id"] } == ["b"])
      #expect(try records.json(.query, key: "shoes")["items"]?.array?.map { $0["id"] } == ["b", "a"])
      #expect(
        records.problem(.query, key: "find", #"{"words":"?!","from":2}"#).members["pointer"] == "/words")
      #expect(records.problem(.query, key: "find", #"{"from":2}"#).members["pointer"] == "/words")
    },
    ContractCase("a search has bounds, and needs a searchable field") { stores in
      let records = try filled(stores)
      let sixteen = (1...16).map { "w\($0)" }.joined(separator: " ")
      #expect(try records.page("{\"search\":\"\(sixteen)\"}").isEmpty)
      #expect(try records.page("{\"search\":\"\(String(repeating: "x", count: 1024))\"}").isEmpty)
      for text in [
        "\"\(sixteen) w17\"", "\"\(String(repeating: "x", count: 1025))\"", "\"\"", "\"  -- \"", "7", "null",
        "[]",
      ] {
        let problem = records.problem(.find, "{\"search\":\(text)}")
        #expect(problem.code == "records.invalid_query" && problem.members["pointer"] == "/search", "\(text)")
      }
      let plain = try RecordsUnderTest(stores, automation: "other", collections: [Sample.notes])
      let problem = plain.problem(.find, in: "notes", #"{"search":"x"}"#)
      #expect(problem.status == 422 && problem.code == "records.not_searchable")
      var asking = Sample.notes
      asking.queries = [NamedQueryDeclaration(name: "q", query: ["search": "$text"])]
      let refusal = #expect(throws: Problem.self) {
        try stores.plan(automation: "third", collections: [asking])
      }
      #expect(refusal?.members["errors"]?.array?.first?["pointer"] == "/0/queries/0/query/search")
    },
    ContractCase("searchable comes to records that exist, and goes; the old generation's writes are found") {
      stores in
      func declare(_ searchable: Bool) -> [CollectionDeclaration] {
        [
          CollectionDeclaration(
            name: "accounts",
            fields: [
              FieldDeclaration(name: "name", type: .string, searchable: searchable),
              FieldDeclaration(name: "city", type: .string),
            ])
        ]
      }
      let old = try RecordsUnderTest(stores, collections: declare(false))
      try old.insert(#"{"name":"Ada Lovelace"}"#, id: "a")
      try old.insert(#"{"name":"Grace Hopper"}"#, id: "b")
      #expect(
        try stores.plan(automation: "bank", collections: declare(true)) == [
          "accounts: add full-text index on name"
        ])
      let new = try RecordsUnderTest(stores, collections: declare(true))
      #expect(try new.page(#"{"search":"ada"}"#) == ["a"])
      try old.insert(#"{"name":"Ada Yonath"}"#, id: "c")
      _ = try old.call(.patch, key: "b", #"{"name":"Ada Hopper"}"#)
      _ = try old.call(.delete, key: "a")
      #expect(try Set(new.page(#"{"search":"ada"}"#).compactMap(\.string)) == ["b", "c"])
      old.store.close()
      let without = try RecordsUnderTest(stores, collections: declare(false))
      // The one that searches is still open, so it goes on.
      #expect(try new.page(#"{"search":"yonath"}"#) == ["c"])
      new.store.close()
      #expect(without.problem(.find, #"{"search":"ada"}"#).code == "records.not_searchable")
      try without.insert(#"{"name":"Ada Palmer"}"#, id: "d")
      let again = try RecordsUnderTest(stores, collections: declare(true))
      #expect(try again.page(#"{"search":"ada palmer"}"#) == ["d"])
    },
  ]
}
