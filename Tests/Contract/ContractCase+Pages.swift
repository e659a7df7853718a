import Application
import Domain
import Kernel
import Testing

extension ContractCase {
  static let pages: [ContractCase] = [
    ContractCase("pages in every order meet each record once, nulls in their place") { stores in
      let records = try RecordsUnderTest(stores)
      // Few distinct values and many nulls: ties and edges everywhere.
      var operations: [JSONValue] = []
      for index in 0..<60 {
        var document: [String: JSONValue] = ["name": .string("n\(index % 4)")]
        document["balance"] = index % 5 == 0 ? .null : .integer(Int64(index % 3))
        if index % 4 != 0 { document["rate"] = .number(Double(index % 2)) }
        if index % 3 != 0 { document["opened"] = .string("2026-01-0\(index % 3)T00:00:00Z") }
        let id = String(format(index))
        operations.append(["op": "insert", "id": .string(id), "document": .object(document)])
      }
      _ = try records.call(.batch, JSON.text(JSONValue.object(["operations": .array(operations)])))
      for order in [
        [], ["id"], ["-id"], ["balance"], ["-balance"], ["balance", "-rate"], ["-rate", "balance", "opened"],
        ["-opened", "-rate"], ["created_at"], ["-created_at", "id"], ["name", "-balance", "rate", "-opened"],
        ["verified", "-version"],
      ] as [[String]] {
        let order: JSONValue = .array(order.map { .string($0) })
        let whole = try records.allPages(["order": order, "limit": 200])
        #expect(Set(whole).count == 60)
        for limit in [1, 7, 59, 60] {
          let paged = try records.allPages(["order": order, "limit": .integer(Int64(limit))])
          #expect(paged == whole, "\(order) by \(limit)")
        }
      }
    },
    ContractCase("null sorts first, then false, numbers by value, text by code point") { stores in
      let records = try RecordsUnderTest(stores)
      for (id, document) in [
        ("1", #"{"name":"b","balance":5,"rate":10}"#), ("2", #"{"name":"B","balance":null,"rate":9.5}"#),
        ("3", #"{"name":"\u00e9","balance":-1,"verified":true}"#),
        ("4", #"{"name":"a","balance":5,"rate":-1}"#),
      ] { try records.insert(document, id: id) }
      for (order, ids) in [
        (#"["balance"]"#, "2314"), (#"["-balance"]"#, "4132"), (#"["balance","-id"]"#, "2341"),
        (#"["name"]"#, "2413"), (#"["-name"]"#, "3142"), (#"["rate"]"#, "3421"),
        (#"["verified"]"#, "1243"), (#"["-verified"]"#, "3421"), (#"[]"#, "1234"), (#"["-id"]"#, "4321"),
      ] {
        let found = try records.page("{\"order\":\(order)}").compactMap(\.string).joined()
        #expect(found == ids, "\(order)")
      }
    },
    ContractCase("a page that ends with the last record has no next") { stores in
      let records = try RecordsUnderTest(stores)
      #expect(try records.json(.find, #"{"limit":2}"#) == ["items": [], "next": .null])
      for id in ["a", "b", "c"] { try records.insert(#"{"name":"x"}"#, id: id) }
      #expect(try records.json(.find, #"{"limit":3}"#)["next"] == .null)
      let page = try records.json(.find, #"{"limit":2}"#)
      let cursor = try #require(page["next"]?.string)
      _ = try records.call(.delete, key: "c")
      #expect(
        try records.json(.find, "{\"limit\":2,\"after\":\"\(cursor)\"}") == ["items": [], "next": .null])
      // A page may become smaller or larger, and show other fields, on the way.
      try records.insert(#"{"name":"x"}"#, id: "d")
      #expect(
        try records.json(.find, "{\"limit\":1,\"after\":\"\(cursor)\",\"fields\":[\"id\"]}")["items"] == [
          ["id": "d"]
        ])
    },
    ContractCase("a cursor belongs to its query") { stores in
      let records = try RecordsUnderTest(stores, collections: [Sample.accounts, Sample.notes])
      for id in ["a", "b", "c"] { try records.insert(#"{"name":"x"}"#, id: id) }
      let page = try records.json(.find, #"{"limit":1,"where":{"name":"x"},"order":["name"]}"#)
      let cursor = try #require(page["next"]?.string)
      #expect(
        try records.page("{\"where\":{\"name\":\"x\"},\"order\":[\"name\"],\"after\":\"\(cursor)\"}")
          == ["b", "c"])
      for query in [
        "{\"after\":\"\(cursor)\"}",
        "{\"where\":{\"name\":\"y\"},\"order\":[\"name\"],\"after\":\"\(cursor)\"}",
        "{\"where\":{\"name\":\"x\"},\"order\":[\"-name\"],\"after\":\"\(cursor)\"}",
        "{\"where\":{\"name\":\"x\"},\"order\":[\"name\"],\"after\":\"\(cursor)A\"}",
        "{\"where\":{\"name\":\"x\"},\"order\":[\"name\"],\"after\":\"\"}",
        "{\"where\":{\"name\":\"x\"},\"order\":[\"name\"],\"after\":\"x y\"}",
        "{\"where\":{\"name\":\"x\"},\"order\":[\"name\"],\"after\":\"\(String(repeating: "A", count: 5000))\"}",
      ] {
        let problem = records.problem(.find, query)
        #expect(problem.status == 400)
        #expect(problem.code == "records.invalid_cursor", "\(query)")
      }
      #expect(
        records.problem(.find, in: "notes", "{\"after\":\"\(cursor)\"}").code == "records.invalid_cursor")
      #expect(
        try records.page("{\"where\":{\"name\":\"x\"},\"order\":[\"name\"],\"after\":null}")
          == ["a", "b", "c"])
    },
    ContractCase("the default page has twenty records") { stores in
      let records = try RecordsUnderTest(stores)
      for index in 0..<21 { try records.insert(#"{"name":"x"}"#, id: String(format(index))) }
      #expect(try records.page("").count == 20)
      #expect(try records.page("{}").count == 20)
      #expect(try records.json(.count)["count"] == 21)
    },
  ]

  /// 0007.
  private static func format(_ number: Int) -> Substring { "000\(number)".suffix(4) }
}
