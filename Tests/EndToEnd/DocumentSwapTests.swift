import Kernel
import Patience
import Testing

/// Everything that tells of the routes is swapped with them.
@Suite struct DocumentSwapTests {
  /// Everything that names an automation or its routes.
  private static let documents = [
    "/openapi.json", "/openapi.json?version=3.0", "/openapi.json?profile=gpt",
    "/openapi.json?automation=pair",
    "/functions.json", "/functions.json?api=responses", "/mcp", "/llms.txt", "/.well-known/api-catalog",
  ]

  /// Two versions share one route; each has two that the other has not, and says another title and summary.
  private static func plugin(_ version: Int) -> String {
    let routes = ["both", "first\(version)", "second\(version)"].map { name in
      #"{"method":"GET","path":"/\#(name)","operation":"\#(name)","summary":"Version \#(version)."}"#
    }
    return Fixtures.plugin(
      manifest:
        #"{"id":"pair","version":"\#(version)","title":"Title \#(version)","summary":"Summary \#(version).","#
        + #""routes":[\#(routes.joined(separator: ","))]}"#)
  }

  private static func ask(_ connection: Connection, _ document: String, _ key: String) -> Connection.Answer? {
    guard document == "/mcp" else { return connection.request("GET", document, key: key) }
    return connection.request(
      "POST", document, key: key, headers: ["MCP-Protocol-Version: 2025-11-25"],
      body: #"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#)
  }

  /// A document, with what names its state: there is an entity tag but for tools/list.
  private struct Text: Sendable, Hashable {
    var body: String
    var tag: String?

    init(_ answer: Connection.Answer) { (body, tag) = (answer.body, answer.headers["etag"]) }

    /// Which versions it speaks of.
    var versions: Set<Int> {
      Set(
        [1, 2].filter {
          body.contains("first\($0)") || body.contains("itle \($0)") || body.contains("second\($0)")
        })
    }
  }

  /// Whoever reads while the routes change: what each document was, and how often all were read.
  private struct Seen: Sendable {
    var texts: [String: Set<Text>] = [:]
    var failures: [String] = []
    var rounds: [Int]
    var isOver = false
  }

  /// What the documents are, and which routes answer, at rest.
  private func state(_ host: HostUnderTest, _ key: String) throws -> [String: Text] {
    var all: [String: Text] = [:]
    let connection = try #require(Connection(port: host.port))
    for document in Self.documents {
      let answer = try #require(Self.ask(connection, document, key))
      #expect(answer.status == 200, "\(document): \(answer)")
      all[document] = Text(answer)
    }
    return all
  }

  private func expectRoutes(_ host: HostUnderTest, _ key: String, _ version: Int) throws {
    for (name, isThere) in [
      ("both", true), ("first\(version)", true), ("second\(version)", true), ("first\(3 - version)", false),
      ("second\(3 - version)", false),
    ] {
      #expect(try host.call("GET", "/pair/\(name)", key: key).status == (isThere ? 200 : 404), "\(name)")
    }
  }

  @Test func whatIsReadMeanwhileIsOfOneVersionAndWhatIsReadAfterwardsOfTheNew() throws {
    let host = try HostUnderTest(
      load: [Self.plugin(1)], settings: "documents: {server_url: \"https://agents.example\"}\n")
    let key = try host.issueKey(["pair:*"])
    var versions: [Int: [String: Text]] = [1: try state(host, key)]
    #expect(try host.reload("pair", path: Self.plugin(2)).status == 200)
    versions[2] = try state(host, key)
    for (version, texts) in versions {
      for (document, text) in texts {
        #expect(text.versions == [version], "\(document): \(text.body)")
        // Pages of tools are told apart by what is in them alone.
        #expect((text.tag == nil) == (document == "/mcp"), "\(document)")
        #expect(text.tag == nil || text.tag != versions[3 - version]?[document]?.tag, "\(document)")
      }
    }
    let readers = 2
    let seen = Monitor(Seen(rounds: Array(repeating: 0, count: readers)))
    let threads = (0..<readers).map { reader in
      OSThread("reader-\(reader)") { [port = host.port] in
        var connection = Connection(port: port)
        while !seen.withLock({ $0.isOver }) {
          for document in Self.documents {
            let answer = connection.flatMap { Self.ask($0, document, key) }
            seen.withLock { seen in
              if let answer, answer.status == 200 {
                seen.texts[document, default: []].insert(Text(answer))
              } else {
                seen.failures.append("\(document): \(answer.map { "\($0)" } ?? "no answer")")
              }
            }
            if answer == nil { connection = Connection(port: port) }
          }
          seen.withLock { $0.rounds[reader] += 1 }
        }
      }
    }
    for round in 0..<8 {
      let version = round % 2 + 1
      let before = seen.withLock { $0.rounds }
      #expect(try host.reload("pair", path: Self.plugin(version)).status == 200)
      // From the answer on everything is of the new version.
      let now = try state(host, key)
      for (document, text) in now {
        #expect(text == versions[version]?[document], "\(document), version \(version): \(text.body)")
      }
      try expectRoutes(host, key, version)
      // Each reader began a round and ended it meanwhile.
      #expect(eventually { seen.withLock { seen in zip(seen.rounds, before).allSatisfy { $0 > $1 + 1 } } })
    }
    seen.withLock { $0.isOver = true }
    for thread in threads { thread.join() }
    let all = seen.withLock { $0 }
    #expect(all.failures.isEmpty, "\(all.failures.prefix(5))")
    for document in Self.documents {
      let known = Set(versions.values.compactMap { $0[document] })
      #expect(
        all.texts[document] == known,
        "\(document): \(all.texts[document]?.subtracting(known).first?.body ?? "")")
    }
    #expect(host.stop() == 0)
  }
}
