import Application
import Domain
import Kernel
import Testing

extension ContractCase {
  /// Five accounts; e has nulls.
  private static func filled(_ stores: any RecordStores) throws -> RecordsUnderTest {
    let records = try RecordsUnderTest(stores)
    for (id, document) in [
      ("a", #"{"name":"Ada","email":"ada@x.org","balance":10,"rate":1.5,"opened":"2026-01-01T00:00:00Z"}"#),
      ("b", #"{"name":"bob","email":"bob@x.org","balance":20,"rate":2,"verified":true,"status":"closed"}"#),
      ("c", #"{"name":"Cid","balance":20,"rate":-3,"opened":"2026-03-01T00:00:00+02:00","extra":{"k":1}}"#),
      ("d", #"{"name":"Ad%_","balance":-5,"verified":true}"#),
      ("e", #"{"name":"\u00c9ve","balance":null,"status":"closed"}"#),
    ] { try records.insert(document, id: id) }
    return records
  }

  static let filters: [ContractCase] = [
    ContractCase("filters mean what they say, a missing value included") { stores in
      let records = try filled(stores)
      for (filter, ids) in [
        ("{}", "abcde"), (#"{"balance":20}"#, "bc"), (#"{"balance":{"eq":20,"ne":21}}"#, "bc"),
        (#"{"balance":{"ne":20}}"#, "ade"), (#"{"balance":{"gt":10}}"#, "bc"),
        (#"{"balance":{"gte":10}}"#, "abc"), (#"{"balance":{"lt":10}}"#, "d"),
        (#"{"balance":{"lte":10}}"#, "ad"), (#"{"balance":{"gte":-5,"lt":20}}"#, "ad"),
        (#"{"balance":{"in":[10,-5,7]}}"#, "ad"), (#"{"balance":{"nin":[10,-5]}}"#, "bce"),
        (#"{"balance":null}"#, "e"), (#"{"balance":{"ne":null}}"#, "abcd"),
        (#"{"balance":{"exists":true}}"#, "abcd"), (#"{"balance":{"null":true}}"#, "e"),
        (#"{"extra":{"exists":true}}"#, "c"), (#"{"extra":null}"#, "abde"),
        (#"{"not":{"balance":{"gt":10}}}"#, "ade"), (#"{"not":{"balance":20}}"#, "ade"),
        (#"{"not":{"not":{"balance":{"gt":10}}}}"#, "bc"),
        (#"{"not":{"and":[{"balance":{"gt":10}},{"verified":true}]}}"#, "acde"),
        (#"{"or":[{"balance":10},{"name":"bob"}]}"#, "ab"),
        (#"{"and":[{"balance":20},{"verified":false}]}"#, "c"),
        (#"{"status":"closed","or":[{"balance":null},{"balance":20}]}"#, "be"),
        (#"{"verified":true}"#, "bd"), (#"{"verified":{"ne":true}}"#, "ace"),
        (#"{"name":{"prefix":"Ad"}}"#, "ad"), (#"{"name":{"prefix":"Ad%"}}"#, "d"),
        (#"{"name":{"prefix":"ad"}}"#, ""), (#"{"name":{"contains":"d"}}"#, "acd"),
        (#"{"name":{"contains":"%_"}}"#, "d"), (#"{"name":{"contains":"\u00e9"}}"#, ""),
        (#"{"name":{"gt":"C"}}"#, "bce"), (#"{"name":{"in":["Ada","Cid","x"]}}"#, "ac"),
        (#"{"email":{"contains":"@"}}"#, "ab"), (#"{"not":{"email":{"contains":"@"}}}"#, "cde"),
        (#"{"rate":2}"#, "b"), (#"{"rate":{"lt":1.75}}"#, "ac"), (#"{"rate":{"gte":-3}}"#, "abc"),
        (#"{"opened":"2026-02-28T22:00:00.000Z"}"#, "c"),
        (#"{"opened":{"gt":"2026-01-01T00:00:00+00:00"}}"#, "c"),
        (#"{"id":{"in":["a","e"]}}"#, "ae"), (#"{"version":{"gte":2}}"#, ""),
        (#"{"created_at":{"lt":"2000-01-01T00:00:00Z"}}"#, ""),
        (#"{"name":"'; DROP TABLE accounts; --"}"#, ""),
      ] {
        let found = try records.page("{\"where\":\(filter)}").compactMap(\.string).joined()
        #expect(found == ids, "\(filter)")
        #expect(
          try records.json(.count, "{\"where\":\(filter)}")["count"] == .integer(Int64(ids.count)),
          "\(filter)")
      }
    },
    ContractCase("a query that is wrong names the place") { stores in
      let records = try RecordsUnderTest(stores)
      for (query, pointer) in [
        ("[]", ""), ("{", ""), (#"{"were":{}}"#, "/were"), (#"{"where":[]}"#, "/where"),
        (#"{"where":{"nick":1}}"#, "/where/nick"), (#"{"where":{"a/b~":1}}"#, "/where/a~1b~0"),
        (#"{"where":{"balance":{"near":1}}}"#, "/where/balance/near"),
        (#"{"where":{"balance":"10"}}"#, "/where/balance"),
        (#"{"where":{"balance":{"gt":1.5}}}"#, "/where/balance/gt"),
        (#"{"where":{"balance":{"gt":null}}}"#, "/where/balance/gt"),
        (#"{"where":{"balance":{}}}"#, "/where/balance"), (#"{"where":{"balance":[1]}}"#, "/where/balance"),
        (#"{"where":{"balance":{"in":[1,"2"]}}}"#, "/where/balance/in/1"),
        (#"{"where":{"balance":{"in":[]}}}"#, "/where/balance/in"),
        (#"{"where":{"balance":{"in":[null]}}}"#, "/where/balance/in/0"),
        (#"{"where":{"balance":{"prefix":"1"}}}"#, "/where/balance/prefix"),
        (#"{"where":{"balance":{"exists":1}}}"#, "/where/balance/exists"),
        (#"{"where":{"name":{"contains":""}}}"#, "/where/name/contains"),
        (#"{"where":{"verified":{"gt":true}}}"#, "/where/verified/gt"),
        (#"{"where":{"extra":1}}"#, "/where/extra"), (#"{"where":{"opened":"now"}}"#, "/where/opened"),
        (#"{"where":{"and":[]}}"#, "/where/and"), (#"{"where":{"or":{}}}"#, "/where/or"),
        (#"{"where":{"or":[{"balance":1},{}]}}"#, "/where/or/1"), (#"{"where":{"not":{}}}"#, "/where/not"),
        (#"{"where":{"balance":1,"balance":2}}"#, "/where/balance"),
        (#"{"where":{},"where":{}}"#, "/where"), (#"{"order":"name"}"#, "/order"),
        (#"{"order":["nick"]}"#, "/order/0"), (#"{"order":["name","-name"]}"#, "/order/1"),
        (#"{"order":["extra"]}"#, "/order/0"), (#"{"order":["id","name"]}"#, "/order/1"),
        (#"{"order":[""]}"#, "/order/0"), (#"{"limit":0}"#, "/limit"), (#"{"limit":201}"#, "/limit"),
        (#"{"limit":"5"}"#, "/limit"), (#"{"limit":1.5}"#, "/limit"), (#"{"fields":["nick"]}"#, "/fields/0"),
        (#"{"fields":[]}"#, "/fields"), (#"{"after":5}"#, "/after"),
        (#"{"where":{"name":"$min"},"x":1}"#, "/x"),
      ] {
        let problem = records.problem(.find, query)
        #expect(problem.status == 400, "\(query)")
        #expect(problem.code == "records.invalid_query", "\(query)")
        #expect(problem.members["pointer"]?.string == pointer, "\(query)")
      }
    },
    ContractCase("depth, conditions and lists are bounded on both sides") { stores in
      let records = try RecordsUnderTest(stores)
      func nested(_ depth: Int) -> String {
        let open = String(repeating: #"{"not":"#, count: depth - 1)
        return "{\"where\":\(open){\"balance\":1}\(String(repeating: "}", count: depth - 1))}"
      }
      func clauses(_ count: Int) -> String {
        "{\"where\":{\"or\":[\((0..<count).map { "{\"balance\":\($0)}" }.joined(separator: ","))]}}"
      }
      func list(_ count: Int) -> String {
        "{\"where\":{\"balance\":{\"in\":[\((0..<count).map(String.init).joined(separator: ","))]}}}"
      }
      for query in [nested(8), clauses(64), list(128), #"{"limit":200}"#, #"{"limit":1}"#] {
        #expect(try records.json(.find, query)["items"] == [])
      }
      for query in [nested(9), clauses(65), list(129)] {
        #expect(records.problem(.find, query).code == "records.invalid_query")
      }
      let four = #"{"order":["name","email","balance","status"]}"#
      #expect(try records.json(.find, four)["items"] == [])
      #expect(
        records.problem(.find, #"{"order":["name","email","balance","status","rate"]}"#).code
          == "records.invalid_query")
      let long = "{\"where\":{\"name\":\"\(String(repeating: "x", count: 70_000))\"}}"
      #expect(records.problem(.find, long).code == "records.too_large")
    },
  ]

  static let namedQueries: [ContractCase] = [
    ContractCase("a named query takes its parameters by name") { stores in
      let records = try filled(stores)
      let rich = try records.json(.query, key: "rich", #"{"min":10}"#)
      #expect(
        rich["items"] == [
          ["id": "c", "balance": 20], ["id": "b", "balance": 20], ["id": "a", "balance": 10],
        ])
      #expect(rich["next"] == .null)
      let first = try records.json(.query, key: "rich", #"{"min":10,"limit":2}"#)
      let cursor = try #require(first["next"]?.string)
      let second = try records.json(.query, key: "rich", "{\"min\":10,\"after\":\"\(cursor)\"}")
      #expect(second["items"] == [["id": "a", "balance": 10]])
      #expect(
        records.problem(.query, key: "rich", "{\"min\":11,\"after\":\"\(cursor)\"}").code
          == "records.invalid_cursor")
      let closed = try records.json(.query, key: "in_status", #"{"statuses":["closed"],"count":1}"#)
      #expect(closed["items"]?.array?.count == 1)
      #expect(closed["next"]?.string != nil)
      let both = try records.json(.query, key: "in_status", #"{"statuses":["closed","active"]}"#)
      #expect(both["items"]?.array?.count == 5)
    },
    ContractCase("a named query refuses what it does not declare") { stores in
      let records = try RecordsUnderTest(stores)
      for (key, input, pointer) in [
        ("rich", "{}", "/min"), ("rich", "", "/min"), ("rich", #"{"min":"x"}"#, "/min"),
        ("rich", #"{"min":null}"#, "/min"), ("rich", #"{"min":1,"max":2}"#, "/max"),
        ("rich", #"{"min":1,"limit":0}"#, "/limit"), ("rich", #"{"min":1,"min":1}"#, "/min"),
        ("rich", "[]", ""), ("in_status", #"{"statuses":"closed"}"#, "/statuses"),
        ("in_status", #"{"statuses":[]}"#, "/statuses"), ("in_status", #"{"statuses":[1]}"#, "/statuses/0"),
        ("in_status", #"{"statuses":["a"],"limit":3}"#, "/limit"),
      ] {
        let problem = records.problem(.query, key: key, input)
        #expect(problem.code == "records.invalid_query", "\(key) \(input)")
        #expect(problem.members["pointer"]?.string == pointer, "\(key) \(input)")
      }
      #expect(records.problem(.query, key: "none", "{}").code == "records.unknown_query")
    },
    ContractCase("a query that cannot be compiled is refused at load") { stores in
      var declaration = Sample.accounts
      declaration.queries = [
        NamedQueryDeclaration(name: "one", query: ["where": ["nick": "$a"]]),
        NamedQueryDeclaration(name: "two", query: ["where": ["balance": "$a", "name": "$a"]]),
        NamedQueryDeclaration(name: "three", query: ["after": "literal"]),
      ]
      let broken = declaration
      for attempt in [
        { try stores.plan(automation: "bank", collections: [broken]).count },
        { try stores.open(automation: "bank", collections: [broken]).collection(named: "accounts") ?? 0 },
      ] as [() throws -> Int] {
        let problem = #expect(throws: Problem.self) { try attempt() }
        #expect(problem?.code == "records.invalid_query")
        let pointers = (problem?.members["errors"]?.array ?? []).compactMap { $0["pointer"]?.string }
        #expect(
          pointers.first == "/0/queries/0/query/where/nick" && pointers.last == "/0/queries/2/query/after")
        #expect(pointers.count == 3)
      }
    },
  ]
}
