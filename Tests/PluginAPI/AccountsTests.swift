import CouncilPlugin
import CouncilTesting
import Testing

@testable import Accounts

@Suite struct AccountsTests {
  private let host: FakeHost

  init() throws { host = try FakeHost(Accounts.self) }

  private func create(_ name: String, balance: Int64 = 0, currency: String = "EUR") throws -> FakeResponse {
    try host.call(
      "POST", "/accounts/",
      body: [
        "name": .string(name), "email": .string("\(name)@example.org"), "balance": .integer(balance),
        "currency": .string(currency),
      ])
  }

  // MARK: Creating

  @Test func createsWithDefaultsLocationAndTag() throws {
    let created = try host.call(
      "POST", "/accounts/", body: ["name": "Ada", "email": "ada@example.org", "currency": "GBP"])
    #expect(created.status == 201)
    #expect(created.json["balance"] == 0)
    #expect(created.json["status"] == "active")
    #expect(created.json["version"] == 1)
    let id = try #require(created.json["id"]?.string)
    #expect(created.header("location") == "/accounts/\(id)")
    #expect(created.header("etag") == "\"1\"")
  }

  private static let brokenDrafts: [(JSON, String)] = [
    (["email": "a@example.org", "currency": "EUR"], ""),
    (["name": "", "email": "a@example.org", "currency": "EUR"], "/name"),
    (["name": "A", "email": "nobody", "currency": "EUR"], "/email"),
    (["name": "A", "email": "a@example.org", "currency": "eur"], "/currency"),
    (["name": "A", "email": "a@example.org", "currency": "EURO"], "/currency"),
    (["name": "A", "email": "a@example.org", "currency": "EUR", "balance": 1.5], "/balance"),
    (["name": "A", "email": "a@example.org", "currency": "EUR", "status": "gone"], "/status"),
    (["name": "A", "email": "a@example.org", "currency": "EUR", "id": "mine"], "/id"),
  ]

  @Test(arguments: brokenDrafts)
  func refusesADraftThatBreaksTheDeclaration(draft: JSON, pointer: String) throws {
    let refused = try host.call("POST", "/accounts/", body: draft)
    #expect(refused.status == 422)
    #expect(refused.json["errors"]?.array?.first?["pointer"]?.string == pointer)
  }

