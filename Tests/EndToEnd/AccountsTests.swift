import Kernel
import Testing

/// Plugins/Accounts behind the whole chain, on SQLite.
@Suite struct AccountsTests {
  private let host: HostUnderTest
  private let key: String

  init() throws {
    host = try HostUnderTest(load: [HostUnderTest.accounts])
    key = try host.issueKey(["accounts:*"])
  }

  private func call(
    _ method: String, _ path: String = "", headers: [String] = [], body: String? = nil
  ) throws -> Connection.Answer {
    try host.call(method, "/accounts/" + path, key: key, headers: headers, body: body)
  }

  private func delete(_ id: String, headers: [String] = []) throws -> Connection.Answer {
    try host.confirm("DELETE", "/accounts/" + id, key: key, headers: headers)
  }

  private static func draft(_ name: String, balance: Int = 0, currency: String = "EUR") -> String {
    #"{"name":"\#(name)","email":"\#(name)@example.org","balance":\#(balance),"currency":"\#(currency)"}"#
  }

  @discardableResult
  private func create(_ name: String, balance: Int = 0, currency: String = "EUR") throws -> String {
    let made = try call("POST", body: AccountsTests.draft(name, balance: balance, currency: currency))
    #expect(made.status == 201, "\(made.body)")
    return try #require(made.json?["id"]?.string)
  }

  private func names(_ query: String) throws -> [String] {
    let page = try call("GET", "?" + query)
    #expect(page.status == 200, "\(page.body)")
    return (page.json?["items"]?.array ?? []).compactMap { $0["name"]?.string }
  }

  @Test func anAccountIsMadeReadChangedAndDeleted() throws {
    let made = try call("POST", body: AccountsTests.draft("ada", balance: 1250))
    #expect(made.status == 201)
    let id = try #require(made.json?["id"]?.string)
    #expect(made.headers["location"] == "/accounts/\(id)")
    #expect(made.headers["content-type"] == "application/json")
    #expect(made.json?["balance"]?.integer == 1250)
    #expect(made.json?["status"]?.string == "active")
    #expect(made.json?["version"]?.integer == 1)

    let found = try call("GET", id)
    #expect(found.status == 200 && found.body == made.body)

    let changed = try call("PATCH", id, body: #"{"status":"suspended"}"#)
    #expect(changed.status == 200)
    #expect(changed.json?["status"]?.string == "suspended")
    #expect(changed.json?["balance"]?.integer == 1250)
    #expect(changed.json?["version"]?.integer == 2)

    // The flag in its declaration: nothing is deleted before the caller has said that it means it.
    let asked = try call("DELETE", id)
    #expect(asked.status == 428 && asked.code == "confirmation.required", "\(asked.body)")
    #expect(try call("GET", id).status == 200)
    let gone = try delete(id)
    #expect(gone.status == 204 && gone.body.isEmpty)
    for missing in [try call("GET", id), try delete(id)] {
      #expect(missing.status == 404 && missing.code == "records.not_found", "\(missing.body)")
    }
    #expect(host.stop() == 0)
  }

  @Test func listsAreFilteredAndOrdered() throws {
    try create("ada", balance: 5)
    try create("bob", balance: 3, currency: "USD")
    try create("cat", balance: 4)
    try create("dan", balance: 3)
    #expect(try names("order=-balance") == ["ada", "cat", "dan", "bob"])
    #expect(try names("order=balance&currency=EUR") == ["dan", "cat", "ada"])
    #expect(try names("order=name") == ["ada", "bob", "cat", "dan"])
    #expect(try names("order=name&min_balance=4") == ["ada", "cat"])
    #expect(try names("order=name&max_balance=3") == ["bob", "dan"])
    #expect(try names("email=cat%40example.org") == ["cat"])
    #expect(try names("status=closed") == [])
    #expect(try call("GET").json?["items"]?.array?.count == 4)
  }

  @Test(arguments: [
    "limit=0", "limit=101", "order=email", "color=red", "min_balance=much", "status=gone", "after=x",
  ])
  func aListThatNobodyDeclaredIsRefused(query: String) throws {
    let refused = try call("GET", "?" + query)
    #expect(refused.status == 400, "\(refused.body)")
    #expect(refused.headers["content-type"] == "application/problem+json")
    #expect(refused.code != nil)
  }

  @Test func pagesVisitEachOfTwoHundredAndFiftyAccountsOnce() throws {
    let connection = try #require(Connection(port: host.port))
    var made: Set<String> = []
    for number in 0..<250 {
      let answer = connection.request(
        "POST", "/accounts/", key: key, body: AccountsTests.draft("a\(number)", balance: number % 7))
      #expect(answer?.status == 201, "\(answer?.body ?? "no answer")")
      if let id = answer?.json?["id"]?.string { made.insert(id) }
    }
    #expect(made.count == 250)
    for order in ["created_at", "-balance", "name"] {
      var seen: [String] = []
      var after: String?
      var pages = 0
      repeat {
        let cursor = after.map { "&after=" + PercentText.component($0) } ?? ""
        let page = try #require(
          connection.request("GET", "/accounts/?limit=20&order=\(order)\(cursor)", key: key))
        #expect(page.status == 200, "\(page.body)")
        seen += (page.json?["items"]?.array ?? []).compactMap { $0["id"]?.string }
        after = page.json?["next"]?.string
        pages += 1
      } while after != nil && pages < 20
      #expect(pages == 13, "by \(order)")
      #expect(seen.count == 250 && Set(seen) == made, "by \(order)")
    }
  }

