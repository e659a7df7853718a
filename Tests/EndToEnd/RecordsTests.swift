import Kernel
import Patience
import Testing

/// What a collection's declaration asks for, through a whole host: found words, encrypted values, records that end.
@Suite struct RecordsTests {
  private static let notes = Fixtures.plugin("notes")
  private static let secret = "ada.lovelace@example.org"

  private static func settings(_ keys: String...) -> String {
    let file = Fixtures.file(Array((keys.joined(separator: "\n") + "\n").utf8), "keys")
    System.shell("chmod 600 '\(file)'")
    return "records:\n  encryption_key_file: \(file)\n"
  }

  private static let first = String(repeating: "1f", count: 32)
  private static let second = String(repeating: "2e", count: 32)

  private func put(_ host: HostUnderTest, _ key: String, _ id: String, _ body: String) throws
    -> Connection.Answer
  {
    try host.call("PUT", "/reject/\(id)", key: key, body: body)
  }

  private func found(_ host: HostUnderTest, _ key: String, _ query: String) throws -> [String] {
    let answer = try host.call("POST", "/reject/find", key: key, body: query)
    #expect(answer.status == 200, "\(answer)")
    return (answer.json?["items"]?.array ?? []).compactMap { $0["id"]?.string }
  }

  @Test func wordsAreFoundValuesAreHiddenAndRecordsEnd() throws {
    let host = try HostUnderTest(
      load: [RecordsTests.notes], settings: RecordsTests.settings(RecordsTests.first))
    let key = try host.issueKey(["reject:*"])
    let made = try put(host, key, "a", #"{"text":"red shoes","owner":"\#(RecordsTests.secret)"}"#)
    #expect(made.status == 200 && made.json?["owner"]?.string == RecordsTests.secret, "\(made)")
    #expect(try put(host, key, "b", #"{"text":"blue shoes OR hats"}"#).status == 200)
    #expect(try found(host, key, #"{"search":"shoes","order":["id"]}"#) == ["a", "b"])
    // The words of a query language are words here.
    #expect(try found(host, key, #"{"search":"red OR hats"}"#) == [])
    #expect(try found(host, key, #"{"where":{"owner":"\#(RecordsTests.secret)"}}"#) == ["a"])
    let taken = try put(host, key, "c", #"{"text":"x","owner":"\#(RecordsTests.secret)"}"#)
    #expect(taken.status == 409 && taken.json?["field"]?.string == "owner", "\(taken)")
    #expect(!taken.body.contains(RecordsTests.secret))

    #expect(try put(host, key, "soon", #"{"text":"gone","ends_at":1}"#).status == 200)
    #expect(eventually { (try? host.call("GET", "/reject/soon", key: key).status) == 404 })
    #expect(try found(host, key, #"{"search":"gone"}"#) == [])
    #expect(host.stop() == 0)

    // Nowhere in the home: not in the database, its log, the audit trail or the host's own log.
    #expect(System.shell("grep -rqF '\(RecordsTests.secret)' '\(host.home)'") != 0)
    #expect(System.shell("grep -rqF 'red shoes' '\(host.home)/records'") == 0)
  }

  @Test func keysRotateAndAMissingOneIsNamed() throws {
    let host = try HostUnderTest(
      load: [RecordsTests.notes], settings: RecordsTests.settings(RecordsTests.first))
    let key = try host.issueKey(["reject:*"])
    let body = #"{"text":"old","owner":"\#(RecordsTests.secret)"}"#
    #expect(try put(host, key, "a", body).status == 200)
    #expect(host.stop() == 0)

    let rotated = try HostUnderTest(
      home: host.home, settings: RecordsTests.settings(RecordsTests.second, RecordsTests.first))
    let read = try rotated.call("GET", "/reject/a", key: key)
    #expect(read.status == 200 && read.json?["owner"]?.string == RecordsTests.secret, "\(read)")
    #expect(try found(rotated, key, #"{"where":{"owner":"\#(RecordsTests.secret)"}}"#) == ["a"])
    #expect(try put(rotated, key, "b", body).status == 409)
    #expect(rotated.stop() == 0)

    let without = try HostUnderTest(home: host.home, settings: RecordsTests.settings(RecordsTests.second))
    let unread = try without.call("GET", "/reject/a", key: key)
    #expect(unread.status >= 500 && unread.code?.contains("key_missing") == true, "\(unread)")
    #expect(!unread.body.contains(RecordsTests.secret))
    #expect(without.stop() == 0)
  }
}