  @Test func takesANameOfTwoHundredCharactersAndNoMore() throws {
    let draft: JSON = ["email": "long@example.org", "currency": "EUR"]
    let longest = String(repeating: "ä", count: 200)
    #expect(try host.call("POST", "/accounts/", body: draft.with("name", .string(longest))).status == 201)
    #expect(
      try host.call("POST", "/accounts/", body: draft.with("name", .string(longest + "x"))).status == 422)
  }

  @Test func answersASecondUseOfAnEmailWithTheFieldAtFault() throws {
    _ = try create("ada")
    let second = try create("ada")
    #expect(second.status == 409)
    #expect(second.code == "records.conflict")
    #expect(second.json["field"] == "email")
  }

  // MARK: Reading

  @Test func getsWhatWasCreated() throws {
    let created = try create("ada", balance: 1250)
    let path = try #require(created.header("location"))
    let found = try host.call("GET", path)
    #expect(found.status == 200)
    #expect(found.body == created.body)
    #expect(found.header("etag") == "\"1\"")
    #expect(host.unreleased == 0)
  }

  @Test func answersAnUnknownIDWithTheHostsProblem() throws {
    let missing = try host.call("GET", "/accounts/nobody")
    #expect(missing.status == 404)
    #expect(missing.code == "records.not_found")
  }

  @Test(arguments: [
    ("\"1\"", 304), ("W/\"1\"", 304), ("*", 304), ("\"0\", \"1\"", 304), ("\"2\"", 200), ("1", 200),
    ("", 200),
  ]) func comparesIfNoneMatchWeakly(header: String, status: Int) throws {
    let path = try #require(try create("ada").header("location"))
    let answer = try host.call("GET", path, headers: ["If-None-Match": header])
    #expect(answer.status == status)
    #expect(answer.header("etag") == "\"1\"")
    #expect(answer.body.isEmpty == (status == 304))
  }

  // MARK: Listing

  @Test func filtersByEveryParameter() throws {
    _ = try create("ada", balance: 10)
    _ = try create("bob", balance: 20, currency: "USD")
    _ = try create("cat", balance: 30)
    func names(_ query: String) throws -> [String] {
      let page = try host.call("GET", "/accounts/?\(query)")
      return (page.json["items"]?.array ?? []).compactMap { $0["name"]?.string }
    }
    #expect(try names("currency=EUR") == ["ada", "cat"])
    #expect(try names("min_balance=20") == ["bob", "cat"])
    #expect(try names("max_balance=20") == ["ada", "bob"])
    #expect(try names("min_balance=20&max_balance=29&currency=USD") == ["bob"])
    #expect(try names("email=cat%40example.org") == ["cat"])
    #expect(try names("status=suspended") == [])
    #expect(try names("status=active") == ["ada", "bob", "cat"])
  }

  @Test func ordersAndPagesWithoutGapsOrRepeats() throws {
    for (name, balance) in [("ada", 5), ("bob", 3), ("cat", 4), ("dan", 3), ("eve", 1)] {
      _ = try create(name, balance: Int64(balance))
    }
    var names: [String] = []
    var after: String?
    var pages = 0
    repeat {
      let query = after.map { ["after": $0] } ?? [:]
      let page = try host.call(
        "GET", "/accounts/", query: query.merging(["order": "-balance", "limit": "2"]) { first, _ in first })
      names += (page.json["items"]?.array ?? []).compactMap { $0["name"]?.string }
      after = page.json["next"]?.string
      pages += 1
    } while after != nil && pages < 10
    #expect(pages == 3)
    #expect(names == ["ada", "cat", "dan", "bob", "eve"])
  }

  @Test(arguments: [
    "limit=0", "limit=101", "limit=ten", "order=email", "order=", "min_balance=much", "status=gone",
    "color=red",
    "after=",
  ]) func refusesAQueryStringThatTheListingDoesNotKnow(query: String) throws {
    let refused = try host.call("GET", "/accounts/?\(query)")
    #expect(refused.status == 400)
    #expect(refused.code == "request.query_parameter_invalid")
  }

  @Test(arguments: ["1", "100"]) func takesPagesOfOneToAHundred(limit: String) throws {
    #expect(try host.call("GET", "/accounts/", query: ["limit": limit]).status == 200)
  }

  // MARK: Changing

  @Test func patchesOnlyWhatIsNamed() throws {
    let path = try #require(try create("ada", balance: 7).header("location"))
    let changed = try host.call("PATCH", path, body: ["status": "suspended"])
    #expect(changed.status == 200)
    #expect(changed.json["status"] == "suspended")
    #expect(changed.json["balance"] == 7)
    #expect(changed.header("etag") == "\"2\"")
    #expect(changed.json["updated_at"] != changed.json["created_at"])
  }

  @Test func patchesOnlyTheVersionThatWasSeen() throws {
    let path = try #require(try create("ada").header("location"))
    let tag = ["If-Match": "\"1\""]
    #expect(try host.call("PATCH", path, headers: tag, body: ["balance": 1]).status == 200)
    let late = try host.call("PATCH", path, headers: tag, body: ["balance": 2])
    #expect(late.status == 412)
    #expect(late.code == "records.precondition_failed")
    #expect(try host.call("GET", path).json["balance"] == 1)
    #expect(try host.call("PATCH", path, headers: ["If-Match": "*"], body: ["balance": 3]).status == 200)
  }

  @Test(arguments: ["1", "W/\"1\"", "\"1\", \"2\"", "\"x\"", "\"0\"", "\"-1\"", ""])
  func refusesATagThatNoRecordHas(tag: String) throws {
    let path = try #require(try create("ada").header("location"))
    let refused = try host.call("PATCH", path, headers: ["If-Match": tag], body: ["balance": 1])
    #expect(refused.status == 412)
    #expect(try host.call("GET", path).json["version"] == 1)
  }

  private static let brokenPatches: [JSON] = [[:], ["name": nil], ["color": "red"], ["balance": "much"]]

  @Test(arguments: brokenPatches)
  func refusesAPatchThatBreaksTheDeclaration(patch: JSON) throws {
    let path = try #require(try create("ada").header("location"))
    #expect(try host.call("PATCH", path, body: patch).status == 422)
  }

  @Test func deletesOnce() throws {
    let path = try #require(try create("ada").header("location"))
    #expect(try host.call("DELETE", path, headers: ["If-Match": "\"2\""]).status == 412)
    let deleted = try host.call("DELETE", path)
    #expect(deleted.status == 204)
    #expect(deleted.body.isEmpty)
    #expect(try host.call("DELETE", path).status == 404)
    #expect(host.unreleased == 0)
  }

  // MARK: Declaring

  @Test func runsOnlyTheLookUpOnTheEventThread() throws {
    let inline = (host.manifest["routes"]?.array ?? []).filter { $0["execution"] == "inline" }
    #expect(inline.compactMap { $0["operation"]?.string } == ["get_account"])
  }
}
