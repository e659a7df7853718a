import Kernel
import Patience
import Testing

/// Random bytes, the same at every run, against a whole host.
@Suite struct FuzzTests {
  private static let requests = 1500
  private static let time = Duration.seconds(10)

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

  /// A request that is right but for what the dice change.
  private static func request(_ key: String, _ dice: inout Dice) -> [UInt8] {
    if Int.random(in: 0..<8, using: &dice) == 0 { return bytes(&dice, upTo: 600) + [13, 10, 13, 10] }
    let method =
      ["GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "PUT"].randomElement(using: &dice) ?? "GET"
    let path =
      ["/accounts/", "/accounts/x", "/hello/x", "/accounts/?limit=5&order=name", "/health/live", "/"]
      .randomElement(using: &dice) ?? "/"
    let body =
      [
        #"{"name":"a","email":"a@b.c","currency":"EUR","balance":12}"#, #"[[[[1,2.5e3,"\u00e4"]]]]"#, "{}",
        "",
        #"{"where":{"balance":{"gte":1}},"status":"closed","balance":-0.0}"#,
      ].randomElement(using: &dice) ?? ""
    var whole = Array(
      ("\(method) \(path) HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(key)\r\nContent-Type: application/json\r\n"
        + "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)").utf8)
    for _ in 0..<Int.random(in: 0...4, using: &dice) where !whole.isEmpty {
      let place = Int.random(in: 0..<whole.count, using: &dice)
      switch Int.random(in: 0..<4, using: &dice) {
      case 0: whole[place] = UInt8.random(in: 0...255, using: &dice)
      case 1: whole.insert(contentsOf: bytes(&dice, upTo: 8), at: place)
      case 2: whole.remove(at: place)
      default: whole.insert(contentsOf: whole[place...].prefix(40), at: place)
      }
    }
    return whole
  }

  @Test(arguments: [1, 2]) func nothingThatIsSentMakesAServerError(seed: Int) throws {
    let host = try HostUnderTest(
      load: [HostUnderTest.hello, HostUnderTest.accounts],
      settings: "http:\n  head_timeout_ms: 100\n  body_timeout_ms: 100\n  minimum_bytes_per_s: 1000000000\n")
    let key = try host.issueKey(["*"])
    let before = host.sockets
    var dice = Dice(state: UInt64(seed))
    var answers: [Int: Int] = [:]
    var sent = 0
    let end = Instant.now + FuzzTests.time
    while sent < FuzzTests.requests, Instant.now < end {
      let bytes = FuzzTests.request(key, &dice)
      let connection = try #require(
        Connection(port: host.port, timeout: .seconds(5)), "nobody listens any more")
      sent += 1
      guard connection.send(bytes) else { continue }
      // The rest of the stream may be answered too; the first answer is enough.
      let answer = connection.answer(toHead: bytes.starts(with: Array("HEAD".utf8)))
      answers[answer?.status ?? 0, default: 0] += 1
      guard let answer else {
        // What has no blank in its first line is no HTTP; the C library ends the connection without a word.
        let line = bytes.drop { $0 == 0x0D || $0 == 0x0A }.prefix { $0 != 0x0A }
        #expect(
          !line.contains(0x20), "no answer to \(String(decoding: bytes, as: UTF8.self).debugDescription)")
        continue
      }
      guard answer.status >= 400, !answer.body.isEmpty else { continue }
      let allowed: [String] =
        switch answer.status {
        // What the client asked for is HTTP's, and this host has it not (RFC 9110, sections 9.1 and 15.6.6; RFC 9112,
        // section 6.1): a method, a transfer coding, a version.
        case 501: ["request.method_unknown", "http.unknown_coding"]
        case 505: ["http.version"]
        case 400..<500: answer.code.map { [$0] } ?? []
        default: []
        }
      #expect(answer.code.map(allowed.contains) == true, "\(bytes): \(answer)")
    }
    print("fuzz: \(sent) requests from seed \(seed), answered \(answers.sorted { $0.key < $1.key })")
    #expect(sent > 100)
    #expect(try host.call("GET", "/hello/x", key: key).status == 200)
    #expect(eventually { host.sockets <= before + 1 }, "\(before) sockets became \(host.sockets)")
    #expect(try host.admin("POST", "/audit/verify").status == 200)
    #expect(host.stop() == 0)
  }
}
