import Application
import Doubles
import Testing

/// Answers of a plugin against what its manifest declares.
@Suite struct AnswerCheckTests {
  private let site = Site()

  private func answer(
    _ status: Int, _ type: String, _ body: String, method: String = "GET", path: String = "/a/declared",
    checks: Bool = true
  ) -> Site.Answer {
    site.serve(behaviour: .says(status, type, body), checksAnswers: checks)
    return site.send(method, path, key: site.reader)
  }

  private var refused: Int { site.automations.live("a")?.generation.answers(.refused) ?? -1 }
  private var undeclared: Int { site.automations.live("a")?.generation.answers(.undeclared) ?? -1 }

  @Test(arguments: [
    ("application/json", 200), ("Application/JSON; charset=utf-8", 200), ("application/hal+json", 201),
    ("application/json", 299),
  ]) func anAnswerAsDeclaredLeavesAsItIs(type: String, status: Int) {
    let answer = answer(status, type, #"{"name":"a"}"#)
    #expect(answer.status == status && answer.body == #"{"name":"a"}"#)
    #expect(answer.header("ETag") == "\"1\"")
    #expect(refused == 0 && undeclared == 0)
  }

  @Test(arguments: [
    ("application/json", #"{"secret":"hunter2"}"#), ("application/json", "[]"), ("application/json", "{"),
    ("application/json", ""), ("application/json", "{\"name\":\"\u{0}\"}"), ("text/plain", #"{"name":"a"}"#),
    ("", #"{"name":"a"}"#), ("application/jsonx", #"{"name":"a"}"#),
  ]) func anotherAnswerIsWithheld(type: String, body: String) {
    let answer = answer(200, type, body)
    #expect(answer.status == 500 && answer.code == "plugin.answer_invalid")
    #expect(answer.header("Content-Type") == "application/problem+json")
    #expect(answer.header("X-Request-Id")?.utf8.count == 32 && answer.header("RateLimit") != nil)
    #expect(answer.header("ETag") == nil)
    #expect(!answer.body.contains("hunter2") && !answer.body.contains("pointer"))
    #expect(refused == 1)
    #expect(site.audit.rows.last?.status == 500)
  }

  @Test(arguments: [400, 404, 500, 304]) func errorsAndNotModifiedAreFree(status: Int) {
    let answer = answer(status, "text/plain", status == 304 ? "" : "no")
    #expect(answer.status == status && refused == 0 && undeclared == 0)
  }

  @Test(arguments: [204, 205, 302]) func aSuccessThatIsNotDeclaredIsSentAndCounted(status: Int) {
    let answer = answer(status, "", "")
    #expect(answer.status == status && refused == 0 && undeclared == 1)
    _ = site.send("GET", "/a/declared", key: site.reader)
    #expect(undeclared == 2)
  }

  @Test(arguments: [(201, 0), (200, 1), (204, 1), (302, 1), (304, 0), (404, 0)])
  func aSuccessOfAnotherStatusThanDeclaredIsSentAndCounted(status: Int, count: Int) {
    site.serve(
      behaviour: .says(status, "application/json", "{}"),
      manifest:
        #"{"id":"a","version":"1","routes":[{"method":"GET","path":"/","operation":"x","status":201}]}"#)
    #expect(site.send("GET", "/a", key: site.reader).status == status)
    #expect(refused == 0 && undeclared == count)
  }

  @Test func anAnswerToHEADMayLeaveItsBodyOut() {
    #expect(answer(200, "application/json", "", method: "HEAD").status == 200)
    #expect(answer(200, "application/json", "[]", method: "HEAD").status == 500)
  }

  @Test func whereNothingIsDeclaredOrCheckedEveryAnswerLeaves() {
    #expect(answer(200, "text/plain", "{", path: "/a/7").status == 200)
    #expect(answer(200, "text/plain", "{", checks: false).status == 200)
    #expect(refused == 0)
  }
}
