import Application
import Doubles
import Gateway
import Kernel
import Synchronization
import Testing

/// Confirmations of routes of whose calls nothing is kept.
@Suite struct UsedConfirmationTests {
  private static let manifest = """
    {"id":"a","version":"1","requires":["council.stream/1"],"routes":[
     {"method":"DELETE","path":"/safe/{id}","operation":"remove","confirm":true,"idempotency":"none","dry_run":true},
     {"method":"POST","path":"/stream","operation":"stream","confirm":true,"stream":true}]}
    """

  private final class Count: Sendable {
    let calls = Atomic<Int>(0)
    var value: Int { calls.load(ordering: .relaxed) }
  }

  private let site = Site()
  private let count = Count()

  init() {
    let count = count
    site.serve(
      behaviour: .runs { _ in count.calls.add(1, ordering: .relaxed) },
      manifest: UsedConfirmationTests.manifest)
  }

  private func send(_ method: String, _ path: String, _ headers: [(String, String)] = []) -> Site.Answer {
    site.send(method, path, key: site.writer, headers: headers)
  }

  private func token(_ answer: Site.Answer) throws -> String {
    #expect(answer.status == 428, "\(answer.body)")
    return try #require(try JSONValue.parse(answer.body.utf8.span)["confirm"]?.string)
  }

  @Test(arguments: [("DELETE", "/a/safe/1"), ("POST", "/a/stream")])
  func aConfirmationTakesEffectOnce(method: String, path: String) throws {
    let first = try token(send(method, path))
    #expect(send(method, path, [("x-confirm", first)]).status == 200)
    let again = send(method, path, [("x-confirm", first)])
    #expect(again.code == "confirmation.used" && count.value == 1)
    #expect(again.body.contains("may have taken effect"))
    // Who wants it once more confirms it once more.
    let second = try token(again)
    #expect(send(method, path + "?confirm=\(second)").status == 200 && count.value == 2)
    #expect(send(method, path, [("x-confirm", second)]).code == "confirmation.used")
    #expect(send(method, path, [("x-confirm", first)]).code == "confirmation.used" && count.value == 2)
  }

  @Test func whatIsTriedUsesNothingUp() throws {
    let token = try token(send("DELETE", "/a/safe/1"))
    let tried = send("DELETE", "/a/safe/1", [("x-confirm", token), ("prefer", "dry-run")])
    #expect(tried.status == 200)
    // Nor does a call that is not the one it was made for.
    #expect(send("DELETE", "/a/safe/2", [("x-confirm", token)]).code == "confirmation.mismatch")
    #expect(send("DELETE", "/a/safe/1", [("x-confirm", token)]).status == 200 && count.value == 2)
  }

  @Test func twoAtOnceHaveOneEffect() throws {
    let token = try token(send("DELETE", "/a/safe/1"))
    let answers = Monitor<[Int]>([])
    let threads = (0..<4).map { _ in
      OSThread("confirms") { [site] in
        let answer = site.send("DELETE", "/a/safe/1", key: site.writer, headers: [("x-confirm", token)])
        answers.withLock { $0.append(answer.status) }
      }
    }
    for thread in threads { thread.join() }
    #expect(answers.withLock { $0.sorted() } == [200, 428, 428, 428] && count.value == 1)
  }
}
