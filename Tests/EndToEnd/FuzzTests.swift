import Kernel
import Patience
import Testing

/// Random bytes, the same at every run, against a whole host.
@Suite struct FuzzTests {
  /// Of one seed, all of which are sent, on so many connections at a time: most of the time goes into waiting for those that
  /// were cut.
  private static let requests = 1504
  private static let clients = 16

  /// SplitMix64.
  private struct Dice: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var word = state
      word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
      word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
      return word ^ (word >> 31)
    }
  }

  private static func bytes(_ dice: inout Dice, upTo count: Int) -> [UInt8] {
    (0..<Int.random(in: 0...count, using: &dice)).map { _ in UInt8.random(in: 0...255, using: &dice) }
  }

  private static let targets = [
    "/accounts/", "/accounts/x", "/hello/x", "/accounts/?limit=5&order=name", "/health/live", "/", "/mcp",
    "/mcp",
    "/functions/call", "/functions/call", "/jobs/x", "/jobs/019ab2c4-7d10-7e3a-9c55-2f8e6b1d4a70",
    "/functions.json",
    "/openapi.json?version=3.0&automation=hello", "/llms.txt",
  ]

  private static let calls = [
    #"{"name":"hello_greet","arguments":{"name":"x"}}"#,
    #"{"name":"accounts_list_accounts","arguments":"{\"limit\":3}","call_id":"a","type":"function_call"}"#,
    #"{"name":"accounts_create_account","arguments":{"name":"a","email":"f@b.c","currency":"EUR","dry_run":true}}"#,
    #"{"name":"jobs_get","arguments":{"job":"x"}}"#, #"{"name":"accounts_get_account"}"#,
  ]

  private static let messages = [
    #"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#,
    #"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"hello_greet","arguments":{"name":"x"}}}"#,
    #"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"accounts_delete_account","arguments":{"id":"x"}}}"#,
    #"{"jsonrpc":"2.0","id":3,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"f","version":"1"}}}"#,
    #"{"jsonrpc":"2.0","id":4,"method":"resources/read","params":{"uri":"council://accounts/accounts"}}"#,
    #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
    #"{"jsonrpc":"2.0","id":5,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#,
  ]

  private static let bodies = [
    #"{"name":"a","email":"a@b.c","currency":"EUR","balance":12}"#, #"[[[[1,2.5e3,"\u00e4"]]]]"#, "{}", "",
    #"{"where":{"balance":{"gte":1}},"status":"closed","balance":-0.0}"#,
  ]

  private struct Request {
    var target: String
    var bytes: [UInt8]

    /// The first line, which the C library ends at a CR as well, and reads from its first character that is no blank.
    var line: [UInt8] {
      Array(
        bytes.drop { $0 == 0x0D || $0 == 0x0A || $0 == 0x20 || $0 == 0x09 }.prefix {
          $0 != 0x0A && $0 != 0x0D
        })
    }

    private static let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

    var hasKnownMethod: Bool {
      Request.methods.contains(String(decoding: line.prefix { $0 != 0x20 && $0 != 0x09 }, as: UTF8.self))
    }

    var hasKnownVersion: Bool {
      let version = line.split(separator: 0x20).last.map { String(decoding: $0, as: UTF8.self) }
      return version == "HTTP/1.1" || version == "HTTP/1.0"
    }
  }

  /// A request that is right but for what the dice change.
  private static func request(_ key: String, _ dice: inout Dice) -> Request {
    if Int.random(in: 0..<8, using: &dice) == 0 {
      return Request(target: "", bytes: bytes(&dice, upTo: 600) + [13, 10, 13, 10])
    }
    let target = targets.randomElement(using: &dice) ?? "/"
    var method =
      ["GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "PUT"].randomElement(using: &dice) ?? "GET"
    var body = bodies.randomElement(using: &dice) ?? ""
    var more = ""
    // What takes messages mostly gets some.
    if target == "/mcp" || target == "/functions/call", Int.random(in: 0..<4, using: &dice) > 0 {
      method = "POST"
      body = (target == "/mcp" ? messages : calls).randomElement(using: &dice) ?? ""
      if target == "/mcp" {
        let version = ["2025-11-25", "2025-06-18", "2026-07-28"].randomElement(using: &dice) ?? ""
        more = "MCP-Protocol-Version: \(version)\r\nMcp-Method: server/discover\r\n"
      }
    }
    var whole = Array(
      ("\(method) \(target) HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(key)\r\nContent-Type: application/json\r\n"
        + more + "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)").utf8)
    for _ in 0..<Int.random(in: 0...4, using: &dice) where !whole.isEmpty {
      let place = Int.random(in: 0..<whole.count, using: &dice)
      switch Int.random(in: 0..<4, using: &dice) {
      case 0: whole[place] = UInt8.random(in: 0...255, using: &dice)
      case 1: whole.insert(contentsOf: bytes(&dice, upTo: 8), at: place)
      case 2: whole.remove(at: place)
      default: whole.insert(contentsOf: whole[place...].prefix(40), at: place)
      }
    }
    return Request(target: target, bytes: whole)
  }

  private struct Tally: Sendable {
    var answers: [Int: Int] = [:]
    var targets: [String: Int] = [:]
    var faults: [String] = []
  }

  /// What is wrong with the answer; nil for none.
  private static func fault(_ answer: Connection.Answer?, to request: Request) -> String? {
    guard let answer else {
      // What has no blank in its first line is no HTTP; the C library ends the connection without a word.
      return request.line.contains(0x20) ? "no answer" : nil
    }
    guard answer.status >= 400 else { return answer.status >= 200 ? nil : "an answer of no kind" }
    let code =
      answer.code ?? answer.json?["problem"]?["code"]?.string
      ?? answer.json?["error"]?["code"]?.integer.map { "\($0)" }
    guard answer.body.isEmpty || code != nil else { return "an error without a code" }
    switch answer.status {
    case 400..<500: return nil
    // These two are not the host's failure, but RFC 9110's words for what a client asked for: a method that the host does
    // not know for any of its paths SHOULD be 501 (section 9.1; 405 is for methods that it knows, and comes with Allow), a
    // version of HTTP that it does not speak is 505 (section 15.6.6). With 400 a client could not tell that the same request
    // in another version would do. They are taken from a request that is so, and from no other.
    case 501 where !request.hasKnownMethod && (code ?? "request.method_unknown") == "request.method_unknown":
      return nil
    case 505 where !request.hasKnownVersion && (code ?? "http.version") == "http.version": return nil
    default: return "an error of the server"
    }
  }

  @Test(arguments: [1, 2]) func nothingThatIsSentMakesAServerError(seed: Int) throws {
    let host = try HostUnderTest(
      load: [HostUnderTest.hello, HostUnderTest.accounts],
      settings: "http:\n  head_timeout_ms: 100\n  body_timeout_ms: 100\n  minimum_bytes_per_s: 1000000000\n")
    let key = try host.issueKey(["*"])
    let before = host.sockets
    let tally = Monitor(Tally())
    let threads = (0..<FuzzTests.clients).map { client in
      OSThread("fuzz-\(client)") { [port = host.port] in
        var dice = Dice(state: UInt64(seed * FuzzTests.clients + client))
        for _ in 0..<FuzzTests.requests / FuzzTests.clients {
          let request = FuzzTests.request(key, &dice)
          guard let connection = Connection(port: port) else {
            return tally.withLock { $0.faults.append("nobody listens any more") }
          }
          // Who is refused early may not be listened to any more; the answer is there all the same, or the end.
          let isSent = connection.send(request.bytes)
          // The rest of the stream may be answered too; the first answer is enough.
          let answer = connection.answer(toHead: request.bytes.starts(with: Array("HEAD".utf8)))
          tally.withLock { tally in
            tally.targets[request.target, default: 0] += 1
            tally.answers[answer?.status ?? 0, default: 0] += 1
            guard let fault = FuzzTests.fault(answer, to: request), isSent || answer != nil else { return }
            let text = String(decoding: request.bytes, as: UTF8.self).debugDescription
            tally.faults.append("\(fault): \(answer.map { "\($0)" } ?? "") to \(text)")
          }
        }
      }
    }
    for thread in threads { thread.join() }
    let all = tally.withLock { $0 }
    print("fuzz: seed \(seed), answered \(all.answers.sorted { $0.key < $1.key })")
    #expect(all.faults.isEmpty, "\(all.faults.count): \(all.faults.prefix(5))")
    // Every one was sent, and most of them were something that could be answered; each path had its share.
    #expect(all.answers.values.reduce(0, +) == FuzzTests.requests)
    #expect(all.answers[0, default: 0] < FuzzTests.requests / 4, "\(all.answers)")
    for target in Set(FuzzTests.targets) { #expect(all.targets[target, default: 0] > 40, "\(target)") }
    for status in [200, 400, 404] { #expect(all.answers[status, default: 0] > 40, "\(all.answers)") }
    #expect(try host.call("GET", "/hello/x", key: key).status == 200)
    #expect(eventually { host.sockets <= before + 1 }, "\(before) sockets became \(host.sockets)")
    #expect(try host.admin("POST", "/audit/verify").status == 200)
    #expect(host.stop() == 0)
  }
}