  @Test func anEmailIsUnique() throws {
    let id = try create("ada")
    try create("bob")
    let second = try call("POST", body: AccountsTests.draft("ada"))
    #expect(second.status == 409 && second.code == "records.conflict", "\(second.body)")
    #expect(second.json?["field"]?.string == "email")
    let change = try call("PATCH", id, body: #"{"email":"bob@example.org"}"#)
    #expect(change.status == 409 && change.json?["field"]?.string == "email", "\(change.body)")
    #expect(try names("order=name") == ["ada", "bob"])
  }

  @Test func changesMayBeTiedToAVersion() throws {
    let id = try create("ada")
    let tag = try #require(try call("GET", id).headers["etag"])
    #expect(try call("PATCH", id, headers: ["If-Match: \(tag)"], body: #"{"balance":1}"#).status == 200)
    let late = try call("PATCH", id, headers: ["If-Match: \(tag)"], body: #"{"balance":2}"#)
    #expect(late.status == 412 && late.code == "records.precondition_failed", "\(late.body)")
    #expect(try delete(id, headers: ["If-Match: \(tag)"]).status == 412)
    let now = try call("GET", id)
    #expect(now.json?["balance"]?.integer == 1)
    let next = try #require(now.headers["etag"])
    #expect(next != tag)
    #expect(try delete(id, headers: ["If-Match: \(next)"]).status == 204)
  }

  @Test func whatTheCallerHasIsNotSentAgain() throws {
    let id = try create("ada")
    let tag = try #require(try call("GET", id).headers["etag"])
    let same = try call("GET", id, headers: ["If-None-Match: \(tag)"])
    #expect(same.status == 304 && same.body.isEmpty && same.headers["etag"] == tag)
    #expect(try call("PATCH", id, body: #"{"balance":9}"#).status == 200)
    let other = try call("GET", id, headers: ["If-None-Match: \(tag)"])
    #expect(other.status == 200 && other.json?["balance"]?.integer == 9)
  }

  private static let broken: [(body: String, pointer: String)] = [
    // What is missing is missing from the whole.
    (#"{"email":"a@example.org","currency":"EUR"}"#, ""),
    (#"{"name":"","email":"a@example.org","currency":"EUR"}"#, "/name"),
    (#"{"name":"A","email":"nobody","currency":"EUR"}"#, "/email"),
    (#"{"name":"A","email":"a@example.org","currency":"eur"}"#, "/currency"),
    (#"{"name":"A","email":"a@example.org","currency":"EUR","balance":1.5}"#, "/balance"),
    (#"{"name":"A","email":"a@example.org","currency":"EUR","status":"gone"}"#, "/status"),
    (#"{"name":"A","email":"a@example.org","currency":"EUR","id":"mine"}"#, "/id"),
  ]

  @Test func aDraftThatBreaksTheDeclarationIsRefusedWithThePlace() throws {
    for (body, pointer) in AccountsTests.broken {
      let refused = try call("POST", body: body)
      #expect(refused.status == 422 && refused.code == "request.body_invalid", "\(refused.body)")
      let pointers = (refused.json?["errors"]?.array ?? []).compactMap { $0["pointer"]?.string }
      #expect(pointers.contains(pointer), "\(body): \(refused.body)")
    }
    let id = try create("ada")
    for patch in [#"{}"#, #"{"name":null}"#, #"{"color":"red"}"#, #"{"balance":"much"}"#] {
      let refused = try call("PATCH", id, body: patch)
      #expect(refused.status == 422, "\(patch): \(refused.status) \(refused.body)")
    }
    #expect(try call("GET", id).json?["version"]?.integer == 1)
  }
}

/// Text as one component of a URL.
enum PercentText {
  static func component(_ text: String) -> String {
    text.utf8.map { byte in
      let plain = Character(UnicodeScalar(byte))
      if plain.isASCII, plain.isLetter || plain.isNumber || "-._~".contains(plain) { return String(plain) }
      let digits = String(byte, radix: 16, uppercase: true)
      return digits.count == 1 ? "%0" + digits : "%" + digits
    }.joined()
  }
}
