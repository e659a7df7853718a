import CouncilPlugin
import CouncilTesting
import Scratch
import Testing

/// Compiles a plugin in C as PluginAPI/Recipes has it, loads it, and calls it through the fake host.
private func load(_ source: String, _ options: String = "") throws -> FakeHost {
  let folder = ScratchFolder("tests")
  let file = "\(folder.path)/plugin.so"
  let result = shell(
    "cc -std=c11 -Wall -Wextra -Werror -pedantic \(options) -shared -fPIC -fvisibility=hidden "
      + "-I'\(repository)/PluginAPI/C/include' -Wl,-Bsymbolic -Wl,-z,now "
      + "-Wl,--version-script='\(repository)/PluginAPI/Recipes/plugin.map' '\(repository)/\(source)' -o \(file)"
  )
  try #require(result.status == 0, "\(result.output)")
  return try SharedObject(file).host()
}

@Suite struct HelloTests {
  private let host: FakeHost

  init() throws { host = try load("Plugins/Examples/Hello/hello.c") }

  @Test(arguments: ["Ada", "a\"b\\c", "ä ö 𝄞", "100%", "{}"])
  func greetsInJSON(name: String) throws {
    let path = name.utf8.map { "%" + (["0", ""][$0 > 15 ? 1 : 0]) + String($0, radix: 16) }.joined()
    let answer = try host.call("GET", "/hello/\(path)")
    #expect(answer.status == 200)
    #expect(answer.contentType == "application/json")
    #expect(answer.json == ["message": .string("Hello, \(name)!")])
  }

  @Test func escapesControlCharacters() throws {
    let answer = try host.call("GET", "/hello/%01%1f%0a")
    #expect(answer.text == #"{"message":"Hello, \u0001\u001f\u000a!"}"#)
    #expect(answer.json["message"]?.string == "Hello, \u{1}\u{1f}\n!")
  }

  @Test func takesAHundredCharactersOfAnySizeAndNoMore() throws {
    let longest = String(repeating: "%f0%9d%84%9e", count: 100)
    #expect(try host.call("GET", "/hello/\(longest)").status == 200)
    #expect(try host.call("GET", "/hello/\(longest)x").status == 400)
    #expect(try host.call("GET", "/hello/\(String(repeating: "%01", count: 100))").status == 200)
  }

  @Test func leavesOtherMethodsAndPathsToTheHost() throws {
    let refused = try host.call("POST", "/hello/Ada")
    #expect(refused.status == 405)
    #expect(refused.header("allow") == "GET")
    #expect(try host.call("GET", "/hello/Ada/more").status == 404)
    #expect(try host.call("GET", "/hello/").status == 404)
  }

  @Test func asksForTheScopeToRead() {
    #expect(host.manifest["routes"]?.array?.first?["scope"] == "hello:read")
    #expect(host.manifest["routes"]?.array?.first?["execution"] == "inline")
  }
}

/// What the fake host does with a plugin that breaks the contract. One test at a time: the plugin has global state.
@Suite(.serialized) struct BrokenContractTests {
  private static let source = "Tests/PluginAPI/Fixtures/misbehaving.c"
  private let host: FakeHost

  init() throws { host = try load(BrokenContractTests.source, "-D_POSIX_C_SOURCE=200809L -pthread") }

  private func number(_ route: String) throws -> Int64? { try host.call("GET", "/\(route)").json.integer }

  @Test(arguments: [("nothing", "plugin.no_answer"), ("negative", "plugin.failed")])
  func turnsNoAnswerIntoA500(route: String, code: String) throws {
    let answer = try host.call("GET", "/\(route)")
    #expect(answer.status == 500)
    #expect(answer.code == code)
  }

  @Test func countsTheFirstOfTwoAnswers() throws {
    #expect(try number("twice") == 1)
  }

  @Test func overwritesWhatWasLentOnceTheHandlerReturns() throws {
    #expect(try number("late_read") == Int64(UInt8(ascii: "/")))
    #expect(try number("late_read") == 0xDD)
  }

  @Test func keepsARequestOpenWhoseAnswerBreaksARule() throws {
    #expect(try number("bad_header") == 1)
    #expect(try number("body_with_204") == -1)
    #expect(try number("bad_status") == -1)
  }

  @Test func deniesAWriteOnAnEventThread() throws {
    #expect(try number("write_inline") == -4)
  }

  @Test func deniesACollectionThatIsNotDeclared() throws {
    #expect(try number("undeclared") == -4)
  }

  @Test func countsResultsThatAreNotReleased() throws {
    #expect(host.unreleased == 0)
    #expect(try number("leak") == 1)
    #expect(host.unreleased == 1)
  }

  @Test func takesAnAnswerFromAnotherThread() throws {
    #expect(try number("from_thread") == 7)
  }

  @Test func answersInThePlaceOfAHandlerThatDoesNot() throws {
    let answer = try host.call("GET", "/never", deadline: .milliseconds(20))
    #expect(answer.status == 504)
    #expect(host.log.map(\.text) == ["everything was stale"])
  }

  @Test(arguments: [
    ("OTHER_MAJOR", "ABI major 2"), ("NEWER_MINOR", "ABI minor 1"), ("NULL_MEMBER", "NULL"),
    ("NULL_TABLE", "NULL"),
  ]) func refusesATableThatIsNotOurs(defect: String, reason: String) throws {
    let error = try #require(throws: FakeHost.LoadError.self) {
      _ = try load(
        BrokenContractTests.source, "-D_POSIX_C_SOURCE=200809L -pthread -Wno-unused-function -D\(defect)")
    }
    #expect(error.description.contains(reason), "\(error)")
  }
}
