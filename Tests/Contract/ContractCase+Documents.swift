import Application
import Domain
import Kernel
import Testing

extension ContractCase {
  static let documents: [ContractCase] = [
    ContractCase("a record comes back as it was written, with the host's own members") { stores in
      let records = try RecordsUnderTest(stores)
      let written = try records.call(
        .insert,
        """
        {"name":"Ada \\"L\\" \\u00e9\\n","email":"a@x","balance":10,"rate":0.1,"verified":true,
        "opened":"2026-01-31T13:45:00.1239+01:00","extra":{"b":[1,2.5,null],"a":"x"}}
        """)
      #expect(written.version == 1)
      let record = try JSONValue.parse(written.json.span)
      let id = try #require(record["id"]?.string)
      #expect(id.count == 36)
      #expect(record["name"] == "Ada \"L\" \u{e9}\n")
      #expect(record["email"] == "a@x")
      #expect(record["balance"] == 10)
      #expect(record["status"] == "active")
      #expect(record["rate"] == .number(0.1))
      #expect(record["verified"] == true)
      #expect(record["opened"] == "2026-01-31T12:45:00.123Z")
      #expect(record["extra"] == ["b": [1, .number(2.5), .null], "a": "x"])
      #expect(record["version"] == 1)
      #expect(record["created_at"]?.string?.count == 24)
      #expect(record["updated_at"] == record["created_at"])
      let read = try records.call(.get, key: id)
      #expect(read.json == written.json)
      #expect(read.version == 1)
    },
    ContractCase("missing fields are null or take their default") { stores in
      let records = try RecordsUnderTest(stores)
      let record = try records.json(.insert, #"{"name":"Ada"}"#)
      #expect(record["email"] == .null)
      #expect(record["balance"] == 0)
      #expect(record["status"] == "active")
      #expect(record["verified"] == false)
      #expect(record["extra"] == .null)
    },
    ContractCase("numbers come back exactly") { stores in
      let records = try RecordsUnderTest(
        stores,
        collections: [
          CollectionDeclaration(
            name: "accounts",
            fields: [
              FieldDeclaration(name: "n", type: .number), FieldDeclaration(name: "i", type: .integer),
            ])
        ])
      for text in [
        "0.1", "0.30000000000000004", "1.7976931348623157e308", "5e-324", "123456789012345.67", "0.0", "1e21",
      ] {
        let record = try records.json(.insert, "{\"n\":\(text)}")
        // A JSON value does not tell 0.0 from 0.
        let number: Double
        switch record["n"] {
        case .number(let exact)?: number = exact
        case .integer(let whole)?: number = Double(whole)
        default:
          Issue.record("\(text) came back as \(String(describing: record["n"]))")
          continue
        }
        #expect(number.bitPattern == Double(text)?.bitPattern)
      }
      for text in ["9223372036854775807", "-9223372036854775808", "0"] {
        let record = try records.json(.insert, "{\"i\":\(text)}")
        #expect(record["i"]?.integer == Int64(text))
      }
      #expect(records.problem(.insert, #"{"i":9223372036854775808}"#).code == "records.invalid")
    },
    ContractCase("a caller may choose the id, once") { stores in
      let records = try RecordsUnderTest(stores)
      #expect(try records.insert(#"{"name":"Ada"}"#, id: "a/1 é") == "a/1 é")
      #expect(try records.json(.get, key: "a/1 é")["name"] == "Ada")
      let problem = records.problem(.insert, key: "a/1 é", #"{"name":"Bob"}"#)
      #expect(problem.status == 409)
      #expect(problem.code == "records.conflict")
      #expect(problem.members["field"] == "id")
      #expect(try records.insert(#"{"name":"x"}"#, id: String(repeating: "i", count: 128)).count == 128)
      let long = records.problem(.insert, key: String(repeating: "i", count: 129), #"{"name":"x"}"#)
      #expect(long.code == "records.invalid")
      #expect(records.problem(.insert, key: "a\nb", #"{"name":"x"}"#).code == "records.invalid")
    },
    ContractCase("a document that does not fit is refused with every fault and its place") { stores in
      let records = try RecordsUnderTest(stores)
      let problem = records.problem(
        .insert,
        #"{"email":5,"balance":1.5,"status":"gone","nick":1,"id":"x","opened":"yesterday","verified":1}"#)
      #expect(problem.status == 422)
      #expect(problem.code == "records.invalid")
      let pointers = Set((problem.members["errors"]?.array ?? []).compactMap { $0["pointer"]?.string })
      #expect(
        pointers == ["/email", "/balance", "/status", "/nick", "/id", "/opened", "/verified", "/name"])
      for input in [
        "", "{", "[]", "7", #"{"name":"a","name":"b"}"#, #"{"name":null}"#, "{\"name\":\"a\\u0000\"}",
      ] {
        #expect(records.problem(.insert, input).code == "records.invalid", "\(input)")
      }
    },
    ContractCase("lengths and bounds hold on both sides") { stores in
      let records = try RecordsUnderTest(stores)
      let forty = String(repeating: "é", count: 40)
      #expect(try records.json(.insert, "{\"name\":\"\(forty)\"}")["name"]?.string == forty)
      for document in [
        "{\"name\":\"\(forty)é\"}", #"{"name":""}"#, #"{"name":"a","balance":-1001}"#,
        #"{"name":"a","balance":1000001}"#,
      ] { #expect(records.problem(.insert, document).code == "records.invalid", "\(document)") }
      for balance in [-1000, 1_000_000] {
        #expect(
          try records.json(.insert, "{\"name\":\"a\",\"balance\":\(balance)}")["balance"]
            == .integer(Int64(balance)))
      }
    },
    ContractCase("a unique value is taken once, and names its field when it is taken") { stores in
      let records = try RecordsUnderTest(stores)
      let ada = try records.insert(#"{"name":"Ada","email":"a@x"}"#)
      let bob = try records.insert(#"{"name":"Bob","email":"b@x"}"#)
      try records.insert(#"{"name":"Cid"}"#)
      try records.insert(#"{"name":"Dan"}"#)
      for problem in [
        records.problem(.insert, #"{"name":"Eve","email":"a@x"}"#),
        records.problem(.patch, key: bob, #"{"email":"a@x"}"#),
        records.problem(.replace, key: bob, #"{"name":"Bob","email":"a@x"}"#),
      ] {
        #expect(problem.status == 409)
        #expect(problem.code == "records.conflict")
        #expect(problem.members["field"] == "email")
      }
      // Text is unique by code point.
      try records.insert(#"{"name":"Ada","email":"A@x"}"#)
      _ = try records.call(.delete, key: ada)
      try records.insert(#"{"name":"Ada","email":"a@x"}"#)
    },
    ContractCase("what is not there is 404") { stores in
      let records = try RecordsUnderTest(stores)
      for problem in [
        records.problem(.get, key: "none"), records.problem(.get, key: ""),
        records.problem(.replace, key: "none", #"{"name":"a"}"#),
        records.problem(.patch, key: "none", #"{"name":"a"}"#),
        records.problem(.increment, key: "none", #"{"balance":1}"#), records.problem(.delete, key: "none"),
        records.problem(.delete, key: "none", version: 3),
      ] {
        #expect(problem.status == 404)
        #expect(problem.code == "records.not_found")
      }
    },
    ContractCase("a projection shows what it names, in that order") { stores in
      let records = try RecordsUnderTest(stores)
      let id = try records.insert(#"{"name":"Ada","balance":3}"#, id: "i")
      let result = try records.call(.get, key: id, #"{"fields":["balance","id"]}"#)
      #expect(String(decoding: result.json, as: UTF8.self) == #"{"balance":3,"id":"i"}"#)
      #expect(result.version == 1)
      for input in [
        #"{"fields":[]}"#, #"{"fields":["nick"]}"#, #"{"fields":["id","id"]}"#, #"{"where":{}}"#, "[",
      ] {
        #expect(records.problem(.get, key: id, input).code == "records.invalid_query", "\(input)")
      }
    },
  ]
}
