import Application
import Domain
import Kernel
import Testing

extension ContractCase {
  private static let sessions = CollectionDeclaration(
    name: "accounts",
    fields: [
      FieldDeclaration(name: "value", type: .json),
      FieldDeclaration(name: "user", type: .string, unique: true),
      FieldDeclaration(name: "hits", type: .integer, searchable: false, defaultValue: 0),
      FieldDeclaration(name: "text", type: .string, searchable: true),
      FieldDeclaration(name: "ends", type: .timestamp),
    ], expires: ExpiryDeclaration(field: "ends", afterSeconds: 3600))

  static let expiry: [ContractCase] = [
    ContractCase(
      "a record is gone from its instant on, for every operation",
      passing: { stores, clock in
        let records = try RecordsUnderTest(stores, collections: [sessions])
        try records.insert(#"{"user":"ada","text":"moon","ends":60}"#, id: "a")
        try records.insert(#"{"user":"bob","text":"moon","ends":120}"#, id: "b")
        try records.insert(#"{"user":"eve","text":"moon","ends":null}"#, id: "e")
        clock.advance(by: .seconds(59))
        #expect(try records.page(#"{"search":"moon","order":["id"]}"#) == ["a", "b", "e"])
        #expect(records.problem(.insert, #"{"user":"ada"}"#).members["field"] == "user")
        #expect(records.problem(.insert, key: "a", "{}").members["field"] == "id")
        clock.advance(by: .seconds(1))
        #expect(records.problem(.get, key: "a").code == "records.not_found")
        #expect(records.problem(.get, key: "a", #"{"fields":["id"]}"#).code == "records.not_found")
        #expect(try records.page("{}") == ["b", "e"])
        #expect(try records.page(#"{"order":["-created_at"]}"#) == ["e", "b"])
        #expect(try records.page(#"{"where":{"user":{"in":["ada","bob"]}}}"#) == ["b"])
        #expect(try records.page(#"{"search":"moon","order":["id"]}"#) == ["b", "e"])
        #expect(try records.json(.count)["count"] == 2)
        #expect(try records.json(.count, #"{"search":"moon"}"#)["count"] == 2)
        for operation in [RecordOperation.patch, .replace] {
          #expect(records.problem(operation, key: "a", #"{"text":"x"}"#).code == "records.not_found")
        }
        #expect(records.problem(.patch, key: "a", #"{"value":{"k":1}}"#).code == "records.not_found")
        #expect(records.problem(.increment, key: "a", #"{"hits":1}"#).code == "records.not_found")
        #expect(records.problem(.delete, key: "a").code == "records.not_found")
        #expect(records.problem(.delete, key: "a", version: 1).code == "records.not_found")
        // Its name, and then its id, are free again.
        _ = try records.call(.patch, key: "b", #"{"user":"ada"}"#)
        #expect(try records.json(.insert, key: "a", #"{"user":"cid"}"#)["version"] == 1)
        clock.advance(by: .seconds(60))
        #expect(try records.page("{}") == ["a", "e"])
        try records.insert(#"{"user":"ada"}"#, id: "f")
        #expect(try records.json(.get, key: "e")["ends"] == .null)
      }),
    ContractCase(
      "pages go on over records that end meanwhile",
      passing: { stores, clock in
        let records = try RecordsUnderTest(stores, collections: [sessions])
        for number in 0..<30 {
          try records.insert("{\"ends\":\(number % 3 == 0 ? 10 : 1000)}", id: "r\(100 + number)")
        }
        let first = try records.json(.find, #"{"limit":5}"#)
        #expect(first["items"]?.array?.count == 5)
        clock.advance(by: .seconds(10))
        let next = try #require(first["next"]?.string)
        let rest = try records.allPages(["limit": 5, "after": .string(next)])
        #expect(rest.count == 17)
        #expect(try records.json(.count)["count"] == 20)
      }),
    ContractCase(
      "a key is put and got with a time to live",
      passing: { stores, clock in
        let records = try RecordsUnderTest(stores, collections: [sessions])
        let now = clock.now
        let first = try records.json(.put, key: "k", #"{"value":{"n":1},"ends":60}"#)
        #expect(first["version"] == 1 && first["value"]?["n"] == 1)
        let ends = try #require(first["ends"]?.string)
        #expect(ends >= (now + .seconds(60)).text && ends <= (clock.now + .seconds(60)).text)
        let second = try records.json(.put, key: "k", #"{"value":2}"#)
        #expect(second["version"] == 2 && second["value"] == 2)
        #expect(try #require(second["ends"]?.string) >= (now + .seconds(3600)).text)
        clock.advance(by: .seconds(3599))
        #expect(try records.json(.patch, key: "k", #"{"ends":30}"#)["value"] == 2)
        clock.advance(by: .seconds(30))
        #expect(records.problem(.get, key: "k").code == "records.not_found")
        #expect(try records.json(.put, key: "k", #"{"value":3,"user":"ada"}"#)["version"] == 1)
        #expect(records.problem(.put, key: "other", #"{"user":"ada"}"#).members["field"] == "user")
        #expect(records.problem(.put, key: "k", "{}", version: 1).code == "records.invalid")
        #expect(records.problem(.put, key: "", "{}").code == "records.invalid")
        let batch = #"""
          {"operations":[{"op":"put","id":"k","document":{"value":4}},{"op":"put","id":"l","document":{"value":5,"ends":1}}]}
          """#
        #expect(try records.json(.batch, batch)["results"]?.array?.map { $0["version"] } == [2, 1])
        clock.advance(by: .seconds(1))
        #expect(try records.page("{}") == ["k"])
      }),
    ContractCase("the seconds to live have bounds; a timestamp and null stand for themselves") { stores in
      let records = try RecordsUnderTest(stores, collections: [sessions])
      for ends in ["1", "3155760000", "\"2999-01-01T00:00:00Z\"", "null"] {
        _ = try records.call(.put, key: "k", "{\"ends\":\(ends)}")
        _ = try records.call(.patch, key: "k", "{\"ends\":\(ends)}")
      }
      for ends in ["0", "-1", "3155760001", "1.5", "\"soon\"", "true"] {
        #expect(records.problem(.put, key: "k", "{\"ends\":\(ends)}").code == "records.invalid", "\(ends)")
        #expect(records.problem(.patch, key: "k", "{\"ends\":\(ends)}").code == "records.invalid", "\(ends)")
      }
      _ = try records.call(.put, key: "past", #"{"ends":"2001-01-01T00:00:00Z"}"#)
      #expect(records.problem(.get, key: "past").code == "records.not_found")
    },
    ContractCase("an end that is declared wrongly is refused by name") { stores in
      for (expires, pointer) in [
        (ExpiryDeclaration(field: "none"), "/0/expires/field"),
        (ExpiryDeclaration(field: "text"), "/0/expires/field"),
        (ExpiryDeclaration(field: "created_at"), "/0/expires/field"),
        (ExpiryDeclaration(field: "ends", afterSeconds: 0), "/0/expires/after_s"),
        (ExpiryDeclaration(field: "ends", afterSeconds: 3_155_760_001), "/0/expires/after_s"),
      ] {
        var broken = sessions
        broken.expires = expires
        let problem = #expect(throws: Problem.self) {
          try stores.plan(automation: "bank", collections: [broken])
        }
        #expect(problem?.members["errors"]?.array?.first?["pointer"]?.string == pointer)
      }
    },
    ContractCase(
      "an end may be declared for records that exist, and taken back",
      passing: { stores, clock in
        var plain = sessions
        plain.expires = nil
        let old = try RecordsUnderTest(stores, collections: [plain])
        try old.insert(#"{"ends":"2001-01-01T00:00:00Z"}"#, id: "a")
        #expect(old.problem(.insert, #"{"ends":60}"#).code == "records.invalid")
        let new = try RecordsUnderTest(stores, collections: [sessions])
        try new.insert("{}", id: "b")
        clock.advance(by: .seconds(3600))
        #expect(try new.page("{}") == [])
        // Who knows no end still has the record.
        #expect(try old.page("{}") == ["a", "b"])
      }),
  ]
}
